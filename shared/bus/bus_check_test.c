#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus_check.h"
#include "redis_server.h"

static void it_answers(void **state)
{
	struct redis_server server = {0};
	char version[BUS_VERSION_MAX], url[128];
	struct diag why = {0};

	(void)state;
	redis_start(&server);
	assert_int_equal(bus_check(server.url, version, &why), ERR_NONE);
	assert_true(version[0] >= '6' && strchr(version, '.'));
	redis_stop(&server);
	assert_int_equal(bus_check(server.url, version, &why), ERR_UNAVAILABLE);
	assert_string_equal(version, "");
	server.password = "p@ss";
	server.port = free_port();
	redis_start(&server);
	assert_int_equal(bus_check(server.url, version, &why), ERR_DENIED);
	snprintf(url, sizeof url, "redis://:p@ss@127.0.0.1:%u/3", server.port);
	assert_int_equal(bus_check(url, version, &why), ERR_NONE);
	snprintf(url, sizeof url, "redis://:other@127.0.0.1:%u", server.port);
	assert_int_equal(bus_check(url, version, &why), ERR_DENIED);
	snprintf(url, sizeof url, "redis://:p@ss@127.0.0.1:%u/9999", server.port);
	assert_int_equal(bus_check(url, version, &why), ERR_UNAVAILABLE);
	redis_clear(&server);
}

static void urls_are_strict(void **state)
{
	static const char *const bad[] = {"", "nonsense", "http://127.0.0.1:1", "redis://"};
	char version[BUS_VERSION_MAX];
	struct diag why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(bus_check(bad[i], version, &why), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers),
		cmocka_unit_test(urls_are_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
