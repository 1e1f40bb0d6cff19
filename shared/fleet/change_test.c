#include "change.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void names_round_trip(void **state)
{
	(void)state;
	for (unsigned kind = CHANGE_NONE + 1; kind < CHANGE_COUNT; kind++) {
		assert_non_null(change_name((enum change_kind)kind));
		assert_int_equal(change_parse(bytes_text(change_name((enum change_kind)kind))), kind);
		assert_true(change_facets((enum change_kind)kind) != FACET_NONE);
		assert_int_equal(change_facets((enum change_kind)kind) & ~(unsigned)FACETS_ALL, 0);
	}
	assert_int_equal(change_parse(BYTES("none")), CHANGE_NONE);
	assert_int_equal(change_parse(BYTES("")), CHANGE_NONE);
	assert_int_equal(change_parse(BYTES("node-key ")), CHANGE_NONE);
}

/* What must stay a patch or a word of its own must not touch the whole peer. */
static void soft_kinds_stay_small(void **state)
{
	(void)state;
	static const enum change_kind soft[] = {CHANGE_NODE_ENDPOINTS, CHANGE_NODE_RELAY, CHANGE_NODE_DISCO, CHANGE_NODE_SEEN, CHANGE_NODE_KEY};
	for (size_t i = 0; i < COUNT_OF(soft); i++)
		assert_int_equal(change_facets(soft[i]) & (FACET_PEER | FACET_VISIBLE | FACET_FILTER), 0);
	assert_int_equal(change_facets(CHANGE_RELAYS), FACET_RELAYS);
}

static void unknown_kinds_touch_all(void **state)
{
	(void)state;
	assert_int_equal(change_facets(CHANGE_COUNT), FACETS_ALL);
	assert_int_equal(change_facets((enum change_kind)1000), FACETS_ALL);
	assert_string_equal(change_name((enum change_kind)1000), "unknown");
	assert_int_equal(change_facets(CHANGE_NONE), FACET_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_round_trip), cmocka_unit_test(soft_kinds_stay_small),
					   cmocka_unit_test(unknown_kinds_touch_all)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
