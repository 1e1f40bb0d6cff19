/* What a coordinator told the relay in its last answer to an announcement: its region's mesh, what is wished of it, keys to ask about again.
 * Not the asking (announce.h) and not what is done about it (fleet.h).
 * Counted references from any thread; read-only once made. Source of the members: docs/protocol/derp.md, registration. */
#ifndef TOLD_H
#define TOLD_H

#include <jansson.h>
#include <stdatomic.h>

#include "addr.h"
#include "key.h"

enum { TOLD_SIBLINGS_MAX = 64, TOLD_RECHECKS_MAX = 1000, TOLD_NAME_MAX = 63, TOLD_HOST_MAX = 253 };

struct sibling {
	char name[TOLD_NAME_MAX + 1];
	char host[TOLD_HOST_MAX + 1];
	char cert_name[TOLD_HOST_MAX + 1];
	struct ip ip4, ip6; /* IP_NONE: ask DNS */
	uint16_t port;
	bool insecure_for_tests;
};

struct told {
	atomic_uint references;
	uint8_t mesh_key[2][KEY_LEN]; /* present, before */
	unsigned mesh_key_count;
	struct sibling *siblings;
	size_t sibling_count;
	bool drain; /* the wish */
	bool leave; /* nobody is kept waiting by its going: others take its clients, or there are none */
	uint64_t rechecks_from;
	bool recheck_all;
	struct node_key *rechecks;
	size_t recheck_count;
	uint64_t client_rate, client_burst, tailnet_rate, tailnet_burst;
};

/* How another relay is reached. False: without a name or a host, or with one that no request can hold. */
MUST_USE bool told_read_sibling(const json_t *object, struct sibling *sibling);
/* Members of a wrong type or beyond a cap are as absent, and so are siblings without a name or a host; too many keys to ask about again are all of them. The
 * answer was an object. The caller owns one reference. */
struct told *told_new(const json_t *answer);
struct told *told_take(struct told *told);
void told_drop(struct told **told); /* accepts NULL, leaves NULL */
/* Constant time; never an all-zero key. `told` may be NULL. */
bool told_is_mesh_key(const struct told *told, const uint8_t key[static KEY_LEN]);

#endif
