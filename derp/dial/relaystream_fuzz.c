/* A relay's stream in pieces of any size: the same events as in one piece, and never past the input. */
#include <stdlib.h>

#include "relaystream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t read_in_pieces(struct bytes all, size_t piece)
{
	struct relaystream s = {0};
	struct buffer in;
	uint64_t sum = 1469598103934665603u;
	buffer_init(&in, 1 << 22);
	while (all.len) {
		struct bytes part = bytes_take(all, piece);
		struct relaystream_event e;
		all = bytes_skip(all, part.len);
		if (buffer_add(&in, part))
			abort();
		while ((e = relaystream_next(&s, &in)).kind != RELAYSTREAM_MORE && e.kind != RELAYSTREAM_BAD) {
			sum = (sum ^ (uint64_t)e.kind ^ get_be64(e.key.raw)) * 1099511628211u;
			for (size_t i = 0; i < e.payload.len; i++)
				sum = (sum ^ e.payload.at[i]) * 1099511628211u;
		}
		if (e.kind == RELAYSTREAM_BAD)
			break;
	}
	buffer_clear(&in);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all;
	if (size < 2)
		return 0;
	all = bytes_of(data + 1, size - 1);
	/* A head that never ends is refused by its length, which pieces reach at different places. */
	if (all.len > RELAYSTREAM_HEAD_MAX)
		return 0;
	if (read_in_pieces(all, all.len) != read_in_pieces(all, 1 + data[0] % 64))
		abort();
	return 0;
}
