/* What a charter says, of a policy at hand. Reading and keeping it is shown by the journeys (test_tags, test_pools). */
#include "charter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct user ann = {.id = 10, .name = BYTES("ann")}, bob = {.id = 11, .name = BYTES("bob")};
static struct roll_user people[] = {{&ann, ROLE_MEMBER, NULL, 0}, {&bob, ROLE_MEMBER | ROLE_ADMIN, NULL, 0}};
static const struct prefix *pools;

static struct charter of(const char *text, size_t person)
{
	struct charter charter = {.roll = {.users = &people[person], .user_count = 1}};
	struct document *document;
	struct surroundings around = {0};

	assert_int_equal(document_read(arena, bytes_text(text), &around, &document, NULL), ERR_NONE);
	charter.document = document;
	return charter;
}

static bool may(const struct charter *charter, uint64_t user, struct bytes *carried, const char *tag)
{
	struct tag_rights rights = charter_rights(charter);
	struct node node = {.tags = carried, .tag_count = 1};

	return rights.may(rights.context, user, carried ? &node : NULL, bytes_text(tag));
}

static const char text[] = "{\"tagOwners\":{\"tag:web\":[\"ann@\"],\"tag:db\":[\"tag:web\"],\"tag:ops\":[\"autogroup:admin\"],\"tag:king\":[]},"
			   "\"nodeAttrs\":[{\"target\":[\"tag:web\"],\"ipPool\":[\"100.81.0.0/24\",\"100.82.0.0/24\"]},"
			   "{\"target\":[\"bob@\",\"autogroup:tagged\"],\"ipPool\":[\"100.83.0.0/24\"]}]}";

static void test_rights(void **state)
{
	struct charter anns = of(text, 0), bobs = of(text, 1), none = {.none = true};
	struct bytes web = BYTES("tag:web");

	(void)state;
	assert_true(may(&anns, 10, NULL, "tag:web") && may(&anns, 10, NULL, "tag:db"));
	assert_false(may(&anns, 10, NULL, "tag:ops") || may(&anns, 10, NULL, "tag:king") || may(&anns, 10, NULL, "tag:none"));
	assert_true(may(&bobs, 11, NULL, "tag:ops"));
	assert_false(may(&bobs, 11, NULL, "tag:web") || may(&bobs, 11, NULL, "tag:db"));
	assert_true(may(&anns, 0, &web, "tag:db"));
	assert_false(may(&anns, 0, &web, "tag:web") || may(&anns, 0, NULL, "tag:web"));
	/* Whoever it was asked for is all that it knows. */
	assert_false(may(&anns, 11, NULL, "tag:ops"));
	assert_false(may(&none, 10, NULL, "tag:web"));
}

static void test_pools(void **state)
{
	struct charter anns = of(text, 0), bobs = of(text, 1), none = {.none = true};
	struct bytes web = BYTES("tag:web"), db = BYTES("tag:db");

	(void)state;
	assert_int_equal(charter_pools(&anns, &(struct node){.user = 10}, &pools), 0);
	assert_int_equal(charter_pools(&none, &(struct node){.user = 10}, &pools), 0);
	assert_null(pools);
	assert_int_equal(charter_pools(&anns, &(struct node){.tags = &web, .tag_count = 1}, &pools), 2);
	assert_true(pools[0].ip.byte[1] == 81 && pools[1].ip.byte[1] == 82);
	assert_int_equal(charter_pools(&anns, &(struct node){.tags = &db, .tag_count = 1}, &pools), 1);
	assert_int_equal(charter_pools(&bobs, &(struct node){.user = 11}, &pools), 1);
	assert_int_equal(pools[0].ip.byte[1], 83);
}

static void test_tags_exist(void **state)
{
	struct charter anns = of(text, 0), none = {.none = true};
	struct bytes tags[] = {BYTES("tag:a"), BYTES("tag:king"), BYTES("tag:z")}, many[64];
	struct diag why;

	(void)state;
	assert_int_equal(charter_check_tags(&anns, tags + 1, 1, &why), ERR_NONE);
	assert_int_equal(charter_check_tags(&anns, tags, 3, &why), ERR_MALFORMED);
	assert_string_equal(why.text, "requested tags [tag:a tag:z] are invalid or not permitted");
	assert_int_equal(charter_check_tags(&none, tags, 3, &why), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = BYTES("tag:a-name-of-some-length-that-nobody-has");
	assert_int_equal(charter_check_tags(&anns, many, COUNT_OF(many), &why), ERR_MALFORMED);
	assert_true(strstr(why.text, "length-that-nobody-has] are invalid or not permitted") != NULL);
}

static void test_a_tailnet_without_a_policy_has_no_pools(void **state)
{
	struct charters *charters = charters_new();

	(void)state;
	assert_true(charter_lacks_pools(charters, 1, 0));
	assert_false(charter_lacks_pools(charters, 1, 1));
	charters_free(&charters);
	assert_null(charters);
}

static int set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pools, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tags_exist, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_tailnet_without_a_policy_has_no_pools, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
