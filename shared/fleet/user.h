/* A user of one tailnet: owner of nodes and auth keys, and the profile that clients show.
 * Not a login or a credential. Texts live in the arena of whoever read it.
 * Ids come from the sequence that nodes use too: they must never collide (a tagged node's User is its own id). */
#ifndef USER_H
#define USER_H

#include "bytes.h"
#include "clock.h"
#include "err.h"

struct user {
	uint64_t id, tailnet;
	struct bytes name; /* unique in the tailnet */
	struct bytes display_name;
	struct bytes email;
	struct bytes picture_url;
	struct bytes provider; /* "" for local users */
	struct wall created;
};

enum { USER_NAME_MAX = 255 };
/* A name that existing admin tools accept too: 2 to 255 bytes, starts with a letter (of any alphabet), then letters, digits, - . _ and at most one @. */
MUST_USE enum err user_check_name(struct bytes name, struct diag *why);
/* What clients call LoginName: email if there is one, else name. Never empty. Lives as long as the user. */
struct bytes user_login_name(const struct user *user);

#endif
