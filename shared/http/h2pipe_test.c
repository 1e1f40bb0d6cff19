#include "h2pipe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

/* nghttp2's client end talks to the server end through two buffers. */
struct answer {
	int32_t id;
	unsigned status;
	struct buffer body;
	char type[64], extra[64], length[32];
	bool closed;
	uint32_t code;
};

enum { ANSWERS = 512 };

static struct loop *loop;
static struct h2pipe *h2;
static nghttp2_session *client;
static struct answer answers[ANSWERS];
static unsigned outputs, pongs, goaways;
static uint32_t goaway_code;
static size_t largest_data;
static enum err fed;
static bool byte_by_byte;
static size_t take_at_once = 65536;
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

/* ---- the client end ---- */

static struct answer *answer_of(int32_t id)
{
	for (unsigned i = 0; i < ANSWERS; i++)
		if (answers[i].id == id || !answers[i].id) {
			answers[i].id = id;
			return &answers[i];
		}
	abort();
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
		     uint8_t flags, void *context)
{
	struct answer *a = answer_of(frame->hd.stream_id);
	struct bytes n = bytes_of(name, name_len);
	(void)session, (void)flags, (void)context;
	if (bytes_equal_text(n, ":status"))
		a->status = (unsigned)atoi((const char *)value);
	if (bytes_equal_text(n, "content-type"))
		snprintf(a->type, sizeof(a->type), "%.*s", (int)value_len, (const char *)value);
	if (bytes_equal_text(n, "content-length"))
		snprintf(a->length, sizeof(a->length), "%.*s", (int)value_len, (const char *)value);
	if (bytes_equal_text(n, "x-extra"))
		snprintf(a->extra, sizeof(a->extra), "%.*s", (int)value_len, (const char *)value);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
	(void)session, (void)flags, (void)context;
	return buffer_add(&answer_of(id)->body, bytes_of(data, len)) == ERR_NONE ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	(void)session, (void)context;
	if (frame->hd.type == NGHTTP2_DATA && frame->hd.length > largest_data)
		largest_data = frame->hd.length;
	if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
		pongs++;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		goaways++;
		goaway_code = frame->goaway.error_code;
	}
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
	(void)session, (void)context;
	answer_of(id)->closed = true;
	answer_of(id)->code = code;
	return 0;
}

static void on_output(void *context)
{
	(void)context;
	outputs++;
}

static void give(struct bytes b)
{
	for (size_t i = 0; i < b.len; i += byte_by_byte ? 1 : b.len) {
		enum err e = h2pipe_feed(h2, byte_by_byte ? bytes_of(b.at + i, 1) : b);
		if (e != ERR_NONE)
			fed = e;
	}
	loop_turn(loop, 0);
}

/* Lets bytes flow both ways until nobody has anything to say. */
static void pump(void)
{
	const uint8_t *at;
	bool moved = true;
	struct buffer out;
	buffer_init(&out, 1 << 20);
	while (moved) {
		moved = false;
		ssize_t len = nghttp2_session_mem_send(client, &at);
		assert_true(len >= 0);
		if (len) {
			give(bytes_of(at, (size_t)len));
			moved = true;
		}
		loop_turn(loop, 0);
		assert_int_equal(h2pipe_take(h2, take_at_once, &out), ERR_NONE);
		if (out.len) {
			assert_true(nghttp2_session_mem_recv(client, out.at, out.len) >= 0);
			buffer_reset(&out);
			moved = true;
		}
		loop_turn(loop, 0);
	}
	buffer_clear(&out);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

struct upload {
	size_t left;
	bool endless;
};

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source, void *context)
{
	struct upload *u = source->ptr;
	size_t len = u->left < room ? u->left : room;
	(void)session, (void)id, (void)context;
	if (!len && u->endless)
		return NGHTTP2_ERR_DEFERRED;
	memset(to, 'u', len);
	u->left -= len;
	if (!u->left && !u->endless)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static int32_t ask_with(const char *method, const char *path, const char *extra, struct upload *upload)
{
	nghttp2_nv list[] = {nv(":method", method), nv(":scheme", "https"), nv(":authority", "unused"), nv(":path", path), nv("x-extra", extra)};
	nghttp2_data_provider provider = {.source = {.ptr = upload}, .read_callback = read_upload};
	int32_t id = nghttp2_submit_request(client, NULL, list, COUNT_OF(list), upload ? &provider : NULL, NULL);
	assert_true(id > 0);
	return id;
}

static int32_t ask(const char *method, const char *path)
{
	return ask_with(method, path, "e", NULL);
}

/* ---- frame ---- */

static void make_client(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_option_new(&option);
	nghttp2_session_client_new2(&client, callbacks, NULL, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
	nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, settings, 1);
}

static int begin(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000000}, (struct wall){0});
	loop = loop_new();
	struct h2pipe_config config = {.loop = loop, .table = TABLE, .door = DOOR_NOISE, .machine = &MACHINE, .capver = 99, .on_output = on_output};
	h2 = h2pipe_new(&config);
	memset(answers, 0, sizeof(answers));
	for (unsigned i = 0; i < ANSWERS; i++)
		buffer_init(&answers[i].body, 1 << 20);
	outputs = pongs = goaways = gones = rooms = 0;
	goaway_code = 0;
	largest_data = 0;
	fed = ERR_NONE;
	held = NULL;
	byte_by_byte = false;
	take_at_once = 65536;
	make_client();
	return 0;
}

static int finish(void **state)
{
	(void)state;
	h2pipe_free(&h2);
	h2pipe_free(&h2);
	nghttp2_session_del(client);
	for (unsigned i = 0; i < ANSWERS; i++)
		buffer_clear(&answers[i].body);
	loop_free(&loop);
	return 0;
}

static void assert_body(int32_t id, const char *text)
{
	struct answer *a = answer_of(id);
	if (!bytes_equal_text(buffer_bytes(&a->body), text))
		fail_msg("stream %d says: %.*s", id, BYTES_ARG(buffer_bytes(&a->body)));
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
