#include "relaystream.h"

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

/* Events as letters: o; k with the first byte of the key; f with type, length and first byte; ! at a bad one, with its status. */
static void hear(struct relaystream *s, struct buffer *in, struct buffer *out)
{
	static const char letters[] = {[RELAYSTREAM_OTHER] = 'o', [RELAYSTREAM_KEY] = 'k', [RELAYSTREAM_FRAME] = 'f', [RELAYSTREAM_BAD] = '!'};
	struct relaystream_event e;
	while ((e = relaystream_next(s, in)).kind != RELAYSTREAM_MORE) {
		assert_int_equal(buffer_add_byte(out, (uint8_t)letters[e.kind]), ERR_NONE);
		if (e.kind == RELAYSTREAM_KEY) {
			assert_int_equal(buffer_add_byte(out, e.key.raw[0]), ERR_NONE);
			assert_int_equal(e.key.raw[0], e.key.raw[KEY_LEN - 1]);
		}
		if (e.kind == RELAYSTREAM_FRAME)
			assert_int_equal(buffer_format(out, "%u:%zu%.*s", e.type, e.payload.len, e.payload.len > 0, (const char *)e.payload.at), ERR_NONE);
		if (e.kind == RELAYSTREAM_BAD) {
			assert_int_equal(buffer_format(out, "%u", e.status), ERR_NONE);
			return;
		}
	}
}

static bool ended(const struct buffer *out)
{
	return out->len && memchr(out->at, '!', out->len);
}

static void wants(struct bytes said, size_t first, size_t piece, const char *want)
{
	struct relaystream s = {0};
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
		{BYTES(HEAD), "o"},
		{BYTES(HEAD GREETING), "okr"},
		{BYTES(HEAD GREETING PRESENT("a") GONE("a")), "okrf9:51af8:33a"},
		/* Of older relays: no address, no reason. */
		{BYTES(HEAD GREETING OLD_PRESENT("a") OLD_GONE("a")), "okrf9:32af8:32a"},
		/* Other frames, and such as say nothing at all. */
		{BYTES(HEAD GREETING "\x06\0\0\0\0" PRESENT("b") "\x77\0\0\0\3xyz" GONE("c")), "okrf6:0f9:51bf119:3xf8:33c"},
		/* A longer greeting. */
		{BYTES(HEAD "\x01\0\0\0\x2a"
			    "DERP\xf0\x9f\x94\x91" KEY("r") "xy" PRESENT("a")),
		 "okrf9:51a"},
		/* Behind the head everything is a frame. */
		{BYTES("HTTP/1.1 101\r\n\r\n" GREETING), "okr"},
		/* None of it. */
		{BYTES("HTTP/1.1 503 no room\r\n\r\n" GREETING), "!503"},
		{BYTES("HTTP/1.1 426 x\r\nContent-Length: 1\r\n\r\nx"), "!426"},
		{BYTES("HTTP/1.0 101 x\r\n\r\n" GREETING), "!1"},
		{BYTES("HTTP/1.1 1x1 x\r\n\r\n" GREETING), "!1"},
		{BYTES("\r\n\r\n"), "!1"},
		{BYTES(HEAD "\x05\0\0\0\x28"
			    "DERP\xf0\x9f\x94\x91" KEY("r")),
		 "o!0"},
		{BYTES(HEAD "\x01\0\0\0\x28"
			    "DERP\xf0\x9f\x94\x92" KEY("r")),
		 "o!0"},
		{BYTES(HEAD "\x01\0\0\0\x27"
			    "DERP\xf0\x9f\x94\x91" KEY("r")),
		 "o!0"},
		{BYTES(HEAD "\x01\0\0\xff\xff"
			    "DERP\xf0\x9f\x94\x91" KEY("r")),
		 "o!0"},
		{BYTES(HEAD "\x01\0\0\0\x28"
			    "DERP\xf0\x9f\x94\x91" KEY("\0")),
		 "o!0"},
		{BYTES(HEAD GREETING PRESENT("a") "\x05\0\x10\0\1"), "okrf9:51a!0"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t first = 0; first < cases[i].said.len; first++)
			wants(cases[i].said, first, SIZE_MAX, cases[i].want);
		wants(cases[i].said, 0, 1, cases[i].want);
		wants(cases[i].said, 0, 3, cases[i].want);
	}
}

/* Small frames are given, others up to the cap are skipped without being kept, larger ones end it. */
static void large_frames(void **state)
{
	static const struct {
		uint32_t len;
		const char *want;
	} cases[] = {
		{RELAYSTREAM_GIVEN_MAX, "okrf5:4096xf9:32a"},
		{RELAYSTREAM_GIVEN_MAX + 1, "okrof9:32a"},
		{RELAYSTREAM_FRAME_MAX, "okrof9:32a"},
		{RELAYSTREAM_FRAME_MAX + 1, "okr!0"},
		{UINT32_MAX, "okr!0"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t head[DERPFRAME_HEADER_LEN];
		struct buffer said;
		buffer_init(&said, 1 << 21);
		assert_int_equal(buffer_add(&said, BYTES(HEAD GREETING)), ERR_NONE);
		derpframe_encode(head, DERPFRAME_RECV_PACKET, cases[i].len);
		assert_int_equal(buffer_add(&said, bytes_of(head, sizeof head)), ERR_NONE);
		if (cases[i].len <= RELAYSTREAM_FRAME_MAX) {
			memset(buffer_reserve(&said, cases[i].len), 'x', cases[i].len);
			buffer_filled(&said, cases[i].len);
		}
		assert_int_equal(buffer_add(&said, BYTES(OLD_PRESENT("a"))), ERR_NONE);
		wants(buffer_bytes(&said), 0, SIZE_MAX, cases[i].want);
		wants(buffer_bytes(&said), 0, 1000, cases[i].want);
		buffer_clear(&said);
	}
}

/* A head that never ends. */
static void heads_have_a_cap(void **state)
{
	struct relaystream s = {0};
	struct buffer in;
	(void)state;
	buffer_init(&in, 1 << 20);
	assert_int_equal(buffer_add(&in, BYTES("HTTP/1.1 101 x\r\n")), ERR_NONE);
	while (in.len <= RELAYSTREAM_HEAD_MAX) {
		assert_int_equal(relaystream_next(&s, &in).kind, RELAYSTREAM_MORE);
		assert_int_equal(buffer_add(&in, BYTES("X: y\r\n")), ERR_NONE);
	}
	assert_int_equal(relaystream_next(&s, &in).kind, RELAYSTREAM_BAD);
	buffer_clear(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talk_is_understood),
		cmocka_unit_test(large_frames),
		cmocka_unit_test(heads_have_a_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
