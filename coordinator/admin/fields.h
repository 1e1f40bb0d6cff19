/* JSON bodies of the admin doors, read by a table of fields. Objects are closed: what is not in the table is refused.
 * Not meaning: each handler checks values. Texts and lists live in the exchange's arena. */
#ifndef FIELDS_H
#define FIELDS_H

#include "clock.h"
#include "exchange.h"

enum field_type {
	FIELD_TEXT,   /* struct bytes; at == NULL when absent or null */
	FIELD_BOOL,   /* bool */
	FIELD_ID,     /* uint64_t; a decimal text (64-bit numbers are texts), a number is taken too; "" and absent are 0 */
	FIELD_TIME,   /* struct wall; absent is WALL_ZERO */
	FIELD_TEXTS,  /* struct field_texts */
	FIELD_NUMBER, /* double */
	FIELD_SCALAR, /* struct bytes: a text, a number or a boolean as JSON (scalar.h); at == NULL when absent or null */
	/* For changes, where absent is not false or 0. */
	FIELD_FLAG,   /* struct field_flag */
	FIELD_COUNT,  /* struct field_count; an integer that is not negative */
	FIELD_OBJECT, /* struct field[]: the table of its members */
	FIELD_OBJECTS /* struct field_objects */
};

struct field {
	const char *name;
	enum field_type type;
	void *out;
};

struct field_texts {
	struct bytes *list;
	size_t count;
	bool present;
};

struct field_flag {
	bool value, present;
};

struct field_count {
	uint64_t value;
	bool present;
};

enum { FIELD_TEXTS_MAX = 4096, FIELD_OBJECTS_MAX = 4096, FIELD_MEMBERS_MAX = 8 };

/* A list of objects of one kind. `size` and `table` are given: table(item, fields) says how the zeroed item is filled (ended by name NULL). */
struct field_objects {
	size_t size;
	void (*table)(void *item, struct field fields[static FIELD_MEMBERS_MAX]);
	void *list;
	size_t count;
	bool present;
};

/* Reads x->body into the fields (table ended by name NULL); an empty body is {}. On false the refusal was answered: 400, 415, or 422
 * with the place of the fault ("body.dns.records[2].value"). Null is as absent. */
bool fields_read(struct exchange *x, const struct field *fields, const char *detail);
/* A decimal id of the path. On false 400 was answered. */
bool fields_path_id(struct exchange *x, unsigned param, uint64_t *id, const char *detail);

#endif
