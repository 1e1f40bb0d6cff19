#include "ctl_help.h"

#include "ctl_command.h"

enum { NAME_WIDTH = 16, FLAG_WIDTH = 28 };

static void print_flags(FILE *out, struct arena *arena, const char *title, const struct ctl_flag *flags)
{
	if (!flags || !flags->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; flags->name; flags++) {
		fprintf(out, "  %-*s %s", FLAG_WIDTH, ctl_flag_usage(flags, arena), flags->help);
		if (flags->fallback)
			fprintf(out, " (usually %s)", flags->fallback);
		fputs(flags->required ? " (required)\n" : "\n", out);
	}
}

static void print_aliases(FILE *out, const char *aliases)
{
	if (aliases)
		fprintf(out, "\nalso called: %s\n", aliases);
}

static void help_all(FILE *out, struct arena *arena)
{
	fputs("usage: fleetscale [FLAGS] NOUN VERB [WORDS] [FLAGS]\n\nAdministers an installation of fleetscale through a coordinator's admin door.\n\n", out);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		fprintf(out, "  %-*s %s\n", NAME_WIDTH, (*noun)->name, (*noun)->help);
	fputs("\n`fleetscale NOUN --help` and `fleetscale NOUN VERB --help` tell more.\n", out);
	print_flags(out, arena, "flags of all commands", ctl_global_flags);
}

static void help_noun(FILE *out, struct arena *arena, const struct ctl_noun *noun)
{
	fprintf(out, "usage: fleetscale %s VERB [WORDS] [FLAGS]\n\n%s.\n\n", noun->name, noun->help);
	for (const struct ctl_verb *verb = noun->verbs; verb->name; verb++)
		fprintf(out, "  %-*s %s\n", NAME_WIDTH, verb->name, verb->help);
	print_aliases(out, noun->aliases);
	print_flags(out, arena, "flags of all commands", ctl_global_flags);
}

static void help_verb(FILE *out, struct arena *arena, const struct ctl_noun *noun, const struct ctl_verb *verb)
{
	fprintf(out, "usage: fleetscale %s", noun->name);
	if (*verb->name)
		fprintf(out, " %s", verb->name);
	if (verb->args)
		fprintf(out, " %s", verb->args);
	fprintf(out, " [FLAGS]\n\n%s.\n", verb->help);
	print_aliases(out, *verb->name ? verb->aliases : noun->aliases);
	print_flags(out, arena, "flags", verb->flags);
	print_flags(out, arena, "flags of all commands", ctl_global_flags);
}

void ctl_help(FILE *out, struct arena *arena, const struct ctl_noun *noun, const struct ctl_verb *verb)
{
	if (verb)
		help_verb(out, arena, noun, verb);
	else if (noun)
		help_noun(out, arena, noun);
	else
		help_all(out, arena);
}
