#include "token.h"

#include <stdio.h>

static const char move_start[] = "\"10.", join_start[] = "\"Name\":\"j";

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

bool token_next(struct bytes text, size_t *at, struct token *token)
{
	const uint8_t *quote;

	while (*at < text.len && (quote = memchr(text.at + *at, '"', text.len - *at))) {
		size_t here = (size_t)(quote - text.at);

		*at = here + 1;
		if (starts_at(text, here, move_start)) {
			size_t end = here + sizeof move_start - 1;

			if (read_move(text, &end, &token->event)) {
				token->kind = TOKEN_MOVE;
				*at = end;
				return true;
			}
		} else if (starts_at(text, here, join_start)) {
			size_t end = here + sizeof join_start - 1;

			if (read_number(text, &end, '.', TOKEN_EVENT_MAX, &token->event)) {
				token->kind = TOKEN_JOIN;
				*at = end;
				return true;
			}
		}
	}
	*at = text.len;
	return false;
}
