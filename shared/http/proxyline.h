/* The PROXY protocol's header, version 1 (text) and 2 (binary): what a proxy says of a connection before its first byte.
 * Not whom to believe (forwarded.h) and not the reading (greeting.h).
 * Pure. Source: docs/protocol/transport.md (the PROXY protocol, versions 1 & 2, as published with HAProxy). */
#ifndef PROXYLINE_H
#define PROXYLINE_H

#include "addr.h"

enum {
	PROXYLINE_MAX = 2048 /* whole header; version 1 has at most 107 bytes, version 2 carries what the proxy adds */
};

struct proxyline {
	bool known;             /* false: LOCAL or UNKNOWN, the proxy speaks for itself */
	struct endpoint source; /* who dialled the proxy */
	struct endpoint target; /* what was dialled */
	bool secure;            /* the client spoke TLS to the proxy (version 2, PP2_TYPE_SSL) */
};

/* ERR_AGAIN: all of `in` belongs to the header, and more must come. ERR_MALFORMED, ERR_TOO_BIG: it is none. ERR_NONE: it is `*used` bytes long. */
MUST_USE enum err proxyline_decode(struct bytes in, struct proxyline *line, size_t *used);

#endif
