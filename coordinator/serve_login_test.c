/* Logins against played rows, bus and carrier: each state's answer, held or not; whoever leaves and whatever fails, each request is answered once and
 * everything is let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "held.h"
#include "log.h"
#include "logins.h"
#include "nodes.h"
#include "played.h"
#include "serve_login.h"

enum { LIFETIME_MS = 900000, HOLD_MS = 60000 };

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

static struct coordinator c;
static struct coordinator_options options;
static struct exchange x;
static struct register_request request;
static const struct machine_key machine = {{1}};
static const struct exchange_events *events;
static void *events_context;
static bool ready, ended, aborted, redis_up, host_told, late;
static unsigned begun, looks, node_looks, published;
static char host_begun[300];
static struct bus_listener *listening;

/* What the row says. */
static enum { ROW_PENDING, ROW_NONE, ROW_ENDED, ROW_REFUSED, ROW_NODE, ROW_STRANGERS, ROW_OTHER_KEY } row;
static enum err find_error, begin_error, node_error;
static const char *begin_sentence;
static struct node node;
static bool node_known;
static struct user owner = {.id = 11, .tailnet = 1, .name = BYTES("ann")};

/* Answers that are out: given when the test says so, if `late`. */
static logins_found_fn found_out;
static logins_begun_fn begun_out;
static void *out_context;
static struct arena *out_arena;

static void give_found(void)
{
	logins_found_fn f = found_out;
	struct login *login = ARENA_NEW(out_arena, struct login);
	struct logins_found found = {.login = login, .left_ms = row == ROW_ENDED ? -5 : LIFETIME_MS};

	found_out = NULL;
	*login = (struct login){.id = 3, .machine_key = machine, .node_key = request.node_key};
	if (row == ROW_STRANGERS)
		login->machine_key.raw[0] = 2;
	if (row == ROW_OTHER_KEY)
		login->node_key.raw[0] = 99;
	if (row == ROW_NODE)
		login->node = 5;
	login->refused = row == ROW_REFUSED;
	login->refusal = row == ROW_REFUSED ? BYTES("not you") : BYTES_NONE;
	if (row == ROW_NONE || find_error)
		found = (struct logins_found){0};
	f(out_context, find_error, &found);
}

void logins_find(struct pg *pg, const uint8_t hash[static LOGIN_HASH_LEN], struct arena *arena, logins_found_fn on_found, void *context)
{
	(void)pg, (void)hash;
	assert_null(found_out);
	looks++;
	found_out = on_found;
	out_context = context;
	out_arena = arena;
	if (!late)
		give_found();
}

static void give_begun(void)
{
	logins_begun_fn f = begun_out;
	struct diag why = {0};

	begun_out = NULL;
	if (begin_sentence)
		diag_set(&why, begin_error, "%s", begin_sentence);
	f(out_context, begin_error, &why);
}

void logins_begin(struct pg *pg, const struct login_id *id, const struct login *login, struct bytes host, int64_t lifetime_ms, unsigned most,
		  logins_begun_fn on_begun, void *context)
{
	(void)pg, (void)id, (void)most;
	assert_int_equal(lifetime_ms, LIFETIME_MS);
	assert_true(key_equal(login->machine_key.raw, machine.raw) && key_equal(login->node_key.raw, request.node_key.raw));
	assert_true(bytes_equal_text(login->label, "anns-laptop") && bytes_equal_text(login->address, "192.0.2.7"));
	snprintf(host_begun, sizeof host_begun, "%.*s", BYTES_ARG(host));
	begun++;
	begun_out = on_begun;
	out_context = context;
	if (!late)
		give_begun();
}

void nodes_find(struct pg *pg, const struct node_key *key, bool with_epoch, struct arena *arena, nodes_place_fn on_found, void *context)
{
	struct nodes_place place = {.node = node_known ? &node : NULL, .user = &owner};

	(void)pg, (void)arena;
	assert_false(with_epoch);
	assert_true(key_equal(key->raw, request.node_key.raw));
	node_looks++;
	on_found(context, node_error, &place, 0);
}

void bus_listen(struct bus *bus, const char *channel, struct bus_listener *listener)
{
	(void)bus;
	assert_memory_equal(channel, "fs:login:", 9);
	assert_int_equal(strlen(channel), 9 + 2 * LOGIN_HASH_LEN);
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
	(void)bus, (void)on_reply, (void)context;
	assert_int_equal(argc, 3);
	assert_true(bytes_starts(argv[1], "fs:login:"));
	published++;
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

static const char followup[] = "https://login.example.com/register/hskey-authreq-0123456789abcdef01234567";

static void ask(const char *url)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &STREAMED,
			      .arena = arena_new(),
			      .program = &c,
			      .machine = &machine,
			      .door = DOOR_NOISE,
			      .host = host_told ? BYTES("Login.Example.com:8443") : BYTES_NONE,
			      .secure = true,
			      .gone = x.gone};
	assert_int_equal(endpoint_parse(BYTES("192.0.2.7:41000"), &x.peer), ERR_NONE);
	request.followup = bytes_text(url);
	status = answers = 0;
	events = NULL;
	ended = aborted = false;
	text[0] = retry_after[0] = 0;
	login_serve(&x, &request);
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

static void step(int64_t ms)
{
	clock_step_by_hand(ms);
	loop_turn(c.loop, 0);
}

static int set_up(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1800000000000));
	options = (struct coordinator_options){.server_url = (char *)"", .login_lifetime_ms = LIFETIME_MS, .login_hold_ms = HOLD_MS};
	c = (struct coordinator){.loop = loop_new(), .options = &options};
	list_init(&c.logins);
	request = (struct register_request){
		.capver = 142, .node_key = {{7}}, .expiry = WALL_ZERO, .hostinfo = {.hostname = BYTES("Ann's Laptop"), .json = BYTES("{}")}};
	node = (struct node){.id = 5, .tailnet = 1, .user = 11, .machine_key = machine, .expiry = WALL_ZERO, .created = wall_of_ms(1), .approved = true};
	row = ROW_PENDING;
	ready = redis_up = node_known = host_told = true;
	late = x.gone = false;
	find_error = begin_error = node_error = ERR_NONE;
	begin_sentence = NULL;
	begun = looks = node_looks = published = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_let_go();
	arena_free(&x.arena);
	loop_free(&c.loop);
	return 0;
}

static void test_a_first_request_gets_a_url(void **state)
{
	(void)state;
	ask("");
	assert_int_equal(status, 200);
	assert_holds("\"AuthURL\":\"https://Login.Example.com:8443/register/hskey-authreq-");
	assert_string_equal(host_begun, "login.example.com");
	options.server_url = (char *)"https://fixed.example.com/";
	ask("");
	assert_holds("\"AuthURL\":\"https://fixed.example.com/register/hskey-authreq-");
	/* Without a host and an option nobody could open it. */
	options.server_url = (char *)"";
	host_told = false;
	ask("");
	assert_holds("\"Error\":\"this server does not know its own URL");
	assert_int_equal(begun, 2);
}

static void test_what_refuses_a_beginning(void **state)
{
	(void)state;
	begin_error = ERR_DENIED;
	begin_sentence = "this tailnet is suspended";
	ask("");
	assert_holds("\"Error\":\"this tailnet is suspended\"");
	begin_error = ERR_EXHAUSTED;
	ask("");
	assert_int_equal(status, 429);
	assert_string_equal(retry_after, "30");
	begin_error = ERR_UNAVAILABLE;
	ask("");
	assert_int_equal(status, 503);
	assert_string_equal(retry_after, "5");
	x.gone = true;
	begin_error = ERR_NONE;
	ask("");
	assert_int_equal(answers, 1);
}

static void test_answers_at_once(void **state)
{
	(void)state;
	ask("https://login.example.com/register/x");
	assert_holds("\"Error\":\"no such login for this machine\"");
	assert_int_equal(looks, 0);
	row = ROW_STRANGERS;
	ask(followup);
	assert_holds("\"Error\":\"no such login for this machine\"");
	row = ROW_REFUSED;
	ask(followup);
	assert_holds("\"Error\":\"not you\"");
	assert_int_equal(begun, 0);
	row = ROW_NODE;
	ask(followup);
	assert_holds("\"LoginName\":\"ann\"");
	assert_null(strstr(text, "register/"));
	/* A fresh URL for what cannot be followed any more. */
	for (int gone = 0; gone < 5; gone++) {
		row = (int[]){ROW_NONE, ROW_ENDED, ROW_OTHER_KEY, ROW_NODE, ROW_NODE}[gone];
		node_known = gone != 3;
		node.expiry = gone == 4 ? wall_of_ms(1) : WALL_ZERO;
		ask(followup);
		assert_holds("\"AuthURL\":\"https://Login.Example.com:8443/register/hskey-authreq-");
		assert_null(strstr(text, "0123456789abcdef01234567"));
		assert_int_equal(begun, gone + 1);
	}
	/* Another machine has the node key by now. */
	node_known = true;
	node.expiry = WALL_ZERO;
	node.machine_key.raw[0] = 2;
	ask(followup);
	assert_null(strstr(text, "ann"));
	find_error = ERR_UNAVAILABLE;
	ask(followup);
	assert_int_equal(status, 503);
	find_error = ERR_NONE;
	node_error = ERR_TIMEOUT;
	ask(followup);
	assert_int_equal(status, 503);
}

static void test_held_until_the_bus_says(void **state)
{
	(void)state;
	ask(followup);
	assert_true(held() && listening);
	listening->on_message(listening->context, BYTES("1"));
	assert_true(held());
	row = ROW_NODE;
	listening->on_message(listening->context, BYTES("1"));
	assert_true(ended);
	assert_int_equal(answers, 1);
	assert_holds("\"LoginName\":\"ann\"");
	assert_let_go();
	row = ROW_PENDING;
	ask(followup);
	row = ROW_REFUSED;
	listening->on_restored(listening->context);
	assert_true(ended);
	assert_holds("\"Error\":\"not you\"");
}

static void test_held_without_a_bus(void **state)
{
	(void)state;
	redis_up = false;
	ask(followup);
	step(1500);
	step(1500);
	assert_int_equal(looks, 3);
	assert_true(held());
	/* What cannot be read now is read again. */
	find_error = ERR_UNAVAILABLE;
	step(1500);
	assert_true(held());
	find_error = ERR_NONE;
	row = ROW_NODE;
	step(1500);
	assert_true(ended);
	assert_holds("\"LoginName\":\"ann\"");
}

static void test_a_hold_ends(void **state)
{
	unsigned before;

	(void)state;
	ask(followup);
	for (int64_t ms = 0; ms < HOLD_MS - 1000; ms += 500)
		step(500);
	assert_true(held());
	before = looks;
	assert_true(before < 12);
	step(1000);
	assert_true(ended);
	assert_holds("\"AuthURL\":\"https://login.example.com/register/hskey-authreq-0123456789abcdef01234567\"");
	/* The login ends meanwhile: a fresh one, at once. */
	ask(followup);
	row = ROW_ENDED;
	step(1500);
	assert_true(ended);
	assert_holds("https://Login.Example.com:8443/register/");
	assert_int_equal(begun, 1);
	/* Where none can begin the stream breaks, which is asked again. */
	row = ROW_PENDING;
	ask(followup);
	row = ROW_NONE;
	begin_error = ERR_EXHAUSTED;
	step(1500);
	assert_true(aborted);
	assert_int_equal(answers, 0);
}

static void test_whoever_leaves(void **state)
{
	(void)state;
	ask(followup);
	events->on_gone(events_context, ERR_CLOSED);
	assert_let_go();
	/* While a reading is out: it comes back to nobody. */
	ask(followup);
	late = true;
	listening->on_message(listening->context, BYTES("1"));
	listening->on_message(listening->context, BYTES("1"));
	events->on_gone(events_context, ERR_CLOSED);
	assert_let_go();
	row = ROW_NODE;
	give_found();
	assert_int_equal(answers, 0);
	/* While a beginning is out. */
	row = ROW_PENDING;
	late = false;
	ask(followup);
	row = ROW_NONE;
	late = true;
	listening->on_message(listening->context, BYTES("1"));
	give_found();
	assert_non_null(begun_out);
	events->on_gone(events_context, ERR_CLOSED);
	give_begun();
	assert_int_equal(answers, 0);
	/* Before anything was held. */
	late = false;
	row = ROW_PENDING;
	x.gone = true;
	ask(followup);
	assert_int_equal(answers, 1);
	assert_null(events);
}

static void test_a_hold_ends_while_a_reading_is_out(void **state)
{
	(void)state;
	ask(followup);
	late = true;
	listening->on_message(listening->context, BYTES("1"));
	step(HOLD_MS);
	assert_true(ended);
	assert_int_equal(answers, 1);
	row = ROW_NODE;
	give_found();
	assert_int_equal(answers, 1);
}

static void test_an_answer_waits_for_room(void **state)
{
	(void)state;
	ask(followup);
	ready = false;
	row = ROW_NODE;
	listening->on_message(listening->context, BYTES("1"));
	assert_int_equal(answers, 0);
	/* Nothing that comes meanwhile changes it. */
	row = ROW_REFUSED;
	listening->on_message(listening->context, BYTES("1"));
	step(HOLD_MS * 2);
	held_end_all(&c);
	ready = true;
	events->on_room(events_context);
	assert_true(ended);
	assert_holds("\"LoginName\":\"ann\"");
	/* Or it never comes. */
	row = ROW_PENDING;
	ask(followup);
	ready = false;
	row = ROW_NODE;
	listening->on_message(listening->context, BYTES("1"));
	events->on_gone(events_context, ERR_CLOSED);
	assert_int_equal(answers, 0);
	ready = true;
}

static void test_a_drain_sends_away(void **state)
{
	(void)state;
	ask(followup);
	held_end_all(&c);
	assert_true(ended);
	assert_holds("0123456789abcdef01234567");
	c.draining = true;
	ask(followup);
	assert_int_equal(answers, 1);
	assert_null(events);
	c.draining = false;
}

static void test_a_ring(void **state)
{
	(void)state;
	held_ring(&c, (uint8_t[LOGIN_HASH_LEN]){1});
	assert_int_equal(published, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_first_request_gets_a_url),
		TEST(test_what_refuses_a_beginning),
		TEST(test_answers_at_once),
		TEST(test_held_until_the_bus_says),
		TEST(test_held_without_a_bus),
		TEST(test_a_hold_ends),
		TEST(test_whoever_leaves),
		TEST(test_a_hold_ends_while_a_reading_is_out),
		TEST(test_an_answer_waits_for_room),
		TEST(test_a_drain_sends_away),
		TEST(test_a_ring),
	};

	log_setup("test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
