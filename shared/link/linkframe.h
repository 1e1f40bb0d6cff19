/* The protocol between coordinator and mapper, inside Noise records: frames of type, length, body. Numbers are big-endian.
 * Not who sends what when (dial.h, gate.h). Decoding borrows from the input.
 * Both ends run the same release or neighbouring ones: the prologue "fleetscale link v1" names the version. */
#ifndef LINKFRAME_H
#define LINKFRAME_H

#include "buffer.h"

enum {
	LINKFRAME_MAX = 16 << 20, /* body of a frame: a full map's private part and the largest chunk are far below */
	LINKFRAME_HEADER_LEN = 5,
	LINK_CHUNK_NAME_LEN = 16,
	LINK_PIECES_MAX = (1 << 16) - 1 /* of one full map: 64 peers a chunk */
};
#define LINK_PROLOGUE "fleetscale link v1"

enum linkframe_type {
	LINK_SUBSCRIBE = 1, /* coordinator -> mapper */
	LINK_UNSUBSCRIBE,
	LINK_CREDIT,    /* clogged or free */
	LINK_STANDS,    /* a body was dropped: the stream stands at a version */
	LINK_WANT,      /* a chunk that the cache does not have, for a stream; answered by LINK_CHUNK or LINK_END */
	LINK_PING,      /* answered by LINK_PONG, in order: also the barrier behind which nothing older is under way */
	LINK_BODY = 16, /* mapper -> coordinator: one body and the streams it is for */
	LINK_FULL,      /* one stream: private bytes and references to chunks, in order */
	LINK_CHUNK,     /* the bytes of a chunk by name */
	LINK_FORGET,    /* a chunk is not referred to any more */
	LINK_END,       /* a stream ends, and why */
	LINK_PONG
};

struct link_subscribe {
	uint32_t stream; /* the coordinator's number, unique on this link */
	uint64_t tailnet, node, session;
	uint16_t capver;
	bool zstd;
	bool once; /* one full frame, then LINK_END */
	bool omit_peers;
};

struct link_piece { /* of a full map */
	bool is_chunk;
	uint8_t name[LINK_CHUNK_NAME_LEN]; /* of a chunk: hash of its bytes */
	struct bytes bytes;                /* private */
};

struct linkframe {
	enum linkframe_type type;
	struct link_subscribe subscribe;
	uint32_t stream;                    /* unsubscribe, credit, stands, want, full, end */
	bool free;                          /* credit */
	uint64_t version;                   /* stands, body, full */
	uint8_t chunk[LINK_CHUNK_NAME_LEN]; /* want, chunk, forget */
	struct bytes bytes;                 /* body, chunk */
	struct bytes streams;               /* body: packed big-endian u32, len a multiple of 4 */
	struct bytes pieces;                /* full: packed; walk with linkframe_piece */
	uint16_t reason;                    /* end: enum link_end */
};

enum link_end { LINK_END_DONE, LINK_END_NO_TAILNET, LINK_END_NO_NODE, LINK_END_MOVED, LINK_END_DRAIN, LINK_END_OVERLOADED };

/* One frame at the start of `in`: ERR_AGAIN when not whole (*used = 0), ERR_MALFORMED, ERR_TOO_BIG. */
MUST_USE enum err linkframe_decode(struct bytes in, struct linkframe *frame, size_t *used);
/* Walks pieces: false at the end. Decoding has checked them. */
bool linkframe_piece(struct bytes *rest, struct link_piece *piece);
/* Appends; ERR_TOO_BIG (out unchanged) past out's cap or LINKFRAME_MAX. A full map is encoded by its own function. */
MUST_USE enum err linkframe_encode(const struct linkframe *frame, struct buffer *out);
MUST_USE enum err linkframe_encode_full(uint32_t stream, uint64_t version, const struct link_piece *pieces, size_t count, struct buffer *out);

#endif
