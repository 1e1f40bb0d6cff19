/* One run of the `fleetscale` command: its flags and words, where it prints, and its exit status.
 * Not the command table (ctl_command.h) and no request (ctl_call.h).
 * The run owns an arena and the JSON that ctl_keep was given; verbs free nothing. */
#ifndef CTL_H
#define CTL_H

#include <jansson.h>
#include <stdio.h>

#include "ctl_flags.h"

enum ctl_exit {
	CTL_DONE,
	CTL_FAILED, /* refused, or it did not work */
	CTL_MISUSE  /* wrong use: nothing was tried */
};

enum ctl_form { CTL_TABLE, CTL_JSON, CTL_JSON_LINE, CTL_YAML };

enum { CTL_ARGS_MAX = 8 };

struct ctl {
	struct arena *arena;
	struct ctl_flags flags;
	const char *args[CTL_ARGS_MAX]; /* positional words behind the verb */
	unsigned arg_count;
	enum ctl_form form;
	enum ctl_exit status;
	FILE *out, *err;
	unsigned width; /* of the terminal; 0: none, nothing is cut */
	json_t *kept;
	const struct ctl_where *where; /* ctl_where.h; NULL: not asked yet */
};

typedef void (*ctl_verb_fn)(struct ctl *c); /* what goes wrong is told by ctl_fail or ctl_misuse, which set the status */

struct ctl_verb {
	const char *name;    /* "" when the noun is the whole command */
	const char *aliases; /* separated by spaces; may be NULL */
	const char *args;    /* "NAME", "[ID]"; NULL: none */
	unsigned args_least, args_most;
	const char *help;             /* a sentence */
	const struct ctl_flag *flags; /* ended by name NULL; may be NULL */
	ctl_verb_fn run;
};

struct ctl_noun {
	const char *name, *aliases, *help;
	const struct ctl_verb *verbs; /* ended by name NULL */
};

/* "Error: ..." (or {"error": ...} with -o json) and the status. */
void ctl_fail(struct ctl *c, const char *format, ...) PRINTF(2, 3);
void ctl_misuse(struct ctl *c, const char *format, ...) PRINTF(2, 3);
const json_t *ctl_keep(struct ctl *c, json_t *json); /* ends with the run */
/* A value in the form that was asked for (a table's form is JSON's here), with a line break. */
void ctl_print(struct ctl *c, FILE *out, const json_t *value);
/* Asks a person, unless --force. False: no, or nobody is there to ask (told, wrong use). */
bool ctl_confirm(struct ctl *c, const char *question, ...) PRINTF(2, 3);

/* What a person types; the run's. NULL: nobody is there to ask. */
const char *ctl_ask(struct ctl *c, const char *question, ...) PRINTF(2, 3);

/* What is meant by a flag or, when that is not given, by the first positional word; NULL: neither was given (told). */
const char *ctl_subject(struct ctl *c, const char *flag);
/* The same for a decimal id. */
const char *ctl_subject_id(struct ctl *c, const char *flag);

#endif
