/* The inside of a pool and of a transaction, shared by pg.c, conn.c, tx.c and joining.c.
 * Not for anybody outside of store.
 * A tx is owned by whoever holds it: its maker until tx_run, then the pool until its answer. */
#ifndef TXWORK_H
#define TXWORK_H

#include <libpq-fe.h>

#include "tx.h"

/* One statement as it goes over the wire. */
struct tx_step {
	const char *sql;
	unsigned first_arg, arg_count;
	PGresult *result;
};

struct tx {
	struct pg *pg;
	struct list link; /* in the pool's line, or alone */
	struct arena *arena;
	uint64_t tailnet;
	enum tx_mode mode;
	enum err fault; /* an argument that PostgreSQL cannot take; the whole is refused */

	struct tx_step *steps; /* prologue, statements, epilogue; statement n is steps[n + TX_PROLOGUE] */
	unsigned step_count, step_room;
	const char **args;                      /* NULL: SQL NULL */
	unsigned arg_count, arg_room, arg_open; /* arg_open: first argument of the next statement */
	const char *at_end;
	const char **kinds;
	uint64_t *subjects;
	unsigned line_count, line_room;

	struct timer deadline;
	bool in_flight;
	enum err e;
	struct diag why;
	tx_fn on_done;
	void *context;
};

/* BEGIN, set_config: kept empty (sql NULL) where a mode does not want them, so that statement numbers need no offset of their own. */
enum { TX_PROLOGUE = 2 };

struct conn;

struct pg {
	struct loop *loop;
	char *url;
	bool writer;
	unsigned waiting_max, waiting_count;
	int64_t timeout_ms;
	struct list waiting; /* struct tx */
	struct list refused; /* struct tx: to be answered at the end of the turn */
	struct defer refuse;
	struct conn **conns;
	unsigned conn_count;
	struct list joins; /* groups of joining.c */
	unsigned join_count;
	bool closing;
};

/* tx.c */
void tx_finish(struct tx *tx);                         /* adds prologue and epilogue; no statement after it */
void tx_answer(struct tx *tx, enum err e);             /* tells on_done, frees */
void tx_refuse(struct tx *tx, const PGresult *result); /* notes why the database refused */

/* pg.c */
void pg_submit(struct tx *tx);
void pg_leave_line(struct tx *tx);
struct tx *pg_next(struct pg *pg);     /* takes the first in line, or NULL */
void pg_note_trouble(const char *why); /* NULL: it works */
bool pg_stands(const struct pg *pg);   /* one connection at least does */
void pg_lost_one(struct pg *pg);       /* a connection that stood: after the last one nobody in line waits for long */
PGconn *pg_connect_start(const struct pg *pg);

/* conn.c */
struct conn *conn_new(struct pg *pg);
void conn_free(struct conn **conn);                              /* what it does answers ERR_CANCELED */
bool conn_take(struct conn *conn, struct tx *tx);                /* false: not free */
bool conn_stands(const struct conn *conn);                       /* connected, busy or not */
void conn_give_up(struct conn *conn, struct tx *tx, enum err e); /* the transaction took too long: it answers, the connection ends */
struct tx *conn_tx(const struct conn *conn);

/* joining.c */
void joins_free(struct pg *pg);

#endif
