#include "loginid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "secret.h"

static void minted_ids_are_read_back(void **state)
{
	struct login_id a, b, read;
	char url[128];

	(void)state;
	login_id_mint(&a);
	login_id_mint(&b);
	assert_int_equal(strlen(a.text), LOGIN_ID_LEN);
	assert_string_not_equal(a.text, b.text);
	assert_int_equal(login_id_parse(bytes_text(a.text), &read), ERR_NONE);
	assert_string_equal(read.text, a.text);
	assert_memory_equal(read.hash, a.hash, LOGIN_HASH_LEN);
	assert_memory_not_equal(read.hash, b.hash, LOGIN_HASH_LEN);
	snprintf(url, sizeof url, "https://login.example.com:8443/register/%s", a.text);
	assert_int_equal(login_id_parse_url(bytes_text(url), &read), ERR_NONE);
	assert_memory_equal(read.hash, a.hash, LOGIN_HASH_LEN);
}

static void what_is_no_id_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"hskey-authreq-",
		"hskey-authreq-0123456789abcdef0123456",
		"hskey-authreq-0123456789abcdef012345678",
		"hskey-authreq-0123456789ABCDEF01234567",
		"hskey-authreq-0123456789abcdef0123456g",
		"hskey-authkey-0123456789abcdef01234567",
		"xskey-authreq-0123456789abcdef01234567",
	};
	struct login_id id;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(login_id_parse(bytes_text(bad[i]), &id), ERR_MALFORMED);
	assert_int_equal(login_id_parse_url(BYTES("hskey-authreq-0123456789abcdef01234567"), &id), ERR_MALFORMED);
	assert_int_equal(login_id_parse_url(BYTES("/xegister/hskey-authreq-0123456789abcdef01234567"), &id), ERR_MALFORMED);
	assert_int_equal(login_id_parse_url(BYTES("https://h/register/hskey-authreq-0123456789abcdef01234567/"), &id), ERR_MALFORMED);
	assert_int_equal(login_id_parse_url(BYTES_NONE, &id), ERR_MALFORMED);
	assert_int_equal(login_id_parse_url(BYTES("/register/hskey-authreq-0123456789abcdef01234567"), &id), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(minted_ids_are_read_back), cmocka_unit_test(what_is_no_id_is_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
