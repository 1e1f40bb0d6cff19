#include "scalar.h"

#include "attribute.h"
#include "jsonr.h"
#include "jsonw.h"

static enum err write(const json_t *value, const char *key, struct buffer *out, struct diag *why)
{
	struct jsonw w;

	jsonw_start(&w, out);
	if (json_is_string(value) && json_string_length(value) > ATTRIBUTE_TEXT_MAX)
		return diag_set(why, ERR_MALFORMED, "%s: a text has at most %d bytes", key, ATTRIBUTE_TEXT_MAX);
	if (json_is_string(value))
		jsonw_text(&w, NULL, jsonr_text_of(value));
	else if (json_is_integer(value))
		jsonw_int(&w, NULL, json_integer_value(value));
	else if (json_is_real(value))
		jsonw_double(&w, NULL, json_real_value(value));
	else if (json_is_boolean(value))
		jsonw_bool(&w, NULL, json_is_true(value));
	else
		return diag_set(why, ERR_MALFORMED, "%s is neither a text, a number, a boolean nor null", key);
	return jsonw_end(&w);
}

enum err scalar_take(const json_t *value, const char *key, struct arena *arena, struct bytes *text, struct diag *why)
{
	struct buffer out;
	enum err e;

	*text = BYTES("");
	if (json_is_null(value))
		return ERR_NONE;
	buffer_init(&out, 8 * ATTRIBUTE_TEXT_MAX);
	e = write(value, key, &out, why);
	if (!e)
		*text = arena_copy(arena, buffer_bytes(&out));
	buffer_clear(&out);
	return e;
}
