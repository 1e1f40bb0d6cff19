#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl_command.h"
#include "log.h"
#include "secret.h"
#include "store_fixture.h"

/* The first key of an installation, written without a coordinator. */

static struct fixture *fx;

static int set_up(void **state)
{
	(void)state;
	log_setup("ctl_operator_test", LOG_ERROR, LOG_TEXT);
	fx = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(&fx);
	return 0;
}

static int create(const char *url, char **text)
{
	char *argv[] = {(char[]){"fleetscale"},
			(char[]){"operator"},
			(char[]){"create"},
			(char[]){"--database"},
			(char *)url,
			(char[]){"--expiration"},
			(char[]){"7d"},
			NULL};
	char *complaint;
	size_t len, complaint_len;
	FILE *out = open_memstream(text, &len), *err = open_memstream(&complaint, &complaint_len);
	int status = ctl_command((int)COUNT_OF(argv) - 1, argv, out, err);

	fclose(out);
	fclose(err);
	assert_true((complaint_len == 0) == (status == CTL_DONE));
	free(complaint);
	return status;
}

static void keys_are_as_the_api_makes_them(void **state)
{
	const char *const urls[] = {fixture_owner(fx), fixture_coordinator(fx)};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		struct secret secret;
		char *text, sql[512], hash[2 * SECRET_HASH_LEN + 1];

		assert_int_equal(create(urls[i], &text), CTL_DONE);
		assert_int_equal(secret_parse(SECRET_API, bytes_take(bytes_text(text), strlen(text) - 1), &secret), ERR_NONE);
		for (size_t k = 0; k < SECRET_HASH_LEN; k++)
			snprintf(hash + 2 * k, 3, "%02x", secret.hash[k]);
		snprintf(sql, sizeof sql,
			 "SELECT count(*) FROM fleetscale.apikeys WHERE tailnet_id IS NULL AND prefix = '%s' AND hash = '\\x%s' AND expiry BETWEEN now() + '6 "
			 "days' AND now() + '8 days'",
			 secret.prefix, hash);
		assert_string_equal(fixture_sql(fx, sql), "1");
		free(text);
	}
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.audits WHERE tailnet_id = 0 AND actor = 'sql'"), "2");
}

static void who_may_not_write_is_told(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(create(fixture_mapper(fx), &text), CTL_FAILED);
	free(text);
	assert_int_equal(create("host=/nowhere", &text), CTL_FAILED);
	free(text);
	assert_string_equal(fixture_sql(fx, "SELECT count(*) FROM fleetscale.apikeys"), "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_as_the_api_makes_them),
		cmocka_unit_test(who_may_not_write_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
