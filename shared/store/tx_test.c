#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "store_fixture.h"

static struct fixture *fx;
static struct loop *loop;
static struct pg *pg;
static uint64_t tailnet;

static struct pg *pool(unsigned connections, unsigned waiting_max, int64_t timeout_ms)
{
	return pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, connections, waiting_max, timeout_ms});
}

static int set_up(void **state)
{
	(void)state;
	log_setup("tx_test", LOG_ERROR, LOG_TEXT);
	fx = fixture_new();
	loop = loop_new();
	pg = pool(2, 100, 5000);
	tailnet = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.tailnets"), NULL, 10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pg_free(&pg);
	loop_free(&loop);
	fixture_free(&fx);
	return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------------------------------------------------- */

static const uint8_t raw[] = {0, 1, 0xfe, 0xff};

static void see_values(void *context, struct tx *tx)
{
	struct arena *arena = tx_arena(tx);
	struct bytes *texts;
	struct prefix *prefixes;
	unsigned c = 0;
	(void)context;
	assert_int_equal(tx_rows(tx, 0), 1);
	assert_true(tx_u64(tx, 0, 0, c++) == INT64_MAX);
	assert_true(tx_i64(tx, 0, 0, c++) == -5);
	assert_true(tx_bool(tx, 0, 0, c++));
	assert_true(bytes_equal_text(tx_text(tx, 0, 0, c++), "a 'text' with \"all\" \\ of it"));
	assert_true(bytes_equal_text(tx_text(tx, 0, 0, c++), "\\x0001feff"));
	assert_true(tx_time(tx, 0, 0, c++).ns == 1700000000123456000);
	assert_true(tx_null(tx, 0, 0, c));
	assert_true(wall_is_zero(tx_time(tx, 0, 0, c++)));
	assert_int_equal(tx_ip(tx, 0, 0, c++).byte[3], 7);
	assert_int_equal(tx_texts(tx, 0, 0, c++, arena, &texts), 2);
	assert_true(bytes_equal_text(texts[1], "b,\"c\""));
	assert_int_equal(tx_prefixes(tx, 0, 0, c++, arena, &prefixes), 1);
	assert_int_equal(prefixes[0].bits, 8);
	assert_true(bytes_equal_text(tx_text(tx, 0, 0, c++), "{1,2}"));
	assert_true(tx_null(tx, 0, 0, c++));
	assert_true(tx_time(tx, 0, 0, c++).ns == 1700000000000000000);
	assert_int_equal(tx_u64(tx, 1, 0, 0), 2);
}

static void values_keep_their_shape(void **state)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	struct bytes texts[] = {BYTES("a"), BYTES("b,\"c\"")};
	struct prefix ten = {{IP_V4, {10}}, 8};
	(void)state;
	tx_arg_u64(tx, INT64_MAX);
	tx_arg_i64(tx, -5);
	tx_arg_bool(tx, true);
	tx_arg_text(tx, BYTES("a 'text' with \"all\" \\ of it"));
	tx_arg_bytea(tx, bytes_of(raw, sizeof raw));
	tx_arg_time(tx, (struct wall){1700000000123456000});
	tx_arg_time(tx, WALL_ZERO);
	tx_arg_text(tx, BYTES("100.64.0.7"));
	tx_arg_texts(tx, texts, 2);
	tx_arg_prefixes(tx, &ten, 1);
	tx_arg_u64s(tx, (uint64_t[]){1, 2}, 2);
	tx_arg_null(tx);
	tx_add(tx, "SELECT $1::bigint, $2::bigint, $3::bool, $4::text, $5::bytea, $6::timestamptz, $7::timestamptz, host($8::inet), $9::text[], $10::cidr[], "
		   "$11::bigint[], $12::text, timestamptz '2023-11-15 03:43:20+05:30'");
	tx_arg_u64(tx, 2);
	tx_add(tx, "SELECT $1::int");
	assert_int_equal(fixture_run(loop, tx, see_values, NULL, NULL), ERR_NONE);
}

/* Times at either end of what nanoseconds hold. */
static void edges_of_time_travel(void **state)
{
	static const int64_t edges[] = {INT64_MIN + 1, INT64_MIN + 500, INT64_MIN + 1001, INT64_MAX, -1, 1};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(edges); i++) {
		struct tx *tx = tx_begin(pg, tailnet, TX_READ);
		tx_arg_time(tx, (struct wall){edges[i]});
		tx_add(tx, "SELECT $1::timestamptz");
		assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	}
}

static void a_nul_is_refused_before_it_travels(void **state)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	(void)state;
	tx_arg_text(tx, bytes_of("a\0b", 3));
	tx_add(tx, "SELECT $1::text");
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_MALFORMED);
	tx = tx_begin(pg, tailnet, TX_READ);
	tx_arg_text(tx, bytes_of("\xff\xfe", 2));
	tx_add(tx, "SELECT $1::text");
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_MALFORMED);
	tx_abandon(tx_begin(pg, tailnet, TX_WRITE));
}

/* --- as a whole or not at all ---------------------------------------------------------------------------------------------------------------------------------- */

static struct tx *insert_user(const char *name)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	tx_arg_text(tx, bytes_text(name));
	tx_add(tx, "INSERT INTO fleetscale.users (tailnet_id, name) VALUES (fleetscale.current_tailnet(), $1)");
	tx_journal(tx, CHANGE_USER, 7);
	return tx;
}

static void see_generation(void *context, struct tx *tx)
{
	*(uint64_t *)context = tx_generation(tx);
	assert_true(tx_tailnet(tx) == tailnet);
}

static void what_fails_leaves_nothing(void **state)
{
	uint64_t first = 0, second = 0;
	struct diag why;
	(void)state;
	assert_int_equal(fixture_run(loop, insert_user("u1"), see_generation, &first, &why), ERR_NONE);
	struct tx *tx = insert_user("u2");
	tx_arg_text(tx, BYTES("u1"));
	tx_add(tx, "INSERT INTO fleetscale.users (tailnet_id, name) VALUES (fleetscale.current_tailnet(), $1)");
	tx_add(tx, "SELECT 1");
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, &why), ERR_EXISTS);
	assert_string_equal(why.text, "a user of this name exists");
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.users WHERE name = 'u2'"), "0");
	assert_int_equal(fixture_run(loop, insert_user("u3"), see_generation, &second, &why), ERR_NONE);
	assert_true(first && second == first + 1);
	assert_string_equal(fixture_sql(fx, "SELECT kind || subject FROM fleetscale.journal ORDER BY tailnet_id DESC, generation DESC LIMIT 1"), "user7");
}

static void errors_have_their_kind(void **state)
{
	static const struct {
		const char *sql;
		enum err e;
	} cases[] = {
		{"SELECT fleetscale.refuse('FS001', 'x')", ERR_NOT_FOUND},
		{"SELECT fleetscale.want(NULL, 'FS003', 'x')", ERR_CONFLICT},
		{"SELECT fleetscale.want(false, 'FS005', 'x')", ERR_EXHAUSTED},
		{"SELECT fleetscale.want(false, 'FS007', 'x')", ERR_AGAIN},
		{"SELECT fleetscale.want(true, 'FS007', 'x')", ERR_NONE},
		{"SELECT 'x'::int", ERR_MALFORMED},
		{"SELECT 1 / 0", ERR_MALFORMED},
		{"INSERT INTO fleetscale.authkeys (tailnet_id, user_id, prefix, hash) VALUES (fleetscale.current_tailnet(), 999999, 'x', sha256(''))",
		 ERR_NOT_FOUND},
		{"INSERT INTO fleetscale.users (tailnet_id, name) VALUES (0, 'x')", ERR_DENIED},
		{"DELETE FROM fleetscale.audits", ERR_DENIED},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
		tx_add(tx, cases[i].sql);
		assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), cases[i].e);
	}
	/* Reads do not write. */
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	tx_add(tx, "UPDATE fleetscale.users SET name = name");
	assert_int_not_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	/* No such tailnet: nobody's lines. */
	tx = tx_begin(pg, 424242, TX_WRITE);
	tx_add(tx, "SELECT fleetscale.lock_tailnet()");
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NOT_FOUND);
	tx = tx_begin(pg, 424242, TX_WRITE);
	tx_journal(tx, CHANGE_TAILNET, 1);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NOT_FOUND);
}

static void lines_are_told_once_and_in_order(void **state)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	(void)state;
	tx_add(tx, "SELECT fleetscale.note('node-name', 5)");
	tx_add(tx, "SELECT fleetscale.note('node-name', 5), fleetscale.note('node-seen', 6)");
	tx_journal(tx, CHANGE_NODE_OWNER, 5);
	tx_journal(tx, CHANGE_NODE_NAME, 5);
	assert_int_equal(fixture_run(loop, tx, NULL, NULL, NULL), ERR_NONE);
	assert_string_equal(fixture_sql(fx, "SELECT string_agg(kind || ' ' || subject, ', ' ORDER BY seq) || ' ' || count(DISTINCT stamp) FROM "
					    "fleetscale.journal j JOIN fleetscale.generations g "
					    "USING (tailnet_id, generation) WHERE tailnet_id > 0"),
			    "node-name 5, node-seen 6, node-owner 5 1");
	/* The collection does not outlive its transaction, on whatever connection. */
	for (int i = 0; i < 4; i++) {
		uint64_t generation = 9;
		tx = tx_begin(pg, tailnet, TX_WRITE);
		tx_add(tx, "UPDATE fleetscale.users SET name = name WHERE name = 'default'");
		assert_int_equal(fixture_run(loop, tx, see_generation, &generation, NULL), ERR_NONE);
		assert_true(generation == 0);
	}
}

/* --- many at once ------------------------------------------------------------------------------------------------------------------------------------------------ */

struct many {
	unsigned answers, errors[ERR_COUNT];
	bool done;
	unsigned expected;
	bool early, inside;
};

static void on_one(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct many *many = context;
	(void)tx, (void)why;
	many->early |= many->inside;
	many->errors[e]++;
	many->done = ++many->answers == many->expected;
}

static void run_many(struct pg *on, struct many *many, unsigned count, const char *sql)
{
	many->inside = true;
	for (unsigned i = 0; i < count; i++) {
		struct tx *tx = tx_begin(on, tailnet, TX_READ);
		tx_add(tx, sql);
		tx_run(tx, on_one, many);
	}
	many->inside = false;
}

static void the_line_is_bounded(void **state)
{
	struct pg *narrow = pool(1, 10, 5000);
	struct many many = {.expected = 40};
	(void)state;
	run_many(narrow, &many, 40, "SELECT 1");
	assert_int_equal(many.answers, 0);
	assert_true(fixture_wait(loop, &many.done, 5000));
	assert_int_equal(many.errors[ERR_NONE], 10);
	assert_int_equal(many.errors[ERR_UNAVAILABLE], 30);
	assert_false(many.early);
	pg_free(&narrow);
}

static void ending_answers_everything_once(void **state)
{
	struct pg *short_lived = pool(2, 100, 5000);
	struct many many = {.expected = 20};
	bool never = false;
	(void)state;
	fixture_wait(loop, &never, 200);
	run_many(short_lived, &many, 20, "SELECT pg_sleep(0.2)");
	fixture_wait(loop, &never, 50);
	pg_free(&short_lived);
	assert_int_equal(many.answers, 20);
	assert_int_equal(many.errors[ERR_CANCELED], 20);
}

static void a_slow_answer_is_given_up(void **state)
{
	struct pg *hasty = pool(1, 100, 300);
	struct many many = {.expected = 2};
	(void)state;
	struct many first = {.expected = 1};
	run_many(hasty, &first, 1, "SELECT 1");
	assert_true(fixture_wait(loop, &first.done, 5000));
	run_many(hasty, &many, 2, "SELECT pg_sleep(3)");
	assert_true(fixture_wait(loop, &many.done, 5000));
	/* One was on its way, one had not begun. */
	assert_int_equal(many.errors[ERR_TIMEOUT] + many.errors[ERR_UNAVAILABLE], 2);
	assert_true(many.errors[ERR_TIMEOUT] >= 1);
	struct many after = {.expected = 1};
	run_many(hasty, &after, 1, "SELECT 1");
	assert_true(fixture_wait(loop, &after.done, 5000));
	assert_int_equal(after.errors[ERR_NONE], 1);
	pg_free(&hasty);
}

/* --- PostgreSQL goes and comes back --------------------------------------------------------------------------------------------------------------------------------- */

static void survives_a_restart(void **state)
{
	struct many busy = {.expected = 4}, gone = {.expected = 3}, back = {.expected = 3};
	struct pg *patient = pool(2, 100, 1500);
	bool never = false;
	(void)state;
	fixture_wait(loop, &never, 100);
	run_many(patient, &busy, 4, "SELECT pg_sleep(1)");
	fixture_wait(loop, &never, 50);
	fixture_stop(fx);
	assert_true(fixture_wait(loop, &busy.done, 5000));
	/* What was on its way and what waited. */
	assert_int_equal(busy.errors[ERR_UNAVAILABLE], 4);
	assert_non_null(pg_trouble());
	run_many(patient, &gone, 3, "SELECT 1");
	assert_true(fixture_wait(loop, &gone.done, 5000));
	assert_int_equal(gone.errors[ERR_UNAVAILABLE], 3);
	/* What asks while it comes back only waits. */
	run_many(patient, &back, 3, "SELECT 1");
	fixture_start(fx);
	struct many later = {.expected = 3};
	assert_true(fixture_wait(loop, &back.done, 5000));
	fixture_wait(loop, &never, 2500);
	run_many(patient, &later, 3, "SELECT 1");
	assert_true(fixture_wait(loop, &later.done, 5000));
	assert_int_equal(later.errors[ERR_NONE], 3);
	assert_null(pg_trouble());
	pg_free(&patient);
}

/* Those in line do not sit out the time that a long but moving line would be given. */
static void the_line_is_told_soon_that_all_is_gone(void **state)
{
	struct many many = {.expected = 6};
	struct pg *patient = pool(2, 100, 60000);
	bool never = false;
	(void)state;
	fixture_wait(loop, &never, 100);
	run_many(patient, &many, 6, "SELECT pg_sleep(30)");
	fixture_wait(loop, &never, 50);
	fixture_stop(fx);
	assert_true(fixture_wait(loop, &many.done, 5000));
	assert_int_equal(many.errors[ERR_UNAVAILABLE], 6);
	pg_free(&patient);
	fixture_start(fx);
}

static void a_dead_address_is_told(void **state)
{
	struct pg *lost = pg_new(loop, &(struct pg_config){"host=/nowhere dbname=x user=y", true, 1, 10, 300});
	struct many many = {.expected = 1};
	(void)state;
	run_many(lost, &many, 1, "SELECT 1");
	assert_true(fixture_wait(loop, &many.done, 3000));
	assert_int_equal(many.errors[ERR_UNAVAILABLE], 1);
	assert_non_null(strstr(pg_trouble(), "/nowhere"));
	pg_free(&lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_keep_their_shape),
		cmocka_unit_test(edges_of_time_travel),
		cmocka_unit_test(a_nul_is_refused_before_it_travels),
		cmocka_unit_test(what_fails_leaves_nothing),
		cmocka_unit_test(errors_have_their_kind),
		cmocka_unit_test(lines_are_told_once_and_in_order),
		cmocka_unit_test(the_line_is_bounded),
		cmocka_unit_test(ending_answers_everything_once),
		cmocka_unit_test(a_slow_answer_is_given_up),
		cmocka_unit_test(survives_a_restart),
		cmocka_unit_test(the_line_is_told_soon_that_all_is_gone),
		cmocka_unit_test(a_dead_address_is_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
