/* A user of one tailnet: owner of nodes and auth keys, and the profile that clients show.
 * Not a login or a credential. Texts live in the arena of whoever read it.
 * Ids come from the sequence that nodes use too: they must never collide (a tagged node's User is its own id). */
#ifndef USER_H
#define USER_H

#include "clock.h"
#include "err.h"
#include "bytes.h"

struct user {
	uint64_t id, tailnet;
	struct bytes name;              /* unique in the tailnet */
	struct bytes display_name;
	struct bytes email;
	struct bytes picture_url;
	struct bytes provider;          /* "" for local users */
	struct wall created;
};

enum { USER_NAME_MAX = 255 };
MUST_USE enum err user_check_name(struct bytes name, struct diag *why);
/* What clients call LoginName: never empty. Email if there is one, else name, else name@domain when name has no "@". */
struct bytes user_login_name(const struct user *user);

#endif
