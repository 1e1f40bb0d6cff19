/* WebSocket framing, the server's side: frames of a client in, the bytes of its binary messages out; frames of ours for bytes.
 * Not the handshake and not the connection (tunnel.h). Message boundaries mean nothing here: the bytes are one stream.
 * Pure. Caps: a frame 64 KiB, a message 1 MiB. Source: RFC 6455; docs/protocol/transport.md. */
#ifndef WSFRAME_H
#define WSFRAME_H

#include "buffer.h"

enum {
	WSFRAME_IN_MAX = 64 << 10,     /* payload of one frame that is taken */
	WSFRAME_MESSAGE_MAX = 1 << 20, /* all frames of a message */
	WSFRAME_OUT_MAX = 4092,        /* payload of one frame that is written: with its head 4096 bytes */
	WSFRAME_CONTROL_MAX = 125
};

enum wsframe_close { WSFRAME_NORMAL = 1000, WSFRAME_GOING = 1001, WSFRAME_BREACH = 1002, WSFRAME_NO_TEXT = 1003, WSFRAME_TOO_BIG = 1009 };

struct wsframe {
	uint8_t mask[4];
	uint64_t left;    /* of the payload of the frame that was begun */
	size_t message;   /* bytes of the message so far */
	unsigned mask_at; /* which byte of the mask is next */
	bool in_frame;    /* its head was read */
	bool in_message;  /* a message of several frames goes on */
	bool pinged;      /* the latest ping is to be answered: ping[0..ping_len) */
	uint8_t ping_len, ping[WSFRAME_CONTROL_MAX];
	unsigned close; /* what to say in a close frame once wsframe_read has failed; 0: nothing, the client said goodbye wrongly or not at all */
};

/* Takes from `in` what it can and appends payload to `data`. ERR_NONE: what is left of `in` needs more. ERR_CLOSED: the client closed.
 * ERR_MALFORMED, ERR_UNSUPPORTED (text), ERR_TOO_BIG: a breach; ERR_EXHAUSTED: `data` is full, call again when it was emptied. */
MUST_USE enum err wsframe_read(struct wsframe *w, struct buffer *in, struct buffer *data);
/* The bytes as binary messages. */
MUST_USE enum err wsframe_write(struct bytes data, struct buffer *out);
MUST_USE enum err wsframe_write_pong(const struct wsframe *w, struct buffer *out);
MUST_USE enum err wsframe_write_close(unsigned code, struct buffer *out);

#endif
