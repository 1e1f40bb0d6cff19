/* The SSH rules of one node. Pure.
 * Not the URL of a check (coordinator/serve_ssh.h) and not JSON. Results live in the caller's arena.
 * Source: docs/protocol/policy.md, section 18; tailscale tailcfg SSHPolicy. */
#ifndef SSHRULE_H
#define SSHRULE_H

#include "policy.h"

struct sshrule_user {
	struct bytes login, local; /* local "": not allowed; "=": the same name */
};

struct sshrule {
	const struct ssh_rule *rule;
	struct ip *principals; /* addresses of source nodes */
	size_t principal_count;
	struct sshrule_user *users;
	size_t user_count;
};

struct sshrules {
	struct sshrule *list; /* all checks before all accepts */
	size_t count;
};

/* Principals of all rules of one node; from the rule on that would lead past them the rest is left out, and so refused. */
enum { SSHRULE_PRINCIPALS_MAX = 1 << 20 };

struct sshrules sshrules_of(struct policy *policy, struct arena *arena, uint32_t slot);
/* Whether the rule has a local user for that login. */
bool sshrule_maps(const struct sshrule *rule, struct bytes login);
/* Whether one rule lets that source address in under that login. */
bool sshrule_applies(const struct sshrule *rule, struct ip source, struct bytes login);
/* How the destination's client would judge: the first rule for that source address that maps the login (18.4). NULL: refused. */
const struct sshrule *sshrules_judge(const struct sshrules *rules, struct ip source, struct bytes login);
/* Where sessions of a rule are recorded: addresses as they stand, and of nodes that carry a recorder's tag IPv4 before IPv6. At most SSHRULE_RECORDERS_MAX. */
enum { SSHRULE_RECORDERS_MAX = 64, SSHRULE_RECORDER_PORT = 80 };
size_t sshrule_recorders(struct policy *policy, struct arena *arena, const struct ssh_rule *rule, struct endpoint **recorders);

#endif
