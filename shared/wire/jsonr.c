#include "jsonr.h"

#include <stdio.h>

enum { PLACE_TEXT_MAX = 200 };

static unsigned depth_of(struct bytes text)
{
	unsigned depth = 0, deepest = 0;
	bool in_text = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];
		if (in_text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_text = false;
		} else if (c == '"') {
			in_text = true;
		} else if (c == '{' || c == '[') {
			if (++depth > deepest)
				deepest = depth;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return deepest;
}

enum err jsonr_parse(struct bytes text, size_t cap, json_t **value, struct diag *why)
{
	if (text.len > cap)
		return diag_set(why, ERR_TOO_BIG, "the body is larger than %zu bytes", cap);
	/* The reader's own limit is 2048 levels, each of which costs stack here and again when the value is freed. */
	if (depth_of(text) > JSONR_DEPTH_MAX)
		return diag_set(why, ERR_MALFORMED, "the body is nested deeper than %d levels", JSONR_DEPTH_MAX);
	json_error_t error;
	*value = json_loadb((const char *)text.at, text.len, JSON_DECODE_ANY, &error);
	if (*value)
		return ERR_NONE;
	if (json_error_code(&error) == json_error_null_character || json_error_code(&error) == json_error_null_byte_in_key)
		diag_set(why, ERR_MALFORMED, "a text holds the character \\u0000, which no name or value here may have");
	else
		diag_set(why, ERR_MALFORMED, "the body is not JSON: %s", error.text);
	if (why) {
		why->line = error.line > 0 ? (unsigned)error.line : 0;
		why->column = error.column > 0 ? (unsigned)error.column : 0;
	}
	return ERR_MALFORMED;
}

static size_t write_place(char *out, size_t len, const struct jsonr_place *place)
{
	if (!place)
		return len;
	len = write_place(out, len, place->above);
	int added = 0;
	if (!place->name)
		added = snprintf(out + len, PLACE_TEXT_MAX - len, "[%zu]", place->index);
	else if (*place->name)
		added = snprintf(out + len, PLACE_TEXT_MAX - len, "%s%s", len ? "." : "", place->name);
	len += added > 0 ? (size_t)added : 0;
	return len < PLACE_TEXT_MAX ? len : PLACE_TEXT_MAX - 1;
}

static enum err wrong(const struct jsonr_place *place, const char *wanted, struct diag *why)
{
	char text[PLACE_TEXT_MAX] = "";
	write_place(text, 0, place);
	return diag_set(why, ERR_MALFORMED, "%s is not %s", *text ? text : "the body", wanted);
}

static enum err check_int(const json_t *value, const struct jsonr_member *m, const struct jsonr_place *place, struct diag *why)
{
	char wanted[80];
	if (!json_is_integer(value))
		return wrong(place, "an integer", why);
	if (json_integer_value(value) >= m->least && json_integer_value(value) <= m->most)
		return ERR_NONE;
	snprintf(wanted, sizeof wanted, "between %lld and %lld", (long long)m->least, (long long)m->most);
	return wrong(place, wanted, why);
}

static enum err check_array(const json_t *value, const struct jsonr_member *m, enum jsonr_type item_type, const struct jsonr_place *place, struct diag *why)
{
	char wanted[80];
	struct jsonr_member item = *m;
	item.type = item_type;
	if (!json_is_array(value))
		return wrong(place, "an array", why);
	if (item_type != JSONR_INT && m->most && json_array_size(value) > (size_t)m->most) {
		snprintf(wanted, sizeof wanted, "within its limit of %lld entries", (long long)m->most);
		return wrong(place, wanted, why);
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct jsonr_place at = {place, NULL, i};
		enum err e = jsonr_check_member(json_array_get(value, i), &item, &at, why);
		if (e)
			return e;
	}
	return ERR_NONE;
}

static enum err check_numbers(const json_t *value, const struct jsonr_place *place, struct diag *why)
{
	const char *key;
	json_t *item;
	if (!json_is_object(value))
		return wrong(place, "an object", why);
	json_object_foreach((json_t *)value, key, item)
	{
		struct jsonr_place at = {place, key, 0};
		if (!json_is_number(item) && !json_is_null(item))
			return wrong(&at, "a number", why);
	}
	return ERR_NONE;
}

enum err jsonr_check_member(const json_t *value, const struct jsonr_member *m, const struct jsonr_place *place, struct diag *why)
{
	if (!value || json_is_null(value))
		return ERR_NONE;
	switch (m->type) {
	case JSONR_TEXT:
		return json_is_string(value) ? ERR_NONE : wrong(place, "a text", why);
	case JSONR_BOOL:
		return json_is_boolean(value) ? ERR_NONE : wrong(place, "true, false or null", why);
	case JSONR_INT:
		return check_int(value, m, place, why);
	case JSONR_NUMBER:
		return json_is_number(value) ? ERR_NONE : wrong(place, "a number", why);
	case JSONR_TEXTS:
		return check_array(value, m, JSONR_TEXT, place, why);
	case JSONR_INTS:
		return check_array(value, m, JSONR_INT, place, why);
	case JSONR_NUMBERS:
		return check_numbers(value, place, why);
	case JSONR_OBJECT:
		return jsonr_check(value, m->nested, place, why);
	case JSONR_OBJECTS:
		return check_array(value, m, JSONR_OBJECT, place, why);
	}
	return ERR_BUG;
}

enum err jsonr_check(const json_t *value, const struct jsonr_member *shape, const struct jsonr_place *place, struct diag *why)
{
	if (!json_is_object(value))
		return wrong(place, "an object", why);
	for (const struct jsonr_member *m = shape; m->name; m++) {
		struct jsonr_place at = {place, m->name, 0};
		enum err e = jsonr_check_member(json_object_get(value, m->name), m, &at, why);
		if (e)
			return e;
	}
	return ERR_NONE;
}

struct bytes jsonr_text_of(const json_t *text)
{
	return json_is_string(text) ? bytes_of(json_string_value(text), json_string_length(text)) : BYTES_NONE;
}

struct bytes jsonr_text(const json_t *object, const char *name)
{
	return jsonr_text_of(json_object_get(object, name));
}
int64_t jsonr_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

uint64_t jsonr_count(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));
	return value > 0 ? (uint64_t)value : 0;
}

bool jsonr_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}
