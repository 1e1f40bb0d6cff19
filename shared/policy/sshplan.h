/* The SSH rules of a policy for all its nodes together: who gets which, from whom, under which logins. Private to the module.
 * Not the rules of one node in the shape of the wire (sshrule.h).
 * A plan lives in the arena of its policy, which keeps it.
 * Source: docs/protocol/policy.md, section 18. */
#ifndef SSHPLAN_H
#define SSHPLAN_H

#include "sshrule.h"

/* A source node; one of autogroup:tagged stands once for each of its tags. */
struct ssh_source {
	uint64_t owner; /* id of its user; SSH_TAGGED */
	uint32_t slot;
};

#define SSH_TAGGED UINT64_MAX

struct ssh_sources {
	struct ssh_source *list; /* by owner, tagged nodes last */
	size_t count;
};

struct ssh_entry {
	const struct ssh_rule *rule;
	struct sshrule_user *users; /* sshUsers without those of localpart */
	size_t user_count;
	struct bytes *domains; /* of localpart entries, unique */
	size_t domain_count;
	struct ssh_sources sources;
	bool sourced; /* `sources` stand; a block of the heap */
	size_t kept;  /* room in it */
};

/* Why a node gets a rule; the first that holds counts. */
enum ssh_right { SSH_DESTINATION, SSH_SELF, SSH_LOCALPART_SOURCE };

struct ssh_due {
	struct ssh_entry *entry;
	enum ssh_right right;
};

struct ssh_plan;

struct ssh_plan *ssh_plan_of(struct policy *policy);
void ssh_plan_clear(struct ssh_plan *plan); /* accepts NULL */
/* The slot comes to, or is about to go from, the sources of some rules: adds the nodes that get these rules, or other recorders. */
void ssh_plan_touch(struct policy *policy, uint32_t slot, struct bitset *touched);
/* The rules that a node gets, all checks before all accepts. Takes time for what it finds and for the distinct aliases of localpart sources. */
size_t ssh_plan_due(struct ssh_plan *plan, struct policy *policy, struct arena *arena, uint32_t slot, struct ssh_due **due);
/* Borrowed until the next ssh_plan_touch; of the plan, or in `arena` once the plan holds a lot. */
struct ssh_sources ssh_plan_sources(struct ssh_plan *plan, struct policy *policy, struct arena *arena, struct ssh_entry *entry);

#endif
