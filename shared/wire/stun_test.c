#include "stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "text.h"

static const char request_hex[] = "000100142112a4420102030405060708090a0b0c802200087461696c6e6f646580280004b32c370f";
static const uint8_t id_wanted[STUN_ID_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static size_t unhex(const char *text, uint8_t *out)
{
	size_t len = strlen(text) / 2;
	assert_int_equal(hex_decode(bytes_text(text), out, len), ERR_NONE);
	return len;
}

static void request_is_read(void **state)
{
	(void)state;
	uint8_t request[64], id[STUN_ID_LEN];
	size_t len = unhex(request_hex, request);
	assert_int_equal(stun_decode(bytes_of(request, len), id), ERR_NONE);
	assert_memory_equal(id, id_wanted, sizeof id);
	/* The header's own length is not looked at. */
	for (size_t n = 0; n < len; n++)
		assert_int_not_equal(stun_decode(bytes_of(request, n), id), ERR_NONE);
	for (size_t n = 0; n < len * 8; n++) {
		request[n / 8] ^= (uint8_t)(1 << n % 8);
		assert_int_not_equal(stun_decode(bytes_of(request, len), id), ERR_NONE);
		request[n / 8] ^= (uint8_t)(1 << n % 8);
	}
	request[len] = 0;
	assert_int_not_equal(stun_decode(bytes_of(request, len + 1), id), ERR_NONE);
}

static void answer_is_the_example(void **state)
{
	(void)state;
	uint8_t want[32], out[STUN_ANSWER_MAX];
	assert_int_equal(unhex("0101000c2112a4420102030405060708090a0b0c002000080001f523e721c045", want), 32);
	struct endpoint from;
	assert_int_equal(endpoint_parse(BYTES("198.51.100.7:54321"), &from), ERR_NONE);
	assert_int_equal(stun_encode(out, id_wanted, from), 32);
	assert_memory_equal(out, want, 32);
	assert_int_equal(endpoint_parse(BYTES("[::ffff:198.51.100.7]:54321"), &from), ERR_NONE);
	assert_int_equal(stun_encode(out, id_wanted, from), 32);
	assert_memory_equal(out, want, 32);
}

static void answer_for_v6(void **state)
{
	(void)state;
	uint8_t out[STUN_ANSWER_MAX], want[16];
	struct endpoint from;
	assert_int_equal(endpoint_parse(BYTES("[2001:db8::5]:3478"), &from), ERR_NONE);
	assert_int_equal(stun_encode(out, id_wanted, from), 44);
	unhex("010100182112a442", want);
	assert_memory_equal(out, want, 8);
	unhex("002000140002", want);
	assert_memory_equal(out + 20, want, 6);
	assert_int_equal(get_be16(out + 26), 3478 ^ 0x2112);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(out[28 + i] ^ out[4 + i], from.ip.byte[i]);
}

static void our_request_is_read_and_its_answer_known(void **state)
{
	(void)state;
	uint8_t request[STUN_REQUEST_LEN], id[STUN_ID_LEN], out[STUN_ANSWER_MAX];
	struct endpoint from;
	stun_encode_request(request, id_wanted);
	assert_int_equal(stun_decode(bytes_of(request, sizeof request), id), ERR_NONE);
	assert_memory_equal(id, id_wanted, STUN_ID_LEN);
	assert_false(stun_is_answer(bytes_of(request, sizeof request), id_wanted));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(endpoint_parse(i ? BYTES("[2001:db8::5]:3478") : BYTES("198.51.100.7:54321"), &from), ERR_NONE);
		size_t len = stun_encode(out, id_wanted, from);
		assert_true(stun_is_answer(bytes_of(out, len), id_wanted));
		for (size_t cut = 0; cut < len; cut++)
			assert_false(stun_is_answer(bytes_of(out, cut), id_wanted));
		out[8] ^= 1;
		assert_false(stun_is_answer(bytes_of(out, len), id_wanted));
	}
	/* The stock relay's older form, behind an attribute of another kind. */
	uint8_t mapped[44] = {1, 1, 0, 24, 0x21, 0x12, 0xa4, 0x42};
	memcpy(mapped + 8, id_wanted, STUN_ID_LEN);
	memcpy(mapped + 20, (uint8_t[]){0x80, 0x22, 0, 5, 'a', 'b', 'c', 'd', 'e', 0, 0, 0, 0, 1, 0, 8, 0, 1, 1, 2, 127, 0, 0, 1}, 24);
	assert_true(stun_is_answer(bytes_of(mapped, sizeof mapped), id_wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(our_request_is_read_and_its_answer_known), cmocka_unit_test(request_is_read),
					   cmocka_unit_test(answer_is_the_example), cmocka_unit_test(answer_for_v6)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
