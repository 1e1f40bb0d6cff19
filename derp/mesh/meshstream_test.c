#include "meshstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD "HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n"
#define KEY(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define GREETING \
	"\x01\0\0\0\x28" \
	"DERP\xf0\x9f\x94\x91" KEY("r")
#define PRESENT(c) "\x09\0\0\0\x33" KEY(c) "..................."
#define OLD_PRESENT(c) "\x09\0\0\0\x20" KEY(c)
#define GONE(c) "\x08\0\0\0\x21" KEY(c) "\0"
#define OLD_GONE(c) "\x08\0\0\0\x20" KEY(c)

/* Events as letters: k, +, -, a, f with the first byte of the key or type behind k, +, -, f; ! at a bad one, with its status. */
static void hear(struct meshstream *s, struct buffer *in, struct buffer *out)
{
	for (;;) {
		struct meshstream_event e = meshstream_next(s, in);
		static const char letters[] = {[MESHSTREAM_KEY] = 'k',   [MESHSTREAM_PRESENT] = '+', [MESHSTREAM_GONE] = '-',
					       [MESHSTREAM_ALIVE] = 'a', [MESHSTREAM_FRAME] = 'f',   [MESHSTREAM_BAD] = '!'};
		if (e.kind == MESHSTREAM_MORE)
			return;
		assert_int_equal(buffer_add_byte(out, (uint8_t)letters[e.kind]), ERR_NONE);
		if (e.kind == MESHSTREAM_KEY || e.kind == MESHSTREAM_PRESENT || e.kind == MESHSTREAM_GONE) {
			assert_int_equal(buffer_add_byte(out, e.key.raw[0]), ERR_NONE);
			assert_int_equal(e.key.raw[0], e.key.raw[KEY_LEN - 1]);
		}
		if (e.kind == MESHSTREAM_FRAME)
			assert_int_equal(buffer_format(out, "%u:%zu", e.type, e.payload.len), ERR_NONE);
		if (e.kind == MESHSTREAM_BAD) {
			assert_int_equal(buffer_format(out, "%u", e.status), ERR_NONE);
			return;
		}
	}
}

static bool ended(const struct buffer *out)
{
	return out->len && memchr(out->at, '!', out->len);
}

static void wants(bool whole, struct bytes said, size_t first, size_t piece, const char *want)
{
	struct meshstream s = {.whole = whole};
	struct buffer in, out;
	size_t at = 0;
	buffer_init(&in, 1 << 21);
	buffer_init(&out, 4096);
	while (at < said.len && !ended(&out)) {
		struct bytes part = bytes_take(bytes_skip(said, at), at || !first ? piece : first);
		assert_int_equal(buffer_add(&in, part), ERR_NONE);
		at += part.len;
		hear(&s, &in, &out);
	}
	if (!bytes_equal_text(buffer_bytes(&out), want))
		fail_msg("%.*s, not %s, in pieces of %zu, %zu", BYTES_ARG(buffer_bytes(&out)), want, first, piece);
	buffer_clear(&in);
	buffer_clear(&out);
}

static void talk_is_understood(void **state)
{
	static const struct {
		struct bytes said;
		const char *want;
	} cases[] = {
		{BYTES(""), ""},
		{BYTES("HTTP/1.1 101 x\r\n\r"), ""},
		{BYTES(HEAD), "a"},
		{BYTES(HEAD GREETING), "akr"},
		{BYTES(HEAD GREETING PRESENT("a") GONE("a")), "akr+a-a"},
		/* Of older relays: no address, no reason. */
		{BYTES(HEAD GREETING OLD_PRESENT("a") OLD_GONE("a")), "akr+a-a"},
		/* Other frames, too short ones, and such as say nothing at all. */
		{BYTES(HEAD GREETING "\x06\0\0\0\0" PRESENT("b") "\x77\0\0\0\3xyz" GONE("c")), "akra+ba-c"},
		{BYTES(HEAD GREETING "\x09\0\0\0\x1f"
				     "0123456789abcdef0123456789abcde" PRESENT("b")),
		 "akra+b"},
		/* A longer greeting. */
		{BYTES(HEAD "\x01\0\0\0\x2a"
			    "DERP\xf0\x9f\x94\x91" KEY("r") "xy" PRESENT("a")),
		 "akr+a"},
		/* Behind the head everything is a frame. */
		{BYTES("HTTP/1.1 101\r\n\r\n" GREETING), "akr"},
		/* None of it. */
		{BYTES("HTTP/1.1 503 no room\r\n\r\n" GREETING), "!503"},
		{BYTES("HTTP/1.1 426 x\r\nContent-Length: 1\r\n\r\nx"), "!426"},
		{BYTES("HTTP/1.0 101 x\r\n\r\n" GREETING), "!1"},
		{BYTES("HTTP/1.1 1x1 x\r\n\r\n" GREETING), "!1"},
		{BYTES("\r\n\r\n"), "!1"},
		{BYTES(HEAD "\x05\0\0\0\x28"
			    "DERP\xf0\x9f\x94\x91" KEY("r")),
		 "a!0"},
		{BYTES(HEAD "\x01\0\0\0\x28"
			    "DERP\xf0\x9f\x94\x92" KEY("r")),
		 "a!0"},
		{BYTES(HEAD "\x01\0\0\0\x27"
			    "DERP\xf0\x9f\x94\x91" KEY("r")),
		 "a!0"},
		{BYTES(HEAD "\x01\0\0\xff\xff"
			    "DERP\xf0\x9f\x94\x91" KEY("r")),
		 "a!0"},
		{BYTES(HEAD "\x01\0\0\0\x28"
			    "DERP\xf0\x9f\x94\x91" KEY("\0")),
		 "a!0"},
		{BYTES(HEAD GREETING PRESENT("a") "\x05\0\x10\0\1"), "akr+a!0"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t first = 0; first < cases[i].said.len; first++)
			wants(false, cases[i].said, first, SIZE_MAX, cases[i].want);
		wants(false, cases[i].said, 0, 1, cases[i].want);
		wants(false, cases[i].said, 0, 3, cases[i].want);
	}
}

static void whole_frames_are_given(void **state)
{
	static const struct {
		struct bytes said;
		const char *want;
	} cases[] = {
		{BYTES(HEAD GREETING "\x13\0\0\0\x08"
				     "12345678"
				     "\x06\0\0\0\0" PRESENT("a")),
		 "akrf19:8f6:0f9:51"},
		{BYTES(HEAD GREETING "\x13\0\0\0\0" GONE("a")), "akrf19:0f8:33"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t first = 0; first < cases[i].said.len; first++)
			wants(true, cases[i].said, first, SIZE_MAX, cases[i].want);
		wants(true, cases[i].said, 0, 1, cases[i].want);
	}
}

/* Frames up to the cap are skipped without being kept, larger ones end it. */
static void large_frames(void **state)
{
	static const struct {
		uint32_t len;
		bool whole;
		const char *want;
	} cases[] = {
		{MESHSTREAM_FRAME_MAX, false, "akra+a"},         {MESHSTREAM_FRAME_MAX + 1, false, "akr!0"},    {UINT32_MAX, false, "akr!0"},
		{MESHSTREAM_WHOLE_MAX, true, "akrf5:4096f9:32"}, {MESHSTREAM_WHOLE_MAX + 1, true, "akraf9:32"}, {UINT32_MAX, true, "akr!0"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t head[DERPFRAME_HEADER_LEN];
		struct buffer said;
		buffer_init(&said, 1 << 21);
		assert_int_equal(buffer_add(&said, BYTES(HEAD GREETING)), ERR_NONE);
		derpframe_encode(head, DERPFRAME_RECV_PACKET, cases[i].len);
		assert_int_equal(buffer_add(&said, bytes_of(head, sizeof head)), ERR_NONE);
		if (cases[i].len <= MESHSTREAM_FRAME_MAX) {
			memset(buffer_reserve(&said, cases[i].len), 0x09, cases[i].len);
			buffer_filled(&said, cases[i].len);
		}
		assert_int_equal(buffer_add(&said, BYTES(OLD_PRESENT("a"))), ERR_NONE);
		wants(cases[i].whole, buffer_bytes(&said), 0, SIZE_MAX, cases[i].want);
		wants(cases[i].whole, buffer_bytes(&said), 0, 1000, cases[i].want);
		buffer_clear(&said);
	}
}

/* A head that never ends. */
static void heads_have_a_cap(void **state)
{
	struct meshstream s = {0};
	struct buffer in;
	(void)state;
	buffer_init(&in, 1 << 20);
	assert_int_equal(buffer_add(&in, BYTES("HTTP/1.1 101 x\r\n")), ERR_NONE);
	while (in.len <= MESHSTREAM_HEAD_MAX) {
		assert_int_equal(meshstream_next(&s, &in).kind, MESHSTREAM_MORE);
		assert_int_equal(buffer_add(&in, BYTES("X: y\r\n")), ERR_NONE);
	}
	assert_int_equal(meshstream_next(&s, &in).kind, MESHSTREAM_BAD);
	buffer_clear(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talk_is_understood),
		cmocka_unit_test(whole_frames_are_given),
		cmocka_unit_test(large_frames),
		cmocka_unit_test(heads_have_a_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
