#include "reading.h"

#include <stdio.h>

enum err refuse_at(struct reading *r, struct place at, const char *format, ...)
{
	va_list args;
	if (!r->why)
		return ERR_MALFORMED;
	va_start(args, format);
	vsnprintf(r->why->text, sizeof r->why->text, format, args);
	va_end(args);
	struct bytes text = bytes_text(r->why->text);
	r->why->text[quote_cut(text, text.len).len] = 0; /* the cap may have cut inside a character */
	r->why->line = at.line;
	r->why->column = at.column;
	return ERR_MALFORMED;
}

static bool is_before(const struct diag *a, const struct diag *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

bool forgiven(struct reading *r, enum err *e)
{
	if (!*e || is_strict(r))
		return false;
	if (!r->lapses->count++ || is_before(r->why, &r->lapses->first))
		r->lapses->first = *r->why;
	*e = ERR_NONE;
	return true;
}

enum err read_fields(struct reading *r, const struct json *object, const char *const *names, size_t count, bool remarks, const struct json **out)
{
	if (object->kind != JSON_OBJECT)
		return refuse_at(r, object->at, "an object is wanted here");
	for (size_t i = 0; i < count; i++)
		out[i] = NULL;
	uint64_t seen = 0;
	for (size_t m = 0; m < object->count; m++) {
		const struct json_member *member = &object->members[m];
		size_t i = 0;
		if (remarks && bytes_starts(member->name, "#"))
			continue;
		while (i < count && !bytes_equal_nocase(member->name, names[i]))
			i++;
		if (i == count)
			return refuse_at(r, member->at, "unknown field: %s", quoted(r, member->name));
		if (seen >> i & 1)
			return refuse_at(r, member->at, "duplicate field: \"%s\"", names[i]);
		seen |= (uint64_t)1 << i;
		if (member->value.kind != JSON_NULL)
			out[i] = &member->value;
	}
	return ERR_NONE;
}

static const char *kind_text(enum json_kind kind)
{
	static const char *const texts[] = {"null", "true or false", "a number", "a string", "a list", "an object"};
	return texts[kind];
}

enum err read_room(struct reading *r, const struct json *list)
{
	r->entries += list->count;
	if (r->entries <= DOCUMENT_ALIASES_MAX)
		return ERR_NONE;
	(void)refuse_at(r, list->at, "the lists of the policy hold more than %d entries", DOCUMENT_ALIASES_MAX);
	return ERR_TOO_BIG;
}

enum err read_list_of(struct reading *r, const struct json *value, const char *name, enum json_kind item)
{
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_LIST)
		return refuse_at(r, value->at, "%s: a list is wanted, not %s", name, kind_text(value->kind));
	/* Of objects each tells itself what it is not. */
	for (size_t i = 0; i < value->count && (is_strict(r) || item != JSON_OBJECT); i++)
		if (value->items[i].kind != item)
			return refuse_at(r, value->items[i].at, "%s: %s is wanted, not %s", name, kind_text(item), kind_text(value->items[i].kind));
	return read_room(r, value);
}

enum err read_rules(struct reading *r, const struct json *value, const char *name)
{
	if (!value || value->kind != JSON_LIST || value->count <= DOCUMENT_RULES_MAX)
		return read_list_of(r, value, name, JSON_OBJECT);
	(void)refuse_at(r, value->at, "%s: more than %d entries", name, DOCUMENT_RULES_MAX);
	return ERR_TOO_BIG;
}

enum err read_bool(struct reading *r, const struct json *value, const char *name, bool *out)
{
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_BOOL)
		return refuse_at(r, value->at, "%s: true or false is wanted, not %s", name, kind_text(value->kind));
	*out = value->truth;
	return ERR_NONE;
}

enum err read_text(struct reading *r, const struct json *value, const char *name, struct bytes *out)
{
	*out = BYTES_NONE;
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_STRING)
		return refuse_at(r, value->at, "%s: a string is wanted, not %s", name, kind_text(value->kind));
	*out = alias_trim(value->text);
	return ERR_NONE;
}
