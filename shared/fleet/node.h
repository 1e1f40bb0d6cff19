/* A node: one machine's membership in one tailnet, as its row tells it.
 * Not whether it is online (that is a lease: bus/presence.h), not how a peer sees it (mapper/render.h).
 * Texts and lists live in the arena of whoever read it; a snapshot keeps its own copy (node_copy). */
#ifndef NODE_H
#define NODE_H

#include "addr.h"
#include "arena.h"
#include "clock.h"
#include "key.h"

enum { NODE_LABEL_MAX = 63, NODE_ENDPOINTS_MAX = 64, NODE_ROUTES_MAX = 1024, HOSTINFO_MAX = 32768 };

struct node {
	uint64_t id, tailnet;
	uint64_t user; /* 0 when tagged: on the wire User is then the node's own id */
	struct machine_key machine_key;
	struct node_key node_key;
	struct disco_key disco_key; /* zero until its first lite update */
	struct lock_key lock_key;
	struct bytes label; /* unique in the tailnet; first label of its MagicDNS name */
	bool renamed;       /* an administrator chose the label: host name changes leave it alone */
	struct ip ip4, ip6;
	struct bytes hostinfo; /* JSON object as the client sent it, cut as privacy says; "{}" when none */
	struct endpoint *endpoints;
	size_t endpoint_count;
	unsigned home_relay; /* region; 0: not known yet */
	unsigned capver;
	struct wall expiry; /* WALL_ZERO: never */
	struct wall created, last_seen;
	struct wall first_polled; /* first full map went out; WALL_ZERO before that */
	bool approved, ephemeral;
	struct bytes *tags;
	size_t tag_count;
	struct prefix *routes_advertised, *routes_approved;
	struct prefix *routes_primary; /* subnet routes that it serves for all: of several routers of a route one is elected */
	size_t advertised_count, approved_count, primary_count;
	bool unreachable;         /* it does not answer the reachability question (coordinator/routers.h) */
	uint64_t authkey;         /* key that let it in, or 0 */
	unsigned register_method; /* enum register_method */
};

enum register_method { REGISTER_UNSPECIFIED, REGISTER_AUTH_KEY, REGISTER_CLI, REGISTER_OIDC };

static inline bool node_is_tagged(const struct node *n)
{
	return n->tag_count > 0;
}
static inline bool node_is_expired(const struct node *n, struct wall now)
{
	return wall_passed(n->expiry, now);
}
/* User id as the wire shows it. */
static inline uint64_t node_wire_user(const struct node *n)
{
	return n->tag_count ? n->id : n->user;
}
/* Deep copy into `arena`. */
void node_copy(struct arena *arena, const struct node *from, struct node *to);

#endif
