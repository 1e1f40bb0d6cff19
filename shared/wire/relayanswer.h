/* What a coordinator answers a relay, signed: over the question, who asked it, its nonce, and the answer. So that who stands between them can neither make an answer nor
 * give one that belongs to another question.
 * Not secrecy: who reads along learns what is said. Not the keys' life (answerkeys.h of a relay, serverkeys.h).
 * Pure; views are the caller's. Source: docs/protocol/derp.md, between relay and coordinator. */
#ifndef RELAYANSWER_H
#define RELAYANSWER_H

#include "bytes.h"
#include "sign.h"

#define RELAYANSWER_NONCE "Fleetscale-Nonce"
#define RELAYANSWER_SIGNATURE "Fleetscale-Signature"

enum { RELAYANSWER_NONCE_LEN = 32 /* hex digits */, RELAYANSWER_TEXT_MAX = SIGN_TEXT_MAX + 2 * SIGN_LEN + 1 };

struct relayanswer {
	struct bytes path;     /* of the door: /relay/v1/announce, /relay/v1/verify */
	struct bytes relay;    /* SHA-256 of the token that it asked with: a refusal of another token is no answer to it */
	struct bytes nonce;    /* as the header says it */
	struct bytes question; /* whole body */
	unsigned status;
	struct bytes answer; /* whole body */
};

/* A value of the header RELAYANSWER_SIGNATURE: the key, a colon, the signature in hex. */
void relayanswer_sign(const struct relayanswer *answer, const uint8_t seed[static SIGN_SEED_LEN], char out[static RELAYANSWER_TEXT_MAX]);
/* Whether one of those keys has signed it. */
bool relayanswer_is_good(const struct relayanswer *answer, struct bytes signature, const struct sign_key *keys, size_t count);
bool relayanswer_is_nonce(struct bytes text);

#endif
