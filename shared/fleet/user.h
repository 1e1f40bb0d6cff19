/* A user of one tailnet: owner of nodes and auth keys, and the profile that clients show.
 * Not a login or a credential. Texts live in the arena of whoever read it.
 * Ids come from the sequence that nodes use too: they must never collide (a tagged node's User is its own id). */
#ifndef USER_H
#define USER_H

#include "bytes.h"
#include "clock.h"
#include "err.h"

/* Roles of users, ored. Owner includes admin; everybody is a member. */
enum role {
	ROLE_MEMBER = 0,
	ROLE_OWNER = 1 << 0,
	ROLE_ADMIN = 1 << 1,
	ROLE_NETWORK_ADMIN = 1 << 2,
	ROLE_IT_ADMIN = 1 << 3,
	ROLE_BILLING_ADMIN = 1 << 4,
	ROLE_AUDITOR = 1 << 5
};

struct user {
	uint64_t id, tailnet;
	struct bytes name; /* unique in the tailnet */
	struct bytes display_name;
	struct bytes email;
	struct bytes picture_url;
	struct bytes provider; /* "" for local users */
	struct wall created;
	unsigned roles;       /* enum role, ored */
	struct bytes *groups; /* outer groups, "group:x", sorted; only where the reader says that it reads them */
	size_t group_count;
};

enum { USER_NAME_MAX = 255, USER_GROUPS_MAX = 1000, USER_GROUP_MAX = 255 };
/* A name that existing admin tools accept too: 2 to 255 bytes, starts with a letter (of any alphabet), then letters, digits, - . _ and at most one @. */
MUST_USE enum err user_check_name(struct bytes name, struct diag *why);
/* "owner", "admin", "network-admin", "it-admin", "billing-admin", "auditor", "member". ERR_MALFORMED names them. */
MUST_USE enum err user_parse_role(struct bytes name, unsigned *roles, struct diag *why);
const char *user_role_name(unsigned roles); /* the highest of them */
/* Outer groups: "group:" and what follows, without blanks and control characters, each once. */
MUST_USE enum err user_check_groups(const struct bytes *groups, size_t count, struct diag *why);
/* What clients call LoginName: email if there is one, else name. Never empty. Lives as long as the user. */
struct bytes user_login_name(const struct user *user);

#endif
