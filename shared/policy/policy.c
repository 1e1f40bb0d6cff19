#include "policy.h"

#include <stdlib.h>

#include "resolve.h"
#include "sshplan.h"
#include "unit.h"

struct policy *policy_compile(const struct document *document, const struct roll *roll)
{
	struct policy *policy = x_zalloc(sizeof *policy);
	policy->arena = arena_new();
	policy->document = document;
	policy->roll = roll;
	resolver_init(policy);
	units_make(policy);
	return policy;
}

void policy_free(struct policy **policy)
{
	struct policy *p = *policy;
	*policy = NULL;
	if (!p)
		return;
	sources_clear(p);
	ssh_plan_clear(p->ssh_plan);
	resolver_clear(p);
	free(p->sources);
	free(p->units);
	arena_free(&p->arena);
	free(p);
}

const struct meaning *policy_meaning(struct policy *policy, const struct alias *alias)
{
	return &known_of(policy->resolver, alias)->meaning;
}
