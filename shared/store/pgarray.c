#include "pgarray.h"

const char *pgarray_format(struct arena *arena, const struct bytes *values, size_t count)
{
	size_t room = 3;
	for (size_t i = 0; i < count; i++)
		room += values[i].len * 2 + 3;
	char *text = arena_alloc(arena, room), *at = text;
	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i)
			*at++ = ',';
		*at++ = '"';
		for (size_t j = 0; j < values[i].len; j++) {
			char c = (char)values[i].at[j];
			if (c == '"' || c == '\\')
				*at++ = '\\';
			*at++ = c;
		}
		*at++ = '"';
	}
	*at = '}';
	return text;
}

/* One member at the start of *text, which moves behind it and its comma; written to *room, which moves behind it. */
static struct bytes take_member(struct bytes *text, uint8_t **room)
{
	bool quoted = text->len && text->at[0] == '"';
	size_t i = quoted, len = 0;
	uint8_t *out = *room;
	while (i < text->len) {
		uint8_t c = text->at[i];
		if (quoted ? c == '"' : c == ',' || c == '}')
			break;
		if (c == '\\' && i + 1 < text->len)
			c = text->at[++i];
		out[len++] = c;
		i++;
	}
	i += quoted;
	if (i < text->len && text->at[i] == ',')
		i++;
	*text = bytes_skip(*text, i);
	*room += len;
	struct bytes member = bytes_of(out, len);
	return !quoted && bytes_equal_text(member, "NULL") ? BYTES_NONE : member;
}

static size_t most_members(struct bytes text)
{
	size_t most = 1;
	for (size_t i = 0; i < text.len; i++)
		most += text.at[i] == ',';
	return most;
}

size_t pgarray_parse(struct bytes text, struct arena *arena, struct bytes **out)
{
	*out = NULL;
	if (text.len < 2 || text.at[0] != '{' || text.at[text.len - 1] != '}')
		return 0;
	text = bytes_of(text.at + 1, text.len - 2);
	if (!text.len)
		return 0;
	*out = ARENA_ARRAY(arena, struct bytes, most_members(text));
	uint8_t *room = arena_alloc(arena, text.len);
	size_t count = 0;
	while (text.len)
		(*out)[count++] = take_member(&text, &room);
	return count;
}
