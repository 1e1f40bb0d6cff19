#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint64_t three[] = {7};

static struct token move(uint32_t event)
{
	return (struct token){TOKEN_MOVE, event};
}

static void test_all_hear(void **state)
{
	struct outcome outcome;
	struct ledger l;
	uint32_t event;

	(void)state;
	ledger_init(&l, 100, 3, 4);
	event = ledger_inject(&l, TOKEN_MOVE, 0, 1000, three);
	assert_int_equal(event, 100);
	ledger_see(&l, move(event), 0, 1100); /* the mover itself */
	ledger_see(&l, move(event), 1, 1200);
	assert_false(ledger_settled(&l));
	ledger_see(&l, move(event), 2, 1300);
	assert_true(ledger_settled(&l));
	ledger_judge(&l, &outcome);
	assert_int_equal(outcome.delivered, 2);
	assert_int_equal(outcome.missed + outcome.superseded + outcome.duplicate + outcome.reordered + outcome.leaked, 0);
	assert_int_equal(outcome.last.max, 300);
	assert_int_equal(l.latency.max, 300);
	ledger_clear(&l);
}

static void test_superseded_missed_and_reordered(void **state)
{
	struct outcome outcome;
	struct ledger l;
	uint32_t first, second;

	(void)state;
	ledger_init(&l, 0, 3, 4);
	first = ledger_inject(&l, TOKEN_MOVE, 0, 0, three);
	second = ledger_inject(&l, TOKEN_MOVE, 0, 0, three);
	ledger_see(&l, move(second), 1, 1);
	assert_false(ledger_settled(&l));
	ledger_judge(&l, &outcome);
	assert_int_equal(outcome.superseded, 1);
	assert_int_equal(outcome.missed, 2);
	ledger_see(&l, move(second), 2, 1);
	assert_true(ledger_settled(&l));
	ledger_see(&l, move(first), 2, 2);
	ledger_judge(&l, &outcome);
	assert_int_equal(outcome.reordered, 1);
	ledger_clear(&l);
}

static void test_duplicate_leaked_and_stale(void **state)
{
	static const uint64_t two[] = {3};
	struct outcome outcome;
	struct ledger l;
	uint32_t event;

	(void)state;
	ledger_init(&l, 10, 3, 4);
	event = ledger_inject(&l, TOKEN_MOVE, 0, 0, two);
	ledger_see(&l, move(event), 1, 1);
	ledger_see(&l, move(event), 1, 2);
	ledger_see(&l, move(event), 2, 2);
	ledger_see(&l, move(9), 1, 2);
	ledger_see(&l, move(11), 1, 2);
	ledger_see(&l, (struct token){TOKEN_JOIN, event}, 1, 2);
	ledger_judge(&l, &outcome);
	assert_int_equal(outcome.duplicate, 1);
	assert_int_equal(outcome.leaked, 1);
	assert_int_equal(l.stale, 3);
	ledger_clear(&l);
}

static void test_join_may_come_whole_again(void **state)
{
	struct outcome outcome;
	struct ledger l;
	uint32_t event;

	(void)state;
	ledger_init(&l, 0, 3, 4);
	event = ledger_inject(&l, TOKEN_JOIN, 2, 0, three);
	for (unsigned i = 0; i < 4; i++)
		ledger_see(&l, (struct token){TOKEN_JOIN, event}, i % 2, 1);
	ledger_judge(&l, &outcome);
	assert_int_equal(outcome.delivered, 2);
	assert_int_equal(outcome.duplicate, 0);
	ledger_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_hear), cmocka_unit_test(test_superseded_missed_and_reordered),
					   cmocka_unit_test(test_duplicate_leaked_and_stale), cmocka_unit_test(test_join_may_come_whole_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
