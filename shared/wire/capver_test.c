#include "capver.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mem.h"

static bool knows(unsigned capver, enum capver_feature feature)
{
	return capver_band_features(capver_band(capver)) & feature;
}

static void knows_features(void **state)
{
	(void)state;
	static const struct {
		enum capver_feature feature;
		unsigned since;
	} trials[] = {
		{CAPVER_CAP_SOURCES, 109},      {CAPVER_HOME_DERP, 111},     {CAPVER_OMIT_ALLOWED_IPS, 112}, {CAPVER_NO_MEASURE_NO_HOME, 115},
		{CAPVER_DISPLAY_MESSAGES, 117}, {CAPVER_RESOLVER_EXIT, 125}, {CAPVER_AUTO_UPDATE_CAP, 131},  {CAPVER_STABLE_TAILNET, 148},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		assert_false(knows(trials[i].since - 1, trials[i].feature));
		assert_true(knows(trials[i].since, trials[i].feature));
		assert_true(knows(UINT_MAX, trials[i].feature));
		assert_false(knows(CAPVER_OLDEST, trials[i].feature));
	}
}

/* Bands are dense and never fall. */
static void makes_bands(void **state)
{
	(void)state;
	unsigned last = 0;
	for (unsigned v = 0; v < 300; v++) {
		unsigned band = capver_band(v);
		assert_true(band == last || band == last + 1);
		assert_true(band < capver_band_count());
		last = band;
	}
	assert_int_equal(last, capver_band_count() - 1);
	assert_int_equal(capver_band(CAPVER_OLDEST), 0);
	assert_int_equal(capver_band_features(0), 0);
	assert_int_equal(capver_band_features(UINT_MAX), capver_band_features(capver_band_count() - 1));
}

static void accepts(void **state)
{
	(void)state;
	assert_false(capver_accepted(0));
	assert_false(capver_accepted(89));
	assert_true(capver_accepted(90));
	assert_true(capver_accepted(UINT_MAX));
	assert_string_equal(capver_refusal(), "this server needs Tailscale 1.64 or newer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(knows_features), cmocka_unit_test(makes_bands), cmocka_unit_test(accepts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
