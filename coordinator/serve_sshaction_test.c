/* Questions about SSH connections against a played judge, played rows, bus and carrier: each state's answer, held or not; whoever leaves and whatever fails,
 * each request is answered once and everything is let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "act_sshcheck.h"
#include "held.h"
#include "log.h"
#include "node.h"
#include "played.h"
#include "rate.h"
#include "serve_sshaction.h"
#include "sshjudge.h"

enum { HOLD_MS = 60000, HOUR_MS = 3600000 };

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

static struct coordinator c;
static struct coordinator_options options;
static struct exchange x;
static const struct machine_key machine = {{1}};
static const struct exchange_events *events;
static void *events_context;
static bool ready, ended, aborted, redis_up, late;
static unsigned begun, looks, judged;
static struct bus_listener *listening;

static uint64_t tailnet;
static const char *refusal, *begin_sentence;
static bool checks;
static int64_t period_ms, signin_age_ms;
static enum { ROW_NONE, ROW_PENDING, ROW_APPROVED, ROW_REFUSED, ROW_OTHERS, ROW_ENDED } row;
static enum err destination_error, judge_error, begin_error, look_error;

/* Answers that are out: given when the test says so, if `late`. */
static sshjudge_fn judge_out;
static act_sshcheck_fn begin_out;
static sshchecks_looked_fn look_out;
static void *out_context;

void sshchecks_destination(struct pg *pg, uint64_t node, const struct machine_key *asking, sshchecks_destination_fn on_found, void *context)
{
	(void)pg;
	assert_int_equal(node, 22);
	assert_true(key_equal(asking->raw, machine.raw));
	on_found(context, destination_error, tailnet);
}

static struct sshchecks_found row_now(void)
{
	struct sshchecks_found found = {.check = {.source = row == ROW_OTHERS ? 12 : 11, .destination = 22, .user = 5, .local_user = BYTES("root")},
					.left_ms = row == ROW_ENDED ? 0 : HOUR_MS};

	found.check.answered = row == ROW_APPROVED || row == ROW_REFUSED;
	found.check.refusal = row == ROW_REFUSED ? BYTES("not you") : BYTES_NONE;
	return found;
}

static void give_judged(void)
{
	static const struct node source = {.id = 11, .user = 5}, destination = {.id = 22};
	sshjudge_fn f = judge_out;
	struct sshchecks_found followed = row_now();
	struct sshjudge_found found = {.source = &source,
				       .destination = &destination,
				       .refusal = refusal,
				       .check = checks,
				       .period_ms = period_ms,
				       .accept = sshaction_accept(NULL, 0, false),
				       .signin_age_ms = signin_age_ms,
				       .followed = row == ROW_NONE ? NULL : &followed};

	judge_out = NULL;
	f(out_context, judge_error, judge_error ? NULL : &found);
}

void sshjudge(struct coordinator *program, uint64_t in, const struct sshquestion *question, struct arena *arena, sshjudge_fn on_judged, void *context)
{
	(void)program, (void)arena;
	assert_true(in == tailnet && question->source == 11 && question->destination == 22);
	assert_true(bytes_equal_text(question->local_user, "root"));
	assert_null(judge_out);
	judged++;
	judge_out = on_judged;
	out_context = context;
	if (!late)
		give_judged();
}

static void give_begun(void)
{
	act_sshcheck_fn f = begin_out;
	struct diag why = {.text = ""};

	begin_out = NULL;
	if (begin_sentence)
		diag_set(&why, begin_error, "%s", begin_sentence);
	f(out_context, begin_error, &why);
}

void act_sshcheck_begin(struct coordinator *program, uint64_t in, const struct login_id *id, const struct sshcheck_login *login, act_sshcheck_fn on_done,
			void *context)
{
	(void)program, (void)id;
	assert_true(in == tailnet && login->source == 11 && login->destination == 22 && login->user == 5);
	begun++;
	begin_out = on_done;
	out_context = context;
	if (!late)
		give_begun();
}

static void give_looked(void)
{
	sshchecks_looked_fn f = look_out;
	struct sshchecks_found found = row_now();

	look_out = NULL;
	f(out_context, look_error, look_error || row == ROW_NONE ? NULL : &found, look_error ? -1 : signin_age_ms);
}

void sshchecks_look(struct pg *pg, uint64_t in, const uint8_t hash[static LOGIN_HASH_LEN], uint64_t node, struct arena *arena, sshchecks_looked_fn on_looked,
		    void *context)
{
	(void)pg, (void)hash, (void)arena;
	assert_true(in == tailnet && node == 11);
	assert_null(look_out);
	looks++;
	look_out = on_looked;
	out_context = context;
	if (!late)
		give_looked();
}

void bus_listen(struct bus *bus, const char *channel, struct bus_listener *listener)
{
	(void)bus;
	assert_memory_equal(channel, "fs:login:", 9);
	assert_null(listening);
	listening = listener;
}

void bus_unlisten(struct bus *bus, struct bus_listener *listener)
{
	(void)bus;
	assert_ptr_equal(listening, listener);
	listening = NULL;
}

bool bus_up(const struct bus *bus)
{
	(void)bus;
	return redis_up;
}

void bus_command(struct bus *bus, bus_reply_fn on_reply, void *context, size_t argc, const struct bytes *argv)
{
	(void)bus, (void)on_reply, (void)context, (void)argc, (void)argv;
}

static void play_whole(struct exchange *exchange, unsigned code, const char *type, struct bytes body)
{
	assert_null(events);
	play_reply(exchange, code, type, body);
}

static void play_stream(struct exchange *exchange, unsigned code, const char *type, const struct exchange_events *stream_events, void *context)
{
	(void)exchange;
	assert_int_equal(code, 200);
	assert_string_equal(type, "application/json");
	events = stream_events;
	events_context = context;
}

static bool play_ready(const struct exchange *exchange)
{
	(void)exchange;
	return ready;
}

static void play_send(struct exchange *exchange, struct body *const *pieces, size_t count)
{
	(void)exchange;
	assert_true(ready && !ended && !aborted && count == 1);
	snprintf(text, sizeof text, "%.*s", (int)pieces[0]->len, (const char *)pieces[0]->at);
	answers++;
}

static void play_end(struct exchange *exchange, bool broken)
{
	(void)exchange;
	assert_true(!ended && !aborted);
	ended = !broken;
	aborted = broken;
}

static const struct carrier STREAMED = {
	.add_header = play_add_header, .reply = play_whole, .stream = play_stream, .ready = play_ready, .send = play_send, .end = play_end};

/* --- asking ------------------------------------------------------------------------------------------------------------------------------------- */

#define FIRST "local_user=root"
#define FOLLOW "local_user=root&auth_id=hskey-authreq-0123456789abcdef01234567"
#define SAME_AGAIN \
	"{\"holdAndDelegate\":\"https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER&" \
	"auth_id=hskey-authreq-0123456789abcdef01234567\"}"
#define ACCEPTED "{\"accept\":true,\"allowAgentForwarding\":true,\"allowLocalPortForwarding\":true,\"allowRemotePortForwarding\":true}"

static void ask(const char *query)
{
	bool gone = x.gone;

	arena_free(&x.arena);
	x = (struct exchange){.carrier = &STREAMED,
			      .arena = arena_new(),
			      .program = &c,
			      .machine = &machine,
			      .door = DOOR_NOISE,
			      .query = bytes_text(query),
			      .params = {BYTES("11"), BYTES("22")},
			      .host = BYTES("login.example.com"),
			      .secure = true,
			      .gone = gone};
	status = answers = 0;
	events = NULL;
	ended = aborted = false;
	text[0] = retry_after[0] = 0;
	serve_sshaction(&x);
}

static bool held(void)
{
	return events && !ended && !aborted && !answers;
}

static void assert_holds(const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void assert_let_go(void)
{
	assert_null(listening);
	assert_true(list_empty(&c.logins));
}

static void ring(void)
{
	listening->on_message(listening->context, BYTES("1"));
}

static void step(int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(c.loop, 0);
}

static int set_up(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1800000000000));
	options = (struct coordinator_options){.server_url = (char *)"", .login_lifetime_ms = HOUR_MS, .login_hold_ms = HOLD_MS};
	c = (struct coordinator){.loop = loop_new(), .options = &options, .request_rate = rate_new(1000, 16)};
	list_init(&c.logins);
	tailnet = 3;
	row = ROW_NONE;
	refusal = begin_sentence = NULL;
	checks = ready = redis_up = true;
	late = x.gone = false;
	period_ms = HOUR_MS;
	signin_age_ms = -1;
	destination_error = judge_error = begin_error = look_error = ERR_NONE;
	begun = looks = judged = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_let_go();
	arena_free(&x.arena);
	rate_free(&c.request_rate);
	loop_free(&c.loop);
	return 0;
}

static void test_answers_at_once(void **state)
{
	(void)state;
	checks = false;
	ask(FIRST);
	assert_string_equal(text, ACCEPTED);
	checks = true;
	signin_age_ms = HOUR_MS - 1;
	ask(FIRST);
	assert_string_equal(text, ACCEPTED);
	refusal = "the policy does not permit it";
	ask(FIRST);
	assert_string_equal(text, "{\"message\":\"# This SSH connection was rejected: the policy does not permit it.\\n\",\"reject\":true}");
	refusal = NULL;
	signin_age_ms = -1;
	row = ROW_REFUSED;
	ask(FOLLOW);
	assert_holds("rejected: not you.");
	row = ROW_APPROVED;
	ask(FOLLOW);
	assert_string_equal(text, ACCEPTED);
	assert_int_equal(begun, 0);
	tailnet = 0;
	ask(FIRST);
	assert_holds("\"reject\":true");
	assert_holds("this machine has no such node");
}

static void test_asks_for_a_sign_in(void **state)
{
	(void)state;
	ask(FIRST);
	assert_holds("{\"message\":\"# SSH requires an additional check.\\n# To authenticate, visit: https://login.example.com/auth/hskey-authreq-");
	assert_holds("\"holdAndDelegate\":\"https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER&auth_id=hskey-authreq-");
	/* Also for what cannot be followed any more. */
	for (int gone = 0; gone < 3; gone++) {
		row = (int[]){ROW_NONE, ROW_OTHERS, ROW_ENDED}[gone];
		ask(FOLLOW);
		assert_holds("https://login.example.com/auth/");
		assert_null(strstr(text, "0123456789abcdef01234567"));
	}
	period_ms = -1;
	signin_age_ms = 0;
	row = ROW_NONE;
	ask(FIRST);
	assert_holds("https://login.example.com/auth/");
	assert_int_equal(begun, 5);
	begin_error = ERR_EXHAUSTED;
	begin_sentence = "too many sign-ins wait in this tailnet";
	ask(FIRST);
	assert_holds("rejected: too many sign-ins wait in this tailnet.");
}

static void test_what_fails_is_asked_again(void **state)
{
	(void)state;
	destination_error = ERR_UNAVAILABLE;
	ask(FIRST);
	assert_int_equal(status, 503);
	assert_string_equal(retry_after, "5");
	destination_error = ERR_NONE;
	judge_error = ERR_EXHAUSTED;
	ask(FIRST);
	assert_int_equal(status, 503);
	judge_error = ERR_NONE;
	begin_error = ERR_TIMEOUT;
	ask(FIRST);
	assert_int_equal(status, 503);
	/* Held: by a broken stream. */
	begin_error = ERR_NONE;
	row = ROW_PENDING;
	ask(FOLLOW);
	row = ROW_APPROVED;
	judge_error = ERR_UNAVAILABLE;
	ring();
	assert_true(aborted);
	assert_int_equal(answers, 0);
	ask("local_user=");
	assert_int_equal(status, 400);
	rate_free(&c.request_rate);
	c.request_rate = rate_new(1, 16);
	ask(FIRST);
	ask(FIRST);
	assert_int_equal(status, 429);
}

static void test_held_until_the_bus_says(void **state)
{
	(void)state;
	row = ROW_PENDING;
	ask(FOLLOW);
	assert_true(held() && listening);
	ring();
	assert_true(held());
	/* A look does not judge anew. */
	assert_true(looks == 1 && judged == 1);
	row = ROW_APPROVED;
	ring();
	assert_true(ended);
	assert_string_equal(text, ACCEPTED);
	assert_let_go();
	/* Somebody signed in at the same source. */
	row = ROW_PENDING;
	ask(FOLLOW);
	signin_age_ms = 5;
	listening->on_restored(listening->context);
	assert_true(ended);
	assert_string_equal(text, ACCEPTED);
	/* The policy moved on meanwhile. */
	signin_age_ms = -1;
	ask(FOLLOW);
	row = ROW_APPROVED;
	refusal = "the policy does not permit it";
	ring();
	assert_true(ended);
	assert_holds("\"reject\":true");
}

static void test_held_without_a_bus(void **state)
{
	(void)state;
	redis_up = false;
	row = ROW_PENDING;
	ask(FOLLOW);
	step(1500);
	step(1500);
	assert_int_equal(looks, 2);
	assert_true(held());
	look_error = ERR_UNAVAILABLE;
	step(1500);
	assert_true(held());
	look_error = ERR_NONE;
	row = ROW_REFUSED;
	step(1500);
	assert_true(ended);
	assert_holds("not you");
}

static void test_a_hold_ends(void **state)
{
	(void)state;
	row = ROW_PENDING;
	ask(FOLLOW);
	for (int64_t ms = 0; ms < HOLD_MS - 1000; ms += 500)
		step(500);
	assert_true(held() && looks < 12);
	step(1000);
	assert_true(ended);
	assert_string_equal(text, SAME_AGAIN);
	ask(FOLLOW);
	held_end_all(&c);
	assert_true(ended);
	assert_string_equal(text, SAME_AGAIN);
	c.draining = true;
	ask(FOLLOW);
	assert_null(events);
	assert_string_equal(text, SAME_AGAIN);
	c.draining = false;
	/* It ends meanwhile: a fresh one, at once. */
	ask(FOLLOW);
	row = ROW_ENDED;
	step(1500);
	assert_true(ended);
	assert_holds("https://login.example.com/auth/");
}

static void test_whoever_leaves(void **state)
{
	(void)state;
	row = ROW_PENDING;
	ask(FOLLOW);
	events->on_gone(events_context, ERR_CLOSED);
	assert_let_go();
	/* While a look, a judgement, a beginning is out: each comes back to nobody. */
	for (int out = 0; out < 3; out++) {
		late = false;
		row = ROW_PENDING;
		ask(FOLLOW);
		late = true;
		ring();
		ring();
		row = out == 2 ? ROW_ENDED : ROW_APPROVED;
		if (out > 0)
			give_looked();
		if (out > 1)
			give_judged();
		events->on_gone(events_context, ERR_CLOSED);
		assert_let_go();
		if (out == 0)
			give_looked();
		else if (out == 1)
			give_judged();
		else
			give_begun();
		assert_int_equal(answers, 0);
	}
	late = false;
	row = ROW_PENDING;
	x.gone = true;
	ask(FOLLOW);
	assert_int_equal(answers, 1);
	assert_null(events);
}

static void test_what_comes_while_something_is_out(void **state)
{
	(void)state;
	row = ROW_PENDING;
	ask(FOLLOW);
	late = true;
	ring();
	ring();
	/* Rung again while the look was out: looked again. */
	give_looked();
	assert_non_null(look_out);
	row = ROW_APPROVED;
	give_looked();
	step(HOLD_MS);
	assert_true(ended);
	assert_string_equal(text, SAME_AGAIN);
	give_judged();
	assert_int_equal(answers, 1);
}

static void test_an_answer_waits_for_room(void **state)
{
	(void)state;
	row = ROW_PENDING;
	ask(FOLLOW);
	ready = false;
	row = ROW_APPROVED;
	ring();
	assert_int_equal(answers, 0);
	row = ROW_REFUSED;
	ring();
	step(2 * HOLD_MS);
	held_end_all(&c);
	ready = true;
	events->on_room(events_context);
	assert_true(ended);
	assert_string_equal(text, ACCEPTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_at_once),
		TEST(test_asks_for_a_sign_in),
		TEST(test_what_fails_is_asked_again),
		TEST(test_held_until_the_bus_says),
		TEST(test_held_without_a_bus),
		TEST(test_a_hold_ends),
		TEST(test_whoever_leaves),
		TEST(test_what_comes_while_something_is_out),
		TEST(test_an_answer_waits_for_room),
	};

	log_setup("test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
