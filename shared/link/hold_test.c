/* dial against a mapper that is played by hand, frame by frame: chunks that are missing, and what the mapper may get wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dial.h"
#include "hold.h"
#include "linkwire.h"
#include "pipe.h"

#define SECRET BYTES("the secret of this cluster")

enum { POLLS = 3, HEARD_MAX = 64 };

static struct loop *loop;

struct poll_end {
	struct subscription *s;
	uint64_t version;
	unsigned frames, ends;
	char last[64];
	enum err why;
	enum link_end reason;
};

struct play {
	struct listener *listener;
	struct endpoint at;
	struct linkwire *wire; /* the mapper's */
	struct linkframe heard[HEARD_MAX];
	size_t heard_count;
	bool deaf; /* no pongs */
	bool wire_ended;
	struct dial *dial;
	struct poll_end polls[POLLS];
};

static void heard(void *context, const struct linkframe *frame)
{
	struct play *p = context;
	if (frame->type == LINK_PING) {
		if (!p->deaf)
			linkwire_send(p->wire, &(struct linkframe){.type = LINK_PONG});
		return;
	}
	assert_true(p->heard_count < HEARD_MAX);
	p->heard[p->heard_count++] = *frame;
}

static void wire_end(void *context, enum err why)
{
	struct play *p = context;
	(void)why;
	p->wire_ended = true;
}

static const struct linkwire_events wire_tells = {.on_frame = heard, .on_end = wire_end};

static void on_accept(void *context, int fd)
{
	struct play *p = context;
	p->wire = linkwire_accept(loop, fd, SECRET, &wire_tells, p);
}

static void on_frame(void *context, uint64_t version, struct body *const *pieces, size_t count)
{
	struct poll_end *end = context;
	struct buffer text;
	buffer_init(&text, sizeof(end->last) - 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buffer_add(&text, body_bytes(pieces[i])), ERR_NONE);
	memset(end->last, 0, sizeof(end->last));
	memcpy(end->last, text.at, text.len);
	buffer_clear(&text);
	end->version = version;
	end->frames++;
}

static void on_end(void *context, enum err why, enum link_end reason)
{
	struct poll_end *end = context;
	end->ends++;
	end->why = why;
	end->reason = reason;
}

static const struct subscription_events poll_tells = {on_frame, on_end};

static void turns(unsigned count)
{
	while (count--)
		loop_turn(loop, 1);
}

static struct play *play_new(void)
{
	struct diag why;
	struct play *p = x_zalloc(sizeof(*p));
	loop = loop_new();
	p->listener = listener_open(loop, (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}}, on_accept, p, &why);
	assert_non_null(p->listener);
	p->at = listener_endpoint(p->listener);
	p->dial = dial_new(loop, SECRET, NULL, NULL);
	for (size_t i = 0; i < POLLS; i++)
		p->polls[i].s = dial_subscribe(p->dial, p->at, &(struct link_subscribe){.tailnet = 1, .node = i}, &poll_tells, &p->polls[i]);
	for (int i = 0; i < 500 && p->heard_count < POLLS; i++)
		loop_turn(loop, 5);
	assert_int_equal(p->heard_count, POLLS);
	p->heard_count = 0;
	return p;
}

static void play_free(struct play *p)
{
	for (size_t i = 0; i < POLLS; i++)
		subscription_close(&p->polls[i].s);
	linkwire_close(&p->wire);
	listener_close(&p->listener);
	dial_free(&p->dial);
	loop_free(&loop);
	free(p);
}

static void name_of(uint8_t name[static LINK_CHUNK_NAME_LEN], char c)
{
	memset(name, c, LINK_CHUNK_NAME_LEN);
}

/* "me" and the chunks of these letters. */
static void send_full(struct play *p, uint32_t stream, uint64_t version, const char *letters)
{
	struct link_piece pieces[8] = {{.bytes = BYTES("me")}};
	size_t count = 1;
	for (; *letters; letters++, count++) {
		pieces[count].is_chunk = true;
		name_of(pieces[count].name, *letters);
	}
	assert_int_equal(linkwire_try_full(p->wire, stream, version, pieces, count), ERR_NONE);
}

static void send_chunk(struct play *p, char letter)
{
	struct linkframe frame = {.type = LINK_CHUNK, .bytes = bytes_of(&letter, 1)};
	name_of(frame.chunk, letter);
	linkwire_send(p->wire, &frame);
}

static void send_end(struct play *p, uint32_t stream, enum link_end reason)
{
	linkwire_send(p->wire, &(struct linkframe){.type = LINK_END, .stream = stream, .reason = (uint16_t)reason});
}

static void send_body(struct play *p, uint64_t version, struct bytes streams, struct bytes body)
{
	linkwire_send(p->wire, &(struct linkframe){.type = LINK_BODY, .version = version, .streams = streams, .bytes = body});
}

/* How often that was heard since the last look. */
static size_t count_heard(struct play *p, enum linkframe_type type, uint32_t stream, char letter)
{
	size_t count = 0;
	for (size_t i = 0; i < p->heard_count; i++)
		count += p->heard[i].type == type && (!stream || p->heard[i].stream == stream) && (!letter || p->heard[i].chunk[0] == (uint8_t)letter);
	return count;
}

static void test_missing(void **state)
{
	(void)state;
	struct play *p = play_new();
	send_chunk(p, 'a');
	send_full(p, 1, 5, "abcb");
	send_full(p, 2, 5, "b");
	send_full(p, 3, 5, "a");
	turns(20);
	/* Only those wait that miss something; each name is asked for once. */
	assert_int_equal(p->polls[0].frames + p->polls[1].frames, 0);
	assert_string_equal(p->polls[2].last, "mea");
	assert_int_equal(count_heard(p, LINK_WANT, 0, 'a'), 0);
	assert_int_equal(count_heard(p, LINK_WANT, 0, 'b'), 1);
	assert_int_equal(count_heard(p, LINK_WANT, 1, 'c'), 1);
	assert_int_equal(count_heard(p, LINK_CREDIT, 1, 0), 1);
	send_chunk(p, 'b');
	turns(10);
	assert_string_equal(p->polls[1].last, "meb");
	assert_int_equal(p->polls[0].frames, 0);
	/* What comes behind a map that waits is not taken, but told. */
	p->heard_count = 0;
	send_body(p, 6, BYTES("\0\0\0\1\0\0\0\2"), BYTES("delta"));
	turns(10);
	assert_int_equal(p->polls[0].frames, 0);
	assert_string_equal(p->polls[1].last, "delta");
	assert_int_equal(count_heard(p, LINK_STANDS, 1, 0), 1);
	assert_true(p->heard[0].version == 5);
	send_chunk(p, 'c');
	turns(10);
	assert_string_equal(p->polls[0].last, "meabcb");
	assert_true(p->polls[0].version == 5);
	assert_int_equal(count_heard(p, LINK_CREDIT, 1, 0), 1);
	/* And then all goes on. */
	send_body(p, 7, BYTES("\0\0\0\1"), BYTES("next"));
	turns(10);
	assert_string_equal(p->polls[0].last, "next");
	play_free(p);
}

/* The mapper does not have it any more either: its stream ends, and the next that waits asks for itself. */
static void test_missing_for_good(void **state)
{
	(void)state;
	struct play *p = play_new();
	send_full(p, 1, 5, "b");
	send_full(p, 2, 5, "b");
	send_full(p, 3, 5, "b");
	turns(10);
	assert_int_equal(count_heard(p, LINK_WANT, 0, 'b'), 1);
	send_end(p, 1, LINK_END_MOVED);
	turns(10);
	assert_int_equal(p->polls[0].ends, 1);
	assert_int_equal(p->polls[0].reason, LINK_END_MOVED);
	assert_int_equal(count_heard(p, LINK_WANT, 2, 'b'), 1);
	subscription_close(&p->polls[1].s);
	turns(10);
	assert_int_equal(count_heard(p, LINK_WANT, 3, 'b'), 1);
	send_chunk(p, 'b');
	turns(10);
	assert_string_equal(p->polls[2].last, "meb");
	play_free(p);
}

/* A map that is asked for once: its end waits behind it. */
static void test_end_waits(void **state)
{
	(void)state;
	struct play *p = play_new();
	send_full(p, 1, 5, "b");
	send_end(p, 1, LINK_END_DONE);
	turns(10);
	assert_int_equal(p->polls[0].ends, 0);
	send_chunk(p, 'b');
	turns(10);
	assert_int_equal(p->polls[0].frames, 1);
	assert_int_equal(p->polls[0].ends, 1);
	assert_int_equal(p->polls[0].why, ERR_NONE);
	assert_int_equal(p->polls[0].reason, LINK_END_DONE);
	/* The link goes while maps wait. */
	send_full(p, 2, 5, "c");
	turns(10);
	linkwire_close(&p->wire);
	turns(10);
	assert_int_equal(p->polls[1].ends, 1);
	assert_int_equal(p->polls[2].ends, 1);
	assert_int_equal(p->polls[2].why, ERR_UNAVAILABLE);
	play_free(p);
}

/* Free again only behind the barrier. */
static void test_barrier(void **state)
{
	(void)state;
	struct play *p = play_new();
	p->deaf = true;
	subscription_credit(p->polls[0].s, false);
	subscription_credit(p->polls[0].s, true);
	turns(20);
	assert_int_equal(count_heard(p, LINK_CREDIT, 1, 0), 1);
	send_body(p, 7, BYTES("\0\0\0\1"), BYTES("late"));
	turns(10);
	assert_int_equal(p->polls[0].frames, 0);
	assert_int_equal(count_heard(p, LINK_STANDS, 1, 0), 1);
	p->deaf = false;
	for (int i = 0; i < 3; i++)
		linkwire_send(p->wire, &(struct linkframe){.type = LINK_PONG});
	turns(10);
	assert_int_equal(p->polls[0].ends, 1); /* more pongs than pings: a broken mapper */
	play_free(p);
}

static void test_nonsense(void **state)
{
	(void)state;
	struct linkframe frames[] = {{.type = LINK_SUBSCRIBE}, {.type = LINK_WANT}, {.type = LINK_PONG}};
	for (size_t i = 0; i < COUNT_OF(frames); i++) {
		struct play *p = play_new();
		turns(10);
		linkwire_send(p->wire, &frames[i]);
		turns(10);
		assert_int_equal(p->polls[0].ends, 1);
		assert_true(p->wire_ended);
		play_free(p);
	}
	/* For streams that nobody has (any more). */
	struct play *p = play_new();
	send_body(p, 1, BYTES("\0\0\0\x9"), BYTES("x"));
	send_full(p, 9, 1, "z");
	send_end(p, 9, LINK_END_DONE);
	turns(10);
	assert_int_equal(p->polls[0].ends, 0);
	assert_int_equal(p->heard_count, 0);
	play_free(p);
}

static void test_hold(void **state)
{
	(void)state;
	struct chunks *cache = chunks_new(1000);
	struct link_piece pieces[2] = {{.bytes = BYTES("x")}, {.is_chunk = true}};
	struct buffer out;
	struct linkframe frame;
	size_t used;
	buffer_init(&out, 1000);
	assert_int_equal(linkframe_encode_full(1, 2, pieces, 2, &out), ERR_NONE);
	assert_int_equal(linkframe_decode(buffer_bytes(&out), &frame, &used), ERR_NONE);
	struct hold *h = hold_new(&frame, cache);
	assert_int_equal(h->missing, 1);
	assert_true(hold_misses(h, pieces[1].name));
	struct body *body = body_new(BYTES("chunk"));
	assert_true(hold_fill(h, pieces[1].name, body));
	assert_false(hold_misses(h, pieces[1].name));
	hold_free(&h);
	chunks_put(cache, pieces[1].name, body);
	body_drop(&body);
	h = hold_new(&frame, cache);
	assert_int_equal(h->missing, 0);
	chunks_free(&cache);
	assert_true(bytes_equal(body_bytes(h->piece[1].body), BYTES("chunk")));
	hold_free(&h);
	hold_free(&h);
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing), cmocka_unit_test(test_missing_for_good), cmocka_unit_test(test_end_waits),
		cmocka_unit_test(test_barrier), cmocka_unit_test(test_nonsense),         cmocka_unit_test(test_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
