#include "bytes.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

bool bytes_equal_text(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_text(text));
}

bool bytes_equal_nocase(struct bytes a, const char *text)
{
	struct bytes b = bytes_text(text);
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	}
	return true;
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.at, b.at, common) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool bytes_starts(struct bytes b, const char *prefix)
{
	return bytes_equal(bytes_take(b, strlen(prefix)), bytes_text(prefix));
}

struct bytes bytes_skip(struct bytes b, size_t from)
{
	if (!from)
		return b;
	if (from > b.len)
		from = b.len;
	return b.at ? bytes_of(b.at + from, b.len - from) : b;
}

struct bytes bytes_take(struct bytes b, size_t count)
{
	return bytes_of(b.at, count < b.len ? count : b.len);
}

struct bytes bytes_split(struct bytes b, char separator, struct bytes *rest)
{
	const uint8_t *found = b.len ? memchr(b.at, separator, b.len) : NULL;
	if (!found) {
		*rest = BYTES_NONE;
		return b;
	}
	size_t before = (size_t)(found - b.at);
	*rest = bytes_of(found + 1, b.len - before - 1);
	return bytes_of(b.at, before);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes bytes_trim(struct bytes b)
{
	while (b.len && is_space(b.at[0]))
		b = bytes_skip(b, 1);
	while (b.len && is_space(b.at[b.len - 1]))
		b.len--;
	return b;
}

/* Length of the well-formed sequence at the start of b, or 0. The second byte's range is what excludes overlong forms, surrogates and
 * anything past U+10FFFF (Unicode, table 3-7). */
static size_t utf8_sequence(struct bytes b)
{
	uint8_t first = b.at[0], low = 0x80, high = 0xbf;
	size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (!len || len > b.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (b.at[i] < low || b.at[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return len;
}

size_t bytes_utf8_len(struct bytes b)
{
	return b.len ? utf8_sequence(b) : 0;
}

bool bytes_is_utf8(struct bytes b)
{
	while (b.len) {
		size_t len = utf8_sequence(b);
		if (!len)
			return false;
		b = bytes_of(b.at + len, b.len - len);
	}
	return true;
}
