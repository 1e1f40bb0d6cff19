/* A connection that blocks: one statement after the other, for the start of a program and for `fleetscale migrate`.
 * Not for loops (tx.h). Private to store.
 * The caller closes it; results are borrowed until the next statement. */
#ifndef PGBLOCK_H
#define PGBLOCK_H

#include "bytes.h"
#include "err.h"

struct pgblock;

MUST_USE enum err pgblock_open(const char *url, struct pgblock **p, struct diag *why);
void pgblock_close(struct pgblock **p);
MUST_USE enum err pgblock_run(struct pgblock *p, const char *sql, int count, const char *const *args, struct diag *why);
/* Several statements of a file, without arguments. */
MUST_USE enum err pgblock_script(struct pgblock *p, const char *sql, struct diag *why);
size_t pgblock_rows(const struct pgblock *p);
struct bytes pgblock_text(const struct pgblock *p, size_t row, int column); /* at NULL: SQL NULL */
const char *pgblock_state(const struct pgblock *p);                         /* SQLSTATE of the last failure, or "" */
/* What the server stores for a password, so that the password itself is in no statement. Freed with free(). */
char *pgblock_verifier(struct pgblock *p, const char *password, const char *role);
/* `name` or a text as an SQL literal; freed with free(). */
char *pgblock_literal(struct pgblock *p, const char *text);

#endif
