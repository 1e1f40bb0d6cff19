/* JSON bodies of the admin doors, read by a table of fields. Objects are closed: what is not in the table is refused.
 * Not meaning: each handler checks values. Texts and lists live in the exchange's arena. */
#ifndef FIELDS_H
#define FIELDS_H

#include "clock.h"
#include "exchange.h"

enum field_type {
	FIELD_TEXT,  /* struct bytes; at == NULL when absent or null */
	FIELD_BOOL,  /* bool */
	FIELD_ID,    /* uint64_t; a decimal text (64-bit numbers are texts), a number is taken too; "" and absent are 0 */
	FIELD_TIME,  /* struct wall; absent is WALL_ZERO */
	FIELD_TEXTS, /* struct field_texts */
	FIELD_NUMBER /* double */
};

struct field_texts {
	struct bytes *list;
	size_t count;
	bool present;
};

struct field {
	const char *name;
	enum field_type type;
	void *out;
};

enum { FIELD_TEXTS_MAX = 4096 };

/* Reads x->body into the fields (table ended by name NULL); an empty body is {}. On false the refusal was answered: 400, 415 or 422. */
bool fields_read(struct exchange *x, const struct field *fields, const char *detail);
/* A decimal id of the path. On false 400 was answered. */
bool fields_path_id(struct exchange *x, unsigned param, uint64_t *id, const char *detail);

#endif
