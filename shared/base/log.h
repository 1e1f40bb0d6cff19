/* Log lines: an event with fields, its subject first; JSON or text, one line each, to standard error.
 * Not prose: values are fields, and secrets or whole keys never are (short forms only).
 * Callable from any thread; a line is one write(2). Nothing is owned. */
#ifndef LOG_H
#define LOG_H

#include "bytes.h"
#include "err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(const char *program, enum log_level least, enum log_format format);
bool log_on(enum log_level level);

enum log_kind { LOG_END, LOG_STRING, LOG_BYTES, LOG_UINT, LOG_INT, LOG_ERRCODE };

struct log_field {
	const char *name;
	enum log_kind kind;
	union {
		const char *text;
		struct bytes bytes;
		uint64_t number;
		int64_t integer;
		enum err err;
	};
};

#define F_TEXT(n, v) ((struct log_field){.name = (n), .kind = LOG_STRING, .text = (v)})
#define F_BYTES(n, v) ((struct log_field){.name = (n), .kind = LOG_BYTES, .bytes = (v)})
#define F_UINT(n, v) ((struct log_field){.name = (n), .kind = LOG_UINT, .number = (uint64_t)(v)})
#define F_INT(n, v) ((struct log_field){.name = (n), .kind = LOG_INT, .integer = (int64_t)(v)})
#define F_ERR(v) ((struct log_field){.name = "error", .kind = LOG_ERRCODE, .err = (v)})

/* What a line is about, printed first: kind is a word such as "session"; zero ids are left out. */
struct subject {
	const char *kind;
	uint64_t tailnet, node, id;
};

#define SUBJECT(k) ((struct subject){.kind = (k)})
#define TAILNET(id_) ((struct subject){.kind = "tailnet", .tailnet = (id_)})
#define NODE(tailnet_, id_) ((struct subject){.kind = "node", .tailnet = (tailnet_), .node = (id_)})

void log_line(enum log_level level, struct subject subject, const char *event, const struct log_field *fields);

#define LOG_AT(level, subject, event, ...) \
	do { \
		if (log_on(level)) \
			log_line(level, subject, event, (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = LOG_END}}); \
	} while (0)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_WARNING, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)

#endif
