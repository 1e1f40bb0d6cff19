#include <unistd.h>

#include "ctl_command.h"
#include "ctl_nouns.h"

/* Scripts out of the command table: words of each place, and flags. Names and helps are ours: they hold no quote but what is escaped here. */

static void print_quoted(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			putc(*text, out);
	}
}

static void print_flag_words(FILE *out, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++) {
		fprintf(out, " --%s", flags->name);
		if (flags->letter)
			fprintf(out, " -%c", flags->letter);
	}
}

/* `name|alias|alias` as a pattern of case. */
static void print_pattern(FILE *out, const char *name, const char *aliases)
{
	struct bytes rest = bytes_text(aliases);

	fputs(name, out);
	while (rest.len) {
		struct bytes alias = bytes_split(rest, ' ', &rest);

		fprintf(out, "|%.*s", BYTES_ARG(alias));
	}
}

static void print_noun_words(FILE *out)
{
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		fprintf(out, " %s", (*noun)->name);
}

static bool is_whole(const struct ctl_noun *noun)
{
	return !*noun->verbs[0].name;
}

/* --- bash ------------------------------------------------------------------------------------------------------------------------------------ */

static void bash_noun(FILE *out, const struct ctl_noun *noun)
{
	fputs("	", out);
	print_pattern(out, noun->name, noun->aliases);
	fputs(")\n", out);
	if (is_whole(noun)) {
		fputs("		words=\"", out);
		print_flag_words(out, noun->verbs[0].flags);
		fputs("\" ;;\n", out);
		return;
	}
	fputs("		case $verb in\n", out);
	for (const struct ctl_verb *verb = noun->verbs; verb->name; verb++) {
		fputs("		", out);
		print_pattern(out, verb->name, verb->aliases);
		fputs(") words=\"", out);
		print_flag_words(out, verb->flags);
		fputs("\" ;;\n", out);
	}
	fputs("		*) words=\"", out);
	for (const struct ctl_verb *verb = noun->verbs; verb->name; verb++)
		fprintf(out, " %s", verb->name);
	fputs("\" ;;\n		esac ;;\n", out);
}

/* Flags that take a word, so that this word is no noun. */
static void print_takers(FILE *out)
{
	const char *bar = "";

	for (const struct ctl_flag *flag = ctl_global_flags; flag->name; flag++) {
		if (flag->type == CTL_SWITCH)
			continue;
		fprintf(out, "%s--%s", bar, flag->name);
		bar = "|";
		if (flag->letter)
			fprintf(out, "|-%c", flag->letter);
	}
}

static void bash(FILE *out)
{
	fputs("# bash completion of fleetscale: eval \"$(fleetscale completion bash)\"\n_fleetscale() {\n"
	      "	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} noun= verb= words= i\n"
	      "	for ((i = 1; i < COMP_CWORD; i++)); do\n		case ${COMP_WORDS[i]} in\n		",
	      out);
	print_takers(out);
	fputs(") i=$((i + 1)) ;;\n		-*) ;;\n		*) if [[ -z $noun ]]; then noun=${COMP_WORDS[i]}; elif [[ -z $verb ]]; then "
	      "verb=${COMP_WORDS[i]}; fi ;;\n"
	      "		esac\n	done\n"
	      "	case $prev in\n	-o|--output) COMPREPLY=($(compgen -W \"table json json-line yaml\" -- \"$cur\")); return ;;\n"
	      "	-c|--config|--ca-file|--socket) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n	esac\n"
	      "	case $noun in\n	'') words=\"",
	      out);
	print_noun_words(out);
	fputs("\" ;;\n", out);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		bash_noun(out, *noun);
	fputs("	esac\n	[[ $cur == -* ]] && words+=\"", out);
	print_flag_words(out, ctl_global_flags);
	fputs("\"\n	COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _fleetscale fleetscale\n", out);
}

/* --- zsh ------------------------------------------------------------------------------------------------------------------------------------- */

/* Colons part word and meaning. */
static void zsh_item(FILE *out, const char *name, const char *help)
{
	fprintf(out, " '%s:", name);
	print_quoted(out, help);
	putc('\'', out);
}

static void zsh_flags(FILE *out, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++) {
		fprintf(out, " '--%s:", flags->name);
		print_quoted(out, flags->help);
		putc('\'', out);
	}
}

static void zsh_noun(FILE *out, const struct ctl_noun *noun)
{
	fputs("	", out);
	print_pattern(out, noun->name, noun->aliases);
	fputs(")\n		verbs=(", out);
	for (const struct ctl_verb *verb = noun->verbs; verb->name; verb++)
		if (*verb->name)
			zsh_item(out, verb->name, verb->help);
	fputs(")\n		case $verb in\n", out);
	for (const struct ctl_verb *verb = noun->verbs; verb->name; verb++) {
		fputs("		", out);
		if (*verb->name)
			print_pattern(out, verb->name, verb->aliases);
		else
			putc('*', out);
		fputs(") flags+=(", out);
		zsh_flags(out, verb->flags);
		fputs(") ;;\n", out);
	}
	fputs("		esac ;;\n", out);
}

static void zsh(FILE *out)
{
	fputs("#compdef fleetscale\n# zsh completion of fleetscale: source <(fleetscale completion zsh)\n_fleetscale() {\n"
	      "	local noun= verb= i\n	local -a nouns verbs flags\n	nouns=(",
	      out);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		zsh_item(out, (*noun)->name, (*noun)->help);
	fputs(")\n	flags=(", out);
	zsh_flags(out, ctl_global_flags);
	fputs(")\n	for ((i = 2; i < CURRENT; i++)); do\n		case ${words[i]} in\n		", out);
	print_takers(out);
	fputs(") i=$((i + 1)) ;;\n		-*) ;;\n		*) if [[ -z $noun ]]; then noun=${words[i]}; elif [[ -z $verb ]]; then "
	      "verb=${words[i]}; fi ;;\n"
	      "		esac\n	done\n	case $noun in\n",
	      out);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		zsh_noun(out, *noun);
	fputs("	esac\n	if [[ ${words[CURRENT]} == -* ]]; then\n		_describe flag flags\n	elif [[ -z $noun ]]; then\n		_describe noun "
	      "nouns\n"
	      "	elif [[ -z $verb ]] && (( ${#verbs} )); then\n		_describe verb verbs\n	else\n		_files\n	fi\n}\n"
	      "if [[ ${funcstack[1]} == _fleetscale ]]; then _fleetscale \"$@\"; else compdef _fleetscale fleetscale; fi\n",
	      out);
}

/* --- fish ------------------------------------------------------------------------------------------------------------------------------------ */

static void fish_flags(FILE *out, const char *condition, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++) {
		fprintf(out, "complete -c fleetscale%s -l %s", condition, flags->name);
		if (flags->letter)
			fprintf(out, " -s %c", flags->letter);
		fputs(flags->type == CTL_SWITCH ? " -d '" : " -r -d '", out);
		/* fish knows \' inside single quotes. */
		for (const char *p = flags->help; *p; p++)
			fprintf(out, *p == '\'' ? "\\%c" : "%c", *p);
		fputs("'\n", out);
	}
}

static void print_all_names(FILE *out, const char *name, const char *aliases)
{
	fprintf(out, "%s%s%s", name, aliases ? " " : "", aliases ? aliases : "");
}

static void fish_verb(FILE *out, struct arena *arena, const struct ctl_noun *noun, const struct ctl_verb *verb)
{
	const char *condition;

	if (*verb->name) {
		fputs("complete -c fleetscale -f -n '__fish_seen_subcommand_from ", out);
		print_all_names(out, noun->name, noun->aliases);
		fprintf(out, "; and test (count (commandline -opc)) -eq 2' -a %s -d '", verb->name);
		for (const char *p = verb->help; *p; p++)
			fprintf(out, *p == '\'' ? "\\%c" : "%c", *p);
		fputs("'\n", out);
	}
	condition = arena_format(arena, " -n '__fish_seen_subcommand_from %s%s%s%s%s%s%s'", noun->name, noun->aliases ? " " : "",
				 noun->aliases ? noun->aliases : "", *verb->name ? "; and __fish_seen_subcommand_from " : "", verb->name,
				 verb->aliases ? " " : "", verb->aliases ? verb->aliases : "");
	fish_flags(out, condition, verb->flags);
}

static void fish(FILE *out, struct arena *arena)
{
	fputs("# fish completion of fleetscale: fleetscale completion fish | source\n", out);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
		fprintf(out, "complete -c fleetscale -f -n __fish_use_subcommand -a %s -d '", (*noun)->name);
		for (const char *p = (*noun)->help; *p; p++)
			fprintf(out, *p == '\'' ? "\\%c" : "%c", *p);
		fputs("'\n", out);
		for (const struct ctl_verb *verb = (*noun)->verbs; verb->name; verb++)
			fish_verb(out, arena, *noun, verb);
	}
	fish_flags(out, "", ctl_global_flags);
}

static void completion_bash(struct ctl *c)
{
	bash(c->out);
}

static void completion_zsh(struct ctl *c)
{
	zsh(c->out);
}

static void completion_fish(struct ctl *c)
{
	fish(c->out, c->arena);
}

static const struct ctl_verb verbs[] = {
	{"bash", NULL, NULL, 0, 0, "Print the script for bash: eval \"$(fleetscale completion bash)\"", NULL, completion_bash},
	{"zsh", NULL, NULL, 0, 0, "Print the script for zsh: source <(fleetscale completion zsh)", NULL, completion_zsh},
	{"fish", NULL, NULL, 0, 0, "Print the script for fish: fleetscale completion fish | source", NULL, completion_fish},
	{0},
};

const struct ctl_noun ctl_noun_completion = {"completion", NULL, "Completion of words in a shell", verbs};
