#include "ctl_docs.h"

#include <ctype.h>

#include "ctl_command.h"

/* Text inside a Markdown table. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putc('\\', out);
		putc(*text, out);
	}
}

static void print_flags(FILE *out, struct arena *arena, const struct ctl_flag *flags)
{
	fputs("| flag | meaning |\n| --- | --- |\n", out);
	for (; flags->name; flags++) {
		const char *usage = ctl_flag_usage(flags, arena);

		fprintf(out, "| `%s` | ", usage + strspn(usage, " "));
		print_cell(out, flags->help);
		if (flags->fallback)
			fprintf(out, " (usually `%s`)", flags->fallback);
		fputs(flags->required ? "; required |\n" : " |\n", out);
	}
	putc('\n', out);
}

static void print_aliases(FILE *out, const char *aliases)
{
	struct bytes rest = bytes_text(aliases);

	for (unsigned i = 0; rest.len; i++) {
		struct bytes alias = bytes_split(rest, ' ', &rest);

		fprintf(out, "%s`%.*s`", i ? ", " : "Also called ", BYTES_ARG(alias));
	}
	fputs(aliases ? ".\n\n" : "", out);
}

static void print_verb(FILE *out, struct arena *arena, const struct ctl_noun *noun, const struct ctl_verb *verb)
{
	fprintf(out, "### fleetscale %s%s%s\n\n", noun->name, *verb->name ? " " : "", verb->name);
	fprintf(out, "```\nfleetscale %s%s%s%s%s [FLAGS]\n```\n\n%s.\n\n", noun->name, *verb->name ? " " : "", verb->name, verb->args ? " " : "",
		verb->args ? verb->args : "", verb->help);
	print_aliases(out, verb->aliases);
	if (verb->flags && verb->flags->name)
		print_flags(out, arena, verb->flags);
}

static void print_variables(FILE *out)
{
	static const struct {
		const char *names, *meaning;
	} variables[] = {
		{"`FLEETSCALE_URL`, `HEADSCALE_CLI_ADDRESS`", "as `--server`; a bare host means https"},
		{"`FLEETSCALE_SOCKET`", "as `--socket`"},
		{"`FLEETSCALE_API_KEY`, `FLEETSCALE_API_KEY_FILE`, `HEADSCALE_CLI_API_KEY`", "the API key, or a file that holds it; never on the command line"},
		{"`FLEETSCALE_TAILNET`", "as `--tailnet`"},
		{"`FLEETSCALE_PROFILE`", "as `--profile`, but what the environment says of a server wins over it"},
		{"`FLEETSCALE_CLI_CONFIG`", "the file of profiles"},
		{"`FLEETSCALE_CA_FILE`", "as `--ca-file`"},
		{"`FLEETSCALE_TIMEOUT`, `HEADSCALE_CLI_TIMEOUT`", "as `--timeout`"},
		{"`FLEETSCALE_INSECURE`, `HEADSCALE_CLI_INSECURE`", "`true`: as `--insecure`"},
		{"`FLEETSCALE_DATABASE_URL`, `FLEETSCALE_DATABASE_URL_FILE`", "for `migrate`, `doctor` and `--database env`"},
		{"`FLEETSCALE_REDIS_URL`, `FLEETSCALE_REDIS_URL_FILE`", "for `doctor`"},
		{"`PAGER`", "shows what is longer than the terminal"},
	};

	fputs("## Environment\n\n| variable | meaning |\n| --- | --- |\n", out);
	for (size_t i = 0; i < COUNT_OF(variables); i++)
		fprintf(out, "| %s | %s |\n", variables[i].names, variables[i].meaning);
	fputs("\n## Exit status\n\n| status | meaning |\n| --- | --- |\n| 0 | done |\n| 1 | refused, or it did not work |\n| 2 | wrong use: nothing was tried "
	      "|\n",
	      out);
}

/* Links to headings are in lower case. */
static void print_row(FILE *out, const struct ctl_noun *noun)
{
	fprintf(out, "| [%s](#", noun->name);
	for (const char *c = noun->name; *c; c++)
		putc(tolower((unsigned char)*c), out);
	fprintf(out, ") | %s |\n", noun->help);
}

void ctl_docs(FILE *out, struct arena *arena)
{
	fputs("<!-- Written by ./dev docs from the tables of the command. -->\n\n# fleetscale\n\n```\nfleetscale [FLAGS] NOUN VERB [WORDS] [FLAGS]\n```\n\n"
	      "Administers an installation through a coordinator's admin door. How it finds the server, and what it prints: [operations.md](operations.md), "
	      "\"The command\".\n\n| noun | about |\n| --- | --- |\n",
	      out);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		print_row(out, *noun);
	fputs("\n## Flags of all commands\n\n", out);
	print_flags(out, arena, ctl_global_flags);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
		fprintf(out, "## %s\n\n%s.\n\n", (*noun)->name, (*noun)->help);
		print_aliases(out, (*noun)->aliases);
		for (const struct ctl_verb *verb = (*noun)->verbs; verb->name; verb++)
			print_verb(out, arena, *noun, verb);
	}
	print_variables(out);
}
