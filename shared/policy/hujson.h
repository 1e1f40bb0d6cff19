/* HuJSON: JSON with comments and one trailing comma before a closing bracket, read into a tree that knows where each value stands. Pure.
 * Not what a policy means (document.h), not a writer: texts are kept as they were written.
 * The tree lives in the caller's arena; texts without escapes are borrowed from the source, which must live as long. */
#ifndef HUJSON_H
#define HUJSON_H

#include "arena.h"
#include "err.h"
#include "place.h"

enum {
	HUJSON_DEPTH_MAX = 64,
	HUJSON_VALUES_MAX = 2000000, /* some 300 MB of tree at most; a file of 10 MB that means something has fewer */
};

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT };

struct json_member;

struct json {
	enum json_kind kind;
	struct place at, end;        /* first and last byte */
	bool truth;                  /* of JSON_BOOL */
	struct bytes text;           /* JSON_STRING: its value; JSON_NUMBER: as written */
	struct bytes source;         /* the value as written, comments and all */
	struct json *items;          /* JSON_LIST */
	struct json_member *members; /* JSON_OBJECT, in file order; names are unique */
	size_t count;                /* items or members */
};

struct json_member {
	struct bytes name;
	struct place at;
	struct json value;
};

/* ERR_MALFORMED with line and column of the first fault: bad UTF-8, duplicate member names, deeper than HUJSON_DEPTH_MAX,
 * lone surrogates, anything after the value. More than HUJSON_VALUES_MAX values: ERR_TOO_BIG.
 * An empty source (or one of comments alone) is ERR_NOT_FOUND. Time and memory grow linearly. */
MUST_USE enum err hujson_parse(struct arena *arena, struct bytes source, struct json *root, struct diag *why);
/* NULL when absent or null. */
const struct json *hujson_find(const struct json *object, const char *name);

/* The same value as plain compact JSON: no comments, no blanks, members in file order, strings escaped anew, numbers as written. In the arena. */
struct bytes hujson_compact(struct arena *arena, const struct json *value);

#endif
