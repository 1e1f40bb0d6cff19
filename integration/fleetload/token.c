#include "token.h"

#include <stdio.h>
#include <string.h>

static const char move_start[] = "\"10.", join_start[] = "\"Name\":\"j", port_start[] = "\"First\":", port_end[] = "\"Last\":";

struct endpoint token_endpoint(uint32_t event)
{
	return (struct endpoint){.ip = {.family = IP_V4, .byte = {10, (uint8_t)(event >> 16), (uint8_t)(event >> 8), (uint8_t)event}}, .port = TOKEN_PORT};
}

void token_name(char out[static TOKEN_NAME_MAX], uint32_t event)
{
	snprintf(out, TOKEN_NAME_MAX, "j%u", event);
}

/* Digits at *at, then `end`. */
static bool read_number(struct bytes text, size_t *at, char end, uint32_t most, uint32_t *value)
{
	size_t from = *at;

	for (*value = 0; *at < text.len && text.at[*at] >= '0' && text.at[*at] <= '9' && *value <= most; ++*at)
		*value = *value * 10 + (uint32_t)(text.at[*at] - '0');
	return *at > from && *value <= most && *at < text.len && text.at[(*at)++] == (uint8_t)end;
}

static bool read_move(struct bytes text, size_t *at, uint32_t *event)
{
	uint32_t a, b, c, port;

	if (!read_number(text, at, '.', 255, &a) || !read_number(text, at, '.', 255, &b) || !read_number(text, at, ':', 255, &c) ||
	    !read_number(text, at, '"', 65535, &port) || port != TOKEN_PORT)
		return false;
	*event = a << 16 | b << 8 | c;
	return true;
}

static bool starts_at(struct bytes text, size_t at, const char *prefix)
{
	return bytes_starts(bytes_skip(text, at), prefix);
}

static bool read_policy(struct bytes text, size_t *at, uint32_t *event)
{
	uint32_t first, last;

	if (!read_number(text, at, ',', 65535, &first) || !starts_at(text, *at, port_end))
		return false;
	*at += sizeof port_end - 1;
	if (!read_number(text, at, '}', 65535, &last) || first != last || first < TOKEN_POLICY_PORT || first - TOKEN_POLICY_PORT > TOKEN_POLICY_MAX)
		return false;
	*event = first - TOKEN_POLICY_PORT;
	return true;
}

static bool read_join(struct bytes text, size_t *at, uint32_t *event)
{
	return read_number(text, at, '.', TOKEN_EVENT_MAX, event);
}

static const struct form {
	const char *start;
	bool (*read)(struct bytes text, size_t *at, uint32_t *event);
	enum token_kind kind;
} forms[] = {{move_start, read_move, TOKEN_MOVE}, {join_start, read_join, TOKEN_JOIN}, {port_start, read_policy, TOKEN_POLICY}};

bool token_next(struct bytes text, size_t *at, struct token *token)
{
	const uint8_t *quote;

	while (*at < text.len && (quote = memchr(text.at + *at, '"', text.len - *at))) {
		size_t here = (size_t)(quote - text.at);

		*at = here + 1;
		for (size_t i = 0; i < COUNT_OF(forms); i++) {
			size_t end = here + strlen(forms[i].start);

			if (starts_at(text, here, forms[i].start) && forms[i].read(text, &end, &token->event)) {
				token->kind = forms[i].kind;
				*at = end;
				return true;
			}
		}
	}
	*at = text.len;
	return false;
}
