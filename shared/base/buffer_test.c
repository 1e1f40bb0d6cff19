#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "buffer.h"

static void bytes_come_out_as_they_went_in(void **state)
{
	(void)state;
	for (size_t cap = 1; cap < 300; cap += 7) {
		struct buffer b;
		uint8_t in = 0, out = 0;
		buffer_init(&b, cap);
		for (unsigned step = 0; step < 2000; step++) {
			size_t put = step * 7919 % (cap + 1), take = step * 104729 % (cap + 1);
			for (; put && b.len < cap; put--)
				assert_int_equal(buffer_add_byte(&b, in++), ERR_NONE);
			if (b.len == cap)
				assert_int_equal(buffer_add_byte(&b, 0), ERR_TOO_BIG);
			for (; take && b.len; take--, out++) {
				assert_int_equal(b.at[0], out);
				buffer_consume(&b, 1);
			}
			assert_true(b.room <= cap + cap / 2);
		}
		buffer_clear(&b);
		assert_null(b.base);
		assert_int_equal(b.cap, cap);
	}
}

static void caps_leave_it_unchanged(void **state)
{
	(void)state;
	struct buffer b;
	buffer_init(&b, 8);
	assert_int_equal(buffer_add_text(&b, "12345678"), ERR_NONE);
	assert_int_equal(buffer_add_text(&b, "9"), ERR_TOO_BIG);
	assert_int_equal(buffer_format(&b, "%d", 9), ERR_TOO_BIG);
	assert_null(buffer_reserve(&b, 1));
	assert_null(buffer_reserve(&b, SIZE_MAX));
	assert_non_null(buffer_reserve(&b, 0));
	assert_true(bytes_equal_text(buffer_bytes(&b), "12345678"));
	assert_true(b.room <= 8);
	buffer_consume(&b, 3);
	assert_int_equal(buffer_add_text(&b, "abc"), ERR_NONE);
	assert_true(bytes_equal_text(buffer_bytes(&b), "45678abc"));
	buffer_cut(&b, 2);
	assert_true(bytes_equal_text(buffer_bytes(&b), "45"));
	buffer_reset(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(buffer_add(&b, BYTES_NONE), ERR_NONE);
	buffer_clear(&b);
}

static void formats_of_any_length_fit(void **state)
{
	(void)state;
	static const int widths[] = {0, 1, 254, 255, 256, 257, 5000};
	for (size_t i = 0; i < COUNT_OF(widths); i++) {
		struct buffer b;
		buffer_init(&b, 10000);
		assert_int_equal(buffer_add_text(&b, "<"), ERR_NONE);
		assert_int_equal(buffer_format(&b, "%*s>", widths[i], ""), ERR_NONE);
		assert_int_equal(b.len, widths[i] + 2);
		assert_int_equal(b.at[b.len - 1], '>');
		buffer_clear(&b);
	}
}

static void memory_moves(void **state)
{
	(void)state;
	struct buffer from, to;
	buffer_init(&from, 100);
	buffer_init(&to, 50);
	assert_int_equal(buffer_add_text(&to, "old"), ERR_NONE);
	assert_int_equal(buffer_add_text(&from, "hello"), ERR_NONE);
	buffer_consume(&from, 1);
	uint8_t *at = from.at;
	buffer_move(&to, &from);
	assert_ptr_equal(to.at, at);
	assert_true(bytes_equal_text(buffer_bytes(&to), "ello"));
	assert_int_equal(to.cap, 50);
	assert_int_equal(from.len, 0);
	assert_null(from.base);
	assert_int_equal(from.cap, 100);
	buffer_clear(&to);
	buffer_clear(&from);
}

/* A stream through a full buffer may not move all of it for every byte. */
static void consuming_is_cheap(void **state)
{
	(void)state;
	enum { CAP = 1 << 20 };
	struct buffer b;
	size_t moves = 0;
	buffer_init(&b, CAP);
	uint8_t *room = buffer_reserve(&b, CAP - 1);
	assert_non_null(room);
	memset(room, 'x', CAP - 1);
	buffer_filled(&b, CAP - 1);
	for (size_t i = 0; i < 4 * (size_t)CAP; i++) {
		uint8_t *before = b.at;
		buffer_consume(&b, 1);
		assert_int_equal(buffer_add_byte(&b, 'y'), ERR_NONE);
		moves += b.at != before + 1;
	}
	assert_true(moves < 12);
	buffer_clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in),
		cmocka_unit_test(caps_leave_it_unchanged),
		cmocka_unit_test(formats_of_any_length_fit),
		cmocka_unit_test(memory_moves),
		cmocka_unit_test(consuming_is_cheap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
