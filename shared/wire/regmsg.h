/* Registration messages: decode RegisterRequest, encode RegisterResponse.
 * Not deciding anything (fleet/admission.h).
 * What is decoded lives in the caller's arena. Source: docs/protocol/registration.md (tailscale tailcfg RegisterRequest). */
#ifndef REGMSG_H
#define REGMSG_H

#include "arena.h"
#include "buffer.h"
#include "clock.h"
#include "hostinfo.h"
#include "key.h"

enum { REGMSG_MAX = 1 << 20 };

struct register_request {
	unsigned capver;
	struct node_key node_key, old_node_key;
	struct lock_key lock_key;
	struct bytes auth_key; /* empty: none */
	struct wall expiry;    /* WALL_ZERO: no wish */
	struct bytes followup;
	struct hostinfo hostinfo;
	bool ephemeral;
	struct bytes tailnet_hint;
};

/* ERR_MALFORMED with a sentence in `why` for any breach of type, depth, encoding or key form; ERR_TOO_BIG for size. `request` is then not to be used. */
MUST_USE enum err regmsg_decode(struct bytes body, struct arena *arena, struct register_request *request, struct diag *why);

struct register_response {
	const char *error; /* NULL: none */
	bool node_key_expired;
	struct bytes auth_url;
	bool machine_authorized;
	uint64_t user; /* profile id; needed for success */
	struct bytes login_name, display_name, picture_url, provider;
	struct wall created;
};

MUST_USE enum err regmsg_encode(const struct register_response *response, struct buffer *out);

#endif
