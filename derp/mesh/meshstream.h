/* What another relay says on a connection that we dialed: answer to the upgrade, its key, then frames. Pure: bytes in, one event at a time out.
 * Not the connection (outward.h) and not what is done about it (mesh.h, relayclient.h).
 * Events borrow from the input. Source: docs/protocol/derp.md, mesh. */
#ifndef MESHSTREAM_H
#define MESHSTREAM_H

#include "buffer.h"
#include "derpframe.h"

enum { MESHSTREAM_HEAD_MAX = 16384, MESHSTREAM_FRAME_MAX = 1 << 20, MESHSTREAM_WHOLE_MAX = 4096 };

enum meshstream_kind {
	MESHSTREAM_MORE,    /* more bytes are needed */
	MESHSTREAM_KEY,     /* key: the sibling's; say ClientInfo and WatchConns now */
	MESHSTREAM_PRESENT, /* key is connected there */
	MESHSTREAM_GONE,    /* key is not, or not any more */
	MESHSTREAM_ALIVE,   /* some other frame */
	MESHSTREAM_FRAME,   /* likewise, all of it: type and payload, which is good until the next call; only with `whole` */
	MESHSTREAM_BAD      /* it does not speak as siblings do; status: of its answer, 0 when that was good */
};

struct meshstream_event {
	enum meshstream_kind kind;
	struct node_key key;
	unsigned status;
	uint8_t type; /* enum derpframe_type */
	struct bytes payload;
};

struct meshstream {
	bool whole; /* frames up to MESHSTREAM_WHOLE_MAX are given whole; larger ones are MESHSTREAM_ALIVE */
	bool upgraded, greeted;
	uint64_t skip;
};

/* Consumes what it has understood. Again until MESHSTREAM_MORE or MESHSTREAM_BAD. */
struct meshstream_event meshstream_next(struct meshstream *stream, struct buffer *in);

#endif
