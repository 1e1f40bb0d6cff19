/* dial against gate over loopback, each with its own loop, turned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "dial.h"
#include "gate.h"
#include "pipe.h"

#define SECRET BYTES("the secret of this cluster")

enum { WAIT_MS = 30000 /* on a loaded machine */ };

/* A poll: what it was given, as text, and how it ended. */
struct listener_end {
	struct subscription *s;
	uint64_t version;
	unsigned frames, ends;
	char last[256];
	enum err why;
	enum link_end reason;
	bool clog;  /* say so inside on_frame */
	bool close; /* close inside on_frame */
};

struct world {
	struct loop *near, *far;
	struct dial *dial;
	struct gate *gate;
	struct endpoint at;
	unsigned lost;
	struct gate_stream *streams[16];
	size_t count;
	unsigned opens, frees, stands, closes;
	uint64_t stood;
	bool gate_stopped;
};

static void on_open(void *context, struct gate_stream *s)
{
	struct world *w = context;
	s->user = w;
	w->opens++;
	w->streams[w->count++] = s;
}

static void on_free(void *context, struct gate_stream *s)
{
	struct world *w = context;
	assert_true(s->free);
	w->frees++;
}

static void on_stands(void *context, struct gate_stream *s, uint64_t version)
{
	struct world *w = context;
	assert_ptr_equal(s->user, w);
	w->stands++;
	w->stood = version;
}

static void on_close(void *context, struct gate_stream *s)
{
	struct world *w = context;
	w->closes++;
	for (size_t i = 0; i < w->count; i++) {
		if (w->streams[i] == s)
			w->streams[i] = w->streams[--w->count];
	}
}

static const struct gate_events gate_tells = {on_open, on_free, on_stands, on_close};

static void on_lost(void *context, struct endpoint mapper)
{
	struct world *w = context;
	assert_true(endpoint_equal(mapper, w->at));
	w->lost++;
}

static void on_frame(void *context, uint64_t version, struct body *const *pieces, size_t count)
{
	struct listener_end *end = context;
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		size_t part = pieces[i]->len < sizeof(end->last) - 1 - len ? pieces[i]->len : sizeof(end->last) - 1 - len;
		memcpy(end->last + len, pieces[i]->at, part);
		len += part;
	}
	end->last[len] = 0;
	end->version = version;
	end->frames++;
	if (end->clog)
		subscription_credit(end->s, false);
	if (end->close)
		subscription_close(&end->s);
}

static void on_end(void *context, enum err why, enum link_end reason)
{
	struct listener_end *end = context;
	end->ends++;
	end->why = why;
	end->reason = reason;
}

static const struct subscription_events poll_tells = {on_frame, on_end};

static struct endpoint loopback(uint16_t port)
{
	return (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}, .port = port};
}

static void open_gate(struct world *w, struct bytes secret)
{
	struct diag why;
	w->gate = gate_new(w->far, w->at.port ? w->at : loopback(0), secret, &gate_tells, w, &why);
	assert_non_null(w->gate);
	w->at = gate_endpoint(w->gate);
}

static struct world *world_new(struct bytes gate_secret)
{
	struct world *w = x_zalloc(sizeof(*w));
	w->near = loop_new();
	w->far = loop_new();
	open_gate(w, gate_secret);
	w->dial = dial_new(w->near, SECRET, on_lost, w);
	return w;
}

static void world_free(struct world *w)
{
	dial_free(&w->dial);
	gate_free(&w->gate);
	assert_int_equal(w->closes, w->opens);
	loop_free(&w->near);
	loop_free(&w->far);
	free(w);
}

static void turn(struct world *w)
{
	loop_turn(w->near, 1);
	if (!w->gate_stopped)
		loop_turn(w->far, 1);
}

#define UNTIL(w, condition) \
	do { \
		int64_t until_ = clock_mono().ms + WAIT_MS; \
		while (!(condition) && clock_mono().ms < until_) \
			turn(w); \
		assert_true(condition); \
	} while (0)

static void some_turns(struct world *w)
{
	for (int i = 0; i < 20; i++)
		turn(w);
}

static void subscribe(struct world *w, struct listener_end *end)
{
	struct link_subscribe request = {.tailnet = 5, .node = 6, .session = 7, .capver = 113, .zstd = true};
	unsigned opens = w->opens;
	end->s = dial_subscribe(w->dial, w->at, &request, &poll_tells, end);
	UNTIL(w, w->opens == opens + 1);
}

static void send_text(struct world *w, uint64_t version, const char *text)
{
	gate_send(w->gate, w->streams, w->count, version, bytes_text(text));
}

static void close_all(struct world *w, struct listener_end *ends, size_t count)
{
	for (size_t i = 0; i < count; i++)
		subscription_close(&ends[i].s);
	UNTIL(w, w->closes == w->opens);
}

static void test_bodies(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end ends[3] = {0};
	for (size_t i = 0; i < 3; i++)
		subscribe(w, &ends[i]);
	assert_int_equal(w->streams[0]->request.node, 6);
	assert_int_equal(w->streams[0]->request.capver, 113);
	assert_true(w->streams[0]->request.zstd && !w->streams[0]->request.once && w->streams[0]->free);
	send_text(w, 1, "one");
	UNTIL(w, ends[0].frames == 1 && ends[1].frames == 1 && ends[2].frames == 1);
	assert_string_equal(ends[2].last, "one");
	assert_true(ends[2].version == 1);
	char *big = x_alloc(3000001);
	memset(big, 'x', 3000000);
	big[3000000] = 0;
	send_text(w, 2, big);
	assert_true(gate_unsent(w->streams[0]->peer) >= 3000000);
	UNTIL(w, ends[0].frames == 2 && ends[1].frames == 2 && ends[2].frames == 2);
	free(big);
	subscription_close(&ends[1].s);
	UNTIL(w, w->closes == 1);
	gate_end(w->streams[0], LINK_END_NO_NODE);
	gate_end(w->streams[0], LINK_END_NO_NODE);
	send_text(w, 3, "three");
	UNTIL(w, w->closes == 2 && ends[0].ends + ends[2].ends == 1 && ends[0].frames + ends[2].frames == 5);
	struct listener_end *end = ends[0].ends ? &ends[0] : &ends[2];
	assert_int_equal(end->why, ERR_NONE);
	assert_int_equal(end->reason, LINK_END_NO_NODE);
	close_all(w, ends, 3);
	world_free(w);
}

static void test_close_inside(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end ends[3] = {0};
	for (size_t i = 0; i < 3; i++) {
		subscribe(w, &ends[i]);
		ends[i].close = true;
	}
	send_text(w, 1, "one");
	UNTIL(w, w->closes == 3);
	assert_int_equal(ends[0].frames + ends[1].frames + ends[2].frames, 3);
	world_free(w);
}

/* ---- full maps and chunks ---- */

static void full(struct world *w, uint64_t version, const char *private, struct body *const *chunks, size_t count)
{
	struct gate_piece pieces[8] = {0};
	uint8_t names[8][LINK_CHUNK_NAME_LEN] = {0};
	struct body *head = body_new(bytes_text(private));
	pieces[0].body = head;
	for (size_t i = 0; i < count; i++) {
		memcpy(names[i], chunks[i]->at, chunks[i]->len < LINK_CHUNK_NAME_LEN ? chunks[i]->len : LINK_CHUNK_NAME_LEN);
		pieces[i + 1] = (struct gate_piece){chunks[i], names[i]};
	}
	for (size_t i = 0; i < w->count; i++)
		gate_send_full(w->streams[i], version, pieces, count + 1);
	body_drop(&head);
}

static void test_full(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end ends[2] = {0};
	subscribe(w, &ends[0]);
	subscribe(w, &ends[1]);
	struct body *chunks[] = {body_new(BYTES("[a]")), body_new(BYTES("[b]"))};
	full(w, 4, "me", chunks, 2);
	UNTIL(w, ends[0].frames == 1 && ends[1].frames == 1);
	assert_string_equal(ends[0].last, "me[a][b]");
	assert_true(ends[0].version == 4);
	full(w, 5, "me again", chunks, 2);
	size_t unsent = gate_unsent(w->streams[0]->peer);
	assert_true(unsent < 200);
	UNTIL(w, ends[0].frames == 2 && ends[1].frames == 2);
	assert_string_equal(ends[1].last, "me again[a][b]");
	full(w, 6, "alone", NULL, 0);
	UNTIL(w, ends[0].frames == 3);
	assert_string_equal(ends[0].last, "alone");
	body_drop(&chunks[0]);
	body_drop(&chunks[1]);
	close_all(w, ends, 2);
	world_free(w);
}

/* More chunks than the caches hold: the oldest are forgotten on both ends and sent anew when they are needed again. */
static void test_chunks_go(void **state)
{
	(void)state;
	enum { COUNT = 20, SIZE = 4 << 20 };
	struct world *w = world_new(SECRET);
	struct listener_end end = {0};
	subscribe(w, &end);
	for (unsigned i = 0; i < COUNT; i++) {
		struct body *chunk = body_room(SIZE);
		memset(chunk->at, 'a' + (int)i, SIZE);
		full(w, i + 1, "", &chunk, 1);
		UNTIL(w, end.frames == i + 1);
		assert_int_equal(end.last[0], 'a' + (int)i);
		body_drop(&chunk);
	}
	struct body *first = body_room(SIZE);
	memset(first->at, 'a', SIZE);
	full(w, COUNT + 1, "", &first, 1);
	body_drop(&first);
	UNTIL(w, end.frames == COUNT + 1);
	assert_int_equal(end.last[0], 'a');
	close_all(w, &end, 1);
	world_free(w);
}

/* ---- credit ---- */

static void test_clogged(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end end = {.clog = true};
	subscribe(w, &end);
	send_text(w, 1, "one");
	send_text(w, 2, "two");
	UNTIL(w, w->stands == 1);
	assert_true(w->stood == 1);
	assert_int_equal(end.frames, 1);
	UNTIL(w, !w->streams[0]->free);
	end.clog = false;
	subscription_credit(end.s, true);
	UNTIL(w, w->frees == 1);
	send_text(w, 3, "three");
	UNTIL(w, end.frames == 2);
	assert_string_equal(end.last, "three");
	close_all(w, &end, 1);
	world_free(w);
}

/* What was under way when the stream became clogged is not taken, although it is free again when that arrives. */
static void test_clogged_barrier(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end end = {0};
	subscribe(w, &end);
	send_text(w, 1, "one");
	UNTIL(w, end.frames == 1);
	subscription_credit(end.s, false);
	subscription_credit(end.s, true);
	send_text(w, 2, "under way");
	UNTIL(w, w->frees == 1);
	assert_true(w->stood == 1);
	assert_int_equal(w->stands, 1);
	assert_int_equal(end.frames, 1);
	send_text(w, 2, "again");
	UNTIL(w, end.frames == 2);
	assert_string_equal(end.last, "again");
	close_all(w, &end, 1);
	world_free(w);
}

/* ---- losses ---- */

static void test_gate_goes(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end ends[2] = {0};
	subscribe(w, &ends[0]);
	subscribe(w, &ends[1]);
	gate_free(&w->gate);
	assert_int_equal(w->closes, 2);
	UNTIL(w, ends[0].ends && ends[1].ends && w->lost);
	assert_int_equal(ends[0].why, ERR_NONE);
	assert_int_equal(ends[0].reason, LINK_END_DRAIN);
	subscription_close(&ends[0].s);
	subscription_close(&ends[1].s);
	/* Nobody is there. */
	struct link_subscribe request = {.tailnet = 1};
	ends[0] = (struct listener_end){0};
	ends[0].s = dial_subscribe(w->dial, w->at, &request, &poll_tells, &ends[0]);
	assert_int_equal(ends[0].ends, 0);
	UNTIL(w, ends[0].ends);
	assert_int_equal(ends[0].why, ERR_UNAVAILABLE);
	assert_int_equal(w->lost, 2);
	subscription_close(&ends[0].s);
	/* And again. */
	open_gate(w, SECRET);
	subscribe(w, &ends[1]);
	close_all(w, &ends[1], 1);
	world_free(w);
}

static void test_wrong_secret(void **state)
{
	(void)state;
	struct world *w = world_new(BYTES("another secret"));
	struct listener_end end = {0};
	struct link_subscribe request = {.tailnet = 1};
	end.s = dial_subscribe(w->dial, w->at, &request, &poll_tells, &end);
	UNTIL(w, end.ends);
	assert_int_equal(end.why, ERR_UNAVAILABLE);
	assert_int_equal(w->opens, 0);
	subscription_close(&end.s);
	world_free(w);
}

/* A mapper that stops reading and writing while much is to be sent: the gate drops the coordinator that does not read. */
static void test_full_pipe(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end end = {0};
	subscribe(w, &end);
	char *big = x_alloc((8 << 20) + 1);
	memset(big, 'x', 8 << 20);
	big[8 << 20] = 0;
	for (int i = 0; i < 12 && w->count; i++) {
		send_text(w, (uint64_t)i, big);
		loop_turn(w->far, 1);
	}
	free(big);
	assert_int_equal(w->closes, 1);
	UNTIL(w, end.ends);
	assert_int_equal(end.why, ERR_UNAVAILABLE);
	subscription_close(&end.s);
	world_free(w);
}

/* ---- strangers ---- */

struct stranger {
	struct pipe *pipe;
	bool ended;
};

static void stranger_data(void *context, struct buffer *in)
{
	(void)context;
	buffer_consume(in, in->len);
}

static void stranger_end(void *context, enum err why)
{
	struct stranger *s = context;
	(void)why;
	s->ended = true;
}

static const struct pipe_events stranger_tells = {.on_data = stranger_data, .on_end = stranger_end};

static void test_strangers(void **state)
{
	(void)state;
	enum { COUNT = 70 };
	struct world *w = world_new(SECRET);
	struct stranger strangers[COUNT] = {0};
	for (size_t i = 0; i < COUNT; i++)
		strangers[i].pipe = pipe_connect(w->near, w->at, 1000, 1000, &stranger_tells, &strangers[i]);
	some_turns(w);
	size_t ended = 0;
	for (size_t i = 0; i < COUNT; i++)
		ended += strangers[i].ended;
	assert_int_equal(ended, COUNT - 64);
	/* One says nonsense. */
	struct buffer out;
	buffer_init(&out, 100);
	for (size_t i = 0; i < COUNT; i++) {
		if (strangers[i].ended)
			continue;
		assert_int_equal(buffer_add_text(&out, "GET / HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n"), ERR_NONE);
		assert_int_equal(pipe_write(strangers[i].pipe, &out), ERR_NONE);
		UNTIL(w, strangers[i].ended);
		break;
	}
	/* The rest has two seconds. */
	for (size_t i = 0; i < COUNT; i++)
		UNTIL(w, strangers[i].ended);
	for (size_t i = 0; i < COUNT; i++)
		pipe_close(&strangers[i].pipe);
	struct listener_end end = {0};
	subscribe(w, &end);
	close_all(w, &end, 1);
	world_free(w);
}

static void test_gate_new(void **state)
{
	(void)state;
	struct diag why;
	struct loop *loop = loop_new();
	assert_null(gate_new(loop, loopback(0), BYTES_NONE, &gate_tells, NULL, &why));
	struct gate *none = NULL;
	gate_free(&none);
	loop_free(&loop);
}

/* ---- time ---- */

/* Which stands still from here on but for what is let pass. */
static void pass(struct world *w, int64_t ms)
{
	for (int64_t gone = 0; gone < ms; gone += 20) {
		clock_step_by_hand(20);
		for (unsigned i = 0; i < 3; i++)
			turn(w);
	}
}

static void stop_time(void)
{
	clock_set_by_hand(clock_mono(), clock_wall());
}

static void test_silent(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end ends[2] = {0};
	subscribe(w, &ends[0]);
	subscribe(w, &ends[1]);
	stop_time();
	w->gate_stopped = true;
	pass(w, LINK_SILENCE_MS - LINK_HEARTBEAT_MS - 20);
	assert_int_equal(ends[0].ends + ends[1].ends, 0);
	pass(w, 3 * LINK_HEARTBEAT_MS);
	assert_int_equal(ends[0].ends + ends[1].ends, 2);
	assert_int_equal(ends[0].why, ERR_TIMEOUT);
	w->gate_stopped = false;
	close_all(w, ends, 2);
	world_free(w);
}

/* Heartbeats keep an idle link. */
static void test_idle(void **state)
{
	(void)state;
	struct world *w = world_new(SECRET);
	struct listener_end end = {0};
	subscribe(w, &end);
	stop_time();
	pass(w, 5 * LINK_SILENCE_MS);
	assert_int_equal(end.ends, 0);
	close_all(w, &end, 1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),    cmocka_unit_test(test_close_inside),    cmocka_unit_test(test_full),      cmocka_unit_test(test_chunks_go),
		cmocka_unit_test(test_clogged),   cmocka_unit_test(test_clogged_barrier), cmocka_unit_test(test_gate_goes), cmocka_unit_test(test_wrong_secret),
		cmocka_unit_test(test_full_pipe), cmocka_unit_test(test_strangers),       cmocka_unit_test(test_gate_new),  cmocka_unit_test(test_silent),
		cmocka_unit_test(test_idle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
