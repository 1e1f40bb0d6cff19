/* A policy file as rules: names looked up, ports and protocols read, every check made that needs no node. Pure.
 * Not what it means for the nodes of a tailnet (policy.h).
 * The document lives in the caller's arena and borrows from the source text, which must live as long.
 * Source: docs/protocol/policy.md. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "addr.h"
#include "arena.h"
#include "document_derp.h"
#include "place.h"
#include "user.h"

enum {
	DOCUMENT_MAX = 10 << 20,        /* bytes of a policy file */
	DOCUMENT_RULES_MAX = 100000,    /* of acls and grants together; so are ssh rules, nodeAttrs, tests */
	DOCUMENT_ALIASES_MAX = 1000000, /* entries of all lists together */
};

enum alias_kind {
	ALIAS_UNKNOWN, /* only in tests: a name that means nothing; the test fails */
	ALIAS_ANY,     /* * */
	ALIAS_PREFIX,  /* address or prefix; masked; `slash` tells whether it was written with one */
	ALIAS_USER,    /* text: the login, trimmed, as written */
	ALIAS_DOMAIN,  /* user:*@domain; text: the domain */
	ALIAS_GROUP,   /* index in groups */
	ALIAS_TAG,     /* index in tags */
	ALIAS_HOST,    /* index in hosts */
	ALIAS_IPSET,   /* index in ipsets */
	ALIAS_MEMBER,
	ALIAS_TAGGED,
	ALIAS_SELF,
	ALIAS_INTERNET,
	ALIAS_ALL, /* autogroup:danger-all */
	ALIAS_SHARED,
	ALIAS_ROLE /* role */
};

struct alias {
	enum alias_kind kind;
	uint32_t index;
	enum role role;
	bool slash;
	struct prefix prefix;
	struct bytes text; /* as written, trimmed (ALIAS_DOMAIN: see there) */
	struct place at;
};

struct aliases {
	struct alias *list;
	size_t count;
};

struct port_range {
	uint16_t first, last; /* 0-65535: every port */
};

enum { PROTO_ABSENT = -1 }; /* TCP, UDP, ICMP and ICMPv6 */

/* What may pass: one per protocol. */
struct pass {
	int proto; /* PROTO_ABSENT, 0-255 */
	struct port_range *ports;
	size_t port_count;
};

/* A destination of a rule: of an acl entry with its own ports (entries with the same alias are joined, in the order of policy.md 8.1.2); of a grant without. */
struct target {
	struct alias alias;
	struct port_range *ports;
	size_t port_count;
};

struct capability {
	struct bytes name;
	struct bytes values; /* a list, as compact JSON; "null" when there is none */
};

struct rule {
	bool is_grant;
	struct place at, end;
	struct aliases src;
	struct target *dst;
	size_t dst_count;
	struct pass *passes; /* acl: one, whose ports are those of each target; grant: one per protocol of `ip`, in order of first appearance; none: app only */
	size_t pass_count;
	struct capability *app;
	size_t app_count;
	uint32_t *via; /* tags */
	size_t via_count;
	uint32_t *postures; /* its own, else the default ones; none: no condition */
	size_t posture_count;
};

struct group {
	struct bytes name;    /* with "group:" */
	struct aliases users; /* ALIAS_USER */
	struct place at;
};

struct tag {
	struct bytes name;     /* with "tag:" */
	struct aliases owners; /* users, groups, tags, autogroups */
	struct place at;
};

struct host {
	struct bytes name;
	struct prefix prefix; /* masked */
	struct place at;
};

struct ipset_entry {
	bool remove;
	struct alias alias;
};

struct ipset {
	struct bytes name; /* with "ipset:" */
	struct ipset_entry *entries;
	size_t entry_count;
	struct place at;
};

enum posture_op {
	POSTURE_EQUAL,
	POSTURE_NOT_EQUAL,
	POSTURE_LESS,
	POSTURE_AT_MOST,
	POSTURE_GREATER,
	POSTURE_AT_LEAST,
	POSTURE_IN,
	POSTURE_NOT_IN,
	POSTURE_IS_SET,
	POSTURE_NOT_SET
};

struct posture_claim {
	struct bytes attribute; /* "node:os" */
	enum posture_op op;
	struct bytes *values; /* without quotes */
	size_t value_count;
};

struct posture {
	struct bytes name;            /* with "posture:" */
	struct posture_claim *claims; /* all must hold */
	size_t claim_count;
	struct place at;
};

enum ssh_user_kind { SSH_USER_NAME, SSH_USER_ROOT, SSH_USER_NONROOT, SSH_USER_LOCALPART };

struct ssh_user {
	enum ssh_user_kind kind;
	struct bytes text; /* the name; of a localpart the domain */
};

enum { SSH_CHECK_ALWAYS = -1, SSH_CHECK_DEFAULT_MS = 12 * 3600 * 1000 };

struct ssh_rule {
	bool check;
	struct aliases src, dst;
	struct ssh_user *users;
	size_t user_count;
	int64_t check_period_ms; /* SSH_CHECK_ALWAYS; SSH_CHECK_DEFAULT_MS when absent */
	struct bytes *accept_env;
	size_t accept_env_count;
	struct aliases recorders; /* tags, addresses */
	bool enforce_recorder;
	struct place at, end;
};

struct node_attr {
	struct aliases targets;
	struct bytes *attrs;
	size_t attr_count;
	struct capability *app;
	size_t app_count;
	struct prefix *pools;
	size_t pool_count;
	struct place at;
};

struct auto_approver {
	struct prefix prefix; /* masked; of an exit node's entry unused */
	struct bytes service; /* svc:name, of services */
	struct aliases who;
	struct place at;
};

/* One test. What is malformed fails, it does not refuse the document. */
struct test_target {
	struct bytes text;
	struct alias alias;
	uint16_t port;
	const char *fault; /* NULL, or why it can never pass */
};

struct test {
	struct alias src;
	int proto;
	const char *fault;
	struct test_target *accept, *deny;
	size_t accept_count, deny_count;
	struct place at;
};

struct ssh_test {
	struct alias src;
	struct alias *dst;
	size_t dst_count;
	struct bytes *accept, *deny, *check; /* logins */
	size_t accept_count, deny_count, check_count;
	const char *fault;
	struct place at;
};

struct document {
	struct bytes source;
	struct rule *rules; /* grants in file order, then acls in file order. Neither key present: one rule from * to *:* at line 0 */
	size_t rule_count;
	bool open; /* neither key is present */
	struct group *groups;
	struct tag *tags;
	struct host *hosts;
	struct ipset *ipsets;
	struct posture *postures;
	struct ssh_rule *ssh;
	struct node_attr *node_attrs;
	struct auto_approver *route_approvers, *service_approvers;
	struct aliases exit_approvers;
	struct test *tests;
	struct ssh_test *ssh_tests;
	size_t group_count, tag_count, host_count, ipset_count, posture_count, ssh_count, node_attr_count, route_approver_count, service_approver_count;
	size_t test_count, ssh_test_count;
	uint32_t *tag_order, *group_order; /* numbers by name, for document_find_* */
	uint32_t *approver_order;          /* numbers of route_approvers by prefix */
	bool randomize_client_port, disable_ipv4;
	struct bytes one_cgnat_route;    /* "", "mac-always", "mac-never" */
	const struct derp_section *derp; /* NULL: no derpMap */
};

/* What is around a document. */
struct surroundings {
	const struct bytes *domains; /* e-mail domains associated with the tailnet */
	size_t domain_count;
	const struct bytes *groups; /* groups that sign-in providers know ("group:x"): rules may name them without a definition */
	size_t group_count;
};

/* ERR_MALFORMED with the service's exact sentence where one is known (docs/protocol/policy.md, refusals), and the place. ERR_TOO_BIG past a cap.
 * ERR_BUG stands for the one refusal that the service answers with status 500 (autogroup:self as nodeAttrs target): callers say 400.
 * Of several faults the first in file order is told. */
MUST_USE enum err document_read(struct arena *arena, struct bytes source, const struct surroundings *around, struct document **document, struct diag *why);

/* What a lenient reading passed over. */
struct lapses {
	size_t count;
	struct diag first; /* in file order; as document_read would tell it */
};

/* A text that was accepted once, maybe by another release or with other surroundings. Equal to document_read when that accepts it. Else what is not understood
 * counts for nothing, and what is left opens nothing that it would not open alone:
 * - a member of the policy that is unknown or of the wrong kind: as if it were not there, but that the policy is never open to all because of it;
 * - a name in a list of sources, destinations, targets, approvers or owners: that entry. A group that nothing defines is a group without users;
 * - any other fault in an entry of acls, grants, nodeAttrs or autoApprovers: that entry;
 * - a definition (group, host, set, posture, tag): its name, for all that use it, and sets that use a set. Owners of a tag: they alone;
 * - a fault in defaultSrcPosture: every rule without srcPosture. In ssh: every rule of SSH, for they are read in order. In tests, sshTests: all of them.
 * Errors are left for what is no HuJSON object, and past the caps of hujson.h and DOCUMENT_MAX. */
MUST_USE enum err document_read_stored(struct arena *arena, struct bytes source, const struct surroundings *around, struct document **document,
				       struct lapses *lapses, struct diag *why);

/* UINT32_MAX when absent. */
uint32_t document_find_tag(const struct document *document, struct bytes name);
uint32_t document_find_group(const struct document *document, struct bytes name);

#endif
