#include "percent.h"

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err percent_decode(struct arena *arena, struct bytes text, bool query, struct bytes *decoded)
{
	uint8_t *to = arena_alloc(arena, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];
		if (query && c == '+')
			c = ' ';
		if (c == '%') {
			if (text.len - i < 3)
				return ERR_MALFORMED;
			int high = digit(text.at[i + 1]), low = digit(text.at[i + 2]);
			if (high < 0 || low < 0)
				return ERR_MALFORMED;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (!c)
			return ERR_MALFORMED;
		to[len++] = c;
	}
	*decoded = bytes_of(to, len);
	return ERR_NONE;
}
