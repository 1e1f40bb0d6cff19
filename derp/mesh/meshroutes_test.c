#include "meshroutes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct node_key key(uint8_t n)
{
	struct node_key k = {{n}};
	return k;
}

static unsigned lost;

static void on_last(void *context, const struct node_key *k)
{
	(void)context, (void)k;
	lost++;
}

static void the_oldest_is_used(void **state)
{
	struct meshroutes *r = meshroutes_new(1000);
	struct meshlink_at a = {1, 0}, b = {1, 1}, at;
	struct node_key x = key(1), y = key(2);
	(void)state;
	assert_false(meshroutes_find(r, &x, &at));
	assert_true(meshroutes_add(r, &x, a));
	assert_false(meshroutes_add(r, &x, a));
	assert_true(meshroutes_add(r, &x, b));
	assert_true(meshroutes_add(r, &y, b));
	assert_true(meshroutes_find(r, &x, &at) && at.shard == 0);
	assert_false(meshroutes_remove(r, &x, a));
	assert_true(meshroutes_find(r, &x, &at) && at.shard == 1);
	assert_false(meshroutes_remove(r, &x, a));
	assert_true(meshroutes_remove(r, &x, b));
	assert_false(meshroutes_find(r, &x, &at));
	assert_int_equal(meshroutes_count(r), 1);
	meshroutes_free(&r);
}

static void a_broken_link_takes_its_routes_along(void **state)
{
	struct meshroutes *r = meshroutes_new(1000);
	struct meshlink_at a = {1, 0}, b = {2, 0}, at;
	(void)state;
	for (uint8_t i = 1; i < 200; i++) {
		struct node_key k = key(i);
		meshroutes_add(r, &k, a);
		if (i & 1)
			meshroutes_add(r, &k, b);
	}
	lost = 0;
	meshroutes_clear(r, a, on_last, NULL);
	assert_int_equal(lost, 99);
	assert_int_equal(meshroutes_count(r), 100);
	struct node_key odd = key(1), even = key(2);
	assert_true(meshroutes_find(r, &odd, &at) && at.number == 2);
	assert_false(meshroutes_find(r, &even, &at));
	meshroutes_free(&r);
}

static void what_siblings_tell_is_bounded(void **state)
{
	struct meshroutes *r = meshroutes_new(2);
	struct meshlink_at a = {1, 0}, b = {2, 0}, at;
	struct node_key x = key(1), y = key(2);
	(void)state;
	assert_true(meshroutes_add(r, &x, a));
	assert_true(meshroutes_add(r, &x, b));
	assert_false(meshroutes_add(r, &y, a));
	assert_false(meshroutes_find(r, &y, &at));
	assert_false(meshroutes_remove(r, &y, a));
	assert_false(meshroutes_remove(r, &x, a));
	assert_true(meshroutes_add(r, &y, a));
	assert_true(meshroutes_find(r, &y, &at) && at.number == 1);
	assert_int_equal(meshroutes_count(r), 2);
	meshroutes_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_is_used),
		cmocka_unit_test(a_broken_link_takes_its_routes_along),
		cmocka_unit_test(what_siblings_tell_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
