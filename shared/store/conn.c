#include "txwork.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "sqlstate.h"

enum {
	CONNECT_MS = 5000, /* libpq's own connect_timeout does not hold for connects that do not block */
	BACKOFF_LEAST_MS = 50,
	BACKOFF_MOST_MS = 2000 /* a restart of PostgreSQL is noticed within two seconds */
};

enum conn_state {
	CONN_DOWN, /* waits for its next try */
	CONN_CONNECTING,
	CONN_FREE,
	CONN_BUSY,    /* a pipeline is on its way */
	CONN_CLEANING /* a failed transaction is being rolled back */
};

struct conn {
	struct pg *pg;
	enum conn_state state;
	PGconn *c;
	struct watch *watch;
	struct timer timer; /* the next try, or the end of a try's patience */
	unsigned failures;
	struct tx *tx;
	unsigned step; /* whose result comes next */
	bool refused;  /* a step failed: what follows was skipped */
	bool broken;   /* could not even be sent; the timer tells */
};

static void on_ready(void *context, unsigned ready);
static void try_connect(void *context);

struct tx *conn_tx(const struct conn *conn)
{
	return conn->tx;
}

static void disconnect(struct conn *conn)
{
	watch_close(&conn->watch);
	if (conn->c)
		PQfinish(conn->c);
	conn->c = NULL;
	conn->broken = false;
	conn->state = CONN_DOWN;
}

static int64_t backoff(unsigned failures)
{
	int64_t ms = BACKOFF_LEAST_MS << (failures > 6 ? 6 : failures);
	return ms > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : ms;
}

/* The transaction in flight is the caller's to answer. */
static void lose(struct conn *conn, const char *why)
{
	if (!conn->failures) {
		struct bytes text = bytes_trim(bytes_text(why));
		log_warning(SUBJECT("database"), "connection lost", F_BYTES("why", text));
	}
	pg_note_trouble(why);
	bool stood = conn_stands(conn);
	disconnect(conn);
	timer_set(&conn->timer, backoff(conn->failures++));
	if (stood)
		pg_lost_one(conn->pg);
}

static void lose_and_answer(struct conn *conn, const char *why)
{
	struct tx *tx = conn->tx;
	conn->tx = NULL;
	if (tx)
		diag_set(&tx->why, ERR_UNAVAILABLE, "the connection to the database broke");
	lose(conn, why);
	if (tx)
		tx_answer(tx, ERR_UNAVAILABLE);
}

static void want(struct conn *conn)
{
	int unsent = PQflush(conn->c);
	if (unsent >= 0)
		watch_want(conn->watch, WATCH_READ | (unsent ? WATCH_WRITE : 0u));
	/* A failed flush shows as end of input at once. */
}

/* --- connecting ---------------------------------------------------------------------------------------------------------------------------------- */

static void on_notice(void *context, const char *message)
{
	(void)context;
	log_debug(SUBJECT("database"), "notice", F_BYTES("text", bytes_trim(bytes_text(message))));
}

static void next_work(struct conn *conn)
{
	struct tx *tx = pg_next(conn->pg);
	if (tx && !conn_take(conn, tx))
		assert(!"a free connection takes work");
}

static void up(struct conn *conn)
{
	timer_cancel(&conn->timer);
	if (conn->failures)
		log_info(SUBJECT("database"), "connected again");
	conn->failures = 0;
	conn->state = CONN_FREE;
	pg_note_trouble(NULL);
	watch_want(conn->watch, WATCH_READ);
	next_work(conn);
}

/* libpq goes to another descriptor whenever it tries another address. */
static void advance(struct conn *conn, PostgresPollingStatusType status)
{
	watch_close(&conn->watch);
	if (status == PGRES_POLLING_FAILED || PQsocket(conn->c) < 0) {
		lose(conn, PQerrorMessage(conn->c));
		return;
	}
	conn->watch = watch_open(conn->pg->loop, PQsocket(conn->c), on_ready, conn);
	if (status == PGRES_POLLING_OK) {
		if (PQsetnonblocking(conn->c, 1) || !PQenterPipelineMode(conn->c))
			lose(conn, PQerrorMessage(conn->c));
		else
			up(conn);
		return;
	}
	watch_want(conn->watch, status == PGRES_POLLING_WRITING ? WATCH_WRITE : WATCH_READ);
}

static void try_connect(void *context)
{
	struct conn *conn = context;
	if (conn->broken) {
		lose_and_answer(conn, PQerrorMessage(conn->c));
		return;
	}
	if (conn->state == CONN_CONNECTING) {
		lose(conn, "the database does not answer");
		return;
	}
	conn->c = pg_connect_start(conn->pg);
	if (!conn->c || PQstatus(conn->c) == CONNECTION_BAD) {
		lose(conn, conn->c ? PQerrorMessage(conn->c) : "out of memory");
		return;
	}
	PQsetNoticeProcessor(conn->c, on_notice, NULL);
	conn->state = CONN_CONNECTING;
	timer_set(&conn->timer, CONNECT_MS);
	advance(conn, PGRES_POLLING_WRITING);
}

/* --- a transaction ------------------------------------------------------------------------------------------------------------------------------- */

static bool send_all(struct conn *conn, const struct tx *tx)
{
	for (unsigned i = 0; i < tx->step_count; i++) {
		const struct tx_step *step = &tx->steps[i];
		if (step->sql && !PQsendQueryParams(conn->c, step->sql, (int)step->arg_count, NULL, tx->args + step->first_arg, NULL, NULL, 0))
			return false;
	}
	return PQpipelineSync(conn->c) == 1;
}

/* The next step that went over the wire. */
static unsigned skip_empty(const struct tx *tx, unsigned step)
{
	while (step < tx->step_count && !tx->steps[step].sql)
		step++;
	return step;
}

bool conn_stands(const struct conn *conn)
{
	return conn->state == CONN_FREE || conn->state == CONN_BUSY || conn->state == CONN_CLEANING;
}

bool conn_take(struct conn *conn, struct tx *tx)
{
	if (conn->state != CONN_FREE)
		return false;
	conn->state = CONN_BUSY;
	conn->tx = tx;
	conn->step = skip_empty(tx, 0);
	conn->refused = false;
	tx->in_flight = true;
	/* Whether it works or not, the answer does not come from here. */
	conn->broken = !send_all(conn, tx);
	if (conn->broken)
		timer_set(&conn->timer, 0);
	else
		want(conn);
	return true;
}

void conn_give_up(struct conn *conn, struct tx *tx, enum err e)
{
	assert(conn->tx == tx);
	conn->tx = NULL;
	lose(conn, "the database did not answer in time");
	tx_answer(tx, e);
}

static void take_result(struct conn *conn, PGresult *result)
{
	struct tx *tx = conn->tx;
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_FATAL_ERROR && tx && !conn->refused) {
		conn->refused = true;
		tx_refuse(tx, result);
	}
	if (tx && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) && conn->step < tx->step_count) {
		PQclear(tx->steps[conn->step].result);
		tx->steps[conn->step].result = result;
		return;
	}
	PQclear(result);
}

static bool clean(struct conn *conn)
{
	conn->state = CONN_CLEANING;
	return PQsendQueryParams(conn->c, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0) && PQpipelineSync(conn->c) == 1;
}

/* The pipeline's end. Its connection goes on to the next in line before the answer is told, for the answer may end everything. */
static void on_synced(struct conn *conn)
{
	struct tx *tx = conn->tx;
	conn->tx = NULL;
	conn->state = CONN_FREE;
	if (PQtransactionStatus(conn->c) == PQTRANS_IDLE)
		next_work(conn);
	else if (!clean(conn))
		lose(conn, PQerrorMessage(conn->c));
	if (conn->watch && !conn->broken)
		want(conn);
	if (tx)
		tx_answer(tx, tx->e);
}

/* True when a pipeline has ended: conn may be gone. */
static bool read_results(struct conn *conn)
{
	while ((conn->state == CONN_BUSY || conn->state == CONN_CLEANING) && !PQisBusy(conn->c)) {
		PGresult *result = PQgetResult(conn->c);
		if (!result) {
			if (PQstatus(conn->c) == CONNECTION_BAD)
				return false;
			if (conn->tx)
				conn->step = skip_empty(conn->tx, conn->step + 1);
			continue;
		}
		if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
			take_result(conn, result);
			continue;
		}
		PQclear(result);
		on_synced(conn);
		return true;
	}
	return false;
}

static void on_ready(void *context, unsigned ready)
{
	struct conn *conn = context;
	if (conn->broken)
		return;
	if (conn->state == CONN_CONNECTING) {
		advance(conn, PQconnectPoll(conn->c));
		return;
	}
	bool alive = !(ready & WATCH_READ) || PQconsumeInput(conn->c);
	if (read_results(conn))
		return;
	if (conn->state == CONN_FREE)
		(void)PQisBusy(conn->c); /* reads what comes unasked: notices, parameters, the server's goodbye */
	if (!alive || PQstatus(conn->c) == CONNECTION_BAD)
		lose_and_answer(conn, PQerrorMessage(conn->c));
	else
		want(conn);
}

/* --- its life ------------------------------------------------------------------------------------------------------------------------------------ */

struct conn *conn_new(struct pg *pg)
{
	struct conn *conn = x_zalloc(sizeof *conn);
	conn->pg = pg;
	timer_init(&conn->timer, pg->loop, try_connect, conn);
	timer_set(&conn->timer, 0);
	return conn;
}

void conn_free(struct conn **conn)
{
	struct conn *c = *conn;
	if (!c)
		return;
	struct tx *tx = c->tx;
	c->tx = NULL;
	timer_cancel(&c->timer);
	disconnect(c);
	free(c);
	*conn = NULL;
	if (tx)
		tx_answer(tx, ERR_CANCELED);
}
