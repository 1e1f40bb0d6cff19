#include "fields.h"

#include <jansson.h>
#include <stdio.h>

#include "problem.h"
#include "text.h"

static struct bytes text_of(struct exchange *x, const json_t *value)
{
	return arena_copy(x->arena, bytes_of(json_string_value(value), json_string_length(value)));
}

static const char *take_id(const json_t *value, uint64_t *id)
{
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*id = (uint64_t)json_integer_value(value);
		return NULL;
	}
	if (json_is_string(value) && json_string_length(value) == 0)
		return NULL;
	if (json_is_string(value) && !text_parse_u64(bytes_of(json_string_value(value), json_string_length(value)), INT64_MAX, id))
		return NULL;
	return "expected a decimal number as text";
}

static const char *take_texts(struct exchange *x, const json_t *value, struct field_texts *texts)
{
	size_t count = json_array_size(value);

	if (!json_is_array(value))
		return "expected an array of texts";
	if (count > FIELD_TEXTS_MAX)
		return "too many items";
	texts->list = ARENA_ARRAY(x->arena, struct bytes, count + 1);
	texts->present = true;
	for (texts->count = 0; texts->count < count; texts->count++) {
		const json_t *item = json_array_get(value, texts->count);

		if (!json_is_string(item))
			return "expected an array of texts";
		texts->list[texts->count] = text_of(x, item);
	}
	return NULL;
}

/* NULL, or what is wrong. */
static const char *field_take(struct exchange *x, const struct field *field, const json_t *value)
{
	if (json_is_null(value))
		return NULL;
	switch (field->type) {
	case FIELD_TEXT:
		if (!json_is_string(value))
			return "expected a text";
		*(struct bytes *)field->out = text_of(x, value);
		return NULL;
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return "expected true or false";
		*(bool *)field->out = json_is_true(value);
		return NULL;
	case FIELD_ID:
		return take_id(value, field->out);
	case FIELD_TIME:
		if (!json_is_string(value) || time_parse(bytes_of(json_string_value(value), json_string_length(value)), field->out))
			return "expected a time as RFC 3339 writes it";
		return NULL;
	case FIELD_TEXTS:
		return take_texts(x, value, field->out);
	case FIELD_NUMBER:
		if (!json_is_number(value))
			return "expected a number";
		*(double *)field->out = json_number_value(value);
		return NULL;
	}
	return "unexpected";
}

static bool fields_take(struct exchange *x, const struct field *fields, json_t *body, const char *detail)
{
	char location[160];
	const char *name, *wrong;
	const struct field *f;
	json_t *value;

	json_object_foreach(body, name, value)
	{
		for (f = fields; f->name && strcmp(f->name, name) != 0; f++)
			;
		wrong = f->name ? field_take(x, f, value) : "unexpected property";
		if (wrong) {
			snprintf(location, sizeof location, "body.%s", name);
			problem_reply(x, 422, detail, wrong, location);
			return false;
		}
	}
	return true;
}

bool fields_read(struct exchange *x, const struct field *fields, const char *detail)
{
	json_error_t error;
	json_t *body;
	bool fine;

	for (const struct field *f = fields; f->name; f++)
		if (f->type == FIELD_TIME)
			*(struct wall *)f->out = WALL_ZERO;
	if (!x->body.len)
		return true;
	if (!bytes_starts(exchange_header(x, "content-type"), "application/json")) {
		problem_reply(x, 415, detail, "the body must be application/json", NULL);
		return false;
	}
	body = json_loadb((const char *)x->body.at, x->body.len, 0, &error);
	if (!json_is_object(body)) {
		problem_reply(x, 400, detail, body ? "the body must be a JSON object" : error.text, "body");
		json_decref(body);
		return false;
	}
	fine = fields_take(x, fields, body, detail);
	json_decref(body);
	return fine;
}

bool fields_path_id(struct exchange *x, unsigned param, uint64_t *id, const char *detail)
{
	if (!text_parse_u64(x->params[param], INT64_MAX, id))
		return true;
	problem_reply(x, 400, detail, "the id must be a decimal number", "path");
	return false;
}
