/* Hostinfo: what a client tells of itself. A few members decide things; the whole is kept and relayed as JSON.
 * Not trusted: host names of every alphabet and length arrive here.
 * What is decoded lives in the caller's arena. Source: docs/protocol/map.md (tailscale tailcfg Hostinfo). */
#ifndef HOSTINFO_H
#define HOSTINFO_H

#include <jansson.h>

#include "addr.h"
#include "arena.h"
#include "buffer.h"

struct hostinfo {
	bool present;      /* false: the request had null or none */
	struct bytes json; /* canonical text of the object, for the row: without PushDeviceToken, at most HOSTINFO_MAX */
	struct bytes hostname, os, os_version, ipn_version;
	struct prefix *routes; /* RoutableIPs, masked, sorted, unique */
	size_t route_count;
	struct bytes *request_tags; /* sorted, unique */
	size_t request_tag_count;
	bool has_net_info;
	unsigned preferred_derp; /* 0: not known now */
};

/* NULL and null give present = false. ERR_MALFORMED or ERR_TOO_BIG with a sentence that names the member. Unknown members are kept in `json`. */
MUST_USE enum err hostinfo_decode(const json_t *object, struct arena *arena, struct hostinfo *hostinfo, struct diag *why);
/* A stored text, for rendering: the copy that peers may see, which holds only what clients read of a peer (OS, Hostname, Services, AppConnector, Location,
 * sshHostKeys) in the client's own types, so that no node can spoil its peers' maps. Appends an object to `out`; unchanged on error. */
MUST_USE enum err hostinfo_for_peers(struct bytes json, struct buffer *out);
/* NetInfo of an older text carried over when a new Hostinfo has none (and both fit into HOSTINFO_MAX). Appends the merged object to `out`. */
MUST_USE enum err hostinfo_merge(struct bytes old_json, struct bytes new_json, struct buffer *out);
/* A member of a stored text that is a text itself, for people; empty when there is none. */
struct bytes hostinfo_text(struct bytes json, const char *member, struct arena *arena);
/* RequestTags of a stored text, sorted, unique. */
size_t hostinfo_request_tags(struct bytes json, struct arena *arena, struct bytes **tags);

#endif
