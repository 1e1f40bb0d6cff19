/* Scalars as texts from outside: what is read must be written as a text that reads the same. */
#include <stdlib.h>

#include "text.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void attack_time(struct bytes text)
{
	struct wall wall, again;
	char out[TIME_TEXT_MAX];
	if (time_parse(text, &wall) != ERR_NONE)
		return;
	size_t len = time_format(out, wall);
	must(len < sizeof(out) && time_parse(bytes_of(out, len), &again) == ERR_NONE);
	must(again.ns == wall.ns || wall.ns == INT64_MAX || wall.ns == INT64_MIN + 1);
}

static void attack_duration(struct bytes text)
{
	int64_t ms, again;
	char out[32];
	if (duration_parse(text, &ms) != ERR_NONE)
		return;
	size_t len = duration_format(out, ms);
	must(ms >= 0 && len < sizeof(out) && duration_parse(bytes_of(out, len), &again) == ERR_NONE && again == ms);
}

static void attack_base64(struct bytes text)
{
	struct buffer plain, again;
	buffer_init(&plain, text.len);
	buffer_init(&again, text.len);
	if (base64_decode(text, &plain) == ERR_NONE) {
		must(base64_encode(buffer_bytes(&plain), &again) == ERR_NONE);
		must(bytes_equal(buffer_bytes(&again), text));
	}
	buffer_clear(&plain);
	buffer_clear(&again);
}

static void attack_numbers(struct bytes text)
{
	uint64_t number;
	int64_t integer;
	struct buffer out;
	buffer_init(&out, 64);
	if (text_parse_u64(text, UINT64_MAX, &number) == ERR_NONE) {
		must(buffer_format(&out, "%llu", (unsigned long long)number) == ERR_NONE && bytes_equal(buffer_bytes(&out), text));
		must(text_parse_i64(text, &integer) == (number > INT64_MAX ? ERR_TOO_BIG : ERR_NONE));
	}
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	attack_time(text);
	attack_duration(text);
	attack_base64(text);
	attack_numbers(text);
	if (size < 512) {
		struct bytes a = bytes_take(text, size / 2), b = bytes_skip(text, size / 2);
		must(text_distance(a, b, 64) == text_distance(b, a, 64));
	}
	(void)bytes_is_utf8(text);
	return 0;
}
