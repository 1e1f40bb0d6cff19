#include "sshrule.h"

#include "sshplan.h"

/* What one node receives. */
struct asking {
	struct policy *policy;
	struct arena *arena;
	const struct ssh_entry *entry;
	struct sshrules out;
	size_t room, principals;
	bool full; /* a rule was left out: those behind it must not stand in for it */
};

static const struct node *node_at(const struct policy *policy, uint32_t slot)
{
	return policy->roll->nodes[slot].node;
}

/* The first source at or behind this one. */
static size_t find(struct ssh_sources sources, uint64_t owner, uint32_t slot)
{
	size_t low = 0, high = sources.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ssh_source *here = &sources.list[middle];
		if (here->owner < owner || (here->owner == owner && here->slot < slot))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The sources of one owner in these slots. */
static struct ssh_sources of_owner(struct ssh_sources sources, uint64_t owner, uint32_t first, uint32_t last)
{
	size_t from = find(sources, owner, first), end = from;
	while (end < sources.count && sources.list[end].owner == owner && sources.list[end].slot <= last)
		end++;
	return (struct ssh_sources){sources.list + from, end - from};
}

static struct ssh_sources of_node(struct ssh_sources sources, const struct node *node, uint32_t slot)
{
	if (node_is_tagged(node))
		return of_owner(sources, SSH_TAGGED, slot, slot);
	return of_owner(sources, node->user, 0, UINT32_MAX);
}

static struct sshrule *add_rule(struct asking *a)
{
	if (a->out.count == a->room) {
		struct sshrule *list = ARENA_ARRAY(a->arena, struct sshrule, a->room = a->room ? a->room * 2 : 4);
		if (a->out.count)
			memcpy(list, a->out.list, a->out.count * sizeof *list);
		a->out.list = list;
	}
	struct sshrule *rule = &a->out.list[a->out.count++];
	*rule = (struct sshrule){.rule = a->entry->rule};
	return rule;
}

static void add_common(struct asking *a, struct ssh_sources sources)
{
	a->full = a->full || 2 * sources.count > SSHRULE_PRINCIPALS_MAX - a->principals;
	if (!sources.count || a->full)
		return;
	struct sshrule *rule = add_rule(a);
	rule->users = a->entry->users;
	rule->user_count = a->entry->user_count;
	rule->principals = ARENA_ARRAY(a->arena, struct ip, 2 * sources.count);
	for (size_t i = 0; i < sources.count; i++) {
		const struct node *node = node_at(a->policy, sources.list[i].slot);
		if (node->ip4.family != IP_NONE)
			rule->principals[rule->principal_count++] = node->ip4;
		if (node->ip6.family != IP_NONE)
			rule->principals[rule->principal_count++] = node->ip6;
	}
	a->principals += rule->principal_count;
	if (!rule->principal_count)
		a->out.count--;
}

/* The part of the login before the @, when one of the rule's domains is behind it. */
static struct bytes localpart(const struct ssh_entry *entry, const struct user *user)
{
	struct bytes domain, local = bytes_split(user_login_name(user), '@', &domain);
	for (size_t i = 0; domain.at && i < entry->domain_count; i++)
		if (bytes_equal(entry->domains[i], domain))
			return local;
	return BYTES_NONE;
}

/* Per source user, by id: the common rule, then that of his own name; tagged sources at the end. */
static void add_by_user(struct asking *a, struct ssh_sources sources)
{
	for (size_t i = 0; i < sources.count && !a->full;) {
		struct ssh_sources own = of_owner(sources, sources.list[i].owner, 0, UINT32_MAX);
		const struct roll_user *user = own.list->owner == SSH_TAGGED ? NULL : roll_user(a->policy->roll, own.list->owner);
		struct bytes local = user ? localpart(a->entry, user->user) : BYTES_NONE;
		size_t before = a->out.count;
		add_common(a, own);
		i += own.count;
		if (!local.len || a->out.count == before)
			continue;
		struct sshrule *rule = add_rule(a);
		rule->users = ARENA_NEW(a->arena, struct sshrule_user);
		rule->users[rule->user_count++] = (struct sshrule_user){local, local};
		rule->principals = rule[-1].principals;
		rule->principal_count = rule[-1].principal_count;
	}
}

struct sshrules sshrules_of(struct policy *policy, struct arena *arena, uint32_t slot)
{
	struct asking a = {.policy = policy, .arena = arena};
	struct ssh_plan *plan = ssh_plan_of(policy);
	struct ssh_due *due;
	size_t count = ssh_plan_due(plan, policy, arena, slot, &due);
	for (size_t i = 0; i < count && !a.full; i++) {
		struct ssh_sources sources = ssh_plan_sources(plan, policy, arena, due[i].entry);
		a.entry = due[i].entry;
		if (due[i].right != SSH_DESTINATION)
			sources = of_node(sources, node_at(policy, slot), slot);
		if (a.entry->domain_count)
			add_by_user(&a, sources);
		else
			add_common(&a, sources);
	}
	return a.out;
}

bool sshrule_maps(const struct sshrule *rule, struct bytes login)
{
	const struct sshrule_user *found = NULL;
	for (size_t i = 0; i < rule->user_count; i++) {
		const struct sshrule_user *user = &rule->users[i];
		if (bytes_equal(user->login, login))
			return user->local.len > 0;
		if (bytes_equal_text(user->login, "*"))
			found = user;
	}
	return found && found->local.len;
}

bool sshrule_applies(const struct sshrule *rule, struct ip source, struct bytes login)
{
	for (size_t i = 0; i < rule->principal_count; i++)
		if (ip_equal(rule->principals[i], source))
			return sshrule_maps(rule, login);
	return false;
}

const struct sshrule *sshrules_judge(const struct sshrules *rules, struct ip source, struct bytes login)
{
	for (size_t i = 0; i < rules->count; i++)
		if (sshrule_applies(&rules->list[i], source, login))
			return &rules->list[i];
	return NULL;
}

static size_t add_recorder(struct endpoint *list, size_t count, struct ip ip)
{
	if (ip.family != IP_NONE && count < SSHRULE_RECORDERS_MAX)
		list[count++] = (struct endpoint){.ip = ip, .port = SSHRULE_RECORDER_PORT};
	return count;
}

size_t sshrule_recorders(struct policy *policy, struct arena *arena, const struct ssh_rule *rule, struct endpoint **recorders)
{
	size_t count = 0;
	*recorders = rule->recorders.count ? ARENA_ARRAY(arena, struct endpoint, SSHRULE_RECORDERS_MAX) : NULL;
	for (size_t i = 0; i < rule->recorders.count; i++) {
		const struct alias *alias = &rule->recorders.list[i];
		if (alias->kind == ALIAS_PREFIX) {
			count = add_recorder(*recorders, count, alias->prefix.ip);
			continue;
		}
		const struct meaning *meaning = policy_meaning(policy, alias);
		BITSET_EACH(&meaning->nodes, slot) {
			count = add_recorder(*recorders, count, node_at(policy, (uint32_t)slot)->ip4);
			count = add_recorder(*recorders, count, node_at(policy, (uint32_t)slot)->ip6);
		}
	}
	return count;
}
