#include "optionfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum { FILE_MAX = 1 << 20, DEPTH_MAX = 4, NAME_LEN_MAX = 128, PAIRS_MAX = 1024 };

struct walk {
	yaml_document_t *document;
	optionfile_pair_fn on_pair;
	void *context;
	struct diag *why;
	unsigned pairs; /* aliases let a small file name very many */
};

static enum err at_mark(struct diag *why, enum err e, yaml_mark_t mark)
{
	if (why && e != ERR_NONE) {
		why->line = (unsigned)mark.line + 1;
		why->column = (unsigned)mark.column + 1;
	}
	return e;
}

static enum err walk_mapping(struct walk *w, yaml_node_t *mapping, const char *prefix, unsigned depth);

static enum err walk_pair(struct walk *w, yaml_node_t *key, yaml_node_t *value, const char *prefix, unsigned depth)
{
	char name[NAME_LEN_MAX];
	if (!key || !value || key->type != YAML_SCALAR_NODE)
		return diag_set(w->why, ERR_MALFORMED, "a name is expected here");
	struct bytes part = bytes_of(key->data.scalar.value, key->data.scalar.length);
	if (++w->pairs > PAIRS_MAX)
		return diag_set(w->why, ERR_TOO_BIG, "more than %d options", PAIRS_MAX);
	int len = snprintf(name, sizeof(name), "%s%s%.*s", prefix, *prefix ? "." : "", BYTES_ARG(bytes_take(part, NAME_LEN_MAX)));
	if (len < 0 || (size_t)len >= sizeof(name) || memchr(part.at, 0, part.len))
		return diag_set(w->why, ERR_MALFORMED, "a name of this length is no option");
	if (value->type == YAML_MAPPING_NODE)
		return walk_mapping(w, value, name, depth + 1);
	if (value->type != YAML_SCALAR_NODE)
		return diag_set(w->why, ERR_MALFORMED, "%s takes one value, not a list", name);
	struct bytes text = bytes_of(value->data.scalar.value, value->data.scalar.length);
	/* `name:` with nothing behind it, and the plain words for nothing, mean empty. */
	if (value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (bytes_equal_text(text, "~") || bytes_equal_text(text, "null")))
		text.len = 0;
	return w->on_pair(w->context, bytes_text(name), text);
}

static enum err walk_mapping(struct walk *w, yaml_node_t *mapping, const char *prefix, unsigned depth)
{
	if (depth > DEPTH_MAX)
		return diag_set(w->why, ERR_MALFORMED, "nested too deep");
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(w->document, pair->key);
		yaml_node_t *value = yaml_document_get_node(w->document, pair->value);
		bool inner = value && value->type == YAML_MAPPING_NODE;
		enum err e = walk_pair(w, key, value, prefix, depth);
		if (e != ERR_NONE)
			return inner && w->why && w->why->line ? e : at_mark(w->why, e, key ? key->start_mark : mapping->start_mark);
	}
	return ERR_NONE;
}

static enum err refuse(yaml_parser_t *parser, struct diag *why)
{
	return at_mark(why, diag_set(why, ERR_MALFORMED, "%s", parser->problem ? parser->problem : "not YAML"), parser->problem_mark);
}

static enum err refuse_more(yaml_parser_t *parser, struct diag *why)
{
	yaml_document_t more;
	if (!yaml_parser_load(parser, &more))
		return refuse(parser, why);
	yaml_node_t *root = yaml_document_get_root_node(&more);
	enum err e = root ? at_mark(why, diag_set(why, ERR_MALFORMED, "only one document is read"), root->start_mark) : ERR_NONE;
	yaml_document_delete(&more);
	return e;
}

enum err optionfile_parse(struct bytes text, optionfile_pair_fn on_pair, void *context, struct diag *why)
{
	yaml_parser_t parser;
	yaml_document_t document;
	if (why)
		*why = (struct diag){0};
	if (text.len > FILE_MAX)
		return diag_set(why, ERR_TOO_BIG, "larger than %d bytes", FILE_MAX);
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, text.at ? text.at : (const uint8_t *)"", text.len);
	enum err e = ERR_NONE;
	if (!yaml_parser_load(&parser, &document)) {
		e = refuse(&parser, why);
		yaml_parser_delete(&parser);
		return e;
	}
	struct walk w = {.document = &document, .on_pair = on_pair, .context = context, .why = why};
	yaml_node_t *root = yaml_document_get_root_node(&document);
	bool nothing = !root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length);
	if (!nothing && root->type != YAML_MAPPING_NODE)
		e = at_mark(why, diag_set(why, ERR_MALFORMED, "options are expected as `name: value`"), root->start_mark);
	else if (!nothing)
		e = walk_mapping(&w, root, "", 1);
	yaml_document_delete(&document);
	if (e == ERR_NONE && root)
		e = refuse_more(&parser, why);
	yaml_parser_delete(&parser);
	return e;
}

enum err optionfile_read(const char *path, optionfile_pair_fn on_pair, void *context, struct diag *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return diag_set(why, ERR_MALFORMED, "cannot read %s: %s", path, strerror(errno));
	uint8_t *content = x_alloc(FILE_MAX + 1);
	size_t len = 0;
	ssize_t got;
	while (len <= FILE_MAX && (got = read(fd, content + len, FILE_MAX + 1 - len)) > 0)
		len += (size_t)got;
	enum err e = got < 0 ? diag_set(why, ERR_MALFORMED, "cannot read %s: %s", path, strerror(errno)) : ERR_NONE;
	close(fd);
	if (e == ERR_NONE)
		e = optionfile_parse(bytes_of(content, len), on_pair, context, why);
	/* Secrets may stand in it. */
	explicit_bzero(content, len);
	free(content);
	return e;
}
