#include "fields.h"

#include <jansson.h>
#include <stdio.h>

#include "problem.h"
#include "scalar.h"
#include "text.h"

static struct bytes text_of(struct exchange *x, const json_t *value)
{
	return arena_copy(x->arena, bytes_of(json_string_value(value), json_string_length(value)));
}

/* Integers that are not negative. JSON has one kind of number: 7.0 is 7. */
static bool take_integer(const json_t *value, uint64_t *number)
{
	static const double exact = 9007199254740992.0; /* 2^53 */
	double real = json_real_value(value);

	if (json_is_real(value) && real >= 0 && real <= exact && (double)(uint64_t)real == real)
		*number = (uint64_t)real;
	else if (json_is_integer(value) && json_integer_value(value) >= 0)
		*number = (uint64_t)json_integer_value(value);
	else
		return false;
	return true;
}

static const char *take_id(const json_t *value, uint64_t *id)
{
	if (take_integer(value, id))
		return NULL;
	if (json_is_string(value) && json_string_length(value) == 0)
		return NULL;
	if (json_is_string(value) && !text_parse_u64(bytes_of(json_string_value(value), json_string_length(value)), INT64_MAX, id))
		return NULL;
	return "expected a decimal number as text";
}

/* Where in the body: grows on the way down, and stands at the fault when something is wrong. */
struct place {
	char text[160];
	size_t len;
};

enum { NAME_SHOWN_MAX = 60 };

/* What does not fit is left out, whole characters. */
static void place_add(struct place *place, struct bytes part)
{
	while (part.len) {
		size_t step = bytes_utf8_len(part);

		if (!step || place->len + step >= sizeof place->text)
			break;
		memcpy(place->text + place->len, part.at, step);
		place->len += step;
		part = bytes_skip(part, step);
	}
	place->text[place->len] = 0;
}

static void place_index(struct place *place, size_t index)
{
	char text[32];

	snprintf(text, sizeof text, "[%zu]", index);
	place_add(place, bytes_text(text));
}

static void place_leave(struct place *place, size_t len)
{
	place->len = len;
	place->text[len] = 0;
}

static const char *members_take(struct exchange *x, const struct field *fields, json_t *object, struct place *place);

static const char *take_texts(struct exchange *x, const json_t *value, struct field_texts *texts, struct place *place)
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

		if (!json_is_string(item)) {
			place_index(place, texts->count);
			return "expected an array of texts";
		}
		texts->list[texts->count] = text_of(x, item);
	}
	return NULL;
}

static const char *take_objects(struct exchange *x, const json_t *value, struct field_objects *objects, struct place *place)
{
	size_t count = json_array_size(value), len = place->len;

	if (!json_is_array(value))
		return "expected an array of objects";
	if (count > FIELD_OBJECTS_MAX)
		return "too many items";
	objects->list = arena_alloc(x->arena, objects->size * (count + 1));
	objects->present = true;
	for (objects->count = 0; objects->count < count; objects->count++) {
		struct field fields[FIELD_MEMBERS_MAX] = {{0}};
		json_t *item = json_array_get(value, objects->count);
		const char *wrong;

		place_index(place, objects->count);
		if (!json_is_object(item))
			return "expected an object";
		objects->table((char *)objects->list + objects->count * objects->size, fields);
		wrong = members_take(x, fields, item, place);
		if (wrong)
			return wrong;
		place_leave(place, len);
	}
	return NULL;
}

static const char *take_count(const json_t *value, struct field_count *count)
{
	if (!take_integer(value, &count->value))
		return "expected an integer that is not negative";
	count->present = true;
	return NULL;
}

static const char *take_bool(const json_t *value, bool *flag)
{
	if (!json_is_boolean(value))
		return "expected true or false";
	*flag = json_is_true(value);
	return NULL;
}

/* NULL, or what is wrong. */
static const char *field_take(struct exchange *x, const struct field *field, json_t *value, struct place *place)
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
		return take_bool(value, field->out);
	case FIELD_FLAG:
		((struct field_flag *)field->out)->present = true;
		return take_bool(value, &((struct field_flag *)field->out)->value);
	case FIELD_ID:
		return take_id(value, field->out);
	case FIELD_TIME:
		if (!json_is_string(value) || time_parse(bytes_of(json_string_value(value), json_string_length(value)), field->out))
			return "expected a time as RFC 3339 writes it";
		return NULL;
	case FIELD_TEXTS:
		return take_texts(x, value, field->out, place);
	case FIELD_COUNT:
		return take_count(value, field->out);
	case FIELD_NUMBER:
		if (!json_is_number(value))
			return "expected a number";
		*(double *)field->out = json_number_value(value);
		return NULL;
	case FIELD_SCALAR:
		return scalar_take(value, "", x->arena, field->out, NULL) ? "expected a text of at most 256 bytes, a number or a boolean" : NULL;
	case FIELD_OBJECT:
		return json_is_object(value) ? members_take(x, field->out, value, place) : "expected an object";
	case FIELD_OBJECTS:
		return take_objects(x, value, field->out, place);
	}
	return "unexpected";
}

static const char *members_take(struct exchange *x, const struct field *fields, json_t *object, struct place *place)
{
	size_t len = place->len;
	const char *name, *wrong;
	const struct field *f;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		for (f = fields; f->name && strcmp(f->name, name) != 0; f++)
			;
		place_add(place, BYTES("."));
		place_add(place, f->name ? bytes_text(name) : bytes_take(bytes_text(name), NAME_SHOWN_MAX));
		wrong = f->name ? field_take(x, f, value, place) : "unexpected property";
		if (wrong)
			return wrong;
		place_leave(place, len);
	}
	return NULL;
}

static bool fields_take(struct exchange *x, const struct field *fields, json_t *body, const char *detail)
{
	struct place place = {.text = "body", .len = strlen("body")};
	const char *wrong = members_take(x, fields, body, &place);

	if (wrong)
		problem_reply(x, 422, detail, wrong, place.text);
	return !wrong;
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
