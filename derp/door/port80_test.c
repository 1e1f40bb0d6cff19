#include "port80.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fetch.h"
#include "log.h"
#include "shard.h"

/* ---- port 80, played by the test ---- */

static struct loop *loop;
static struct relay relay;
static struct relay_options options;
static struct shard first;
static unsigned asked, known;
static char challenge[64], response[80];
static fetch_fn answer;

void fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn on_answer, void *context)
{
	assert_null(fetcher);
	assert_ptr_equal(context, &first);
	assert_string_equal(request->url, "http://192.0.2.80/generate_204");
	assert_int_equal(sscanf(request->header, "X-Tailscale-Challenge: %63s", challenge), 1);
	answer = on_answer;
	asked++;
}

const char *fetch_header(const struct fetcher *fetcher, const char *name)
{
	assert_null(fetcher);
	assert_string_equal(name, "X-Tailscale-Response");
	return *response ? response : NULL;
}

static void on_known(struct shard *s)
{
	assert_ptr_equal(s, &first);
	known++;
}

/* It answers so when it is asked the next time. */
static void hear(bool good)
{
	unsigned before = asked;
	snprintf(response, sizeof response, "%s%s", good ? "response " : "", good ? challenge : "");
	answer(&first, ERR_NONE, good ? 204 : 302, BYTES_NONE);
	for (unsigned s = 0; s < 120 && asked == before; s++) {
		clock_step_by_hand(1000);
		loop_turn(loop, 0);
	}
	assert_int_equal(asked, before + 1);
}

static int begin(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	options = (struct relay_options){.relay_ipv4 = "192.0.2.80"};
	relay = (struct relay){.options = &options, .plain_port.at.port = 80};
	first = (struct shard){.relay = &relay, .loop = loop, .options = &options};
	asked = known = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	port80_stop(&first);
	loop_free(&loop);
	return 0;
}

static void it_is_asked_as_clients_ask(void **state)
{
	(void)state;
	port80_watch(&first, on_known);
	assert_int_equal(asked, 1);
	assert_int_equal(known, 0);
	char before[sizeof challenge];
	strcpy(before, challenge);
	hear(true);
	assert_int_equal(known, 1);
	assert_true(relay.port80.good);
	assert_string_not_equal(challenge, before);
	/* An answer to another question is none. */
	snprintf(response, sizeof response, "response %s", before);
	for (unsigned i = 0; i < PORT80_CHANGES_AT; i++) {
		answer(&first, ERR_NONE, 204, BYTES_NONE);
		clock_step_by_hand(120000);
		loop_turn(loop, 0);
	}
	assert_int_equal(known, 2);
	assert_false(relay.port80.good);
}

static void nobody_asks_an_address_that_nobody_is_told(void **state)
{
	static const char *const told[] = {"", "none", "2001:db8::80"};
	(void)state;
	for (unsigned i = 0; i < sizeof told / sizeof *told; i++) {
		options.relay_ipv4 = (char *)(uintptr_t)told[i];
		port80_watch(&first, on_known);
		assert_int_equal(known, i + 1);
	}
	options.relay_ipv4 = (char *)(uintptr_t) "192.0.2.80";
	relay.plain_port.at.port = 0;
	port80_watch(&first, on_known);
	assert_int_equal(known, 4);
	assert_int_equal(asked, 0);
}

/* What shut doors do not answer was no change; one that could not open them must come to be announced all the same. */
static void shut_doors_say_nothing(void **state)
{
	(void)state;
	port80_watch(&first, on_known);
	hear(true);
	first.life.leaving = true;
	for (unsigned i = 0; i < 2 * PORT80_CHANGES_AT; i++)
		hear(false);
	assert_int_equal(known, 1);
	assert_true(relay.port80.good);
}

static void the_first_answer_comes_to_shut_doors_too(void **state)
{
	(void)state;
	first.life.leaving = true;
	port80_watch(&first, on_known);
	hear(false);
	assert_int_equal(known, 1);
	assert_false(relay.port80.good);
}

static void a_process_that_ends_is_not_announced(void **state)
{
	(void)state;
	port80_watch(&first, on_known);
	first.life.ending = true;
	hear(true);
	assert_int_equal(known, 0);
}

/* Answers in a row, '+' or '-'; at each one 'c' when it is known anew, else '.'. */
static void assert_changes(const char *answers, const char *changes, bool at_last)
{
	struct port80 p = {0};
	assert_int_equal(strlen(answers), strlen(changes));
	for (size_t i = 0; answers[i]; i++)
		assert_int_equal(port80_judge(&p, answers[i] == '+'), changes[i] == 'c');
	assert_int_equal(p.good, at_last);
}

static void the_first_answer_counts_at_once(void **state)
{
	(void)state;
	assert_changes("+", "c", true);
	assert_changes("-", "c", false);
	assert_changes("++++", "c...", true);
}

static void a_change_needs_several_in_a_row(void **state)
{
	(void)state;
	assert_changes("+--", "c..", true);
	assert_changes("+---", "c..c", false);
	assert_changes("+--+--+--", "c........", true);
	assert_changes("-+++", "c..c", true);
	assert_changes("-+++---", "c..c..c", false);
	assert_changes("-++++--", "c..c...", true);
}

#define IN_ORDER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_answer_counts_at_once),
		cmocka_unit_test(a_change_needs_several_in_a_row),
		IN_ORDER(it_is_asked_as_clients_ask),
		IN_ORDER(nobody_asks_an_address_that_nobody_is_told),
		IN_ORDER(shut_doors_say_nothing),
		IN_ORDER(the_first_answer_comes_to_shut_doors_too),
		IN_ORDER(a_process_that_ends_is_not_announced),
	};
	log_setup("port80_test", LOG_ERROR + 1, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
