#include "yamlw.h"

#include <stdio.h>
#include <yaml.h>

struct yamlw {
	yaml_emitter_t emitter;
	struct buffer *out;
	bool full;
};

static int take(void *context, unsigned char *text, size_t len)
{
	struct yamlw *w = context;

	w->full = w->full || buffer_add(w->out, bytes_of(text, len)) != ERR_NONE;
	return !w->full;
}

static bool emit(struct yamlw *w, yaml_event_t *event)
{
	return yaml_emitter_emit(&w->emitter, event) == 1;
}

/* Words that some reader takes for null, a truth value or a merge. */
static bool is_word_of_yaml(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcasecmp(words[i], text) == 0)
			return true;
	return false;
}

/* Letters first, then what is harmless anywhere: all else is quoted. */
static bool may_be_plain(const char *text, size_t len)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";

	if (!len || len > 100 || strspn(text, harmless) != len || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_", *text))
		return false;
	return !is_word_of_yaml(text);
}

static bool write_scalar(struct yamlw *w, const char *text, size_t len, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, style == YAML_PLAIN_SCALAR_STYLE,
					    style != YAML_PLAIN_SCALAR_STYLE, style) == 1 &&
	       emit(w, &event);
}

static bool write_text(struct yamlw *w, const char *text, size_t len)
{
	return write_scalar(w, text, len, may_be_plain(text, len) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

/* Readers of YAML 1.1 want a point in every number that is not an integer. */
static bool write_real(struct yamlw *w, double number)
{
	char text[64], *exponent;

	snprintf(text, sizeof text - 2, "%.17g", number);
	exponent = strchr(text, 'e');
	if (!strchr(text, '.')) {
		char *at = exponent ? exponent : text + strlen(text);

		memmove(at + 2, at, strlen(at) + 1);
		memcpy(at, ".0", 2);
	}
	return write_scalar(w, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static bool write_integer(struct yamlw *w, json_int_t number)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number);

	return write_scalar(w, text, (size_t)len, YAML_PLAIN_SCALAR_STYLE);
}

static bool write_value(struct yamlw *w, const json_t *value, unsigned depth);

static bool write_array(struct yamlw *w, const json_t *array, unsigned depth)
{
	yaml_sequence_style_t style = json_array_size(array) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
	yaml_event_t event;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style) || !emit(w, &event))
		return false;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!write_value(w, json_array_get(array, i), depth + 1))
			return false;
	return yaml_sequence_end_event_initialize(&event) && emit(w, &event);
}

static bool write_object(struct yamlw *w, const json_t *object, unsigned depth)
{
	yaml_mapping_style_t style = json_object_size(object) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
	yaml_event_t event;

	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style) || !emit(w, &event))
		return false;
	for (void *at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
		const char *name = json_object_iter_key(at);

		if (!write_text(w, name, strlen(name)) || !write_value(w, json_object_iter_value(at), depth + 1))
			return false;
	}
	return yaml_mapping_end_event_initialize(&event) && emit(w, &event);
}

static bool write_value(struct yamlw *w, const json_t *value, unsigned depth)
{
	w->full = w->full || depth > YAMLW_DEPTH_MAX;
	if (w->full)
		return false;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return write_object(w, value, depth);
	case JSON_ARRAY:
		return write_array(w, value, depth);
	case JSON_STRING:
		return write_text(w, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return write_integer(w, json_integer_value(value));
	case JSON_REAL:
		return write_real(w, json_real_value(value));
	case JSON_TRUE:
		return write_scalar(w, "true", 4, YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE:
		return write_scalar(w, "false", 5, YAML_PLAIN_SCALAR_STYLE);
	case JSON_NULL:
		return write_scalar(w, "null", 4, YAML_PLAIN_SCALAR_STYLE);
	}
	return false;
}

static bool write_document(struct yamlw *w, const json_t *value)
{
	yaml_event_t event;

	return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && emit(w, &event) &&
	       yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && emit(w, &event) && write_value(w, value, 0) &&
	       yaml_document_end_event_initialize(&event, 1) && emit(w, &event) && yaml_stream_end_event_initialize(&event) && emit(w, &event);
}

enum err yamlw_write(const json_t *value, struct buffer *out)
{
	struct yamlw w = {.out = out};
	bool fine;

	if (!yaml_emitter_initialize(&w.emitter))
		return ERR_BUG;
	yaml_emitter_set_output(&w.emitter, take, &w);
	yaml_emitter_set_unicode(&w.emitter, 1);
	yaml_emitter_set_width(&w.emitter, -1);
	fine = write_document(&w, value);
	yaml_emitter_delete(&w.emitter);
	return fine ? ERR_NONE : w.full ? ERR_TOO_BIG : ERR_BUG;
}
