#include "keyring.h"

#include "problem.h"

bool keyring_owner(struct exchange *x, bool writes, uint64_t *tailnet)
{
	*tailnet = asker_of(x)->tailnet.id;
	if (!asker_of(x)->is_operator || asker_of(x)->named.len)
		return true;
	*tailnet = TAILNET_INSTALLATION;
	return guard_may(x, SCOPE_OPERATOR, writes);
}

bool keyring_may_make(struct exchange *x, struct scopes scopes, const char *detail)
{
	if (scopes_contain(asker_of(x)->scopes, scopes))
		return true;
	problem_reply(x, 403, detail, "a key may not make one that can more than itself", "body.scopes");
	return false;
}
