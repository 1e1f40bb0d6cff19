/* The schema: migrations as they are built into the program, and their application.
 * Not the check that programs make at their start (pg_check_schema in pg.h). Blocking; for `fleetscale migrate` and tests.
 * Nothing is owned. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "bytes.h"
#include "err.h"

struct migration {
	unsigned version; /* 1, 2, 3 ... */
	unsigned least;   /* programs that know fewer migrations cannot work with this one; 0: all can */
	const char *name, *sql;
};
extern const struct migration schema_migrations[];
extern const size_t schema_migration_count;

struct schema_plan {
	const char *url;                                      /* of the owner; conninfo or URI */
	const char *base_domain;                              /* NULL: as it is, at first "tailnet.internal" */
	const char *coordinator_password, *mapper_password;   /* NULL: as they are */
	void (*on_step)(void *context, const char *sentence); /* what was done; may be NULL */
	void *context;
};

/* Roles, schema, every missing migration (each a transaction under one lock, so that several may run at once, through a transaction pooler too), the server's Noise
 * and identity keys, tailnet and user `default` where they are missing. What was committed before a failure stays.
 * ERR_MALFORMED: base_domain. ERR_DENIED: the role lacks a right that `why` names. ERR_UNSUPPORTED: the database is newer, or its migrations are others. ERR_UNAVAILABLE. */
MUST_USE enum err schema_migrate(const struct schema_plan *plan, struct diag *why);

#endif
