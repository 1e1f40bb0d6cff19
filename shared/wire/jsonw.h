/* JSON writer for large answers: appends to a buffer, commas by itself, strings escaped, invalid UTF-8 replaced.
 * Not a reader (jansson reads) and not a tree.
 * Borrow the buffer; errors stick: check once with jsonw_end. */
#ifndef JSONW_H
#define JSONW_H

#include "addr.h"
#include "buffer.h"
#include "clock.h"

struct jsonw {
	struct buffer *out;
	enum err failed;
	bool comma; /* a member was written at this level */
};

void jsonw_start(struct jsonw *w, struct buffer *out);
enum err jsonw_end(struct jsonw *w); /* the first error, or ERR_NONE */
/* `name` is NULL inside arrays and at the top. Names are trusted literals. */
void jsonw_object(struct jsonw *w, const char *name);
void jsonw_object_end(struct jsonw *w);
void jsonw_array(struct jsonw *w, const char *name);
void jsonw_array_end(struct jsonw *w);
void jsonw_text(struct jsonw *w, const char *name, struct bytes value);
void jsonw_string(struct jsonw *w, const char *name, const char *value);
void jsonw_int(struct jsonw *w, const char *name, int64_t value);
void jsonw_uint(struct jsonw *w, const char *name, uint64_t value);
void jsonw_uint_text(struct jsonw *w, const char *name, uint64_t value); /* as a decimal string */
void jsonw_bool(struct jsonw *w, const char *name, bool value);
void jsonw_null(struct jsonw *w, const char *name);
void jsonw_double(struct jsonw *w, const char *name, double value);
void jsonw_time(struct jsonw *w, const char *name, struct wall value);         /* RFC 3339 */
void jsonw_time_or_null(struct jsonw *w, const char *name, struct wall value); /* null for WALL_ZERO */
void jsonw_prefix(struct jsonw *w, const char *name, struct prefix value);
void jsonw_raw(struct jsonw *w, const char *name, struct bytes json); /* trusted JSON text */
void jsonw_key(struct jsonw *w, struct bytes name);                   /* an untrusted member name; the next value is written with name NULL and follows it */

#endif
