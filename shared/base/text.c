#include "text.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Digits at the start, taken off *text; ERR_MALFORMED without one, ERR_TOO_BIG past max. */
static enum err take_number(struct bytes *text, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;
	size_t i = 0;
	for (; i < text->len && is_digit(text->at[i]); i++) {
		unsigned digit = text->at[i] - '0';
		if (sum > max / 10 || digit > max - sum * 10)
			return ERR_TOO_BIG;
		sum = sum * 10 + digit;
	}
	if (!i)
		return ERR_MALFORMED;
	*text = bytes_skip(*text, i);
	*value = sum;
	return ERR_NONE;
}

enum err text_parse_u64(struct bytes text, uint64_t max, uint64_t *value)
{
	uint64_t sum;
	bool padded = text.len > 1 && text.at[0] == '0';
	enum err e = padded ? ERR_MALFORMED : take_number(&text, max, &sum);
	if (e == ERR_NONE && text.len)
		e = ERR_MALFORMED;
	if (e == ERR_NONE)
		*value = sum;
	return e;
}

enum err text_parse_i64(struct bytes text, int64_t *value)
{
	bool negative = bytes_starts(text, "-");
	uint64_t size = 0;
	enum err e = text_parse_u64(bytes_skip(text, negative), (uint64_t)INT64_MAX + negative, &size);
	if (e != ERR_NONE)
		return e;
	if (negative && !size)
		return ERR_MALFORMED;
	*value = negative ? (int64_t)(~size + 1) : (int64_t)size;
	return ERR_NONE;
}

static int hex_value(uint8_t c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum err hex_decode(struct bytes text, uint8_t *out, size_t len)
{
	if (text.len != len * 2)
		return ERR_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		if (hex_value(text.at[i]) < 0)
			return ERR_MALFORMED;
	}
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)((unsigned)hex_value(text.at[2 * i]) << 4 | (unsigned)hex_value(text.at[2 * i + 1]));
	return ERR_NONE;
}

void hex_encode(char *out, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		*out++ = "0123456789abcdef"[b.at[i] >> 4];
		*out++ = "0123456789abcdef"[b.at[i] & 15];
	}
	*out = 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	return is_digit(c) ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four digits; the count of bytes it stands for, or 0. Bits that padding leaves over must be zero: one text per value. */
static size_t base64_group(const uint8_t *text, bool last, uint8_t out[3])
{
	size_t digits = 4;
	while (last && digits > 2 && text[digits - 1] == '=')
		digits--;
	uint32_t bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < digits ? base64_value(text[i]) : 0;
		if (value < 0)
			return 0;
		bits = bits << 6 | (uint32_t)value;
	}
	if (digits < 4 && bits & (digits == 2 ? 0xffff : 0xff))
		return 0;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return digits - 1;
}

enum err base64_decode(struct bytes text, struct buffer *out)
{
	if (text.len % 4)
		return ERR_MALFORMED;
	size_t before = out->len;
	for (size_t i = 0; i < text.len; i += 4) {
		uint8_t piece[3];
		size_t count = base64_group(text.at + i, i + 4 == text.len, piece);
		enum err e = count ? buffer_add(out, bytes_of(piece, count)) : ERR_MALFORMED;
		if (e != ERR_NONE) {
			buffer_cut(out, before);
			return e;
		}
	}
	return ERR_NONE;
}

enum err base64_encode(struct bytes b, struct buffer *out)
{
	if (b.len > SIZE_MAX / 2)
		return ERR_TOO_BIG;
	size_t len = (b.len + 2) / 3 * 4;
	uint8_t *to = buffer_reserve(out, len);
	if (!to)
		return ERR_TOO_BIG;
	for (size_t i = 0; i < b.len; i += 3, to += 4) {
		size_t have = b.len - i < 3 ? b.len - i : 3;
		uint32_t bits = (uint32_t)b.at[i] << 16 | (have > 1 ? (uint32_t)b.at[i + 1] << 8 : 0) | (have > 2 ? b.at[i + 2] : 0);
		for (size_t d = 0; d < 4; d++)
			to[d] = d <= have ? (uint8_t)base64_digits[bits >> (18 - 6 * d) & 63] : '=';
	}
	buffer_filled(out, len);
	return ERR_NONE;
}

/* What is printed begins with days. */
enum { UNIT_SHOWN = 2 };

/* From the largest on; a text names each at most once and in this order. */
static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {{"y", 31536000000}, {"w", 604800000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static size_t letters(struct bytes text)
{
	size_t i = 0;
	while (i < text.len && text.at[i] >= 'a' && text.at[i] <= 'z')
		i++;
	return i;
}

enum err duration_parse(struct bytes text, int64_t *ms)
{
	int64_t sum = 0;
	size_t next = 0;
	if (!text.len)
		return ERR_MALFORMED;
	while (text.len) {
		uint64_t count;
		enum err e = take_number(&text, INT64_MAX, &count);
		if (e != ERR_NONE)
			return e;
		struct bytes name = bytes_take(text, letters(text));
		while (next < COUNT_OF(units) && !bytes_equal_text(name, units[next].name))
			next++;
		if (next == COUNT_OF(units))
			return ERR_MALFORMED;
		int64_t part;
		if (__builtin_mul_overflow((int64_t)count, units[next].ms, &part) || __builtin_add_overflow(sum, part, &sum))
			return ERR_TOO_BIG;
		next++;
		text = bytes_skip(text, name.len);
	}
	*ms = sum;
	return ERR_NONE;
}

size_t duration_format(char out[static 32], int64_t ms)
{
	uint64_t left = ms < 0 ? ~(uint64_t)ms + 1 : (uint64_t)ms;
	size_t len = 0;
	if (!ms)
		return (size_t)snprintf(out, 32, "0s");
	if (ms < 0)
		out[len++] = '-';
	for (size_t i = UNIT_SHOWN; i < COUNT_OF(units); i++) {
		uint64_t count = left / (uint64_t)units[i].ms;
		left %= (uint64_t)units[i].ms;
		if (count)
			len += (size_t)snprintf(out + len, 32 - len, "%llu%s", (unsigned long long)count, units[i].name);
	}
	return len;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(int64_t year, unsigned month)
{
	return month == 2 && is_leap(year) ? 29 : (unsigned)(uint8_t) "\0\37\34\37\36\37\36\37\37\36\37\36\37"[month];
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. Years begin in March here, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400, of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march = (5 * of_year + 2) / 153;
	*day = (unsigned)(of_year - (153 * march + 2) / 5 + 1);
	*month = (unsigned)(march < 10 ? march + 3 : march - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

/* Exactly `digits` digits, then `after` unless that is 0. */
static bool take_fixed(struct bytes *text, size_t digits, char after, unsigned max, unsigned *value)
{
	unsigned sum = 0;
	if (text->len < digits + (after != 0))
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (!is_digit(text->at[i]))
			return false;
		sum = sum * 10 + text->at[i] - '0';
	}
	if (sum > max || (after && text->at[digits] != (uint8_t)after))
		return false;
	*text = bytes_skip(*text, digits + (after != 0));
	*value = sum;
	return true;
}

static bool take_fraction(struct bytes *text, int64_t *ns)
{
	*ns = 0;
	if (!bytes_starts(*text, "."))
		return true;
	size_t i = 1;
	for (int64_t scale = 100000000; i < text->len && is_digit(text->at[i]); i++, scale /= 10)
		*ns += (text->at[i] - '0') * scale;
	*text = bytes_skip(*text, i);
	return i > 1;
}

static bool take_offset(struct bytes *text, int64_t *seconds)
{
	unsigned hours, minutes;
	*seconds = 0;
	if (bytes_equal_text(*text, "Z"))
		return true;
	bool west = bytes_starts(*text, "-");
	if (!west && !bytes_starts(*text, "+"))
		return false;
	*text = bytes_skip(*text, 1);
	if (!take_fixed(text, 2, ':', 23, &hours) || !take_fixed(text, 2, 0, 59, &minutes) || text->len)
		return false;
	*seconds = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

enum err time_parse(struct bytes text, struct wall *wall)
{
	unsigned year, month, day, hour, minute, second;
	int64_t ns, offset;
	if (!take_fixed(&text, 4, '-', 9999, &year) || !take_fixed(&text, 2, '-', 12, &month) || !take_fixed(&text, 2, 'T', 31, &day) ||
	    !take_fixed(&text, 2, ':', 23, &hour) || !take_fixed(&text, 2, ':', 59, &minute) || !take_fixed(&text, 2, 0, 59, &second))
		return ERR_MALFORMED;
	if (!month || !day || day > days_in(year, month) || !take_fraction(&text, &ns) || !take_offset(&text, &offset))
		return ERR_MALFORMED;
	int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	if (seconds == days_of(1, 1, 1) * 86400 && !ns)
		*wall = WALL_ZERO;
	else if (seconds < INT64_MIN / 1000000000)
		*wall = (struct wall){INT64_MIN + 1};
	else if (seconds >= INT64_MAX / 1000000000)
		*wall = (struct wall){INT64_MAX};
	else
		*wall = (struct wall){seconds * 1000000000 + ns};
	return ERR_NONE;
}

size_t text_put_u64(char out[static U64_DIGITS_MAX], uint64_t value)
{
	char digits[U64_DIGITS_MAX], *start = digits + sizeof(digits);
	do
		*--start = (char)('0' + value % 10);
	while (value /= 10);
	size_t len = (size_t)(digits + sizeof(digits) - start);
	memcpy(out, start, len);
	return len;
}

/* `width` digits with leading zeros, then `after`. */
static char *put_fixed(char *out, unsigned value, unsigned width, char after)
{
	for (unsigned i = width; i--; value /= 10)
		out[i] = (char)('0' + value % 10);
	out[width] = after;
	return out + width + 1;
}

size_t time_format(char out[static TIME_TEXT_MAX], struct wall wall)
{
	if (wall_is_zero(wall))
		return (size_t)snprintf(out, TIME_TEXT_MAX, "0001-01-01T00:00:00Z");
	int64_t seconds = wall.ns / 1000000000, ns = wall.ns % 1000000000, year;
	if (ns < 0) {
		ns += 1000000000;
		seconds--;
	}
	int64_t days = seconds / 86400 - (seconds % 86400 < 0);
	unsigned month, day, of_day = (unsigned)(seconds - days * 86400);
	date_of(days, &year, &month, &day);
	char *p = put_fixed(out, (unsigned)year, 4, '-');
	p = put_fixed(p, month, 2, '-');
	p = put_fixed(p, day, 2, 'T');
	p = put_fixed(p, of_day / 3600, 2, ':');
	p = put_fixed(p, of_day / 60 % 60, 2, ':');
	p = put_fixed(p, of_day % 60, 2, '.');
	if (ns)
		p = put_fixed(p, (unsigned)ns, 9, '0');
	size_t len = (size_t)(p - out) - 1;
	while (ns && out[len - 1] == '0')
		len--;
	out[len++] = 'Z';
	out[len] = 0;
	return len;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned text_distance(struct bytes a, struct bytes b, unsigned cap)
{
	size_t apart = a.len > b.len ? a.len - b.len : b.len - a.len;
	if (apart >= cap)
		return cap;
	size_t width = b.len + 1;
	unsigned *rows = x_alloc(3 * width * sizeof(*rows)), *before = rows, *above = rows + width, *row = rows + 2 * width;
	for (size_t j = 0; j < width; j++)
		above[j] = (unsigned)j;
	unsigned low = 0;
	for (size_t i = 1; i <= a.len && low < cap; i++) {
		low = row[0] = (unsigned)i;
		for (size_t j = 1; j < width; j++) {
			bool same = a.at[i - 1] == b.at[j - 1];
			row[j] = least(above[j - 1] + !same, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
			low = least(low, row[j]);
		}
		unsigned *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	unsigned distance = low >= cap ? cap : least(above[b.len], cap);
	free(rows);
	return distance;
}
