/* Options as a table: name, type, default, range, help -> YAML file, environment, --help and docs/options.md.
 * Not where values mean something: each program's options.c declares its table over its own struct.
 * Texts in the struct are owned by it and ended by options_clear. */
#ifndef OPTION_H
#define OPTION_H

#include <stddef.h>

#include "addr.h"
#include "buffer.h"

enum option_type {
	OPTION_TEXT,     /* char * */
	OPTION_SECRET,   /* char *; also from NAME_FILE / `name_file`; never printed */
	OPTION_BOOL,     /* bool */
	OPTION_INT,      /* int64_t, with range */
	OPTION_DURATION, /* int64_t milliseconds, with range in ms */
	OPTION_SIZE,     /* int64_t bytes: "64KiB", "1MiB" */
	OPTION_LISTEN,   /* char *: "host:port" or "" = off; checked */
	OPTION_CHOICE,   /* int64_t: index into `choices` */
	OPTION_LIVE = 64 /* added to one of them: may change while the program runs */
};

struct option {
	const char *name; /* "listen.clients"; environment FLEETSCALE_LISTEN_CLIENTS; YAML nested by dots */
	enum option_type type;
	size_t offset;        /* into the program's struct */
	const char *fallback; /* default, as text; NULL: required */
	int64_t least, most;
	const char *const *choices; /* NULL-terminated */
	const char *help;           /* one sentence */
};

/* Fill `config` (zeroed by the caller): defaults, then the file (may be NULL), then the environment. Tables end with name NULL; `tables` is NULL-terminated.
 * Unknown keys are errors that name the nearest known one: ERR_MALFORMED with line and column in `why`. Unknown FLEETSCALE_ variables too. */
MUST_USE enum err options_read(const struct option *const *tables, void *config, const char *file, char *const *environment, struct diag *why);
/* `next` was read while `now` is in force: options that are not OPTION_LIVE become in it as they are in `now`; changed(context, name) for each that said otherwise. */
void options_adopt(const struct option *const *tables, const void *now, void *next, void (*changed)(void *context, const char *name), void *context);
void options_clear(const struct option *const *tables, void *config);
MUST_USE enum err options_write_docs(const struct option *const *tables, const char *program, struct buffer *out); /* Markdown */
MUST_USE enum err options_write_help(const struct option *const *tables, const char *program, struct buffer *out);

#endif
