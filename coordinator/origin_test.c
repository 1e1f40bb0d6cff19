/* The login server's URL: what may be set, and what a request gives without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator.h"
#include "origin.h"

static const struct {
	const char *url;
	enum err e;
} urls[] = {
	{"", ERR_NONE},
	{"https://login.example.com", ERR_NONE},
	{"https://login.example.com/", ERR_NONE},
	{"http://127.0.0.1:8080", ERR_NONE},
	{"https://[fd7a::1]:8443", ERR_NONE},
	{"login.example.com", ERR_MALFORMED},
	{"ftp://login.example.com", ERR_MALFORMED},
	{"https://", ERR_MALFORMED},
	{"https:///", ERR_MALFORMED},
	{"https://login.example.com/path", ERR_MALFORMED},
	{"https://login.example.com?x=1", ERR_MALFORMED},
	{"https://ann@login.example.com", ERR_MALFORMED},
	{"https://login example.com", ERR_MALFORMED},
	{"https://login.example.com\n", ERR_MALFORMED},
};

static void what_may_be_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		struct diag why = {.text = ""};

		assert_int_equal(origin_check(urls[i].url, &why), urls[i].e);
		assert_int_equal(*why.text != 0, urls[i].e != ERR_NONE);
	}
}

static void is(const struct exchange *x, const char *wanted)
{
	assert_true(bytes_equal_text(origin_of(x), wanted));
}

static void option_before_request(void **state)
{
	struct coordinator_options options = {.server_url = (char[]){""}};
	struct coordinator c = {.options = &options};
	struct exchange x = {.program = &c, .arena = arena_new()};

	(void)state;
	is(&x, "");
	x.host = BYTES("a.example:8080");
	is(&x, "http://a.example:8080");
	x.secure = true;
	is(&x, "https://a.example:8080");
	options.server_url = (char[]){"http://b.example//"};
	is(&x, "http://b.example");
	arena_free(&x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_may_be_set), cmocka_unit_test(option_before_request)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
