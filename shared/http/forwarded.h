/* Who is at the other end behind proxies that are trusted: the list of their addresses, and what X-Forwarded-For, -Proto and -Host say.
 * Not RFC 7239 `Forwarded`, X-Real-IP or True-Client-IP: a proxy that does not write them hands on what a stranger wrote. Not the PROXY protocol (proxyline.h).
 * Pure. Sources and rules: docs/protocol/transport.md. */
#ifndef FORWARDED_H
#define FORWARDED_H

#include "addr.h"

enum { TRUSTED_MAX = 64, FORWARDED_HOPS_MAX = 32, FORWARDED_LEN_MAX = 2048 };

struct trusted {
	struct prefix list[TRUSTED_MAX];
	size_t count;
};

/* Prefixes or addresses, separated by commas or spaces; "" trusts nobody. A prefix of length 0 is refused: it would let everybody say who he is. */
MUST_USE enum err trusted_parse(struct bytes text, struct trusted *trusted, struct diag *why);
bool trusted_has(const struct trusted *trusted, struct ip ip);

/* What is known of a connection, made better by each proxy that is believed. */
struct origin {
	struct endpoint peer; /* port 0 when a proxy did not say */
	struct bytes host;    /* borrowed from where it was read */
	bool secure;
};

/* Values of the headers; several lines of one name joined by commas in their order, of which the last FORWARDED_LEN_MAX bytes are enough; empty: absent. */
struct forwarded {
	struct bytes addresses, proto, host;
};

/* Changes nothing unless origin->peer is trusted. X-Forwarded-For is walked from the right as long as the one who wrote it is trusted; of the others the last
 * value counts, since it is the nearest proxy's. False: something was malformed, and was ignored from there on. */
bool forwarded_apply(const struct trusted *trusted, const struct forwarded *said, struct origin *origin);

#endif
