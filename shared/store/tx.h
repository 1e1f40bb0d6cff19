/* One transaction: statements and journal lines, sent in one pipeline, answered in one round trip.
 * Not a session: nothing branches inside; what must not happen raises (constraint, guard function) and the whole fails.
 * tx_begin makes it, tx_run hands it over; it is freed after its answer. Results are borrowed until then.
 *
 * TX_WRITE: BEGIN; set_config('fleetscale.tailnet'); statements; journal lines; generation bump (last); COMMIT.
 * TX_READ: BEGIN READ ONLY (REPEATABLE READ); set_config; statements; COMMIT.
 * TX_LOOKUP: a single statement without a tailnet (SECURITY DEFINER functions; tables of the installation). */
#ifndef TX_H
#define TX_H

#include "addr.h"
#include "arena.h"
#include "change.h"
#include "pg.h"

struct tx;

enum tx_mode { TX_READ, TX_WRITE, TX_LOOKUP };

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode);
struct arena *tx_arena(struct tx *tx); /* lives until the answer was given */

/* Arguments of the next statement, in order $1, $2 ... (values are copied). */
void tx_arg_u64(struct tx *tx, uint64_t value);
void tx_arg_id(struct tx *tx, uint64_t value); /* 0 is NULL */
void tx_arg_i64(struct tx *tx, int64_t value);
void tx_arg_bool(struct tx *tx, bool value);
void tx_arg_text(struct tx *tx, struct bytes value);
void tx_arg_bytea(struct tx *tx, struct bytes value);
void tx_arg_time(struct tx *tx, struct wall value); /* timestamptz; WALL_ZERO is NULL */
void tx_arg_prefix(struct tx *tx, struct prefix value);
void tx_arg_u64s(struct tx *tx, const uint64_t *values, size_t count);          /* bigint[] */
void tx_arg_texts(struct tx *tx, const struct bytes *values, size_t count);     /* text[] */
void tx_arg_prefixes(struct tx *tx, const struct prefix *values, size_t count); /* cidr[] */
void tx_arg_null(struct tx *tx);
/* Adds the statement; returns its number for tx_rows. */
unsigned tx_add(struct tx *tx, const char *sql);
/* Adds one without arguments that runs after all others, before the generation moves; the same text is added once. */
void tx_at_end(struct tx *tx, const char *sql);
/* A journal line of this transaction (TX_WRITE). `subject`: node or user id. */
void tx_journal(struct tx *tx, enum change_kind kind, uint64_t subject);

/* The answer, exactly once, never before tx_run returned. e: ERR_NONE; ERR_UNAVAILABLE, ERR_TIMEOUT (it may or may not have committed), ERR_CANCELED;
 * what SQL raised, mapped: unique violation ERR_EXISTS, foreign key ERR_NOT_FOUND or ERR_CONFLICT, guard functions their own code. why: a sentence. */
typedef void (*tx_fn)(void *context, enum err e, struct tx *tx, const struct diag *why);
void tx_run(struct tx *tx, tx_fn on_done, void *context);
void tx_abandon(struct tx *tx); /* before tx_run: forget it */

/* Inside the answer. */
uint64_t tx_generation(const struct tx *tx); /* TX_WRITE: the generation that this commit made; 0 when it had no journal line */
uint64_t tx_tailnet(const struct tx *tx);
size_t tx_rows(const struct tx *tx, unsigned statement);
bool tx_null(const struct tx *tx, unsigned statement, size_t row, unsigned column);
uint64_t tx_u64(const struct tx *tx, unsigned statement, size_t row, unsigned column);
int64_t tx_i64(const struct tx *tx, unsigned statement, size_t row, unsigned column);
bool tx_bool(const struct tx *tx, unsigned statement, size_t row, unsigned column);
struct bytes tx_text(const struct tx *tx, unsigned statement, size_t row, unsigned column); /* borrowed until the answer returns */
struct wall tx_time(const struct tx *tx, unsigned statement, size_t row, unsigned column);
struct ip tx_ip(const struct tx *tx, unsigned statement, size_t row, unsigned column);
size_t tx_texts(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct bytes **out);
size_t tx_prefixes(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct prefix **out);

#endif
