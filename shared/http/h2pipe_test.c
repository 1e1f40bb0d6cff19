#include "h2pipe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "h2client.h"

static struct loop *loop;
static struct h2pipe *h2;
static unsigned outputs;
static const struct machine_key MACHINE = {{7}};

/* ---- handlers ---- */

static struct exchange *held;
static unsigned gones, rooms;
static enum err gone_why;

static void serve_echo(struct exchange *x)
{
	assert_int_equal(x->machine->raw[0], 7);
	assert_int_equal(x->capver, 99);
	assert_int_equal(x->door, DOOR_NOISE);
	/* Of the connection outside: the authority of the request says nothing. */
	assert_true(bytes_equal_text(x->host, "control.example:8443") && x->secure);
	exchange_add_header(x, "X-Extra", exchange_header(x, "x-extra"));
	exchange_reply(x, 200, "text/plain", x->body);
}

static void serve_big(struct exchange *x)
{
	size_t len = 300000;
	uint8_t *at = arena_alloc(x->arena, len);
	memset(at, 'b', len);
	exchange_reply(x, 200, "text/plain", bytes_of(at, len));
}

static void serve_empty(struct exchange *x)
{
	exchange_reply(x, 204, NULL, BYTES_NONE);
}

static void serve_hold(struct exchange *x)
{
	held = x;
}

static void on_room(void *context)
{
	(void)context;
	rooms++;
}

static void on_gone(void *context, enum err why)
{
	(void)context;
	gones++;
	gone_why = why;
}

static void serve_stream(struct exchange *x)
{
	static const struct exchange_events EVENTS = {.on_room = on_room, .on_gone = on_gone};
	held = x;
	exchange_add_header(x, "X-Extra", BYTES("s"));
	exchange_stream(x, 200, "application/x", &EVENTS, NULL);
}

static const struct route TABLE[] = {
	{METHOD_POST, "/echo", DOOR_NOISE, NULL, serve_echo, 100000},
	{METHOD_GET, "/echo", DOOR_NOISE, NULL, serve_echo, 0},
	{METHOD_GET, "/big", DOOR_NOISE, NULL, serve_big, 0},
	{METHOD_GET, "/empty", DOOR_NOISE, NULL, serve_empty, 0},
	{METHOD_GET, "/hold", DOOR_NOISE, NULL, serve_hold, 0},
	{METHOD_POST, "/hold", DOOR_NOISE, NULL, serve_hold, 0},
	{METHOD_GET, "/stream", DOOR_NOISE, NULL, serve_stream, 0},
	{METHOD_GET, "/elsewhere", DOOR_CLIENTS, NULL, serve_empty, 0},
	{0},
};

/* ---- frame ---- */

static void on_output(void *context)
{
	(void)context;
	outputs++;
}

static int begin(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	struct h2pipe_config config = {.loop = loop,
				       .table = TABLE,
				       .door = DOOR_NOISE,
				       .host = BYTES("control.example:8443"),
				       .secure = true,
				       .machine = &MACHINE,
				       .capver = 99,
				       .on_output = on_output};
	h2 = h2pipe_new(&config);
	outputs = gones = rooms = 0;
	held = NULL;
	h2client_begin(h2, loop);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	h2pipe_free(&h2);
	h2pipe_free(&h2);
	h2client_end();
	loop_free(&loop);
	return 0;
}

/* ---- tests ---- */

static void settings_come_first(void **state)
{
	struct buffer out;
	(void)state;
	loop_turn(loop, 0);
	assert_int_equal(outputs, 1);
	buffer_init(&out, 1000);
	assert_int_equal(h2pipe_take(h2, 1000, &out), ERR_NONE);
	static const uint8_t FRAME[] = {0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 1, 0, 0, 0, 0, 0, 6, 0, 0, 64, 0};
	assert_int_equal(out.len, sizeof(FRAME));
	assert_memory_equal(out.at, FRAME, sizeof(FRAME));
	assert_true(h2pipe_idle(h2));
	buffer_clear(&out);
}

static void exchange_many(void)
{
	struct upload u = {.left = 90000}, none = {0};
	int32_t a = ask_with("POST", "/echo", "one", &u), b = ask("GET", "/big"), c = ask("GET", "/empty"), d = ask("GET", "/nothing"),
		e = ask("DELETE", "/echo"), f = ask("HEAD", "/big"), g = ask_with("POST", "/echo?x=y", "", &none), h = ask("GET", "/elsewhere");
	pump();
	assert_int_equal(answer_of(a)->status, 200);
	assert_int_equal(answer_of(a)->body.len, 90000);
	assert_string_equal(answer_of(a)->extra, "one");
	assert_string_equal(answer_of(a)->type, "text/plain");
	assert_string_equal(answer_of(a)->length, "90000");
	assert_int_equal(answer_of(b)->body.len, 300000);
	assert_int_equal(answer_of(c)->status, 204);
	assert_int_equal(answer_of(d)->status, 404);
	assert_int_equal(answer_of(e)->status, 405);
	assert_int_equal(answer_of(f)->status, 200);
	assert_string_equal(answer_of(f)->length, "300000");
	assert_int_equal(answer_of(f)->body.len, 0);
	assert_int_equal(answer_of(g)->status, 200);
	assert_int_equal(answer_of(h)->status, 404);
	for (int32_t id = a; id <= h; id += 2)
		assert_true(answer_of(id)->closed && !answer_of(id)->code);
	assert_true(largest_data <= 4068);
	assert_int_equal(fed, ERR_NONE);
	assert_int_equal(h2pipe_streams(h2), 0);
	assert_true(h2pipe_idle(h2));
}

static void requests_are_answered(void **state)
{
	(void)state;
	exchange_many();
}

static void requests_are_answered_byte_by_byte(void **state)
{
	(void)state;
	byte_by_byte = true;
	take_at_once = 1;
	exchange_many();
}

static void pings_are_answered(void **state)
{
	(void)state;
	nghttp2_submit_ping(client, NGHTTP2_FLAG_NONE, NULL);
	pump();
	assert_int_equal(pongs, 1);
}

static void send_text(struct exchange *x, const char *one, const char *two)
{
	struct body *pieces[2] = {body_new(bytes_text(one)), body_new(bytes_text(two))};
	exchange_send(x, pieces, 2);
	body_drop(&pieces[0]);
	body_drop(&pieces[1]);
}

static void streams_flow_piece_by_piece(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/stream");
	pump();
	assert_int_equal(answer_of(id)->status, 200);
	assert_string_equal(answer_of(id)->extra, "s");
	assert_false(answer_of(id)->closed);
	assert_int_equal(rooms, 1);
	assert_true(exchange_ready(held));
	unsigned before = outputs;
	send_text(held, "hello ", "world");
	assert_false(exchange_ready(held));
	loop_turn(loop, 0);
	assert_int_equal(outputs, before + 1);
	assert_int_equal(rooms, 1);
	pump();
	assert_int_equal(rooms, 2);
	assert_body(id, "hello world");
	send_text(held, "", "!");
	exchange_end(held);
	pump();
	assert_body(id, "hello world!");
	assert_true(answer_of(id)->closed);
	assert_int_equal(answer_of(id)->code, 0);
	assert_int_equal(gones, 0);
	id = ask("GET", "/stream");
	pump();
	exchange_abort(held);
	pump();
	assert_int_equal(answer_of(id)->code, NGHTTP2_INTERNAL_ERROR);
	id = ask("HEAD", "/stream");
	pump();
	assert_true(answer_of(id)->closed);
	assert_int_equal(gones, 1);
}

/* The first map of a large tailnet is one frame of very many pieces. */
static void frames_have_any_number_of_pieces(void **state)
{
	enum { PIECES = 5000, PIECE = 8 };
	struct body *pieces[PIECES];
	(void)state;
	int32_t id = ask("GET", "/stream");
	pump();
	for (unsigned i = 0; i < PIECES; i++)
		pieces[i] = body_new(BYTES("eight..."));
	exchange_send(held, pieces, PIECES);
	exchange_end(held);
	for (unsigned i = 0; i < PIECES; i++)
		body_drop(&pieces[i]);
	pump();
	assert_int_equal(answer_of(id)->body.len, PIECES * PIECE);
	assert_true(answer_of(id)->closed);
}

static void streams_wait_for_the_window(void **state)
{
	(void)state;
	nghttp2_settings_entry small[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};
	nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, small, 1);
	int32_t id = ask("GET", "/stream");
	pump();
	send_text(held, "abc", "def");
	pump();
	assert_false(exchange_ready(held));
	assert_int_equal(answer_of(id)->body.len, 0);
	nghttp2_submit_window_update(client, NGHTTP2_FLAG_NONE, id, 4);
	/* The client's end widens the window by itself as it consumes. */
	pump();
	assert_body(id, "abcdef");
	assert_true(exchange_ready(held));
	exchange_end(held);
	pump();
	assert_true(answer_of(id)->closed);
}

static void resets_tell_the_handler(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/stream");
	pump();
	send_text(held, "x", "y");
	nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	pump();
	assert_int_equal(gones, 1);
	assert_int_equal(h2pipe_streams(h2), 0);
	/* A handler that has not answered yet is not told; its late answer is harmless. */
	id = ask("GET", "/hold");
	pump();
	nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	pump();
	assert_true(held->gone);
	exchange_reply_text(held, 200, "late");
	/* Also when it begins a stream only then. */
	id = ask("GET", "/hold");
	pump();
	nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	pump();
	serve_stream(held);
	assert_false(exchange_ready(held));
	loop_turn(loop, 0);
	assert_int_equal(gones, 2);
	/* Ended by the handler in the very turn of the reset: nothing is told. */
	id = ask("GET", "/stream");
	pump();
	nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	const uint8_t *at;
	ssize_t len = nghttp2_session_mem_send(client, &at);
	assert_int_equal(h2pipe_feed(h2, bytes_of(at, (size_t)len)), ERR_NONE);
	exchange_end(held);
	loop_turn(loop, 0);
	assert_int_equal(gones, 2);
	pump();
}

static void the_end_of_the_connection_tells_everybody(void **state)
{
	struct exchange *owing;
	(void)state;
	struct upload u = {.left = 10}, half = {.left = 5, .endless = true};
	ask_with("POST", "/hold", "e", &u);
	pump();
	owing = held;
	ask("GET", "/stream");
	ask_with("POST", "/echo", "e", &half);
	pump();
	h2pipe_free(&h2);
	assert_int_equal(gones, 1);
	assert_true(owing->gone);
	loop_turn(loop, 0);
	assert_int_equal(owing->machine->raw[0], 7);
	assert_true(bytes_equal_text(owing->host, "control.example:8443"));
	assert_int_equal(owing->body.len, 10);
	assert_int_equal(owing->body.at[9], 'u');
	exchange_reply_text(owing, 200, "late");
	loop_turn(loop, 0);
}

static void bodies_are_capped(void **state)
{
	(void)state;
	struct upload u = {.left = 100000}, more = {.left = 100001}, much = {.left = 3000000};
	int32_t a = ask_with("POST", "/echo", "e", &u), b = ask_with("POST", "/echo", "e", &more), c = ask_with("POST", "/nothing", "e", &much);
	pump();
	assert_int_equal(answer_of(a)->status, 200);
	assert_int_equal(answer_of(b)->status, 413);
	assert_int_equal(answer_of(c)->status, 413);
	assert_true(answer_of(b)->closed && answer_of(c)->closed);
	assert_int_equal(fed, ERR_NONE);
}

static void heads_are_capped(void **state)
{
	char *large = x_alloc(20001);
	(void)state;
	memset(large, 'l', 20000);
	large[20000] = 0;
	int32_t a = ask_with("GET", "/echo", large, NULL);
	pump();
	assert_int_equal(answer_of(a)->status, 431);
	free(large);
}

static void slow_bodies_end(void **state)
{
	(void)state;
	struct upload half = {.left = 5, .endless = true};
	int32_t a = ask_with("POST", "/echo", "e", &half);
	pump();
	clock_step_by_hand(20000);
	int32_t b = ask_with("POST", "/echo", "e", &half);
	pump();
	clock_step_by_hand(10000);
	pump();
	assert_true(answer_of(a)->closed);
	assert_int_equal(answer_of(a)->code, NGHTTP2_CANCEL);
	assert_false(answer_of(b)->closed);
	clock_step_by_hand(20000);
	pump();
	assert_true(answer_of(b)->closed);
}

static void rapid_resets_end_the_connection(void **state)
{
	(void)state;
	pump();
	for (unsigned i = 0; i < 110 && fed == ERR_NONE; i++) {
		ask("GET", "/hold");
		pump();
		if (held)
			exchange_reply_text(held, 200, "");
		held = NULL;
		int32_t id = ask("GET", "/stream");
		pump();
		nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
		pump();
		held = NULL;
	}
	assert_int_equal(fed, ERR_MALFORMED);
	assert_int_equal(goaways, 1);
	assert_int_equal(goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void owed_exchanges_are_bounded(void **state)
{
	static struct exchange *owed[300];
	unsigned count = 0;
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		if (i % 50 == 0)
			clock_step_by_hand(1000);
		int32_t id = ask("GET", "/hold");
		held = NULL;
		pump();
		if (held)
			owed[count++] = held;
		nghttp2_submit_rst_stream(client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
		pump();
	}
	assert_int_equal(fed, ERR_NONE);
	assert_int_equal(count, 200);
	for (unsigned i = 0; i < count; i++)
		exchange_reply_text(owed[i], 200, "");
	int32_t id = ask("GET", "/empty");
	pump();
	assert_int_equal(answer_of(id)->status, 204);
}

static void ping_floods_end_the_connection(void **state)
{
	static const uint8_t PING[17] = {0, 0, 8, 6};
	(void)state;
	pump();
	for (unsigned i = 0; i < 2000 && fed == ERR_NONE; i++)
		give(bytes_of(PING, sizeof(PING)));
	assert_int_equal(fed, ERR_MALFORMED);
}

static void rubbish_is_malformed(void **state)
{
	(void)state;
	give(BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_int_equal(fed, ERR_MALFORMED);
	struct buffer out;
	buffer_init(&out, 1000);
	assert_int_equal(h2pipe_take(h2, 1000, &out), ERR_NONE);
	buffer_clear(&out);
	assert_int_equal(h2pipe_feed(h2, BYTES("more")), ERR_MALFORMED);
}

static void drain_says_goaway_and_lets_streams_end(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/stream");
	pump();
	h2pipe_drain(h2);
	pump();
	assert_int_equal(goaways, 1);
	assert_int_equal(goaway_code, NGHTTP2_NO_ERROR);
	assert_false(h2pipe_idle(h2));
	send_text(held, "last", "");
	exchange_end(held);
	pump();
	assert_body(id, "last");
	assert_true(h2pipe_idle(h2));
}

static void goodbye_is_closed(void **state)
{
	(void)state;
	pump();
	nghttp2_submit_goaway(client, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
	pump();
	assert_int_equal(fed, ERR_CLOSED);
}

static void small_takers_lose_nothing(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/big");
	const uint8_t *at;
	ssize_t len;
	while ((len = nghttp2_session_mem_send(client, &at)) > 0)
		give(bytes_of(at, (size_t)len));
	struct buffer out;
	buffer_init(&out, 5000);
	unsigned full = 0;
	for (;;) {
		enum err e = h2pipe_take(h2, 65536, &out);
		full += e == ERR_TOO_BIG;
		if (!out.len)
			break;
		assert_true(nghttp2_session_mem_recv(client, out.at, out.len) >= 0);
		buffer_reset(&out);
		while ((len = nghttp2_session_mem_send(client, &at)) > 0)
			give(bytes_of(at, (size_t)len));
	}
	assert_true(full > 10);
	assert_int_equal(answer_of(id)->body.len, 300000);
	buffer_clear(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(settings_come_first),
		TEST(requests_are_answered),
		TEST(requests_are_answered_byte_by_byte),
		TEST(pings_are_answered),
		TEST(streams_flow_piece_by_piece),
		TEST(frames_have_any_number_of_pieces),
		TEST(streams_wait_for_the_window),
		TEST(resets_tell_the_handler),
		TEST(the_end_of_the_connection_tells_everybody),
		TEST(bodies_are_capped),
		TEST(heads_are_capped),
		TEST(slow_bodies_end),
		TEST(rapid_resets_end_the_connection),
		TEST(owed_exchanges_are_bounded),
		TEST(ping_floods_end_the_connection),
		TEST(rubbish_is_malformed),
		TEST(drain_says_goaway_and_lets_streams_end),
		TEST(goodbye_is_closed),
		TEST(small_takers_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
