/* Batches against played transactions: who waits is answered once, after the batch that holds his report, whatever becomes of it. */
#include "reports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "autoapprove.h"
#include "coordinator.h"
#include "log.h"
#include "notice.h"

enum { GATHER_MS = 10, BATCH = 256, WAITING = 4096 };

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

struct tx {
	struct arena *arena;
	uint64_t tailnet;
	tx_fn on_done;
	void *context;
	size_t reports, seen, farewells, polled;
};

static struct tx *out[64]; /* on their way */
static size_t out_count;
static unsigned rings;

struct tx *tx_begin(struct pg *pg, uint64_t tailnet, enum tx_mode mode)
{
	struct tx *tx = x_zalloc(sizeof *tx);

	(void)pg;
	assert_int_equal(mode, TX_WRITE);
	tx->arena = arena_new();
	tx->tailnet = tailnet;
	return tx;
}

struct arena *tx_arena(struct tx *tx)
{
	return tx->arena;
}

void tx_run(struct tx *tx, tx_fn on_done, void *context)
{
	/* One batch of a tailnet at a time. */
	for (size_t i = 0; i < out_count; i++)
		assert_true(out[i]->tailnet != tx->tailnet);
	tx->on_done = on_done;
	tx->context = context;
	out[out_count++] = tx;
}

uint64_t tx_generation(const struct tx *tx)
{
	return tx->reports ? 42 : 0;
}

static size_t looked_at; /* nodes whose routes the policy may approve */

void autoapprove_nodes(struct coordinator *coordinator, uint64_t tailnet, const uint64_t *nodes, size_t count)
{
	(void)coordinator, (void)tailnet, (void)nodes;
	looked_at += count;
}

unsigned nodes_report_add(struct tx *tx, const struct node_report *reports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(reports[i].node != reports[k].node);
	tx->reports += count;
	return 0;
}

unsigned nodes_seen(struct tx *tx, const uint64_t *nodes, size_t count, struct wall at, bool told)
{
	(void)nodes, (void)at;
	*(told ? &tx->farewells : &tx->seen) += count;
	return 0;
}

unsigned nodes_polled(struct tx *tx, const uint64_t *nodes, size_t count, struct wall at)
{
	(void)nodes, (void)at;
	tx->polled += count;
	return 0;
}

void notice_ring(struct bus *bus, uint64_t tailnet, uint64_t generation)
{
	(void)bus, (void)tailnet;
	assert_int_equal(generation, 42);
	rings++;
}

/* --- what happens ------------------------------------------------------------------------------------------------------------------------------- */

static struct coordinator c;
static struct coordinator_options options = {.report_gather_ms = GATHER_MS};
static unsigned written, failed;
static enum err failed_with;

static void on_written(void *context, enum err e)
{
	(void)context;
	written += !e;
	failed += e != ERR_NONE;
	failed_with = e;
}

static void report(uint64_t tailnet, uint64_t node)
{
	char text[] = "{\"Hostname\":\"gone with its request\"}";
	struct endpoint here = {0};
	struct prefix route = {0};

	reports_add(c.reports, tailnet,
		    &(struct node_report){.node = node,
					  .hostinfo = bytes_text(text),
					  .has_endpoints = true,
					  .endpoints = &here,
					  .endpoint_count = 1,
					  .has_routes = true,
					  .routes = &route,
					  .route_count = 1},
		    on_written, NULL);
}

static void pass(int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(c.loop, 0);
}

static void commit(enum err e)
{
	struct tx *tx = out[0];

	assert_true(out_count > 0);
	memmove(out, out + 1, --out_count * sizeof *out);
	tx->on_done(tx->context, e, tx, &(struct diag){0});
	arena_free(&tx->arena);
	free(tx);
}

static int set_up(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1000));
	c = (struct coordinator){.loop = loop_new(), .options = &options};
	c.reports = reports_new(&c);
	out_count = 0;
	rings = written = failed = 0;
	looked_at = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	reports_free(&c.reports);
	while (out_count)
		commit(ERR_CANCELED);
	loop_free(&c.loop);
	return 0;
}

static void test_a_batch_is_gathered_and_then_answered(void **state)
{
	(void)state;
	report(1, 5);
	report(1, 6);
	report(2, 5);
	reports_seen(c.reports, 1, 7, false);
	reports_seen(c.reports, 1, 8, true);
	reports_first_polled(c.reports, 1, 9);
	assert_int_equal(out_count, 0);
	pass(GATHER_MS + 1);
	assert_int_equal(out_count, 2);
	assert_int_equal(written, 0);
	commit(ERR_NONE);
	assert_int_equal(looked_at, 2);
	commit(ERR_NONE);
	assert_int_equal(written, 3);
	assert_int_equal(rings, 2);
}

static void test_later_reports_wait_for_the_next_batch(void **state)
{
	(void)state;
	report(1, 5);
	report(1, 5);
	pass(GATHER_MS + 1);
	assert_int_equal(out[0]->reports, 1);
	report(1, 6);
	pass(GATHER_MS + 1);
	assert_int_equal(out_count, 1);
	commit(ERR_NONE);
	assert_int_equal(written, 1);
	assert_int_equal(out_count, 1);
	assert_int_equal(out[0]->reports, 2);
	commit(ERR_NONE);
	assert_int_equal(written, 3);
	assert_int_equal(out_count, 0);
	pass(1000);
	assert_int_equal(out_count, 0);
}

static void test_crowds_are_written_less_often(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		report(1, i);
	pass(GATHER_MS + 1);
	commit(ERR_NONE);
	report(1, 5);
	pass(GATHER_MS + 1);
	assert_int_equal(out_count, 0);
	report(1, 6);
	pass(2 * GATHER_MS);
	assert_int_equal(out_count, 1);
	assert_int_equal(out[0]->reports, 2);
	report(1, 7);
	commit(ERR_NONE);
	assert_int_equal(out_count, 0);
	pass(2 * GATHER_MS + 1);
	assert_int_equal(out[0]->reports, 1);
	commit(ERR_NONE);
	report(1, 8); /* calm again */
	pass(GATHER_MS + 1);
	assert_int_equal(out_count, 1);
	commit(ERR_NONE);
	assert_int_equal(written, 7);
}

static void test_batches_have_an_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * BATCH + 1; i++)
		report(1, i);
	pass(GATHER_MS + 1);
	for (unsigned batch = 1; batch <= 3; batch++) {
		assert_int_equal(out_count, 1);
		commit(ERR_NONE);
	}
	assert_int_equal(written, 2 * BATCH + 1);
	assert_int_equal(out_count, 0);
}

static void test_who_is_too_many_is_refused_later(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WAITING + 10; i++)
		report(1, i);
	assert_int_equal(failed, 0);
	loop_turn(c.loop, 0);
	assert_int_equal(failed, 10);
	assert_int_equal(failed_with, ERR_UNAVAILABLE);
	pass(GATHER_MS + 1);
	while (out_count)
		commit(ERR_NONE);
	assert_int_equal(written, WAITING);
	report(1, 1);
	assert_int_equal(failed, 10);
}

/* The n-th commit fails. */
static void test_a_failed_batch_fails_its_own_alone(void **state)
{
	enum { BATCHES = 4 };

	for (unsigned n = 0; n < BATCHES; n++) {
		set_up(state);
		for (unsigned i = 0; i < BATCHES; i++)
			report(1, 5);
		pass(GATHER_MS + 1);
		for (unsigned i = 0; i < BATCHES; i++)
			commit(i == n ? ERR_TIMEOUT : ERR_NONE);
		assert_int_equal(written, BATCHES - 1);
		assert_int_equal(failed, 1);
		assert_int_equal(rings, BATCHES - 1);
		tear_down(state);
	}
}

static void test_the_end_answers_who_waits(void **state)
{
	(void)state;
	report(1, 5);
	pass(GATHER_MS + 1);
	report(1, 6);
	report(2, 7);
	reports_seen(c.reports, 3, 7, true);
	reports_free(&c.reports);
	assert_int_equal(failed, 3);
	assert_int_equal(failed_with, ERR_CANCELED);
	/* The database's answer comes after all is gone. */
	commit(ERR_CANCELED);
	assert_int_equal(looked_at, 0);
	assert_int_equal(failed, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_batch_is_gathered_and_then_answered),
		TEST(test_later_reports_wait_for_the_next_batch),
		TEST(test_crowds_are_written_less_often),
		TEST(test_batches_have_an_end),
		TEST(test_who_is_too_many_is_refused_later),
		cmocka_unit_test(test_a_failed_batch_fails_its_own_alone),
		TEST(test_the_end_answers_who_waits),
	};

	log_setup("reports_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
