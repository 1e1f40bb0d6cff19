/* Reading JSON from strangers: parse under caps, then hold an object against a table of the members that we know.
 * Not a writer (jsonw.h) and not a tree of its own: values are jansson's.
 * The caller ends what jsonr_parse gives with json_decref; texts are borrowed from it. Rules of the client's own decoder: null is a member's zero value,
 * of equal names the last wins, unknown members are not looked at, a wrong type refuses the whole. Source: docs/protocol/registration.md. */
#ifndef JSONR_H
#define JSONR_H

#include <jansson.h>

#include "bytes.h"
#include "err.h"

enum { JSONR_DEPTH_MAX = 32 }; /* official requests reach 5; readers recurse */

enum jsonr_type {
	JSONR_TEXT,
	JSONR_BOOL, /* optional booleans too: true, false or null, never a string */
	JSONR_INT,  /* between least and most */
	JSONR_NUMBER,
	JSONR_TEXTS, /* array of texts; at most `most` if that is not 0 */
	JSONR_INTS,
	JSONR_NUMBERS, /* object of numbers */
	JSONR_OBJECT,  /* of shape `nested` */
	JSONR_OBJECTS  /* array of them */
};

/* One member; a table ends with a NULL name. */
struct jsonr_member {
	const char *name;
	enum jsonr_type type;
	int64_t least, most;
	const struct jsonr_member *nested;
	unsigned flags; /* the caller's own */
};

/* Where a value stands, for sentences: "Hostinfo.Services[3].Port". */
struct jsonr_place {
	const struct jsonr_place *above;
	const char *name;
	size_t index; /* used when name is NULL */
};

/* ERR_TOO_BIG past `cap` bytes, ERR_MALFORMED for what is not JSON (also bad UTF-8, \u0000, integers past int64) or too deep; `why` tells where. */
MUST_USE enum err jsonr_parse(struct bytes text, size_t cap, json_t **value, struct diag *why);
/* ERR_MALFORMED with a sentence that names the member. `value` must be an object. */
MUST_USE enum err jsonr_check(const json_t *value, const struct jsonr_member *shape, const struct jsonr_place *place, struct diag *why);
/* One value against one member of a shape. */
MUST_USE enum err jsonr_check_member(const json_t *value, const struct jsonr_member *member, const struct jsonr_place *place, struct diag *why);

/* After a check: absent and null give "", 0, false. */
struct bytes jsonr_text(const json_t *object, const char *name);
struct bytes jsonr_text_of(const json_t *text);
int64_t jsonr_int(const json_t *object, const char *name);
uint64_t jsonr_count(const json_t *object, const char *name); /* also without a check: what is no number above 0 gives 0 */
bool jsonr_bool(const json_t *object, const char *name);

#endif
