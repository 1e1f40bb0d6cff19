#include "jsonw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Bytes that stand for themselves inside a JSON text. All of ASCII but controls, '"' and '\'; others go through the slow path. */
static const bool plain[256] = {
	[' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... 0x7e] = true, [0x7f] = true,
};

static uint8_t *put(uint8_t *p, const void *from, size_t len)
{
	memcpy(p, from, len);
	return p + len;
}

/* Room for the comma, the member's name and `room` bytes of value; the former two are written. NULL after an error. */
static uint8_t *open_value(struct jsonw *w, const char *name, size_t room)
{
	size_t name_len = name ? strlen(name) : 0;
	if (w->failed)
		return NULL;
	uint8_t *p = buffer_reserve(w->out, room + name_len + 4);
	if (!p) {
		w->failed = ERR_TOO_BIG;
		return NULL;
	}
	if (w->comma)
		*p++ = ',';
	w->comma = true;
	if (name) {
		*p++ = '"';
		p = put(p, name, name_len);
		*p++ = '"';
		*p++ = ':';
	}
	return p;
}

static void close_value(struct jsonw *w, uint8_t *end)
{
	buffer_filled(w->out, (size_t)(end - (w->out->at + w->out->len)));
}

static void write_value(struct jsonw *w, const char *name, const void *value, size_t len)
{
	uint8_t *p = open_value(w, name, len);
	if (p)
		close_value(w, put(p, value, len));
}

static void write_quoted(struct jsonw *w, const char *name, const char *value, size_t len)
{
	uint8_t *p = open_value(w, name, len + 2);
	if (!p)
		return;
	*p++ = '"';
	p = put(p, value, len);
	*p++ = '"';
	close_value(w, p);
}

void jsonw_start(struct jsonw *w, struct buffer *out)
{
	*w = (struct jsonw){.out = out};
}
enum err jsonw_end(struct jsonw *w)
{
	return w->failed;
}

static void open_level(struct jsonw *w, const char *name, char bracket)
{
	write_value(w, name, &bracket, 1);
	w->comma = false;
}

/* An ending bracket never follows a comma. */
static void close_level(struct jsonw *w, char bracket)
{
	w->comma = false;
	write_value(w, NULL, &bracket, 1);
}

void jsonw_object(struct jsonw *w, const char *name)
{
	open_level(w, name, '{');
}
void jsonw_object_end(struct jsonw *w)
{
	close_level(w, '}');
}
void jsonw_array(struct jsonw *w, const char *name)
{
	open_level(w, name, '[');
}
void jsonw_array_end(struct jsonw *w)
{
	close_level(w, ']');
}

static size_t plain_run(struct bytes s)
{
	size_t i = 0;
	while (i < s.len && plain[s.at[i]])
		i++;
	return i;
}

/* The character at the start of `s`, which is not plain, in its JSON form: at most 6 bytes. Returns how many bytes of `s` it was. */
static size_t escape(struct bytes s, uint8_t out[static 6], size_t *out_len)
{
	static const char digits[] = "0123456789abcdef";
	static const char shorts[] = "\"\"\\\\\nn\rr\tt\bb\ff";
	uint8_t c = s.at[0];
	for (const char *p = shorts; *p; p += 2)
		if (c == (uint8_t)*p) {
			out[0] = '\\';
			out[1] = (uint8_t)p[1];
			*out_len = 2;
			return 1;
		}
	if (c < 0x20) {
		out[0] = '\\';
		out[1] = 'u';
		out[2] = out[3] = '0';
		out[4] = (uint8_t)digits[c >> 4];
		out[5] = (uint8_t)digits[c & 15];
		*out_len = 6;
		return 1;
	}
	size_t len = bytes_utf8_len(s);
	*out_len = len ? len : 3;
	memcpy(out, len ? (const char *)s.at : "\xef\xbf\xbd", *out_len);
	return len ? len : 1;
}

static void add(struct jsonw *w, struct bytes s)
{
	if (!w->failed)
		w->failed = buffer_add(w->out, s);
}

static void add_escaped(struct jsonw *w, struct bytes s)
{
	while (s.len && !w->failed) {
		uint8_t out[6];
		size_t run = plain_run(s), len;
		add(w, bytes_take(s, run));
		s = bytes_skip(s, run);
		if (!s.len)
			break;
		s = bytes_skip(s, escape(s, out, &len));
		add(w, bytes_of(out, len));
	}
}

void jsonw_text(struct jsonw *w, const char *name, struct bytes value)
{
	if (plain_run(value) == value.len) {
		write_quoted(w, name, value.len ? (const char *)value.at : "", value.len);
		return;
	}
	write_value(w, name, "\"", 1);
	add_escaped(w, value);
	add(w, BYTES("\""));
}

void jsonw_key(struct jsonw *w, struct bytes name)
{
	jsonw_text(w, NULL, name);
	add(w, BYTES(":"));
	w->comma = false;
}

void jsonw_string(struct jsonw *w, const char *name, const char *value)
{
	jsonw_text(w, name, bytes_text(value));
}
void jsonw_raw(struct jsonw *w, const char *name, struct bytes json)
{
	write_value(w, name, json.len ? (const char *)json.at : "", json.len);
}
void jsonw_null(struct jsonw *w, const char *name)
{
	write_value(w, name, "null", 4);
}
void jsonw_bool(struct jsonw *w, const char *name, bool value)
{
	write_value(w, name, value ? "true" : "false", value ? 4 : 5);
}

void jsonw_uint(struct jsonw *w, const char *name, uint64_t value)
{
	char text[U64_DIGITS_MAX];
	write_value(w, name, text, text_put_u64(text, value));
}

void jsonw_int(struct jsonw *w, const char *name, int64_t value)
{
	char text[U64_DIGITS_MAX + 1];
	text[0] = '-';
	size_t len = text_put_u64(text + 1, value < 0 ? -(uint64_t)value : (uint64_t)value);
	write_value(w, name, value < 0 ? text : text + 1, value < 0 ? len + 1 : len);
}

void jsonw_uint_text(struct jsonw *w, const char *name, uint64_t value)
{
	char text[U64_DIGITS_MAX];
	write_quoted(w, name, text, text_put_u64(text, value));
}

/* JSON knows neither infinity nor not-a-number. */
void jsonw_double(struct jsonw *w, const char *name, double value)
{
	char text[40];
	int len = 0;
	if (!__builtin_isfinite(value)) {
		jsonw_null(w, name);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		len = snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	write_value(w, name, text, (size_t)len);
}

void jsonw_time(struct jsonw *w, const char *name, struct wall value)
{
	char text[TIME_TEXT_MAX];
	write_quoted(w, name, text, time_format(text, value));
}

void jsonw_time_or_null(struct jsonw *w, const char *name, struct wall value)
{
	if (wall_is_zero(value))
		jsonw_null(w, name);
	else
		jsonw_time(w, name, value);
}

void jsonw_prefix(struct jsonw *w, const char *name, struct prefix value)
{
	char text[PREFIX_TEXT_MAX];
	write_quoted(w, name, text, prefix_format(text, value));
}
