/* The control handshake (Noise IK, server side, and client side for our own tools), the link handshake (NNpsk0, both sides), and their record ciphers.
 * Not a transport: bytes in, bytes out; no sockets, no buffers kept.
 * State is embedded and wiped by noise_wipe. Source: docs/protocol/noise.md (tailscale control/controlbase). */
#ifndef NOISE_H
#define NOISE_H

#include "buffer.h"
#include "key.h"

enum {
	NOISE_INITIATION_LEN = 101,
	NOISE_RESPONSE_LEN = 51,
	NOISE_RECORD_MAX = 4096, /* whole record with its 3-byte header */
	NOISE_PLAIN_MAX = 4077,  /* plaintext of one record */
	NOISE_HEADER_LEN = 3,
	NOISE_TAG_LEN = 16,
	NOISE_TYPE_INITIATION = 1,
	NOISE_TYPE_RESPONSE = 2,
	NOISE_TYPE_ERROR = 3,
	NOISE_TYPE_RECORD = 4
};

/* One direction's cipher. */
struct noise_cipher {
	uint8_t key[32];
	uint64_t counter; /* big-endian in the nonce; ERR_EXHAUSTED before it wraps */
};

struct noise {
	struct noise_cipher tx, rx;
	uint8_t hash[32];        /* handshake hash */
	struct machine_key peer; /* control server side: the client's proven machine key */
	uint16_t version;        /* capability version of the initiation */
};

/* The version of an initiation message, readable before anything is verified. ERR_MALFORMED if it is not an initiation at all. */
MUST_USE enum err noise_peek_version(struct bytes initiation, uint16_t *version);

/* Server: verify a client's initiation and write the response. ERR_MALFORMED: wrong shape (answer an error frame); ERR_CRYPTO: not for this key (just close). */
MUST_USE enum err noise_accept(const struct private_key *server, struct bytes initiation, uint8_t response[static NOISE_RESPONSE_LEN], struct noise *noise);
/* The same with a given ephemeral key: vectors only. */
MUST_USE enum err noise_accept_with(const struct private_key *server, const struct private_key *ephemeral, struct bytes initiation,
				    uint8_t response[static NOISE_RESPONSE_LEN], struct noise *noise);

/* Client side of the same handshake (tests, fleetload). */
struct noise_dial {
	uint8_t h[32], ck[32];
	struct private_key machine, ephemeral;
	struct public_key server;
};
void noise_dial_start(struct noise_dial *dial, const struct private_key *machine, const struct private_key *ephemeral, const struct public_key *server,
		      uint16_t version, uint8_t initiation[static NOISE_INITIATION_LEN]);
MUST_USE enum err noise_dial_finish(struct noise_dial *dial, struct bytes response, struct noise *noise);

/* An error frame (type 3) with a public sentence. */
MUST_USE enum err noise_error_frame(const char *text, struct buffer *out);

/* Seal `plain` into records of at most NOISE_PLAIN_MAX (none for no bytes) and append them to `out`. ERR_TOO_BIG past out's cap: then nothing was added and no counter moved. */
MUST_USE enum err noise_seal(struct noise_cipher *tx, struct bytes plain, struct buffer *out);
/* Open one record at the start of `in`; appends its plaintext to `out`, *used = bytes taken. ERR_AGAIN: not whole yet (*used = 0).
 * ERR_MALFORMED: type or length; ERR_CRYPTO: authentication; ERR_TOO_BIG: out's cap, nothing taken. Zero-length records are legal. */
MUST_USE enum err noise_open(struct noise_cipher *rx, struct bytes in, struct buffer *out, size_t *used);
void noise_wipe(struct noise *noise);

/* Link handshake Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s: both ends know the cluster secret (any length, hashed to the psk).
 * Message 1 and 2 are each 48 bytes (ephemeral + tag); records afterwards as above. `prologue` names the protocol version. */
enum { NOISE_PSK_MESSAGE_LEN = 48 };
struct noise_psk {
	uint8_t h[32], ck[32], key[32];
	struct private_key ephemeral;
};
/* Both finishers wipe what the dialer kept, unless the answer has the wrong length. */
void noise_psk_start(struct noise_psk *psk, struct bytes secret, struct bytes prologue, uint8_t message[static NOISE_PSK_MESSAGE_LEN]);
MUST_USE enum err noise_psk_accept(struct bytes secret, struct bytes prologue, struct bytes message, uint8_t answer[static NOISE_PSK_MESSAGE_LEN],
				   struct noise *noise);
MUST_USE enum err noise_psk_finish(struct noise_psk *psk, struct bytes answer, struct noise *noise);
/* The same with given ephemeral keys: vectors only. */
void noise_psk_start_with(struct noise_psk *psk, struct bytes secret, struct bytes prologue, const struct private_key *ephemeral,
			  uint8_t message[static NOISE_PSK_MESSAGE_LEN]);
MUST_USE enum err noise_psk_accept_with(struct bytes secret, struct bytes prologue, const struct private_key *ephemeral, struct bytes message,
					uint8_t answer[static NOISE_PSK_MESSAGE_LEN], struct noise *noise);

#endif
