/* TLS of a connection whose handshake h2o has done, between memory and memory: many records opened at once, whole turns sealed at once.
 * Not a socket: its pipe reads and sends. h2o keeps the SSL object, frees it, and gets no more records of it.
 * Embedded in its pipe. OpenSSL keeps buffers of 34 KiB for a connection that is in use; its loop gives them back when it has been idle for a second. */
#ifndef TLSIO_H
#define TLSIO_H

#include <openssl/ssl.h>

#include "loop_h2o.h"

enum { TLSIO_RECORD = 16384 /* plaintext of one record */, TLSIO_SEAL_MOST = 66 * 1024, TLSIO_SEALED_MOST = TLSIO_SEAL_MOST + 4096 };

struct tlsio {
	SSL *ssl;
	struct bytes in;     /* records that came and are not opened yet */
	struct buffer *into; /* where sealed bytes go */
	bool overflow, used; /* used: since the loop looked last */
	struct warmth *warmth;
	struct list warm; /* has buffers */
};

/* The connections of one loop whose buffers OpenSSL keeps; not more than WARM_MOST, the one that became warm first cools first. */
enum { WARM_MOST = 128 };
struct warmth {
	struct list list;
	unsigned count;
};

/* Takes over the records of the socket, which has TLS and whose handshake is done. `t` stays where it is. */
void tlsio_take(struct tlsio *t, h2o_socket_t *sock);
/* Its SSL object goes elsewhere, or ends. */
void tlsio_leave(struct tlsio *t);
/* Opens all of `in` (at most 64 KiB): plaintext goes to `to` (its length never passes that of `in` by more than a record), answers that TLS itself gives go to
 * `answers`. ERR_CLOSED: the other side has said its last word; ERR_IO: not TLS, or forged. What came before the end is in `to`. */
enum err tlsio_open(struct tlsio *t, struct bytes in, uint8_t *to, size_t *len, struct buffer *answers);
/* Appends the pieces (at most TLSIO_SEAL_MOST bytes) as records to `sealed`, which must have room for TLSIO_SEALED_MOST. */
MUST_USE enum err tlsio_seal(struct tlsio *t, const struct iovec *pieces, size_t count, struct buffer *sealed);
/* It is about to be used. */
void tlsio_warm(struct tlsio *t, struct warmth *warmth);
/* Those that were not used since the last call give their buffers back. */
void tlsio_cool(struct warmth *warmth);
/* Appends our last word. */
void tlsio_farewell(struct tlsio *t, struct buffer *sealed);

#endif
