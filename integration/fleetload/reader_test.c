#include "reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zstd.h>

static size_t pack(uint8_t *out, size_t room, const char *const *parts, size_t count)
{
	size_t len = 4;

	for (size_t i = 0; i < count; i++)
		len += ZSTD_compress(out + len, room - len, parts[i], strlen(parts[i]), 1);
	put_le32(out, (uint32_t)len - 4);
	return len;
}

static void test_joined_frames_and_repeats(void **state)
{
	static const char *const parts[] = {"{\"PeersChangedPatch\":[", "{\"Endpoints\":[\"10.0.0.5:7077\"]}", "]}"};
	static struct reader r;
	uint8_t frame[512];
	size_t len = pack(frame, sizeof frame, parts, COUNT_OF(parts));

	(void)state;
	reader_init(&r);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(reader_read(&r, bytes_of(frame, len)), ERR_NONE);
		assert_true(bytes_equal_text(buffer_bytes(&r.text), "{\"PeersChangedPatch\":[{\"Endpoints\":[\"10.0.0.5:7077\"]}]}"));
		assert_int_equal(r.token_count, 1);
		assert_int_equal(r.tokens[0].event, 5);
	}
	assert_int_equal(r.repeated, 1);
	reader_clear(&r);
}

static void test_cut_short_or_foreign(void **state)
{
	static const char *const parts[] = {"{\"KeepAlive\":true}\n"};
	static struct reader r;
	uint8_t frame[128];
	size_t len = pack(frame, sizeof frame, parts, 1);

	(void)state;
	reader_init(&r);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(reader_read(&r, bytes_of(frame, cut)), ERR_MALFORMED);
	assert_int_equal(reader_read(&r, bytes_of(frame, len)), ERR_NONE);
	assert_int_equal(r.token_count, 0);
	frame[4] ^= 1;
	assert_int_equal(reader_read(&r, bytes_of(frame, len)), ERR_MALFORMED);
	reader_clear(&r);
}

static void test_a_bomb_is_refused(void **state)
{
	static struct reader r;
	size_t size = READER_MOST + 1, room = ZSTD_compressBound(size);
	uint8_t *text = x_zalloc(size), *frame = x_alloc(room);
	size_t len = ZSTD_compress(frame + 4, room - 4, text, size, 1);

	(void)state;
	reader_init(&r);
	assert_int_equal(reader_read(&r, bytes_of(frame, len + 4)), ERR_TOO_BIG);
	reader_clear(&r);
	free(text);
	free(frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_joined_frames_and_repeats), cmocka_unit_test(test_cut_short_or_foreign),
					   cmocka_unit_test(test_a_bomb_is_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
