#include "fetchurl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mem.h"

static void urls(void **state)
{
	static const struct {
		struct bytes url;
		bool good;
	} cases[] = {
		{BYTES("http://h"), true},
		{BYTES("https://h"), true},
		{BYTES("https://[2001:db8::1]:8443/a?b=c"), true},
		{BYTES(""), false},
		{BYTES("h"), false},
		{BYTES("http://"), false},
		{BYTES("https://"), false},
		{BYTES("ftp://h"), false},
		{BYTES("HTTP://h"), false},
		{BYTES("http:/h/"), false},
		{BYTES(" http://h"), false},
		{BYTES("http://h i"), false},
		{BYTES("http://h\r\nX: y"), false},
		{BYTES("http://h\0i"), false},
		{BYTES("http://h\x7f"), false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (fetchurl_is_good(cases[i].url) != cases[i].good)
			fail_msg("%.*s", BYTES_ARG(cases[i].url));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(urls)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
