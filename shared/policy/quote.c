#include "quote.h"

#include <stdio.h>

#include "mem.h"

/* Characters past ASCII that Go does not print: controls, spaces, marks of direction, private use, what is no character. */
static const struct {
	unsigned first, last;
} hidden[] = {
	{0x80, 0xa0},     {0xad, 0xad},     {0x61c, 0x61c},   {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f},   {0x205f, 0x206f},
	{0x3000, 0x3000}, {0xd800, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff},
};

struct bytes quote_cut(struct bytes text, size_t max)
{
	size_t at = 0, len;
	while (at < text.len && (len = bytes_utf8_len(bytes_skip(text, at))) && at + len <= max)
		at += len;
	return bytes_take(text, at);
}

static unsigned character(const uint8_t *at, size_t len)
{
	unsigned c = len == 1 ? at[0] : at[0] & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (at[i] & 0x3f);
	return c;
}

static bool is_hidden(unsigned c)
{
	for (size_t i = 0; i < COUNT_OF(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}

enum { PIECE_MAX = 12 };

/* Appends one character as it is printed; how many bytes. */
static size_t put(char *out, const uint8_t *at, size_t len)
{
	static const char from[] = "\a\b\f\n\r\t\v\"\\", to[] = "abfnrtv\"\\";
	unsigned c = character(at, len);
	const char *found = c ? memchr(from, (int)c, sizeof from - 1) : NULL;
	if (c < 0x80 && found)
		return (size_t)snprintf(out, PIECE_MAX, "\\%c", to[found - from]);
	if (c < 0x20 || c == 0x7f)
		return (size_t)snprintf(out, PIECE_MAX, "\\x%02x", c);
	if (is_hidden(c))
		return (size_t)snprintf(out, PIECE_MAX, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
	memcpy(out, at, len);
	return len;
}

const char *quote(struct arena *arena, struct bytes text)
{
	text = quote_cut(text, QUOTE_MAX);
	char *out = arena_alloc(arena, text.len * PIECE_MAX + 3);
	size_t used = 0, len;
	out[used++] = '"';
	for (size_t at = 0; at < text.len; at += len) {
		len = bytes_utf8_len(bytes_skip(text, at));
		used += put(out + used, text.at + at, len);
	}
	out[used] = '"';
	return out;
}
