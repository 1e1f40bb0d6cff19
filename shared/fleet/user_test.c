#include "user.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void checks_names(void **state)
{
	(void)state;
	static const char *good[] = {"default", "ann@example.com", "j.r_r-t", "\xc3\xa4nn", "ab"};
	static const char *bad[] = {"", "a", "1ab", "@ab", "a@b@c", "a b", "ab\n", "a\xff", "<b>", "-ab"};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(user_check_name(bytes_text(good[i]), NULL), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct diag why = {0};
		assert_int_equal(user_check_name(bytes_text(bad[i]), &why), ERR_MALFORMED);
		assert_true(strlen(why.text) > 10);
	}
	char longest[USER_NAME_MAX + 1];
	memset(longest, 'a', sizeof longest);
	assert_int_equal(user_check_name(bytes_of(longest, USER_NAME_MAX), NULL), ERR_NONE);
	assert_int_equal(user_check_name(bytes_of(longest, USER_NAME_MAX + 1), NULL), ERR_MALFORMED);
}

static void always_has_a_login_name(void **state)
{
	(void)state;
	struct user user = {.name = BYTES("ann"), .email = BYTES("ann@example.com")};
	assert_true(bytes_equal_text(user_login_name(&user), "ann@example.com"));
	user.email = BYTES_NONE;
	assert_true(bytes_equal_text(user_login_name(&user), "ann"));
	user.name = BYTES_NONE;
	assert_true(user_login_name(&user).len > 0);
}

static void roles_have_names(void **state)
{
	static const char *const names[] = {"owner", "admin", "network-admin", "it-admin", "billing-admin", "auditor", "member"};
	unsigned roles;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_int_equal(user_parse_role(bytes_text(names[i]), &roles, NULL), ERR_NONE);
		assert_string_equal(user_role_name(roles), names[i]);
	}
	assert_int_equal(user_parse_role(BYTES("owner"), &roles, NULL), ERR_NONE);
	assert_true(roles & ROLE_ADMIN);
	assert_int_equal(user_parse_role(BYTES("Owner"), &roles, NULL), ERR_MALFORMED);
	assert_int_equal(user_parse_role(BYTES(""), &roles, NULL), ERR_MALFORMED);
}

static void groups_are_checked(void **state)
{
	struct bytes good[] = {BYTES("group:ops"), BYTES("group:a@b.example")};
	struct bytes bad[] = {BYTES("group:"), BYTES("ops"), BYTES("group:a b"), BYTES("group:a\n"), BYTES("group:\xff"), BYTES("")};
	(void)state;
	assert_int_equal(user_check_groups(good, 2, NULL), ERR_NONE);
	assert_int_equal(user_check_groups(NULL, 0, NULL), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(user_check_groups(&bad[i], 1, NULL), ERR_MALFORMED);
	assert_int_equal(user_check_groups(good, USER_GROUPS_MAX + 1, NULL), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(checks_names), cmocka_unit_test(always_has_a_login_name), cmocka_unit_test(roles_have_names),
					   cmocka_unit_test(groups_are_checked)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
