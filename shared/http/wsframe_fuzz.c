/* What a client writes on its WebSocket, whole and byte by byte: the same bytes come out, the same end; caps hold. The first byte chooses how small the
 * taker is. */
#include <stdlib.h>

#include "wsframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ALL_MAX = 1 << 20 };

struct run {
	struct wsframe wire;
	struct buffer in, data, all;
};

static void begin(struct run *r, size_t cap)
{
	*r = (struct run){0};
	buffer_init(&r->in, ALL_MAX);
	buffer_init(&r->data, cap);
	buffer_init(&r->all, ALL_MAX);
}

static enum err feed(struct run *r, struct bytes more)
{
	enum err e;
	if (buffer_add(&r->in, more))
		abort();
	do {
		e = wsframe_read(&r->wire, &r->in, &r->data);
		if (e == ERR_EXHAUSTED && !r->data.len)
			abort();
		if (buffer_add(&r->all, buffer_bytes(&r->data)))
			abort();
		buffer_reset(&r->data);
	} while (e == ERR_EXHAUSTED);
	if (r->wire.ping_len > WSFRAME_CONTROL_MAX || r->wire.message > WSFRAME_MESSAGE_MAX + WSFRAME_IN_MAX)
		abort();
	return e;
}

static void end(struct run *r)
{
	buffer_clear(&r->in);
	buffer_clear(&r->data);
	buffer_clear(&r->all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, parts;
	if (!size || size > ALL_MAX / 2)
		return 0;
	size_t cap = 1 + data[0];
	struct bytes input = bytes_of(data + 1, size - 1);
	begin(&whole, cap);
	begin(&parts, cap);
	enum err e = feed(&whole, input), f = ERR_NONE;
	for (size_t i = 0; i < input.len && !f; i++)
		f = feed(&parts, bytes_of(input.at + i, 1));
	if (e != f || whole.wire.close != parts.wire.close || !bytes_equal(buffer_bytes(&whole.all), buffer_bytes(&parts.all)))
		abort();
	if (whole.all.len > input.len)
		abort();
	end(&whole);
	end(&parts);
	return 0;
}
