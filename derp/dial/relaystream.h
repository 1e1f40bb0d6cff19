/* What another relay says on a connection that we dialed: answer to the upgrade, its key, then frames. Pure: bytes in, one event at a time out.
 * Not the connection (outward.h) and not what is done about it (siblinglink.h, relayclient.h).
 * Events borrow from the input. Source: docs/protocol/derp.md, upgrade, framing and handshake. */
#ifndef RELAYSTREAM_H
#define RELAYSTREAM_H

#include "buffer.h"
#include "derpframe.h"

/* Bytes of the answer's head; of a frame, which is no relay's beyond that; and of a frame that is given. */
enum { RELAYSTREAM_HEAD_MAX = 16384, RELAYSTREAM_FRAME_MAX = 1 << 20, RELAYSTREAM_GIVEN_MAX = 4096 };

enum relaystream_kind {
	RELAYSTREAM_MORE,  /* more bytes are needed */
	RELAYSTREAM_OTHER, /* it speaks: the answer's head was good, or a frame was too long to be given */
	RELAYSTREAM_KEY,   /* key: the relay's; say ClientInfo now */
	RELAYSTREAM_FRAME, /* type and payload, which is good until the next call */
	RELAYSTREAM_BAD    /* it does not speak as relays do; status: of its answer, 0 when that was good */
};

struct relaystream_event {
	enum relaystream_kind kind;
	struct node_key key;
	unsigned status;
	uint8_t type; /* enum derpframe_type */
	struct bytes payload;
};

/* Zero at the start. */
struct relaystream {
	bool upgraded, greeted;
	uint64_t skip;
};

/* Consumes what it has understood. Again until RELAYSTREAM_MORE or RELAYSTREAM_BAD. */
struct relaystream_event relaystream_next(struct relaystream *stream, struct buffer *in);

#endif
