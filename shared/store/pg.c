#include "pg.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgblock.h"
#include "schema.h"
#include "text.h"
#include "txwork.h"

enum {
	CONNECTIONS_MAX = 16,
	DOWN_MS = 3000 /* who asks while no connection stands hears "not now" before a relay or a client gives up by itself (5 s) */
};

/* --- trouble, told for the whole process ------------------------------------------------------------------------------------------------------ */

static pthread_mutex_t trouble_lock = PTHREAD_MUTEX_INITIALIZER;
static char trouble[DIAG_TEXT_MAX];

void pg_note_trouble(const char *why)
{
	pthread_mutex_lock(&trouble_lock);
	snprintf(trouble, sizeof trouble, "%s", why ? why : "");
	pthread_mutex_unlock(&trouble_lock);
}

const char *pg_trouble(void)
{
	static _Thread_local char copy[DIAG_TEXT_MAX];
	pthread_mutex_lock(&trouble_lock);
	memcpy(copy, trouble, sizeof copy);
	pthread_mutex_unlock(&trouble_lock);
	return *copy ? copy : NULL;
}

/* --- the pool ------------------------------------------------------------------------------------------------------------------------------------ */

static void on_refuse(void *context)
{
	struct pg *pg = context;
	struct list refused;
	list_init(&refused);
	while (!list_empty(&pg->refused)) {
		struct tx *tx = LIST_FIRST(&pg->refused, struct tx, link);
		list_remove(&tx->link);
		list_append(&refused, &tx->link);
	}
	while (!list_empty(&refused)) {
		struct tx *tx = LIST_FIRST(&refused, struct tx, link);
		list_remove(&tx->link);
		tx_answer(tx, tx->e);
	}
}

struct pg *pg_new(struct loop *loop, const struct pg_config *config)
{
	struct pg *pg = x_zalloc(sizeof *pg);
	pg->loop = loop;
	pg->url = x_strdup(config->url);
	pg->writer = config->writer;
	pg->waiting_max = config->waiting_max;
	pg->timeout_ms = config->timeout_ms;
	list_init(&pg->waiting);
	list_init(&pg->refused);
	list_init(&pg->joins);
	defer_init(&pg->refuse, on_refuse, pg);
	pg->conn_count = config->connections < 1 ? 1 : config->connections > CONNECTIONS_MAX ? CONNECTIONS_MAX : config->connections;
	pg->conns = x_zalloc(pg->conn_count * sizeof(struct conn *));
	for (unsigned i = 0; i < pg->conn_count; i++)
		pg->conns[i] = conn_new(pg);
	return pg;
}

void pg_free(struct pg **pg)
{
	struct pg *p = *pg;
	if (!p)
		return;
	*pg = NULL;
	p->closing = true;
	for (unsigned i = 0; i < p->conn_count; i++)
		conn_free(&p->conns[i]);
	struct tx *tx;
	while ((tx = pg_next(p)))
		tx_answer(tx, ERR_CANCELED);
	joins_free(p);
	/* Answers may have asked for more, which was refused. */
	while (!list_empty(&p->refused))
		on_refuse(p);
	defer_cancel(&p->refuse);
	free(p->conns);
	free(p->url);
	free(p);
}

void pg_leave_line(struct tx *tx)
{
	list_remove(&tx->link);
	tx->pg->waiting_count--;
}

struct tx *pg_next(struct pg *pg)
{
	struct tx *tx = LIST_FIRST(&pg->waiting, struct tx, link);
	if (tx)
		pg_leave_line(tx);
	return tx;
}

static void on_deadline(void *context)
{
	struct tx *tx = context;
	struct pg *pg = tx->pg;
	if (!tx->in_flight) {
		pg_leave_line(tx);
		diag_set(&tx->why, ERR_UNAVAILABLE, "the database is not reachable now");
		tx_answer(tx, ERR_UNAVAILABLE);
		return;
	}
	for (unsigned i = 0; i < pg->conn_count; i++) {
		if (conn_tx(pg->conns[i]) != tx)
			continue;
		diag_set(&tx->why, ERR_TIMEOUT, "the database did not answer in time");
		conn_give_up(pg->conns[i], tx, ERR_TIMEOUT);
		return;
	}
}

static void refuse(struct tx *tx, enum err e, const char *sentence)
{
	tx->e = diag_set(&tx->why, e, "%s", sentence);
	list_append(&tx->pg->refused, &tx->link);
	loop_defer(tx->pg->loop, &tx->pg->refuse);
}

bool pg_stands(const struct pg *pg)
{
	for (unsigned i = 0; i < pg->conn_count; i++)
		if (conn_stands(pg->conns[i]))
			return true;
	return false;
}

/* In a storm the line is long and moves; while nothing stands it does not move. */
static int64_t patience_ms(const struct pg *pg)
{
	return pg_stands(pg) || pg->timeout_ms < DOWN_MS ? pg->timeout_ms : DOWN_MS;
}

void pg_lost_one(struct pg *pg)
{
	if (pg_stands(pg))
		return;
	LIST_EACH(&pg->waiting, tx, struct tx, link)
		timer_set(&tx->deadline, patience_ms(pg));
}

void pg_submit(struct tx *tx)
{
	struct pg *pg = tx->pg;
	if (pg->closing) {
		refuse(tx, ERR_CANCELED, "the program ends");
		return;
	}
	if (tx->fault) {
		refuse(tx, tx->fault, "a text with a NUL in it cannot be stored");
		return;
	}
	timer_init(&tx->deadline, pg->loop, on_deadline, tx);
	if (list_empty(&pg->waiting)) {
		for (unsigned i = 0; i < pg->conn_count; i++) {
			if (conn_take(pg->conns[i], tx)) {
				timer_set(&tx->deadline, pg->timeout_ms);
				return;
			}
		}
	}
	if (pg->waiting_count >= pg->waiting_max) {
		refuse(tx, ERR_UNAVAILABLE, "too much waits for the database");
		return;
	}
	timer_set(&tx->deadline, patience_ms(pg));
	list_append(&pg->waiting, &tx->link);
	pg->waiting_count++;
}

/* --- connecting ---------------------------------------------------------------------------------------------------------------------------------- */

PGconn *pg_connect_start(const struct pg *pg)
{
	/* Later words win over those of the url; "dbname" is expanded. */
	const char *const words[] = {"fallback_application_name", "dbname", "client_encoding", pg->writer ? "target_session_attrs" : NULL, NULL};
	const char *const values[] = {"fleetscale", pg->url, "UTF8", pg->writer ? "read-write" : NULL, NULL};
	return PQconnectStartParams(words, values, 1);
}

static enum err compare(int64_t reached, int64_t least, struct diag *why)
{
	if (reached < (int64_t)schema_migration_count)
		return diag_set(why, ERR_UNSUPPORTED,
				"the database is too old: its schema is at migration %" PRId64 ", this program needs %zu; run `fleetscale migrate`", reached,
				schema_migration_count);
	if (least > (int64_t)schema_migration_count)
		return diag_set(why, ERR_UNSUPPORTED,
				"the database is too new: its schema wants programs that know migration %" PRId64 ", this one knows %zu; run a newer release",
				least, schema_migration_count);
	return ERR_NONE;
}

enum err pg_check_schema(const char *url, struct diag *why)
{
	struct pgblock *p;
	int64_t reached, least;
	enum err e = pgblock_open(url, &p, why);
	if (e)
		return e;
	e = pgblock_run(p, "SELECT coalesce(max(version), 0), coalesce(max(least), 0) FROM fleetscale.migrations", 0, NULL, why);
	const char *state = pgblock_state(p);
	if (!e && !text_parse_i64(pgblock_text(p, 0, 0), &reached) && !text_parse_i64(pgblock_text(p, 0, 1), &least))
		e = compare(reached, least, why);
	else if (!strcmp(state, "42P01") || !strcmp(state, "3F000"))
		e = diag_set(why, ERR_UNSUPPORTED, "the database has no schema of fleetscale; run `fleetscale migrate`");
	pgblock_close(&p);
	return e;
}
