/* Who asks at the admin doors, and for which tailnet: an API key of a tailnet, the operator's key, or the socket.
 * Not what a handler does with it. x->guard becomes a struct asker, in the exchange's arena.
 * A key may do what its scopes say; the socket may do all. Each key has its rate (headers RateLimit-*, past it 429); the socket has none.
 * A tailnet's key acts on its tailnet and never names another (404); operator and socket name one by the header Fleetscale-Tailnet, else `default`. */
#ifndef GUARD_H
#define GUARD_H

#include "act.h"
#include "scope.h"
#include "tailnet.h"

struct asker {
	struct actor actor;
	struct tailnet tailnet; /* acted on */
	bool is_operator;
	bool known; /* the credential was good: what is refused from now on is audited */
	struct scopes scopes;
	/* Headers, kept, since they are gone when the client is; at == NULL when absent. */
	struct bytes named; /* the tailnet, or empty */
	struct bytes if_match, if_none_match;
};

/* A tailnet, which must exist, and a credential with the scope; else 403 names the scope that is missing. */
void guard_any(struct exchange *x); /* whatever its scopes */
void guard_nodes(struct exchange *x);
void guard_nodes_read(struct exchange *x);
void guard_users(struct exchange *x);
void guard_users_read(struct exchange *x);
void guard_authkeys(struct exchange *x);
void guard_authkeys_read(struct exchange *x);
void guard_apikeys(struct exchange *x);
void guard_apikeys_read(struct exchange *x);
void guard_settings(struct exchange *x);
void guard_settings_read(struct exchange *x);
void guard_policy(struct exchange *x);
void guard_policy_read(struct exchange *x);
void guard_audits_read(struct exchange *x);
/* The operator's key or the socket alone, no tailnet is looked up; 404 for others. */
void guard_operator(struct exchange *x);
void guard_operator_read(struct exchange *x);
/* For what a handler finds out later: on false 403 was answered. */
bool guard_may(struct exchange *x, enum scope scope, bool writes);

static inline const struct asker *asker_of(const struct exchange *x)
{
	return x->guard;
}

#endif
