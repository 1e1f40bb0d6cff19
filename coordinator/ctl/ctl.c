#include "ctl.h"

#include <stdarg.h>
#include <unistd.h>

#include "ctl_table.h"
#include "text.h"
#include "yamlw.h"

enum { YAML_MAX = 512 << 20 };

static void print_yaml(FILE *out, const json_t *value)
{
	struct buffer text;

	buffer_init(&text, YAML_MAX);
	if (!yamlw_write(value, &text))
		fwrite(text.at, 1, text.len, out);
	buffer_clear(&text);
}

void ctl_print(struct ctl *c, FILE *out, const json_t *value)
{
	if (c->form == CTL_YAML) {
		print_yaml(out, value);
		return;
	}
	json_dumpf(value, out, JSON_ENCODE_ANY | (c->form == CTL_JSON_LINE ? JSON_COMPACT : JSON_INDENT(2)));
	putc('\n', out);
}

static void tell(struct ctl *c, const char *format, va_list args)
{
	char text[2048];
	json_t *error;

	vsnprintf(text, sizeof text, format, args);
	if (c->form == CTL_TABLE) {
		fputs("Error: ", c->err);
		ctl_table_print_text(c->err, text);
		putc('\n', c->err);
		return;
	}
	error = json_pack("{s:s%}", "error", text, strlen(text));
	if (!error)
		error = json_pack("{s:s}", "error", "a message that is not UTF-8");
	ctl_print(c, c->err, error);
	json_decref(error);
}

void ctl_fail(struct ctl *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, format, args);
	va_end(args);
	c->status = CTL_FAILED;
}

void ctl_misuse(struct ctl *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, format, args);
	va_end(args);
	c->status = CTL_MISUSE;
}

const json_t *ctl_keep(struct ctl *c, json_t *json)
{
	if (json)
		json_array_append_new(c->kept, json);
	return json;
}

bool ctl_confirm(struct ctl *c, const char *question, ...)
{
	char line[16] = "";
	va_list args;

	if (ctl_flags_on(&c->flags, "force"))
		return true;
	if (!isatty(STDIN_FILENO)) {
		ctl_misuse(c, "this cannot be undone and nobody is here to ask: say --force");
		return false;
	}
	va_start(args, question);
	vfprintf(c->err, question, args);
	va_end(args);
	fputs(" [y/N] ", c->err);
	fflush(c->err);
	if (fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y'))
		return true;
	ctl_fail(c, "nothing was done");
	return false;
}

const char *ctl_ask(struct ctl *c, const char *question, ...)
{
	char line[512] = "";
	va_list args;

	if (!isatty(STDIN_FILENO))
		return NULL;
	va_start(args, question);
	vfprintf(c->err, question, args);
	va_end(args);
	putc(' ', c->err);
	fflush(c->err);
	if (!fgets(line, sizeof line, stdin))
		return NULL;
	return arena_text(c->arena, bytes_trim(bytes_text(line)));
}

const char *ctl_subject(struct ctl *c, const char *flag)
{
	const char *text = ctl_flags_text(&c->flags, flag);

	if (!text && c->arg_count)
		text = c->args[0];
	if (!text || !*text) {
		ctl_misuse(c, "--%s is missing", flag);
		return NULL;
	}
	return text;
}

const char *ctl_subject_id(struct ctl *c, const char *flag)
{
	const char *text = ctl_subject(c, flag);
	uint64_t id;

	if (text && text_parse_u64(bytes_text(text), INT64_MAX, &id)) {
		ctl_misuse(c, "an id is a decimal number, not \"%.60s\"", text);
		return NULL;
	}
	return text;
}
