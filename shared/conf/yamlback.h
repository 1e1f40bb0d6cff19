/* YAML text back to JSON, as a reader of YAML 1.1 takes it: what the proofs of yamlw.h compare with.
 * Not for programs. The result is the caller's. */
#ifndef YAMLBACK_H
#define YAMLBACK_H

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <yaml.h>

#include "yamlw.h"

static inline bool yamlback_fits(const char *text, const char *pattern)
{
	regex_t regex;
	bool fits;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB))
		abort();
	fits = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return fits;
}

/* Any other plain scalar than a text; NULL: it is a text. */
static inline json_t *yamlback_resolve(const char *text)
{
	if (yamlback_fits(text, "^(~|null|)$"))
		return json_null();
	if (yamlback_fits(text, "^(true|yes|on|y)$"))
		return json_true();
	if (yamlback_fits(text, "^(false|no|off|n)$"))
		return json_false();
	if (yamlback_fits(text, "^[-+]?(0|[1-9][0-9_]*)$"))
		return json_integer(strtoll(text, NULL, 10));
	if (yamlback_fits(text, "^[-+]?[0-9]+\\.[0-9]*(e[-+][0-9]+)?$"))
		return json_real(strtod(text, NULL));
	/* Octal, hexadecimal, by sixties, times, infinities, merges: nothing that JSON has. */
	if (yamlback_fits(text, "^([-+]?[0-9.].*|[-+]?\\.(inf|nan)|<<|=)$"))
		return json_pack("{s:s}", "strange", text);
	return NULL;
}

static inline json_t *yamlback_node(yaml_document_t *document, int index)
{
	yaml_node_t *node = yaml_document_get_node(document, index);
	json_t *made;

	if (node->type == YAML_SEQUENCE_NODE) {
		made = json_array();
		for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
			json_array_append_new(made, yamlback_node(document, *i));
		return made;
	}
	if (node->type == YAML_MAPPING_NODE) {
		made = json_object();
		for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
			json_t *name = yamlback_node(document, p->key);

			if (json_is_string(name))
				json_object_set_new(made, json_string_value(name), yamlback_node(document, p->value));
			json_decref(name);
		}
		return made;
	}
	made = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? yamlback_resolve((const char *)node->data.scalar.value) : NULL;
	return made ? made : json_stringn((const char *)node->data.scalar.value, node->data.scalar.length);
}

/* NULL when it is not one document of YAML. */
static inline json_t *yamlback_read(struct bytes text)
{
	yaml_document_t document;
	yaml_parser_t parser;
	json_t *made = NULL;

	if (!yaml_parser_initialize(&parser))
		return NULL;
	yaml_parser_set_input_string(&parser, text.at, text.len);
	if (yaml_parser_load(&parser, &document)) {
		if (yaml_document_get_root_node(&document))
			made = yamlback_node(&document, 1);
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	return made;
}

#endif
