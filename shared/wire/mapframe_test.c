#include "mapframe.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zstd.h>

#include <cmocka.h>

static void round_trip(struct bytes plain)
{
	struct buffer packed, back;
	buffer_init(&packed, 1 << 22);
	buffer_init(&back, 1 << 22);
	assert_int_equal(mapframe_compress(plain, &packed), ERR_NONE);
	assert_int_equal(ZSTD_getFrameContentSize(packed.at, packed.len), plain.len);
	/* two pieces back to back are one text, as clients read them */
	assert_int_equal(mapframe_compress(BYTES("tail"), &packed), ERR_NONE);
	assert_int_equal(mapframe_decompress(buffer_bytes(&packed), plain.len + 4, &back), ERR_NONE);
	assert_int_equal(back.len, plain.len + 4);
	assert_memory_equal(back.at, plain.len ? (const char *)plain.at : "", plain.len);
	assert_memory_equal(back.at + plain.len, "tail", 4);
	buffer_reset(&back);
	assert_int_equal(mapframe_decompress(buffer_bytes(&packed), plain.len + 3, &back), ERR_TOO_BIG);
	assert_int_equal(back.len, 0);
	buffer_clear(&packed);
	buffer_clear(&back);
}

static void compresses(void **state)
{
	(void)state;
	size_t len = 1 << 20;
	uint8_t *text = x_alloc(len);
	uint32_t seed = 1;
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		text[i] = i < len / 2 ? 'a' : (uint8_t)(seed >> 24);
	}
	for (size_t n = 0; n < 300; n++)
		round_trip(bytes_of(text + len / 2 - 100, n));
	round_trip(bytes_of(text, len));
	round_trip(BYTES_NONE);
	free(text);
}

static void keeps_to_the_cap(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 40);
	assert_int_equal(mapframe_compress(BYTES("{\"KeepAlive\":true}"), &out), ERR_NONE);
	size_t len = out.len;
	assert_int_equal(mapframe_compress(BYTES("{\"KeepAlive\":true}"), &out), ERR_TOO_BIG);
	assert_int_equal(out.len, len);
	assert_int_equal(mapframe_wrap(BYTES("0123456789012345678901234567890123456789"), &out), ERR_TOO_BIG);
	assert_int_equal(out.len, len);
	buffer_clear(&out);
}

static void wraps(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 1000);
	assert_int_equal(mapframe_wrap(BYTES("{}"), &out), ERR_NONE);
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.at, "\2\0\0\0{}", 6);
	uint8_t header[MAPFRAME_HEADER_LEN];
	mapframe_header(header, 0x01020304);
	assert_memory_equal(header, "\4\3\2\1", 4);
	buffer_clear(&out);
}

/* The text is not exactly {"KeepAlive":true}: clients remember the packed length of that one and drop other frames of its length. */
static void keeps_alive(void **state)
{
	(void)state;
	static const char text[] = "{\"KeepAlive\":true}\n";
	struct bytes plain = mapframe_keepalive(false), packed = mapframe_keepalive(true);
	struct buffer back;
	buffer_init(&back, 100);
	assert_int_equal(get_le32(plain.at), plain.len - 4);
	assert_true(bytes_equal_text(bytes_skip(plain, 4), text));
	assert_int_equal(get_le32(packed.at), packed.len - 4);
	assert_int_equal(mapframe_decompress(bytes_skip(packed, 4), 100, &back), ERR_NONE);
	assert_true(bytes_equal_text(buffer_bytes(&back), text));
	assert_int_equal(ZSTD_getFrameContentSize(packed.at + 4, packed.len - 4), sizeof text - 1);
	buffer_clear(&back);
}

static void refuses_cuts_and_noise(void **state)
{
	(void)state;
	struct bytes packed = bytes_skip(mapframe_keepalive(true), 4);
	struct buffer back;
	buffer_init(&back, 1000);
	for (size_t len = 0; len < packed.len; len++)
		assert_int_equal(mapframe_decompress(bytes_take(packed, len), 100, &back), ERR_MALFORMED);
	assert_int_equal(mapframe_decompress(BYTES("{\"KeepAlive\":true}"), 100, &back), ERR_MALFORMED);
	assert_int_equal(back.len, 0);
	buffer_clear(&back);
}

static void *compress_in_thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++)
		round_trip(BYTES("{\"Seq\":1}"));
	return NULL;
}

/* Each thread has its own context and ends it (the leak checker sees to that). */
static void works_in_threads(void **state)
{
	(void)state;
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, compress_in_thread, NULL), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(compresses),  cmocka_unit_test(keeps_to_the_cap),       cmocka_unit_test(wraps),
					   cmocka_unit_test(keeps_alive), cmocka_unit_test(refuses_cuts_and_noise), cmocka_unit_test(works_in_threads)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
