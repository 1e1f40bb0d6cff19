#include "figure.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void says(const struct figure *f, int64_t now, const char *want)
{
	struct buffer out;
	struct jsonw w;
	buffer_init(&out, 4096);
	jsonw_start(&w, &out);
	figure_write(&w, f, (struct mono){now});
	assert_int_equal(jsonw_end(&w), ERR_NONE);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.at, want, out.len);
	buffer_clear(&out);
}

static void what_was_not_measured_is_left_out(void **state)
{
	(void)state;
	struct figure f = figure_new(17);
	f.at = (struct mono){1000};
	f.relay = FIGURE_UNREACHABLE;
	says(&f, 3500, "{\"To\":17,\"AgeMs\":2500,\"Relay\":\"unreachable\"}");
	f = (struct figure){.to = 2,
			    .relay = FIGURE_OK,
			    .stun = FIGURE_OK,
			    .mesh = FIGURE_LOST,
			    .connect_us = 3250,
			    .trip_us = 500,
			    .stun_us = 0,
			    .mesh_us = FIGURE_UNKNOWN};
	says(&f, 0, "{\"To\":2,\"AgeMs\":0,\"Relay\":\"ok\",\"ConnectMs\":3.25,\"TripMs\":0.5,\"STUN\":\"ok\",\"STUNMs\":0,\"Mesh\":\"lost\"}");
}

static void good_is_all_of_it(void **state)
{
	(void)state;
	struct figure f = figure_new(1);
	assert_false(figure_is_good(&f));
	f.relay = FIGURE_OK;
	assert_true(figure_is_good(&f));
	f.stun = FIGURE_LOST;
	assert_false(figure_is_good(&f));
	f.stun = FIGURE_OK;
	f.mesh = FIGURE_LOST;
	assert_false(figure_is_good(&f));
	for (unsigned i = 0; i < FIGURE_KIND_COUNT; i++)
		assert_non_null(figure_kinds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_not_measured_is_left_out), cmocka_unit_test(good_is_all_of_it)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
