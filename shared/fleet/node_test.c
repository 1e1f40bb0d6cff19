#include "node.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The copy outlives what it was made from. */
static void copies_deeply(void **state)
{
	(void)state;
	struct arena *source = arena_new(), *kept = arena_new();
	struct node node = {.id = 7, .user = 3, .label = arena_copy(source, BYTES("laptop")), .hostinfo = arena_copy(source, BYTES("{\"OS\":\"linux\"}"))};
	node.endpoints = ARENA_ARRAY(source, struct endpoint, 2);
	node.endpoints[1].port = 41641;
	node.endpoint_count = 2;
	node.tags = ARENA_ARRAY(source, struct bytes, 1);
	node.tags[0] = arena_copy(source, BYTES("tag:web"));
	node.tag_count = 1;
	node.routes_advertised = ARENA_ARRAY(source, struct prefix, 1);
	node.routes_advertised[0].bits = 24;
	node.advertised_count = 1;

	struct node copy;
	node_copy(kept, &node, &copy);
	arena_free(&source);
	assert_int_equal(copy.id, 7);
	assert_true(bytes_equal_text(copy.label, "laptop"));
	assert_true(bytes_equal_text(copy.hostinfo, "{\"OS\":\"linux\"}"));
	assert_int_equal(copy.endpoints[1].port, 41641);
	assert_true(bytes_equal_text(copy.tags[0], "tag:web"));
	assert_int_equal(copy.routes_advertised[0].bits, 24);
	assert_null(copy.routes_approved);
	arena_free(&kept);
}

static void copies_emptiness(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct node node = {.id = 1}, copy;
	node_copy(arena, &node, &copy);
	assert_int_equal(copy.label.len, 0);
	assert_null(copy.tags);
	arena_free(&arena);
}

static void shows_wire_user(void **state)
{
	(void)state;
	struct bytes tag = BYTES("tag:web");
	struct node owned = {.id = 9, .user = 4}, tagged = {.id = 9, .tags = &tag, .tag_count = 1};
	assert_int_equal(node_wire_user(&owned), 4);
	assert_int_equal(node_wire_user(&tagged), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(copies_deeply), cmocka_unit_test(copies_emptiness), cmocka_unit_test(shows_wire_user)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
