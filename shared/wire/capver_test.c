#include "capver.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mem.h"

static void knows_features(void **state)
{
	(void)state;
	static const struct {
		enum capver_feature feature;
		unsigned since;
	} trials[] = {
		{CAPVER_CAP_SOURCES, 109},        {CAPVER_HOME_DERP, 111},        {CAPVER_OMIT_ALLOWED_IPS, 112},
		{CAPVER_NO_MEASURE_NO_HOME, 115}, {CAPVER_DISPLAY_MESSAGES, 117}, {CAPVER_RESOLVER_EXIT, 125},
		{CAPVER_AUTO_UPDATE_CAP, 131},    {CAPVER_REGISTER_429, 137},     {CAPVER_STABLE_TAILNET, 148},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++) {
		assert_false(capver_has(trials[i].since - 1, trials[i].feature));
		assert_true(capver_has(trials[i].since, trials[i].feature));
		assert_true(capver_has(UINT_MAX, trials[i].feature));
		assert_false(capver_has(CAPVER_OLDEST, trials[i].feature));
	}
}

/* Bands are dense, never fall, and say all that a version has for maps. */
static void makes_bands(void **state)
{
	(void)state;
	unsigned last = 0;
	for (unsigned v = 0; v < 300; v++) {
		unsigned band = capver_band(v);
		assert_true(band == last || band == last + 1);
		assert_true(band < capver_band_count());
		for (unsigned bit = 1; bit <= CAPVER_RESOLVER_EXIT; bit <<= 1)
			if (bit != CAPVER_REGISTER_429)
				assert_int_equal(!!(capver_band_features(band) & bit), capver_has(v, (enum capver_feature)bit));
		last = band;
	}
	assert_int_equal(last, capver_band_count() - 1);
	assert_int_equal(capver_band(CAPVER_OLDEST), 0);
	assert_int_equal(capver_band(137), capver_band(136));
	assert_int_equal(capver_band_features(0), 0);
	assert_int_equal(capver_band_features(UINT_MAX), capver_band_features(capver_band_count() - 1));
}

static void accepts_and_names(void **state)
{
	(void)state;
	assert_false(capver_accepted(0));
	assert_false(capver_accepted(89));
	assert_true(capver_accepted(90));
	assert_true(capver_accepted(UINT_MAX));
	assert_string_equal(capver_refusal(), "this server needs Tailscale 1.64 or newer");
	static const struct {
		unsigned version;
		const char *release;
	} trials[] = {
		{0, "older than 1.50"}, {73, "older than 1.50"}, {74, "1.50"},   {82, "1.56"},   {89, "1.56"},  {90, "1.64"},  {94, "1.64"},  {95, "1.66"},
		{97, "1.68"},           {102, "1.70"},           {104, "1.72"},  {106, "1.76"},  {109, "1.78"}, {113, "1.80"}, {115, "1.82"}, {116, "1.84"},
		{122, "1.86"},          {123, "1.86"},           {125, "1.88"},  {130, "1.90"},  {131, "1.94"}, {133, "1.96"}, {138, "1.98"}, {141, "1.100"},
		{142, "1.102"},         {145, "1.102"},          {148, "1.104"}, {500, "1.104"},
	};
	for (size_t i = 0; i < COUNT_OF(trials); i++)
		assert_string_equal(capver_release(trials[i].version), trials[i].release);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(knows_features), cmocka_unit_test(makes_bands), cmocka_unit_test(accepts_and_names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
