#include "txwork.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "pgarray.h"
#include "sqlstate.h"
#include "text.h"

/* --- making -------------------------------------------------------------------------------------------------------------------------------------- */

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	struct arena *arena = arena_new();
	struct tx *tx = ARENA_NEW(arena, struct tx);
	*tx = (struct tx){.pg = pg, .arena = arena, .tailnet = tailnet, .mode = mode, .step_count = TX_PROLOGUE, .step_room = TX_PROLOGUE + 6, .arg_room = 24};
	list_init(&tx->link);
	list_init(&tx->deadline.link);
	tx->steps = ARENA_ARRAY(arena, struct tx_step, tx->step_room);
	tx->args = ARENA_ARRAY(arena, const char *, tx->arg_room);
	return tx;
}

struct arena *tx_arena(struct tx *tx)
{
	return tx->arena;
}

uint64_t tx_tailnet(const struct tx *tx)
{
	return tx->tailnet;
}

/* Twice the room; what was there stays in the arena until the end. */
static void *grow(struct arena *arena, const void *old, size_t size, unsigned count, unsigned *room)
{
	*room = *room ? *room * 2 : 8;
	void *fresh = arena_alloc(arena, size * *room);
	if (count)
		memcpy(fresh, old, size * count);
	return fresh;
}

static void arg_text(struct tx *tx, const char *text)
{
	if (tx->arg_count == tx->arg_room)
		tx->args = grow(tx->arena, tx->args, sizeof *tx->args, tx->arg_count, &tx->arg_room);
	tx->args[tx->arg_count++] = text;
}

void tx_arg_null(struct tx *tx)
{
	arg_text(tx, NULL);
}
void tx_arg_u64(struct tx *tx, uint64_t value)
{
	arg_text(tx, arena_format(tx->arena, "%" PRIu64, value));
}
void tx_arg_id(struct tx *tx, uint64_t value)
{
	if (value)
		tx_arg_u64(tx, value);
	else
		tx_arg_null(tx);
}

void tx_arg_i64(struct tx *tx, int64_t value)
{
	arg_text(tx, arena_format(tx->arena, "%" PRId64, value));
}
void tx_arg_bool(struct tx *tx, bool value)
{
	arg_text(tx, value ? "t" : "f");
}

void tx_arg_text(struct tx *tx, struct bytes value)
{
	if (value.len && memchr(value.at, 0, value.len))
		tx->fault = ERR_MALFORMED;
	arg_text(tx, value.len ? arena_text(tx->arena, value) : "");
}

void tx_arg_bytea(struct tx *tx, struct bytes value)
{
	char *text = arena_alloc(tx->arena, value.len * 2 + 3);
	text[0] = '\\';
	text[1] = 'x';
	hex_encode(text + 2, value);
	arg_text(tx, text);
}

void tx_arg_time(struct tx *tx, struct wall value)
{
	char text[TIME_TEXT_MAX];
	/* Cut to microseconds here, for the server would round them: a time must not come back later than it was. */
	int64_t surplus = (value.ns % 1000 + 1000) % 1000;
	if (!wall_is_zero(value))
		time_format(text, (struct wall){value.ns < INT64_MIN + surplus ? value.ns : value.ns - surplus});
	arg_text(tx, wall_is_zero(value) ? NULL : arena_text(tx->arena, bytes_text(text)));
}

void tx_arg_prefix(struct tx *tx, struct prefix value)
{
	char text[PREFIX_TEXT_MAX];
	prefix_format(text, value);
	arg_text(tx, value.ip.family == IP_NONE ? NULL : arena_text(tx->arena, bytes_text(text)));
}

void tx_arg_u64s(struct tx *tx, const uint64_t *values, size_t count)
{
	enum { DIGITS = 21 };
	char *text = arena_alloc(tx->arena, count * DIGITS + 3), *at = text;
	*at++ = '{';
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s%" PRIu64, i ? "," : "", values[i]);
	memcpy(at, "}", 2);
	arg_text(tx, text);
}

void tx_arg_texts(struct tx *tx, const struct bytes *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (values[i].len && memchr(values[i].at, 0, values[i].len))
			tx->fault = ERR_MALFORMED;
	arg_text(tx, pgarray_format(tx->arena, values, count));
}

void tx_arg_prefixes(struct tx *tx, const struct prefix *values, size_t count)
{
	char *text = arena_alloc(tx->arena, count * (PREFIX_TEXT_MAX + 1) + 3), *at = text;
	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i)
			*at++ = ',';
		at += prefix_format(at, prefix_masked(values[i]));
	}
	memcpy(at, "}", 2);
	arg_text(tx, text);
}

unsigned tx_add(struct tx *tx, const char *sql)
{
	if (tx->step_count == tx->step_room)
		tx->steps = grow(tx->arena, tx->steps, sizeof *tx->steps, tx->step_count, &tx->step_room);
	tx->steps[tx->step_count] = (struct tx_step){.sql = sql, .first_arg = tx->arg_open, .arg_count = tx->arg_count - tx->arg_open};
	tx->arg_open = tx->arg_count;
	return tx->step_count++ - TX_PROLOGUE;
}

void tx_at_end(struct tx *tx, const char *sql)
{
	assert(!tx->at_end || strcmp(tx->at_end, sql) == 0);
	tx->at_end = sql;
}

void tx_journal(struct tx *tx, enum change_kind kind, uint64_t subject)
{
	assert(tx->mode == TX_WRITE);
	if (tx->line_count == tx->line_room) {
		unsigned room = tx->line_room;
		tx->kinds = grow(tx->arena, tx->kinds, sizeof *tx->kinds, tx->line_count, &room);
		tx->subjects = grow(tx->arena, tx->subjects, sizeof *tx->subjects, tx->line_count, &tx->line_room);
	}
	tx->kinds[tx->line_count] = change_name(kind);
	tx->subjects[tx->line_count++] = subject;
}

static void add_prologue(struct tx *tx)
{
	static const char *const begin[] = {[TX_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [TX_WRITE] = "BEGIN"};
	tx->steps[0] = (struct tx_step){.sql = begin[tx->mode]};
	tx->steps[1] = (struct tx_step){.sql = "SELECT set_config('fleetscale.tailnet', $1, true)", .first_arg = tx->arg_count, .arg_count = 1};
	tx_arg_u64(tx, tx->tailnet);
	tx->arg_open = tx->arg_count;
}

void tx_finish(struct tx *tx)
{
	assert(tx->arg_open == tx->arg_count);
	if (tx->mode == TX_LOOKUP)
		return;
	add_prologue(tx);
	if (tx->at_end)
		tx_add(tx, tx->at_end);
	if (tx->mode == TX_WRITE) {
		struct bytes *kinds = ARENA_ARRAY(tx->arena, struct bytes, tx->line_count);
		for (unsigned i = 0; i < tx->line_count; i++)
			kinds[i] = bytes_text(tx->kinds[i]);
		tx_arg_texts(tx, kinds, tx->line_count);
		tx_arg_u64s(tx, tx->subjects, tx->line_count);
		tx_add(tx, "SELECT fleetscale.commit_changes($1, $2)");
	}
	tx_add(tx, "COMMIT");
}

/* --- running ------------------------------------------------------------------------------------------------------------------------------------- */

static void end(struct tx *tx)
{
	for (unsigned i = 0; i < tx->step_count; i++)
		PQclear(tx->steps[i].result);
	struct arena *arena = tx->arena;
	arena_free(&arena);
}

void tx_run(struct tx *tx, tx_fn on_done, void *context)
{
	tx->on_done = on_done;
	tx->context = context;
	tx_finish(tx);
	pg_submit(tx);
}

void tx_abandon(struct tx *tx)
{
	end(tx);
}

void tx_refuse(struct tx *tx, const PGresult *result)
{
	const char *sentence = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	tx->e = sqlstate_judge(PQresultErrorField(result, PG_DIAG_SQLSTATE), sentence ? sentence : "", PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME),
			       &tx->why);
	if (tx->e == ERR_BUG || tx->e == ERR_UNSUPPORTED)
		log_error(TAILNET(tx->tailnet), "statement refused", F_TEXT("why", tx->why.text));
}

void tx_answer(struct tx *tx, enum err e)
{
	if (timer_is_set(&tx->deadline))
		timer_cancel(&tx->deadline);
	tx->e = e;
	if (e && !tx->why.text[0])
		diag_set(&tx->why, e, "%s", err_text(e));
	if (tx->on_done)
		tx->on_done(tx->context, e, tx, &tx->why);
	end(tx);
}

/* --- inside the answer ----------------------------------------------------------------------------------------------------------------------------- */

static const PGresult *result_of(const struct tx *tx, unsigned statement)
{
	assert(statement + TX_PROLOGUE < tx->step_count);
	return tx->steps[statement + TX_PROLOGUE].result;
}

uint64_t tx_generation(const struct tx *tx)
{
	/* The last but one, before COMMIT. */
	return tx->mode == TX_WRITE && !tx->e ? tx_u64(tx, tx->step_count - 2 - TX_PROLOGUE, 0, 0) : 0;
}

size_t tx_rows(const struct tx *tx, unsigned statement)
{
	const PGresult *r = result_of(tx, statement);
	return r ? (size_t)PQntuples(r) : 0;
}

bool tx_null(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	const PGresult *r = result_of(tx, statement);
	return !r || PQgetisnull(r, (int)row, (int)column);
}

struct bytes tx_text(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	const PGresult *r = result_of(tx, statement);
	if (!r || PQgetisnull(r, (int)row, (int)column))
		return BYTES_NONE;
	return bytes_of(PQgetvalue(r, (int)row, (int)column), (size_t)PQgetlength(r, (int)row, (int)column));
}

uint64_t tx_u64(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	uint64_t value = 0;
	if (text_parse_u64(tx_text(tx, statement, row, column), UINT64_MAX, &value))
		return 0;
	return value;
}

int64_t tx_i64(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	struct bytes text = tx_text(tx, statement, row, column);
	bool negative = bytes_starts(text, "-");
	uint64_t value;
	if (text_parse_u64(bytes_skip(text, negative), INT64_MAX, &value))
		return 0;
	return negative ? -(int64_t)value : (int64_t)value;
}

bool tx_bool(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	return bytes_equal_text(tx_text(tx, statement, row, column), "t");
}

/* "2026-11-20 10:00:00.123456+00", or "+05:30": the ISO style, in whatever zone the session is. */
struct wall tx_time(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	enum { DATE_LEN = 10, SECONDS_LEN = 19, ROOM = 40 };
	struct bytes text = tx_text(tx, statement, row, column);
	char copy[ROOM + 4];
	if (text.len < SECONDS_LEN + 3 || text.len > ROOM)
		return WALL_ZERO;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	copy[DATE_LEN] = 'T';
	size_t zone = SECONDS_LEN;
	while (zone < text.len && copy[zone] != '+' && copy[zone] != '-')
		zone++;
	if (text.len - zone == 3)
		memcpy(copy + text.len, ":00", 4);
	struct wall wall;
	return time_parse(bytes_text(copy), &wall) ? WALL_ZERO : wall;
}

struct ip tx_ip(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	struct ip ip;
	return ip_parse(tx_text(tx, statement, row, column), &ip) ? (struct ip){.family = IP_NONE} : ip;
}

size_t tx_texts(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct bytes **out)
{
	return pgarray_parse(tx_text(tx, statement, row, column), arena, out);
}

size_t tx_prefixes(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct prefix **out)
{
	struct bytes *texts;
	size_t count = tx_texts(tx, statement, row, column, arena, &texts), kept = 0;
	*out = ARENA_ARRAY(arena, struct prefix, count);
	for (size_t i = 0; i < count; i++)
		if (!prefix_parse(texts[i], &(*out)[kept]))
			kept++;
	return kept;
}
