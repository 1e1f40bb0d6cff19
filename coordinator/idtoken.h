/* Identity tokens: what one says of a node, which key signs, and what verifiers are told.
 * Not the request (serve_idtoken.h) and not the signature (crypto/jwt.h). Pure; `now` is a parameter.
 * Everything is appended to the caller's buffers. Source: tailscale tailcfg/tailcfg.go, TokenResponse; docs/protocol/identity.md. */
#ifndef IDTOKEN_H
#define IDTOKEN_H

#include "nodes.h"
#include "serverkeys.h"

enum { IDTOKEN_AUDIENCE_MAX = 512, IDTOKEN_LIFETIME_S = 300, IDTOKEN_ID_LEN = 16 };

struct idtoken {
	const struct nodes_place *place;
	struct bytes issuer, audience;
	struct wall now;
	uint8_t id[IDTOKEN_ID_LEN]; /* random: jti */
};

/* ERR_MALFORMED: empty, more than IDTOKEN_AUDIENCE_MAX bytes, or with control characters. */
MUST_USE enum err idtoken_check_audience(struct bytes audience, struct diag *why);
/* The claims as JSON. Errors: ERR_TOO_BIG past out's cap. */
MUST_USE enum err idtoken_claims(const struct idtoken *token, struct buffer *out);
/* The newest key whose time it is; NULL: none. `keys` come newest first. */
const struct identity_key *idtoken_signer(const struct identity_key *keys, size_t count, struct wall now);
/* JSON Web Key Set: /.well-known/jwks.json. */
MUST_USE enum err idtoken_published(const struct identity_key *keys, size_t count, struct buffer *out);
/* What OpenID Connect discovery wants of an issuer that signs but has no login of its own: /.well-known/openid-configuration. */
MUST_USE enum err idtoken_configuration(struct bytes issuer, struct buffer *out);

#endif
