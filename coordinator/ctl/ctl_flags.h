/* Flags of a command line by a table: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, switches; values are checked when they are read.
 * Not what a flag means: the verb that declares it knows.
 * Texts are borrowed from argv. */
#ifndef CTL_FLAGS_H
#define CTL_FLAGS_H

#include <jansson.h>

#include "arena.h"
#include "err.h"

enum ctl_flag_type {
	CTL_TEXT,
	CTL_SWITCH, /* no value; --name=false takes it back */
	CTL_NUMBER, /* decimal; ids */
	CTL_LIST,   /* a,b and given several times */
	CTL_TEXTS,  /* given several times, commas and all */
	CTL_SPAN,   /* a duration: "90d", "1h30m" */
	CTL_WHEN    /* RFC 3339, or a duration from now: "90d" */
};

struct ctl_flag {
	const char *name;
	char letter; /* 0: none */
	bool required;
	enum ctl_flag_type type;
	const char *value;    /* what help calls the value */
	const char *fallback; /* when not given; may be NULL */
	const char *help;
};

enum { CTL_TABLES_MAX = 2, CTL_FLAGS_MAX = 48, CTL_REPEATS_MAX = 64 };

struct ctl_flags {
	const struct ctl_flag *tables[CTL_TABLES_MAX]; /* each ended by name NULL */
	unsigned table_count;
	struct ctl_value {
		const struct ctl_flag *flag;
		const char *texts[CTL_REPEATS_MAX];
		unsigned count;
	} values[CTL_FLAGS_MAX];
	unsigned value_count;
};

void ctl_flags_know(struct ctl_flags *f, const struct ctl_flag *table);
bool ctl_flags_is_flag(const char *word);
/* Reads the flag at argv[*at] and moves *at to the word behind it. ERR_MALFORMED: unknown (the nearest known one is named), or its value is missing or wrong. */
MUST_USE enum err ctl_flags_take(struct ctl_flags *f, int argc, char **argv, int *at, struct diag *why);
MUST_USE enum err ctl_flags_finish(const struct ctl_flags *f, struct diag *why); /* ERR_MALFORMED: a required one is missing */

/* Names must be in a known table. */
bool ctl_flags_given(const struct ctl_flags *f, const char *name);
const char *ctl_flags_text(const struct ctl_flags *f, const char *name); /* the last given, else the fallback, else NULL */
bool ctl_flags_on(const struct ctl_flags *f, const char *name);
int64_t ctl_flags_span(const struct ctl_flags *f, const char *name);                          /* milliseconds; -1 without value and fallback */
json_t *ctl_flags_list(const struct ctl_flags *f, const char *name);                          /* array of texts; the caller's */
const char *ctl_flags_when(const struct ctl_flags *f, const char *name, struct arena *arena); /* RFC 3339; NULL without value and fallback */

/* "-u, --user USER". */
const char *ctl_flag_usage(const struct ctl_flag *flag, struct arena *arena);

#endif
