/* What the far end of a link sends instead of TLS, in pieces: whatever it is, the link is not ready, nothing of it is believed, and the way it is cut does not matter. */
#include <stdlib.h>

#include "linktls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How it ends. The first bytes of the link are random: no input completes a handshake. */
static enum err read_in_pieces(struct bytes all, size_t piece, bool pinned)
{
	struct linktls *t = linktls_new("h.example", pinned ? "sha256-raw:0000000000000000000000000000000000000000000000000000000000000000" : "", !pinned);
	struct buffer came, plain, sent;
	struct diag why = {.text = ""};
	enum err e;
	buffer_init(&came, 1 << 20);
	buffer_init(&plain, 1 << 20);
	buffer_init(&sent, 1 << 20);
	if (!t)
		abort();
	e = linktls_turn(t, &came, &plain, &sent, &why);
	if (e || !sent.len)
		abort(); /* it begins */
	while (!e && all.len) {
		struct bytes part = bytes_take(all, piece);
		all = bytes_skip(all, part.len);
		if (buffer_add(&came, part))
			abort();
		e = linktls_turn(t, &came, &plain, &sent, &why);
		if (linktls_ready(t) || plain.len || came.len)
			abort();
	}
	linktls_free(&t);
	buffer_clear(&came);
	buffer_clear(&plain);
	buffer_clear(&sent);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all;
	if (size < 2 || size > 65536)
		return 0;
	all = bytes_of(data + 2, size - 2);
	if (read_in_pieces(all, all.len + 1, data[1] & 1) != read_in_pieces(all, 1 + data[0] % 64, data[1] & 1))
		abort();
	return 0;
}
