#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "metric.h"

static const char *const kinds[] = {"plain", "odd\"\\\nname", NULL};

static const char *const pairs[] = {"full,disco", "full,other", "gone,disco", NULL};
static const char *const bounds[] = {"0", "5", "10", NULL};
static const char *const away_times[] = {"0.01", "0.5", NULL};

enum { REQUESTS, BY_KIND, OPEN, TOOK, LASTED, PAIRED, SIZED, AWAY, THING, KIN, TOOK_TOLD };

static struct metric table[] = {
	[REQUESTS] = {.name = "requests_total", .type = METRIC_COUNTER, .help = "Requests.\nSecond line, with a \\."},
	[BY_KIND] = {.name = "drops_total", .type = METRIC_COUNTER, .help = "Drops.", .label = "kind", .values = kinds},
	[OPEN] = {.name = "sessions_open", .type = METRIC_GAUGE, .help = "Sessions."},
	[TOOK] = {.name = "took_us", .type = METRIC_HISTOGRAM, .help = "Time."},
	[LASTED] = {.name = "lasted_seconds", .type = METRIC_HISTOGRAM, .help = "Time."},
	[PAIRED] = {.name = "lost_total", .type = METRIC_COUNTER, .help = "Lost.", .label = "reason,kind", .values = pairs},
	[SIZED] = {.name = "batch_size", .type = METRIC_HISTOGRAM, .help = "Sizes.", .label = "le", .values = bounds},
	[AWAY] = {.name = "away_seconds", .type = METRIC_HISTOGRAM, .help = "Time.", .label = "le", .values = away_times},
	[THING] = {.name = "thing_info", .type = METRIC_TOLD, .help = "What it is.", .label = "region,more"},
	[KIN] = {.name = "kin", .type = METRIC_TOLD, .help = "Others.", .label = "a"},
	[TOOK_TOLD] = {.name = "way_seconds", .type = METRIC_TOLD, .help = "How long.", .label = "a"},
	{.name = NULL},
};

static struct metric never[] = {{.name = "never_total", .type = METRIC_COUNTER}, {.name = NULL}};

static char *written(void)
{
	struct buffer out;
	buffer_init(&out, 1 << 20);
	assert_int_equal(metric_write(&out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	char *text = x_strdup((const char *)out.at);
	buffer_clear(&out);
	return text;
}

static void assert_says(const char *line)
{
	char *text = written();
	if (!strstr(text, line))
		print_error("missing: %s\nin:\n%s\n", line, text);
	assert_non_null(strstr(text, line));
	free(text);
}

static void *work(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		metric_add(&table[REQUESTS], 1);
		metric_add_at(&table[BY_KIND], 1, 2);
		metric_add(&table[OPEN], i % 2 ? 1 : -1);
		metric_observe_us(&table[TOOK], 100);
	}
	metric_add(&table[OPEN], 5);
	return NULL;
}

static void threads_are_summed_and_outlived(void **state)
{
	(void)state;
	metric_add(&table[REQUESTS], 1); /* not registered yet: not counted */
	metric_register(table);
	metric_register(table);
	work(NULL);
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
	free(written()); /* reading while they count */
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	assert_says("# HELP fleetscale_requests_total Requests.\\nSecond line, with a \\\\.\n# TYPE fleetscale_requests_total counter\n"
		    "fleetscale_requests_total 5000\n");
	assert_says("fleetscale_drops_total{kind=\"plain\"} 0\nfleetscale_drops_total{kind=\"odd\\\"\\\\\\nname\"} 10000\n");
	assert_says("fleetscale_sessions_open 25\n");
	assert_says("fleetscale_took_us_bucket{le=\"64\"} 0\nfleetscale_took_us_bucket{le=\"128\"} 5000\n");
	assert_says("fleetscale_took_us_bucket{le=\"+Inf\"} 5000\nfleetscale_took_us_sum 500000\nfleetscale_took_us_count 5000\n");
	metric_add(&never[0], 1);
	char *text = written();
	assert_null(strstr(text, "never"));
	free(text);
}

static void buckets_are_powers_of_two(void **state)
{
	(void)state;
	static const uint64_t times[] = {0, 16, 17, 32, 33, 33554432, 33554433, UINT64_C(1) << 50};
	for (size_t i = 0; i < COUNT_OF(times); i++)
		metric_observe_us(&table[LASTED], times[i]);
	assert_says("fleetscale_lasted_seconds_bucket{le=\"1.6e-05\"} 2\nfleetscale_lasted_seconds_bucket{le=\"3.2e-05\"} 4\n"
		    "fleetscale_lasted_seconds_bucket{le=\"6.4e-05\"} 5\n");
	assert_says("fleetscale_lasted_seconds_bucket{le=\"33.554432\"} 6\nfleetscale_lasted_seconds_bucket{le=\"+Inf\"} 8\n");
	assert_says("fleetscale_lasted_seconds_count 8\n");
}

static void several_labels_go_by_commas(void **state)
{
	(void)state;
	metric_add_at(&table[PAIRED], 1, 3);
	metric_add_at(&table[PAIRED], 2, 4);
	assert_says("fleetscale_lost_total{reason=\"full\",kind=\"disco\"} 0\nfleetscale_lost_total{reason=\"full\",kind=\"other\"} 3\n"
		    "fleetscale_lost_total{reason=\"gone\",kind=\"disco\"} 4\n");
}

static void histograms_may_have_bounds_of_their_own(void **state)
{
	(void)state;
	metric_observe_at(&table[SIZED], 0, 0);
	metric_observe_at(&table[SIZED], 2, 9);
	metric_observe_at(&table[SIZED], 3, 70);
	assert_says("fleetscale_batch_size_bucket{le=\"0\"} 1\nfleetscale_batch_size_bucket{le=\"5\"} 1\nfleetscale_batch_size_bucket{le=\"10\"} 2\n"
		    "fleetscale_batch_size_bucket{le=\"+Inf\"} 3\nfleetscale_batch_size_sum 79\nfleetscale_batch_size_count 3\n");
	metric_observe_at(&table[AWAY], 1, 250000);
	assert_says("fleetscale_away_seconds_bucket{le=\"0.01\"} 0\nfleetscale_away_seconds_bucket{le=\"0.5\"} 1\n"
		    "fleetscale_away_seconds_bucket{le=\"+Inf\"} 1\nfleetscale_away_seconds_sum 0.25\n");
	assert_int_equal(metric_sum(&table[SIZED], 2), 1);
	assert_int_equal(metric_sum(&table[SIZED], 3), 1);
	assert_int_equal(metric_sum(&table[SIZED], 4), 79);
}

#define TELL(...) ((const char *const[]){__VA_ARGS__})

static void a_program_tells_what_it_is(void **state)
{
	(void)state;
	assert_says("fleetscale_sessions_open");
	metric_tell(&table[THING], &(struct metric_told){TELL("old", "x"), 1}, 1);
	metric_tell(&table[KIN], &(struct metric_told){TELL("b"), 1}, 1);
	metric_tell(&table[THING], &(struct metric_told){TELL("quo\"te\n", ""), 1}, 1);
	assert_says(
		"# HELP fleetscale_thing_info What it is.\n# TYPE fleetscale_thing_info gauge\nfleetscale_thing_info{region=\"quo\\\"te\\n\",more=\"\"} 1\n");
	assert_says("fleetscale_kin{a=\"b\"} 1\n");
	const struct metric_told several[] = {{TELL("r1"), 3}, {TELL("r2"), -4}};
	metric_tell(&table[KIN], several, 2);
	assert_says("# TYPE fleetscale_kin gauge\nfleetscale_kin{a=\"r1\"} 3\nfleetscale_kin{a=\"r2\"} -4\n");
	metric_tell(&table[KIN], NULL, 0);
	metric_tell(&table[TOOK_TOLD], &(struct metric_told){TELL("b"), 1500}, 1);
	assert_says("# TYPE fleetscale_way_seconds gauge\nfleetscale_way_seconds{a=\"b\"} 0.001500\n");
	char *text = written();
	assert_null(strstr(text, "old"));
	assert_null(strstr(text, "kin{"));
	free(text);
}

/* More than there is room for: whole series, as many as fit. */
static void what_is_told_has_a_cap(void **state)
{
	(void)state;
	enum { MANY = 3000 };
	static char long_text[512];
	static struct metric_told many[MANY];
	memset(long_text, 'x', sizeof long_text - 1);
	const char *const *values = TELL(long_text);
	for (size_t i = 0; i < MANY; i++)
		many[i] = (struct metric_told){values, 1};
	metric_tell(&table[KIN], many, MANY);
	struct buffer out;
	buffer_init(&out, 4 << 20);
	assert_int_equal(metric_write(&out), ERR_NONE);
	assert_true(out.len > 1000000 && out.len < 1100000);
	buffer_clear(&out);
	metric_tell(&table[KIN], NULL, 0);
}

static void caps_and_docs(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 100);
	assert_int_equal(buffer_add_text(&out, "kept"), ERR_NONE);
	assert_int_equal(metric_write(&out), ERR_TOO_BIG);
	assert_int_equal(metric_write_docs(&out), ERR_TOO_BIG);
	assert_true(bytes_equal_text(buffer_bytes(&out), "kept"));
	buffer_clear(&out);
	buffer_init(&out, 10000);
	assert_int_equal(metric_write_docs(&out), ERR_NONE);
	assert_true(
		bytes_starts(buffer_bytes(&out), "| metric | type | label | meaning |\n| --- | --- | --- | --- |\n| `fleetscale_requests_total` | counter |"));
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	assert_non_null(strstr((const char *)out.at, "| `fleetscale_lost_total` | counter | `reason`: full, gone; `kind`: disco, other | Lost. |\n"));
	assert_non_null(strstr((const char *)out.at, "| `fleetscale_thing_info` | gauge | `region`, `more` | What it is. |\n"));
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_are_summed_and_outlived),
		cmocka_unit_test(buckets_are_powers_of_two),
		cmocka_unit_test(several_labels_go_by_commas),
		cmocka_unit_test(histograms_may_have_bounds_of_their_own),
		cmocka_unit_test(a_program_tells_what_it_is),
		cmocka_unit_test(what_is_told_has_a_cap),
		cmocka_unit_test(caps_and_docs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
