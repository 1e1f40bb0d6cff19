#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "linkframe.h"

static const uint8_t name_a[LINK_CHUNK_NAME_LEN] = "0123456789abcde";

static void check_same(const struct linkframe *a, const struct linkframe *b)
{
	assert_int_equal(a->type, b->type);
	assert_memory_equal(&a->subscribe, &b->subscribe, sizeof(a->subscribe));
	assert_int_equal(a->stream, b->stream);
	assert_int_equal(a->free, b->free);
	assert_true(a->version == b->version);
	assert_memory_equal(a->chunk, b->chunk, LINK_CHUNK_NAME_LEN);
	assert_true(bytes_equal(a->bytes, b->bytes));
	assert_true(bytes_equal(a->streams, b->streams));
	assert_int_equal(a->reason, b->reason);
}

/* Each frame round trips, and no shorter part of it decodes. */
static void test_round_trip(void **state)
{
	(void)state;
	struct linkframe frames[] = {
		{.type = LINK_UNSUBSCRIBE, .stream = 0xfffffffe},
		{.type = LINK_CREDIT, .stream = 7, .free = true},
		{.type = LINK_CREDIT, .stream = 7},
		{.type = LINK_STANDS, .stream = 9, .version = UINT64_MAX},
		{.type = LINK_WANT, .stream = 3},
		{.type = LINK_PING},
		{.type = LINK_BODY, .version = 5, .streams = BYTES("\0\0\0\1\0\0\0\2"), .bytes = BYTES("hello")},
		{.type = LINK_BODY, .version = 5, .streams = BYTES("\0\0\0\1")},
		{.type = LINK_CHUNK, .bytes = BYTES("chunk")},
		{.type = LINK_FORGET},
		{.type = LINK_END, .stream = 1, .reason = LINK_END_DRAIN},
		{.type = LINK_PONG},
	};
	for (size_t i = 0; i < COUNT_OF(frames); i++) {
		if (frames[i].type == LINK_WANT || frames[i].type == LINK_CHUNK || frames[i].type == LINK_FORGET)
			memcpy(frames[i].chunk, name_a, sizeof(name_a));
		struct buffer out;
		buffer_init(&out, 1000);
		assert_int_equal(linkframe_encode(&frames[i], &out), ERR_NONE);
		struct linkframe got;
		size_t used;
		for (size_t len = 0; len < out.len; len++) {
			uint8_t *part = x_dup(out.at, len);
			assert_int_equal(linkframe_decode(bytes_of(part, len), &got, &used), ERR_AGAIN);
			assert_int_equal(used, 0);
			free(part);
		}
		assert_int_equal(linkframe_decode(buffer_bytes(&out), &got, &used), ERR_NONE);
		assert_int_equal(used, out.len);
		check_same(&got, &frames[i]);
		buffer_clear(&out);
	}
}

static void test_subscribe(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 8; flags++) {
		struct link_subscribe s = {.stream = 77,
					   .tailnet = 1ull << 40,
					   .node = 3,
					   .session = UINT64_MAX - 1,
					   .capver = 113,
					   .zstd = flags & 1,
					   .once = flags & 2,
					   .omit_peers = flags & 4};
		struct buffer out;
		buffer_init(&out, 100);
		assert_int_equal(linkframe_encode(&(struct linkframe){.type = LINK_SUBSCRIBE, .subscribe = s}, &out), ERR_NONE);
		struct linkframe got;
		size_t used;
		assert_int_equal(linkframe_decode(buffer_bytes(&out), &got, &used), ERR_NONE);
		assert_int_equal(got.subscribe.stream, 77);
		assert_true(got.subscribe.tailnet == s.tailnet && got.subscribe.node == 3 && got.subscribe.session == s.session);
		assert_int_equal(got.subscribe.capver, 113);
		assert_true(got.subscribe.zstd == s.zstd && got.subscribe.once == s.once && got.subscribe.omit_peers == s.omit_peers);
		buffer_clear(&out);
	}
}

static void test_full(void **state)
{
	(void)state;
	struct link_piece pieces[4] = {{.bytes = BYTES("private")}, {.is_chunk = true}, {.bytes = BYTES("")}, {.is_chunk = true}};
	memcpy(pieces[1].name, name_a, sizeof(name_a));
	struct buffer out;
	buffer_init(&out, 1000);
	assert_int_equal(linkframe_encode_full(12, 34, pieces, COUNT_OF(pieces), &out), ERR_NONE);
	struct linkframe got;
	size_t used;
	for (size_t len = 0; len < out.len; len++)
		assert_int_equal(linkframe_decode(bytes_of(out.at, len), &got, &used), ERR_AGAIN);
	assert_int_equal(linkframe_decode(buffer_bytes(&out), &got, &used), ERR_NONE);
	assert_int_equal(got.stream, 12);
	assert_true(got.version == 34);
	struct bytes rest = got.pieces;
	struct link_piece piece;
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		assert_true(linkframe_piece(&rest, &piece));
		assert_int_equal(piece.is_chunk, pieces[i].is_chunk);
		assert_memory_equal(piece.name, pieces[i].name, LINK_CHUNK_NAME_LEN);
		assert_true(bytes_equal(piece.bytes, pieces[i].bytes));
	}
	assert_false(linkframe_piece(&rest, &piece));
	buffer_clear(&out);
}

static void test_malformed(void **state)
{
	(void)state;
	static const struct {
		struct bytes in;
		enum err e;
	} cases[] = {
		{BYTES("\x00"), ERR_MALFORMED}, /* no such type */
		{BYTES("\x07\0\0\0\0"), ERR_MALFORMED},
		{BYTES("\x1c\0\0\0\0"), ERR_MALFORMED},
		{BYTES("\x06\0\0\0\1"), ERR_MALFORMED}, /* a ping with a body */
		{BYTES("\x10\x01\0\0\x01"), ERR_TOO_BIG},
		{BYTES("\x02\0\0\0\5\0\0\0\1\0"), ERR_MALFORMED},
		{BYTES("\x03\0\0\0\5\0\0\0\1\2"), ERR_MALFORMED},                         /* credit is one bit */
		{BYTES("\x14\0\0\0\6\0\0\0\1\0\6"), ERR_MALFORMED},                       /* unknown reason */
		{BYTES("\x10\0\0\0\x0c\0\0\0\0\0\0\0\1\0\0\0\0"), ERR_MALFORMED},         /* for nobody */
		{BYTES("\x10\0\0\0\x10\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\1"), ERR_MALFORMED}, /* fewer streams than it says */
		{BYTES("\x10\0\0\0\x10\0\0\0\0\0\0\0\1\x40\0\0\1\0\0\0\1"), ERR_MALFORMED},
		{BYTES("\x11\0\0\0\x0d\0\0\0\1\0\0\0\0\0\0\0\1\2"), ERR_MALFORMED},          /* unknown piece */
		{BYTES("\x11\0\0\0\x0d\0\0\0\1\0\0\0\0\0\0\0\1\1"), ERR_MALFORMED},          /* half a name */
		{BYTES("\x11\0\0\0\x12\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\2x"), ERR_MALFORMED}, /* half a piece */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct linkframe got;
		size_t used;
		assert_int_equal(linkframe_decode(cases[i].in, &got, &used), cases[i].e);
		assert_int_equal(used, 0);
	}
}

static void test_caps(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 20);
	struct linkframe body = {.type = LINK_BODY, .streams = BYTES("\0\0\0\1"), .bytes = BYTES("hello")};
	assert_int_equal(linkframe_encode(&body, &out), ERR_TOO_BIG);
	assert_int_equal(out.len, 0);
	buffer_clear(&out);
	buffer_init(&out, 64 << 20);
	uint8_t *big = x_zalloc(LINKFRAME_MAX);
	body.bytes = bytes_of(big, LINKFRAME_MAX - 16);
	assert_int_equal(linkframe_encode(&body, &out), ERR_NONE);
	body.bytes.len++;
	size_t before = out.len;
	assert_int_equal(linkframe_encode(&body, &out), ERR_TOO_BIG);
	assert_int_equal(out.len, before);
	free(big);
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_subscribe), cmocka_unit_test(test_full),
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_caps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
