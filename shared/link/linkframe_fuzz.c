/* Whatever decodes must encode to the same bytes. */
#include <assert.h>

#include "linkframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_full(const struct linkframe *frame, struct buffer *out)
{
	static struct link_piece pieces[LINK_PIECES_MAX];
	size_t count = 0;
	struct bytes rest = frame->pieces;
	while (linkframe_piece(&rest, &pieces[count]))
		count++;
	assert(!rest.len);
	enum err e = linkframe_encode_full(frame->stream, frame->version, pieces, count, out);
	assert(!e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct linkframe frame;
	size_t used;
	while (in.len && linkframe_decode(in, &frame, &used) == ERR_NONE) {
		struct buffer out;
		buffer_init(&out, LINKFRAME_MAX + LINKFRAME_HEADER_LEN);
		if (frame.type == LINK_FULL) {
			encode_full(&frame, &out);
		} else {
			enum err e = linkframe_encode(&frame, &out);
			assert(!e);
		}
		assert(bytes_equal(buffer_bytes(&out), bytes_take(in, used)));
		buffer_clear(&out);
		in = bytes_skip(in, used);
	}
	return 0;
}
