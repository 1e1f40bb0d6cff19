#include "hujson.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "buffer.h"
#include "quote.h"
#include "table.h"

struct reader {
	struct arena *arena;
	const uint8_t *at, *end, *line_start;
	unsigned line, depth, values;
	struct diag *why;
};

/* Items and members gather in an array that doubles; the list that is done moves to the arena. */
struct gathering {
	void *items;
	size_t count, room, size;
};

static void *gather(struct gathering *g)
{
	if (g->count == g->room) {
		g->room = g->room ? g->room * 2 : 8;
		g->items = x_realloc(g->items, g->room * g->size);
	}
	void *item = (uint8_t *)g->items + g->count++ * g->size;
	memset(item, 0, g->size);
	return item;
}

static void *gathered(struct gathering *g, struct arena *arena)
{
	void *list = NULL;
	if (g->count) {
		list = arena_alloc(arena, g->count * g->size);
		memcpy(list, g->items, g->count * g->size);
	}
	free(g->items);
	return list;
}

static struct place here(const struct reader *r)
{
	return (struct place){r->line, (unsigned)(r->at - r->line_start) + 1};
}

static enum err refuse(struct reader *r, const char *text)
{
	struct place at = here(r);
	enum err e = diag_set(r->why, ERR_MALFORMED, "%s", text);
	if (r->why)
		r->why->line = at.line, r->why->column = at.column;
	return e;
}

static void step(struct reader *r)
{
	if (*r->at++ == '\n') {
		r->line++;
		r->line_start = r->at;
	}
}

static enum err skip_comment(struct reader *r)
{
	if (r->at[1] == '/') {
		while (r->at < r->end && *r->at != '\n')
			r->at++;
		return ERR_NONE;
	}
	struct reader start = *r;
	r->at += 2;
	while (r->end - r->at >= 2 && !(r->at[0] == '*' && r->at[1] == '/'))
		step(r);
	if (r->end - r->at < 2)
		return refuse(&start, "a comment does not end");
	r->at += 2;
	return ERR_NONE;
}

static enum err skip(struct reader *r)
{
	while (r->at < r->end) {
		enum err e;
		if (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n')
			step(r);
		else if (r->end - r->at < 2 || *r->at != '/' || (r->at[1] != '/' && r->at[1] != '*'))
			break;
		else if ((e = skip_comment(r)))
			return e;
	}
	return ERR_NONE;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err read_unit(struct reader *r, unsigned *unit)
{
	*unit = 0;
	for (unsigned i = 0; i < 4; i++) {
		int digit = r->at < r->end ? hex_of(*r->at) : -1;
		if (digit < 0)
			return refuse(r, "\\u wants four hexadecimal digits");
		*unit = *unit << 4 | (unsigned)digit;
		r->at++;
	}
	return ERR_NONE;
}

static size_t put_utf8(uint8_t *out, unsigned c)
{
	if (c < 0x80)
		return out[0] = (uint8_t)c, 1;
	if (c < 0x800)
		return out[0] = (uint8_t)(0xc0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 63)), 2;
	if (c < 0x10000)
		return out[0] = (uint8_t)(0xe0 | c >> 12), out[1] = (uint8_t)(0x80 | (c >> 6 & 63)), out[2] = (uint8_t)(0x80 | (c & 63)), 3;
	out[0] = (uint8_t)(0xf0 | c >> 18), out[1] = (uint8_t)(0x80 | (c >> 12 & 63)), out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	out[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

/* Behind "\u". */
static enum err read_character(struct reader *r, uint8_t *out, size_t *len)
{
	unsigned high, low;
	enum err e = read_unit(r, &high);
	if (e)
		return e;
	if (high >= 0xd800 && high < 0xe000) {
		if (high >= 0xdc00 || r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
			return refuse(r, "half of a surrogate pair");
		r->at += 2;
		if ((e = read_unit(r, &low)))
			return e;
		if (low < 0xdc00 || low >= 0xe000)
			return refuse(r, "half of a surrogate pair");
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	*len += put_utf8(out + *len, high);
	return ERR_NONE;
}

static enum err read_escape(struct reader *r, uint8_t *out, size_t *len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint8_t c = r->at < r->end ? *r->at : 0;
	const char *found = c ? strchr(from, c) : NULL;
	if (!found && c != 'u')
		return refuse(r, "no such escape in a string");
	r->at++;
	if (!found)
		return read_character(r, out, len);
	out[(*len)++] = (uint8_t)to[found - from];
	return ERR_NONE;
}

/* At the opening quote. What has no escapes is borrowed. */
static enum err read_string(struct reader *r, struct bytes *text)
{
	struct reader start = *r;
	const uint8_t *first = ++r->at, *end = first;
	while (end < r->end && *end != '"' && *end >= 0x20)
		end += *end == '\\' && r->end - end > 1 ? 2 : 1;
	if (end >= r->end)
		return refuse(&start, "a string does not end");
	size_t span = (size_t)(end - first), len = 0;
	if (!memchr(first, '\\', span) && *end == '"') {
		*text = bytes_of(first, span);
		r->at = end + 1;
		return ERR_NONE;
	}
	uint8_t *out = arena_alloc(r->arena, span + 1);
	while (r->at < r->end && *r->at != '"') {
		enum err e = ERR_NONE;
		if (*r->at < 0x20)
			return refuse(r, "a control character in a string");
		if (*r->at != '\\')
			out[len++] = *r->at++;
		else if (r->at++, (e = read_escape(r, out, &len)))
			return e;
	}
	if (r->at == r->end)
		return refuse(&start, "a string does not end");
	r->at++;
	*text = bytes_of(out, len);
	return ERR_NONE;
}

static const uint8_t *digits(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static enum err read_number(struct reader *r, struct bytes *text)
{
	const uint8_t *first = r->at, *at = first + (*first == '-'), *next = digits(at, r->end);
	bool good = next > at && (*at != '0' || next == at + 1);
	if (good && next < r->end && *next == '.') {
		at = next + 1;
		next = digits(at, r->end);
		good = next > at;
	}
	if (good && next < r->end && (*next | 0x20) == 'e') {
		at = next + 1;
		at += at < r->end && (*at == '+' || *at == '-');
		next = digits(at, r->end);
		good = next > at;
	}
	if (!good)
		return refuse(r, "not a number");
	*text = bytes_of(first, (size_t)(next - first));
	r->at = next;
	return ERR_NONE;
}

static enum err read_value(struct reader *r, struct json *value);

static enum err read_word(struct reader *r, struct json *value)
{
	static const struct {
		const char *word;
		enum json_kind kind;
		bool truth;
	} words[] = {{"null", JSON_NULL, false}, {"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t len = strlen(words[i].word);
		if ((size_t)(r->end - r->at) >= len && !memcmp(r->at, words[i].word, len)) {
			value->kind = words[i].kind;
			value->truth = words[i].truth;
			r->at += len;
			return ERR_NONE;
		}
	}
	return refuse(r, "no JSON value begins like this");
}

/* Behind a value in brackets: a comma or the end; *more tells. */
static enum err read_separator(struct reader *r, uint8_t close, bool *more)
{
	enum err e = skip(r);
	*more = false;
	if (e)
		return e;
	if (r->at < r->end && *r->at == ',') {
		r->at++;
		if ((e = skip(r)))
			return e;
		*more = r->at < r->end && *r->at != close;
	}
	if (r->at == r->end || (!*more && *r->at != close))
		return refuse(r, close == ']' ? "wants , or ] here" : "wants , or } here");
	return ERR_NONE;
}

static enum err read_list(struct reader *r, struct json *value)
{
	struct gathering g = {.size = sizeof(struct json)};
	value->kind = JSON_LIST;
	r->at++;
	enum err e = skip(r);
	bool more = !e && !(r->at < r->end && *r->at == ']');
	while (!e && more)
		if (!(e = read_value(r, gather(&g))))
			e = read_separator(r, ']', &more);
	value->count = g.count;
	value->items = gathered(&g, r->arena);
	if (!e)
		r->at++;
	return e;
}

static enum err read_member(struct reader *r, struct json_member *member)
{
	member->at = here(r);
	if (r->at == r->end || *r->at != '"')
		return refuse(r, "a member begins with its name in double quotes");
	enum err e = read_string(r, &member->name);
	if (e || (e = skip(r)))
		return e;
	if (r->at == r->end || *r->at != ':')
		return refuse(r, "wants : here");
	r->at++;
	if ((e = skip(r)))
		return e;
	return read_value(r, &member->value);
}

static enum err check_unique(struct reader *r, const struct json *object)
{
	enum err e = ERR_NONE;
	if (object->count < 2)
		return ERR_NONE;
	struct table *names = table_new();
	for (size_t i = 0; !e && i < object->count; i++) {
		const struct json_member *member = &object->members[i];
		if (!table_put(names, member->name, (void *)(uintptr_t)member))
			continue;
		e = diag_set(r->why, ERR_MALFORMED, "duplicate field: %s", quote(r->arena, member->name));
		if (r->why)
			r->why->line = member->at.line, r->why->column = member->at.column;
	}
	table_free(&names);
	return e;
}

static enum err read_object(struct reader *r, struct json *value)
{
	struct gathering g = {.size = sizeof(struct json_member)};
	value->kind = JSON_OBJECT;
	r->at++;
	enum err e = skip(r);
	bool more = !e && !(r->at < r->end && *r->at == '}');
	while (!e && more)
		if (!(e = read_member(r, gather(&g))))
			e = read_separator(r, '}', &more);
	value->count = g.count;
	value->members = gathered(&g, r->arena);
	if (e || (e = check_unique(r, value)))
		return e;
	r->at++;
	return ERR_NONE;
}

static enum err read_value(struct reader *r, struct json *value)
{
	enum err e;
	const uint8_t *first = r->at;
	value->at = here(r);
	if (r->at == r->end)
		return refuse(r, "ends in the middle of a value");
	if (++r->depth > HUJSON_DEPTH_MAX)
		return refuse(r, "nested too deep");
	if (++r->values > HUJSON_VALUES_MAX) {
		(void)refuse(r, "too many values");
		return ERR_TOO_BIG;
	}
	if (*r->at == '{')
		e = read_object(r, value);
	else if (*r->at == '[')
		e = read_list(r, value);
	else if (*r->at == '"')
		value->kind = JSON_STRING, e = read_string(r, &value->text);
	else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
		value->kind = JSON_NUMBER, e = read_number(r, &value->text);
	else
		e = read_word(r, value);
	r->depth--;
	value->source = bytes_of(first, (size_t)(r->at - first));
	value->end = here(r);
	value->end.column -= value->end.column > 1;
	return e;
}

static enum err check_utf8(struct reader *r)
{
	while (r->at < r->end) {
		size_t len = *r->at < 0x80 ? 1 : bytes_utf8_len(bytes_of(r->at, (size_t)(r->end - r->at)));
		if (!len)
			return refuse(r, "not UTF-8");
		if (len == 1)
			step(r);
		else
			r->at += len;
	}
	return ERR_NONE;
}

enum err hujson_parse(struct arena *arena, struct bytes source, struct json *root, struct diag *why)
{
	const uint8_t *first = source.len ? source.at : (const uint8_t *)""; /* no pointer may be moved from NULL, not even by nothing */
	struct reader start = {arena, first, first + source.len, first, .line = 1, .why = why}, r = start;
	*root = (struct json){0};
	enum err e = check_utf8(&r);
	if (e)
		return e;
	r = start;
	if ((e = skip(&r)))
		return e;
	if (r.at == r.end)
		return diag_set(why, ERR_NOT_FOUND, "an empty document is not a policy");
	if ((e = read_value(&r, root)) || (e = skip(&r)))
		return e;
	return r.at == r.end ? ERR_NONE : refuse(&r, "something follows the document");
}

const struct json *hujson_find(const struct json *object, const char *name)
{
	for (size_t i = 0; object->kind == JSON_OBJECT && i < object->count; i++)
		if (bytes_equal_nocase(object->members[i].name, name))
			return object->members[i].value.kind == JSON_NULL ? NULL : &object->members[i].value;
	return NULL;
}

static void put(struct buffer *out, struct bytes b)
{
	if (buffer_add(out, b))
		abort(); /* the cap is no cap */
}

static void put_string(struct buffer *out, struct bytes text)
{
	put(out, BYTES("\""));
	for (size_t i = 0; i < text.len; i++) {
		char escape[8];
		uint8_t c = text.at[i];
		if (c == '"' || c == '\\')
			put(out, BYTES("\\"));
		if (c < 0x20)
			put(out, bytes_of(escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c)));
		else
			put(out, bytes_of(&c, 1));
	}
	put(out, BYTES("\""));
}

static void put_value(struct buffer *out, const struct json *value)
{
	switch (value->kind) {
	case JSON_NULL:
		put(out, BYTES("null"));
		return;
	case JSON_BOOL:
		put(out, value->truth ? BYTES("true") : BYTES("false"));
		return;
	case JSON_NUMBER:
		put(out, value->text);
		return;
	case JSON_STRING:
		put_string(out, value->text);
		return;
	case JSON_LIST:
	case JSON_OBJECT:
		break;
	}
	put(out, value->kind == JSON_LIST ? BYTES("[") : BYTES("{"));
	for (size_t i = 0; i < value->count; i++) {
		if (i)
			put(out, BYTES(","));
		if (value->kind == JSON_OBJECT) {
			put_string(out, value->members[i].name);
			put(out, BYTES(":"));
		}
		put_value(out, value->kind == JSON_LIST ? &value->items[i] : &value->members[i].value);
	}
	put(out, value->kind == JSON_LIST ? BYTES("]") : BYTES("}"));
}

struct bytes hujson_compact(struct arena *arena, const struct json *value)
{
	struct buffer out;
	buffer_init(&out, SIZE_MAX);
	put_value(&out, value);
	struct bytes text = arena_copy(arena, buffer_bytes(&out));
	buffer_clear(&out);
	return text;
}
