/* Coordinators are a list of replies; time stands still but for what the test lets pass. */
#include "announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "metrics_relay.h"

enum { URLS = 3 };

/* ---- coordinators ---- */

static fetch_fn waiting;
static void *waiting_context;
static unsigned asked; /* of all */
static char asked_url[128], asked_body[1024];
static int64_t asked_timeout;

void fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn on_answer, void *context)
{
	(void)fetcher;
	assert_null(waiting); /* one at a time */
	assert_string_equal(request->method, "POST");
	assert_string_equal(request->bearer, "hskey-relay-x");
	assert_true(request->body.len < sizeof asked_body);
	assert_true(strlen(request->url) < sizeof asked_url);
	memcpy(asked_url, request->url, strlen(request->url) + 1);
	memcpy(asked_body, request->body.at, request->body.len);
	asked_body[request->body.len] = '\0';
	asked_timeout = request->timeout_ms;
	waiting = on_answer;
	waiting_context = context;
	asked++;
}

const char *fetch_header(const struct fetcher *fetcher, const char *name)
{
	(void)fetcher, (void)name;
	return NULL;
}

static void answer(enum err e, unsigned status, const char *body)
{
	fetch_fn on_answer = waiting;
	assert_non_null(waiting);
	waiting = NULL;
	on_answer(waiting_context, e, status, bytes_text(body));
}

/* ---- the relay ---- */

static struct loop *loop;
static struct coordinators coordinators;
static struct announce *announce;
static unsigned written, taken, refused;
static int64_t lease_heard;

static void on_write(void *context, struct buffer *out)
{
	assert_ptr_equal(context, &coordinators);
	assert_int_equal(buffer_format(out, "{\"n\":%u}", ++written), ERR_NONE);
}

static void on_taken(void *context, const json_t *body)
{
	assert_ptr_equal(context, &coordinators);
	lease_heard = json_integer_value(json_object_get(body, "LeaseSeconds"));
	taken++;
}

static void on_refused(void *context)
{
	assert_ptr_equal(context, &coordinators);
	refused++;
}

static void pass(int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
}

/* Milliseconds until it says something again; more than `most`: it does not. */
static int64_t next_in(int64_t most)
{
	unsigned before = asked;
	int64_t ms = 0;
	assert_null(waiting);
	while (asked == before && ms <= most) {
		pass(1);
		ms++;
	}
	return ms;
}

static int open(void **state)
{
	struct diag why = {0};
	(void)state;
	clock_set_by_hand((struct mono){1000}, (struct wall){0});
	loop = loop_new();
	coordinators = (struct coordinators){0};
	assert_int_equal(coordinators_parse(BYTES("http://a,http://b,http://c"), &coordinators, &why), ERR_NONE);
	waiting = NULL;
	asked = written = taken = refused = 0;
	announce = announce_new(&(struct announce_config){.loop = loop,
							  .coordinators = &coordinators,
							  .token = "hskey-relay-x",
							  .write = on_write,
							  .on_taken = on_taken,
							  .on_refused = on_refused,
							  .context = &coordinators});
	assert_int_equal(asked, 0); /* the first one goes at the end of the turn */
	pass(0);
	assert_int_equal(asked, 1);
	return 0;
}

static int shut(void **state)
{
	(void)state;
	announce_free(&announce);
	assert_null(announce);
	if (waiting)
		answer(ERR_CANCELED, 0, "");
	announce_free(&announce);
	loop_free(&loop);
	coordinators_clear(&coordinators);
	return 0;
}

/* ---- when it is said ---- */

static void a_lease_is_renewed_each_third(void **state)
{
	static const struct {
		const char *body;
		int64_t wait_ms;
	} cases[] = {
		{"{\"LeaseSeconds\":15}", 5000},
		{"{\"LeaseSeconds\":3}", 1000},
		{"{\"LeaseSeconds\":0}", 5000},
		{"{\"LeaseSeconds\":-3}", 5000},
		{"{\"LeaseSeconds\":\"3\"}", 5000},
		{"{\"LeaseSeconds\":3.5}", 5000},
		{"{}", 5000},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_string_equal(asked_url, "http://a/relay/v1/announce");
		/* Each time anew. */
		char body[32];
		snprintf(body, sizeof body, "{\"n\":%zu}", i + 1);
		assert_string_equal(asked_body, body);
		assert_in_range(asked_timeout, 1, 5000);
		pass(60000); /* not while one is on its way */
		assert_int_equal(asked, i + 1);
		answer(ERR_NONE, 200, cases[i].body);
		assert_int_equal(taken, i + 1);
		assert_int_equal(next_in(60000), cases[i].wait_ms);
	}
	assert_int_equal(refused, 0);
}

/* The n-th reply is bad, for every n and every way to be bad: the next coordinator is asked soon, and stays the one. */
static void after_a_failure_the_next_one_is_asked(void **state)
{
	static const struct {
		enum err e;
		unsigned status;
		const char *body;
		bool refuses;
	} bad[] = {
		{ERR_UNAVAILABLE, 0, "", false},
		{ERR_TIMEOUT, 0, "", false},
		{ERR_TOO_BIG, 200, "{\"LeaseSeconds\":15}", false},
		{ERR_NONE, 401, "{\"error\":\"this relay token is not known\"}", true},
		{ERR_NONE, 403, "no JSON", true},
		{ERR_NONE, 404, "", false},
		{ERR_NONE, 503, "\xff\xfe", false},
		{ERR_NONE, 302, "{\"LeaseSeconds\":15}", false},
		{ERR_NONE, 200, "", false},
		{ERR_NONE, 200, "{\"LeaseSeconds\":15", false},
		{ERR_NONE, 200, "[]", false},
		{ERR_NONE, 200, "7", false},
	};
	static const char *const urls[] = {"http://a/relay/v1/announce", "http://b/relay/v1/announce", "http://c/relay/v1/announce"};
	unsigned at = 0, refusals = 0;
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		for (size_t i = 0; i < COUNT_OF(bad); i++) {
			for (unsigned good = 0; good < n; good++) {
				unsigned before = taken;
				answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
				assert_int_equal(taken, before + 1);
				assert_int_equal(next_in(6000), 5000);
				assert_string_equal(asked_url, urls[at]);
			}
			unsigned before = taken;
			int64_t wait_ms, counted = metric_sum(&relay_metrics[RELAY_ANNOUNCEMENTS],
							      bad[i].refuses ? RELAY_ANNOUNCEMENT_REFUSED : RELAY_ANNOUNCEMENT_FAILED);
			answer(bad[i].e, bad[i].status, bad[i].body);
			assert_int_equal(
				metric_sum(&relay_metrics[RELAY_ANNOUNCEMENTS], bad[i].refuses ? RELAY_ANNOUNCEMENT_REFUSED : RELAY_ANNOUNCEMENT_FAILED),
				counted + 1);
			refusals += bad[i].refuses;
			assert_int_equal(taken, before);
			assert_int_equal(refused, refusals);
			wait_ms = next_in(8000);
			assert_in_range(wait_ms, 1, n ? 1000 : 8000);
			at = (at + 1) % URLS;
			assert_string_equal(asked_url, urls[at]);
			/* Whoever asks about keys begins there, too. */
			assert_int_equal(coordinators_first(&coordinators), at);
		}
	}
}

static void distances_grow(void **state)
{
	int64_t least = 0, waits[8];
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(waits); i++) {
		answer(ERR_UNAVAILABLE, 0, "");
		waits[i] = next_in(20000);
		assert_true(waits[i] >= least);
		least = waits[i] / 2; /* a part of each is random */
	}
	assert_true(waits[0] < 1000);
	assert_in_range(waits[7], 4 * waits[0], 10000); /* a lease of 15 s lives through one more */
	answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
	next_in(6000);
	answer(ERR_UNAVAILABLE, 0, "");
	assert_true(next_in(20000) < 1000);
}

/* ---- in a hurry ---- */

static void in_a_hurry_it_is_said_now_and_often(void **state)
{
	(void)state;
	answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
	assert_true(announce_is_current(announce));
	announce_hurry(announce);
	assert_false(announce_is_current(announce));
	pass(0);
	assert_int_equal(asked, 2);
	assert_false(announce_is_current(announce));
	answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
	assert_true(announce_is_current(announce));
	for (unsigned i = 0; i < 3; i++) {
		assert_in_range(next_in(6000), 1, 1000);
		answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
		assert_true(announce_is_current(announce));
	}
}

/* What was on its way says nothing of it. */
static void an_older_answer_is_not_current(void **state)
{
	(void)state;
	announce_hurry(announce);
	pass(0);
	assert_int_equal(asked, 1);
	answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
	assert_int_equal(taken, 1);
	assert_false(announce_is_current(announce));
	assert_in_range(next_in(6000), 1, 1000);
	answer(ERR_UNAVAILABLE, 0, "");
	assert_false(announce_is_current(announce));
	assert_in_range(next_in(6000), 1, 1000);
	answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
	assert_true(announce_is_current(announce));
}

/* ---- the end ---- */

static struct announce *ending;

static void on_refused_end(void *context)
{
	(void)context;
	announce_free(&ending);
}

static void it_ends_at_any_time(void **state)
{
	struct announce_config config = {.loop = loop,
					 .coordinators = &coordinators,
					 .token = "hskey-relay-x",
					 .write = on_write,
					 .on_taken = on_taken,
					 .on_refused = on_refused,
					 .context = &coordinators};
	(void)state;
	answer(ERR_NONE, 200, "{}");
	announce_free(&announce);
	assert_int_equal(next_in(20000), 20001);
	/* Before the first one went, while one is on its way, and before the next one. */
	announce = announce_new(&config);
	announce_free(&announce);
	assert_int_equal(next_in(1000), 1001);
	announce = announce_new(&config);
	pass(0);
	announce_free(&announce);
	unsigned before = taken;
	answer(ERR_NONE, 200, "{\"LeaseSeconds\":15}");
	assert_int_equal(taken, before);
	assert_int_equal(next_in(20000), 20001);
	config.on_refused = on_refused_end;
	ending = announce_new(&config);
	pass(0);
	answer(ERR_NONE, 403, "{}");
	assert_null(ending);
	assert_int_equal(next_in(20000), 20001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_lease_is_renewed_each_third, open, shut),
		cmocka_unit_test_setup_teardown(after_a_failure_the_next_one_is_asked, open, shut),
		cmocka_unit_test_setup_teardown(distances_grow, open, shut),
		cmocka_unit_test_setup_teardown(in_a_hurry_it_is_said_now_and_often, open, shut),
		cmocka_unit_test_setup_teardown(an_older_answer_is_not_current, open, shut),
		cmocka_unit_test_setup_teardown(it_ends_at_any_time, open, shut),
	};
	log_setup("announce_test", LOG_ERROR + 1, LOG_TEXT);
	metric_register(relay_metrics);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
