#include "openapi_form.h"

#include <ctype.h>

/* --- 3.0.3 ------------------------------------------------------------------------------------------------------------------------------------------ */

static bool is_null_type(const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type");

	return json_object_size(schema) == 1 && json_is_string(type) && strcmp(json_string_value(type), "null") == 0;
}

static json_t *copy_down(const json_t *value);

/* {"type": ["string", "null"]}: one type and `nullable`; several: alternatives of each. */
static void set_types(json_t *made, const json_t *types)
{
	json_t *others = json_array();

	for (size_t i = 0; i < json_array_size(types); i++) {
		if (strcmp(json_string_value(json_array_get(types, i)), "null") == 0)
			json_object_set_new(made, "nullable", json_true());
		else
			json_array_append(others, json_array_get(types, i));
	}
	if (json_array_size(others) == 1) {
		json_object_set(made, "type", json_array_get(others, 0));
	} else {
		json_t *any = json_array();

		for (size_t i = 0; i < json_array_size(others); i++)
			json_array_append_new(any, json_pack("{s:O}", "type", json_array_get(others, i)));
		json_object_set_new(made, "anyOf", any);
	}
	json_decref(others);
}

/* Alternatives without the null; a single one that is left becomes allOf, since beside a $ref nothing may stand. */
static void set_any_of(json_t *made, const json_t *any)
{
	json_t *others = json_array();
	bool nullable = false;

	for (size_t i = 0; i < json_array_size(any); i++) {
		if (is_null_type(json_array_get(any, i)))
			nullable = true;
		else
			json_array_append_new(others, copy_down(json_array_get(any, i)));
	}
	if (nullable)
		json_object_set_new(made, "nullable", json_true());
	json_object_set_new(made, json_array_size(others) == 1 ? "allOf" : "anyOf", others);
}

static json_t *object_down(const json_t *object)
{
	json_t *made = json_object(), *value;
	const char *name;

	json_object_foreach((json_t *)object, name, value)
	{
		if (strcmp(name, "type") == 0 && json_is_array(value))
			set_types(made, value);
		else if (strcmp(name, "anyOf") == 0 && json_is_array(value))
			set_any_of(made, value);
		else if (strcmp(name, "const") == 0 && !json_is_object(value))
			json_object_set_new(made, "enum", json_pack("[O]", value));
		else
			json_object_set_new(made, name, copy_down(value));
	}
	return made;
}

static json_t *copy_down(const json_t *value)
{
	json_t *made;

	if (json_is_object(value))
		return object_down(value);
	if (!json_is_array(value))
		return json_deep_copy(value);
	made = json_array();
	for (size_t i = 0; i < json_array_size(value); i++)
		json_array_append_new(made, copy_down(json_array_get(value, i)));
	return made;
}

json_t *openapi_downgrade(const json_t *document)
{
	json_t *made = copy_down(document);

	json_object_set_new(made, "openapi", json_string("3.0.3"));
	return made;
}

/* --- the page --------------------------------------------------------------------------------------------------------------------------------------- */

struct page {
	struct buffer *out;
	enum err failed;
	const json_t *document;
};

static void put(struct page *p, const char *html)
{
	if (!p->failed)
		p->failed = buffer_add_text(p->out, html);
}

static void put_text(struct page *p, const char *text)
{
	for (; text && *text; text++) {
		const char one[2] = {*text};

		put(p, *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : *text == '&' ? "&amp;" : *text == '"' ? "&quot;" : one);
	}
}

static void put_upper(struct page *p, const char *text)
{
	for (; *text; text++) {
		const char one[2] = {(char)toupper((unsigned char)*text)};

		put_text(p, one);
	}
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* What a $ref of this document points to, or the thing itself. */
static const json_t *resolved(const struct page *p, const json_t *thing)
{
	const char *ref = member(thing, "$ref");
	struct bytes rest, part;
	const json_t *at = p->document;

	if (!ref || strncmp(ref, "#/", 2) != 0)
		return thing;
	rest = bytes_text(ref + 2);
	while (rest.at && at) {
		part = bytes_split(rest, '/', &rest);
		at = json_object_getn(at, (const char *)part.at, part.len);
	}
	return at;
}

static void put_parameters(struct page *p, const json_t *operation)
{
	const json_t *parameters = json_object_get(operation, "parameters");

	for (size_t i = 0; i < json_array_size(parameters); i++) {
		const json_t *one = resolved(p, json_array_get(parameters, i));

		put(p, "<li><code>");
		put_text(p, member(one, "name"));
		put(p, "</code> <small>");
		put_text(p, member(one, "in"));
		put(p, json_is_true(json_object_get(one, "required")) ? ", needed</small> " : "</small> ");
		put_text(p, member(one, "description"));
		put(p, "</li>\n");
	}
}

static void put_schema(struct page *p, const json_t *schema)
{
	const json_t *any = json_object_get(schema, "anyOf");
	const char *name;
	json_t *value;

	for (size_t i = 0; i < json_array_size(any); i++)
		put_schema(p, json_array_get(any, i));
	json_object_foreach(json_object_get(resolved(p, schema), "properties"), name, value)
	{
		put(p, "<li><code>");
		put_text(p, name);
		put(p, "</code> <small>body</small> ");
		put_text(p, member(value, "description"));
		put(p, "</li>\n");
	}
}

static void put_statuses(struct page *p, const json_t *operation)
{
	const char *status, *between = "";
	json_t *response;

	put(p, "<p><small>");
	json_object_foreach(json_object_get(operation, "responses"), status, response)
	{
		put(p, between);
		put(p, "<abbr title=\"");
		put_text(p, member(resolved(p, response), "description"));
		put(p, "\">");
		put_text(p, status);
		put(p, "</abbr>");
		between = " ";
	}
	put(p, "</small></p>\n");
}

static void put_operation(struct page *p, const char *path, const char *method, const json_t *operation)
{
	const json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");

	put(p, "<section>\n<h3><b>");
	put_upper(p, method);
	put(p, "</b> <code>");
	put_text(p, path);
	put(p, "</code></h3>\n<p>");
	put_text(p, member(operation, "summary"));
	put(p, ". ");
	put_text(p, member(operation, "description"));
	put(p, " <small>Scope: ");
	put_text(p, member(operation, "x-required-scope"));
	put(p, "</small></p>\n<ul>\n");
	put_parameters(p, operation);
	put_schema(p, json_object_get(json_object_get(content, "application/json"), "schema"));
	put(p, "</ul>\n");
	put_statuses(p, operation);
	put(p, "</section>\n");
}

static bool has_tag(const json_t *operation, const char *tag)
{
	const char *own = json_string_value(json_array_get(json_object_get(operation, "tags"), 0));

	return own && strcmp(own, tag) == 0;
}

static void put_tag(struct page *p, const char *tag)
{
	const char *path, *method;
	json_t *methods, *operation;

	put(p, "<h2>");
	put_text(p, tag);
	put(p, "</h2>\n");
	json_object_foreach(json_object_get(p->document, "paths"), path, methods)
	{
		json_object_foreach(methods, method, operation)
		{
			if (has_tag(operation, tag))
				put_operation(p, path, method, operation);
		}
	}
}

enum err openapi_page(const json_t *document, struct buffer *out)
{
	const json_t *info = json_object_get(document, "info"), *tags = json_object_get(document, "tags");
	struct page p = {.out = out, .document = document};

	put(&p, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	put_text(&p, member(info, "title"));
	put(&p, "</title>\n<style>\n:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }\nbody { max-width: 50rem; margin: 2rem auto; "
		"padding: 0 1rem; }\nsection { border-top: 1px solid #8886; }\nh3 { font-size: 1rem; }\ncode { overflow-wrap: anywhere; }\n</style>\n<h1>");
	put_text(&p, member(info, "title"));
	put(&p, "</h1>\n<p>");
	put_text(&p, member(info, "description"));
	put(&p, "</p>\n<p><a href=\"openapi.json\">OpenAPI as JSON</a>, <a href=\"openapi.yaml\">as YAML</a></p>\n");
	for (size_t i = 0; i < json_array_size(tags); i++)
		put_tag(&p, member(json_array_get(tags, i), "name"));
	put(&p, "</html>\n");
	return p.failed;
}
