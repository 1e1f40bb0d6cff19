/* Who asks at the admin doors, and for which tailnet: an API key of a tailnet, the operator's key, or the socket.
 * Not what a handler does with it. x->guard becomes a struct asker, in the exchange's arena.
 * A tailnet's key acts on its tailnet and never names another (404); operator and socket name one by the header Fleetscale-Tailnet, else `default`. */
#ifndef GUARD_H
#define GUARD_H

#include "act.h"
#include "tailnet.h"

struct asker {
	struct actor actor;
	struct tailnet tailnet; /* acted on */
	bool is_operator;
	bool known; /* the credential was good: what is refused from now on is audited */
	struct bytes named; /* the header's tailnet, or empty: kept, since headers are gone when the client is */
};

void guard_tailnet(struct exchange *x);  /* any good credential; the tailnet must exist */
void guard_operator(struct exchange *x); /* the operator's key or the socket alone; no tailnet is looked up */

static inline const struct asker *asker_of(const struct exchange *x)
{
	return x->guard;
}

#endif
