/* Map requests: decode MapRequest. (Responses are written by the mapper's render over jsonw.)
 * Not the framing (mapframe.h).
 * What is decoded lives in the caller's arena. Source: docs/protocol/map.md (tailscale tailcfg MapRequest). */
#ifndef MAPMSG_H
#define MAPMSG_H

#include "hostinfo.h"
#include "key.h"

enum { MAPMSG_MAX = 1 << 20 }; /* a request is mostly Hostinfo (32 KiB) and endpoints */

enum map_kind {
	MAP_LITE,      /* Stream=false, OmitPeers=true: report, empty answer */
	MAP_STREAM,    /* Stream=true */
	MAP_READ,      /* ReadOnly one-shot: one full frame */
	MAP_READ_SELF, /* ReadOnly, OmitPeers: one frame without peers */
	MAP_FULL       /* Stream=false, OmitPeers=false: report, then one full frame */
};

struct map_request {
	enum map_kind kind;
	unsigned capver;
	bool zstd; /* Compress = "zstd"; "" means plain; anything else is ERR_MALFORMED */
	struct node_key node_key;
	struct disco_key disco_key; /* zero: none */
	struct hostinfo hostinfo;
	struct endpoint *endpoints; /* without IPv6 link-local and zoned ones, in the client's order, duplicates dropped */
	size_t endpoint_count;
};

/* ERR_MALFORMED or ERR_TOO_BIG with a sentence in `why`, as regmsg_decode. At most NODE_ENDPOINTS_MAX endpoints, the first ones. */
MUST_USE enum err mapmsg_decode(struct bytes body, struct arena *arena, struct map_request *request, struct diag *why);

#endif
