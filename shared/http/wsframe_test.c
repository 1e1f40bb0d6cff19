#include "wsframe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define T(text) text, sizeof(text) - 1
#define MASK "\x11\x22\x33\x44"

struct trial {
	const char *at;
	size_t len;
	const char *data; /* what comes out */
	enum err e;
	unsigned close;
	const char *ping; /* NULL: none */
};

/* "abcd" masked with 11223344 is "\x70\x40\x50\x20". */
static const struct trial TRIALS[] = {
	{T(""), "", ERR_NONE, 0, NULL},
	{T("\x82\x84" MASK "\x70\x40\x50\x20"), "abcd", ERR_NONE, 0, NULL},
	{T("\x82\x80" MASK), "", ERR_NONE, 0, NULL},
	{T("\x82\x84" MASK "\x70\x40\x50\x20\x82\x82" MASK "\x70\x40"), "abcdab", ERR_NONE, 0, NULL},
	/* Of several frames, with a ping between. */
	{T("\x02\x82" MASK "\x70\x40\x89\x82" MASK "\x70\x40\x80\x82" MASK "\x70\x40"), "abab", ERR_NONE, 0, "ab"},
	{T("\x02\x82" MASK "\x70\x40\x00\x80" MASK "\x80\x82" MASK "\x70\x40"), "abab", ERR_NONE, 0, NULL},
	{T("\x89\x80" MASK), "", ERR_NONE, 0, ""},
	{T("\x89\x81" MASK "\x70\x89\x81" MASK "\x73"), "", ERR_NONE, 0, "b"},
	{T("\x8a\x82" MASK "\x70\x40"), "", ERR_NONE, 0, NULL},
	/* Not whole yet. */
	{T("\x82\x84" MASK "\x70\x40"), "ab", ERR_NONE, 0, NULL},
	{T("\x82\xfe\x00"), "", ERR_NONE, 0, NULL},
	{T("\x89\x82" MASK "\x70"), "", ERR_NONE, 0, NULL},
	/* Goodbye. */
	{T("\x88\x80" MASK), "", ERR_CLOSED, 1000, NULL},
	{T("\x82\x82" MASK "\x70\x40\x88\x82" MASK "\x12\xca"), "ab", ERR_CLOSED, 1000, NULL},
	{T("\x88\x81" MASK "\x12"), "", ERR_CLOSED, 1002, NULL},
	/* Breaches, told as early as they are seen. */
	{T("\x82\x04"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x81\x84"), "", ERR_UNSUPPORTED, 1003, NULL},
	{T("\x01\x84"), "", ERR_UNSUPPORTED, 1003, NULL},
	{T("\xc2\x84"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x92\x84"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x83\x84"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x8b\x84"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x80\x84"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x02\x82" MASK "\x70\x40\x82\x82"), "ab", ERR_MALFORMED, 1002, NULL},
	{T("\x09\x80"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x89\xfe"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x82\xfe\x00\x7d"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x82\xff\0\0\0\0\0\0\xff\xff"), "", ERR_MALFORMED, 1002, NULL},
	{T("\x82\xff\0\0\0\0\0\1\0\1"), "", ERR_TOO_BIG, 1009, NULL},
	{T("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "", ERR_TOO_BIG, 1009, NULL},
};

static void assert_trial(const struct trial *t, const struct wsframe *w, enum err e, const struct buffer *data)
{
	assert_int_equal(e, t->e);
	assert_true(bytes_equal_text(buffer_bytes(data), t->data));
	assert_int_equal(w->close, t->close);
	assert_int_equal(w->pinged, t->ping != NULL);
	if (t->ping)
		assert_true(bytes_equal_text(bytes_of(w->ping, w->ping_len), t->ping));
}

static void frames_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		struct wsframe w = {0};
		struct buffer in, data;
		buffer_init(&in, 1 << 17);
		buffer_init(&data, 1 << 17);
		assert_int_equal(buffer_add(&in, bytes_of(TRIALS[i].at, TRIALS[i].len)), ERR_NONE);
		enum err e = wsframe_read(&w, &in, &data);
		assert_trial(&TRIALS[i], &w, e, &data);
		buffer_clear(&in);
		buffer_clear(&data);
	}
}

static void frames_come_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(TRIALS); i++) {
		for (size_t cut = 0; cut <= TRIALS[i].len; cut++) {
			struct wsframe w = {0};
			struct buffer in, data;
			buffer_init(&in, 1 << 17);
			buffer_init(&data, 1 << 17);
			assert_int_equal(buffer_add(&in, bytes_of(TRIALS[i].at, cut)), ERR_NONE);
			enum err e = wsframe_read(&w, &in, &data);
			if (!e && cut < TRIALS[i].len) {
				assert_int_equal(buffer_add(&in, bytes_of(TRIALS[i].at + cut, TRIALS[i].len - cut)), ERR_NONE);
				e = wsframe_read(&w, &in, &data);
			}
			assert_trial(&TRIALS[i], &w, e, &data);
			buffer_clear(&in);
			buffer_clear(&data);
		}
	}
}

/* A binary frame of `len` bytes, as a client writes it. */
static void add_frame(struct buffer *out, uint8_t first, size_t len)
{
	uint8_t head[14] = {first, 0x80 | 127, 0, 0, 0, 0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 1, 2, 3, 4};
	size_t size = sizeof(head);
	if (len <= UINT16_MAX) {
		head[1] = 0x80 | 126, head[2] = (uint8_t)(len >> 8), head[3] = (uint8_t)len;
		memcpy(head + 4, head + 10, 4);
		size = 8;
	}
	assert_int_equal(buffer_add(out, bytes_of(head, size)), ERR_NONE);
	memset(buffer_reserve(out, len), 'x', len);
	buffer_filled(out, len);
}

static void small_takers_lose_nothing(void **state)
{
	(void)state;
	struct wsframe w = {0};
	struct buffer in, data;
	size_t got = 0;
	enum err e;
	buffer_init(&in, 1 << 20);
	buffer_init(&data, 100);
	add_frame(&in, 0x82, 60000);
	add_frame(&in, 0x82, WSFRAME_IN_MAX);
	do {
		e = wsframe_read(&w, &in, &data);
		assert_true(e == ERR_NONE || e == ERR_EXHAUSTED);
		for (size_t i = 0; i < data.len; i++)
			assert_int_equal(data.at[i], 'x' ^ (1 + (got < 60000 ? got + i : got + i - 60000) % 4));
		got += data.len;
		buffer_reset(&data);
	} while (e == ERR_EXHAUSTED);
	assert_int_equal(got, 60000 + WSFRAME_IN_MAX);
	assert_int_equal(in.len, 0);
	buffer_clear(&in);
	buffer_clear(&data);
}

static void messages_have_a_cap(void **state)
{
	(void)state;
	struct wsframe w = {0};
	struct buffer in, data;
	size_t got = 0;
	enum err e = ERR_NONE;
	buffer_init(&in, 1 << 20);
	buffer_init(&data, 1 << 20);
	for (unsigned i = 0; !e; i++) {
		add_frame(&in, i ? 0x00 : 0x02, WSFRAME_IN_MAX);
		e = wsframe_read(&w, &in, &data);
		got += data.len;
		buffer_reset(&data);
	}
	assert_int_equal(e, ERR_TOO_BIG);
	assert_int_equal(w.close, WSFRAME_TOO_BIG);
	assert_int_equal(got, WSFRAME_MESSAGE_MAX);
	buffer_clear(&in);
	buffer_clear(&data);
}

static void frames_are_written(void **state)
{
	(void)state;
	static const size_t LENS[] = {0, 1, 125, 126, 4092, 4093, 10000};
	struct buffer out, back;
	for (size_t i = 0; i < COUNT_OF(LENS); i++) {
		uint8_t data[10000];
		for (size_t j = 0; j < LENS[i]; j++)
			data[j] = (uint8_t)(j * 7);
		buffer_init(&out, 1 << 20);
		buffer_init(&back, 1 << 20);
		assert_int_equal(wsframe_write(bytes_of(data, LENS[i]), &out), ERR_NONE);
		while (out.len) {
			bool is_long = out.at[1] == 126;
			size_t len = is_long ? (size_t)out.at[2] << 8 | out.at[3] : out.at[1], head = is_long ? 4 : 2;
			assert_int_equal(out.at[0], 0x82);
			assert_true(len && len <= WSFRAME_OUT_MAX && (is_long ? len > 125 : len <= 125));
			assert_int_equal(buffer_add(&back, bytes_of(out.at + head, len)), ERR_NONE);
			buffer_consume(&out, head + len);
		}
		assert_true(bytes_equal(buffer_bytes(&back), bytes_of(data, LENS[i])));
		buffer_clear(&out);
		buffer_clear(&back);
	}
	struct wsframe w = {.ping_len = 2, .ping = {'h', 'i'}};
	buffer_init(&out, 100);
	assert_int_equal(wsframe_write_pong(&w, &out), ERR_NONE);
	assert_int_equal(wsframe_write_close(WSFRAME_GOING, &out), ERR_NONE);
	assert_true(bytes_equal(buffer_bytes(&out), BYTES("\x8a\x02hi\x88\x02\x03\xe9")));
	assert_int_equal(wsframe_write(bytes_of((uint8_t[200]){0}, 200), &out), ERR_TOO_BIG);
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_read),     cmocka_unit_test(frames_come_in_pieces), cmocka_unit_test(small_takers_lose_nothing),
		cmocka_unit_test(messages_have_a_cap), cmocka_unit_test(frames_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
