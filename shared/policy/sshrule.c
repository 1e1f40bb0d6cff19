#include "sshrule.h"

/* What one node receives of one rule. */
struct asking {
	struct policy *policy;
	struct arena *arena;
	const struct ssh_rule *rule;
	uint32_t slot;
	const struct node *node;
	uint64_t owner_only; /* sources are this user's nodes; 0: no such limit */
	bool itself_only;    /* a tagged source of a localpart rule */
	uint32_t *sources;   /* slots; a node may stand twice */
	size_t source_count;
};

static const struct node *node_at(const struct policy *policy, uint32_t slot)
{
	return policy->roll->nodes[slot].node;
}

static bool in_any(struct policy *policy, const struct aliases *aliases, uint32_t slot)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (bitset_has(&policy_meaning(policy, &aliases->list[i])->nodes, slot))
			return true;
	return false;
}

static bool has_self(const struct ssh_rule *rule)
{
	for (size_t i = 0; i < rule->dst.count; i++)
		if (rule->dst.list[i].kind == ALIAS_SELF)
			return true;
	return false;
}

static bool has_localpart(const struct ssh_rule *rule)
{
	for (size_t i = 0; i < rule->user_count; i++)
		if (rule->users[i].kind == SSH_USER_LOCALPART)
			return true;
	return false;
}

/* Whether the node receives the rule, and from which sources it is then meant. */
static bool applies(struct asking *a)
{
	bool is_user_node = !node_is_tagged(a->node);
	if (in_any(a->policy, &a->rule->dst, a->slot))
		return true;
	if (is_user_node && has_self(a->rule)) {
		a->owner_only = a->node->user;
		return true;
	}
	if (!has_localpart(a->rule) || !in_any(a->policy, &a->rule->src, a->slot))
		return false;
	a->owner_only = is_user_node ? a->node->user : 0;
	a->itself_only = !is_user_node;
	return true;
}

static bool is_meant(const struct asking *a, uint32_t slot)
{
	const struct node *node = node_at(a->policy, slot);
	if (a->itself_only)
		return slot == a->slot;
	return !a->owner_only || (!node_is_tagged(node) && node->user == a->owner_only);
}

/* Of autogroup:tagged a node stands once for each of its tags. */
static void gather_sources(struct asking *a)
{
	struct bitset seen;
	size_t most = 0;
	bitset_init(&seen);
	for (size_t i = 0; i < a->rule->src.count; i++) {
		const struct alias *alias = &a->rule->src.list[i];
		const struct meaning *meaning = policy_meaning(a->policy, alias);
		BITSET_EACH(&meaning->nodes, slot)
			most += alias->kind == ALIAS_TAGGED ? node_at(a->policy, (uint32_t)slot)->tag_count : 1;
	}
	a->sources = ARENA_ARRAY(a->arena, uint32_t, most);
	for (size_t i = 0; i < a->rule->src.count; i++) {
		const struct alias *alias = &a->rule->src.list[i];
		BITSET_EACH(&policy_meaning(a->policy, alias)->nodes, slot) {
			size_t times = alias->kind == ALIAS_TAGGED ? node_at(a->policy, (uint32_t)slot)->tag_count : 1;
			if (bitset_has(&seen, slot) || !is_meant(a, (uint32_t)slot))
				continue;
			bitset_add(&seen, slot);
			while (times--)
				a->sources[a->source_count++] = (uint32_t)slot;
		}
	}
	bitset_clear(&seen);
}

static void add_user(struct sshrule *rule, struct bytes login, struct bytes local)
{
	for (size_t i = 0; i < rule->user_count; i++)
		if (bytes_equal(rule->users[i].login, login))
			return;
	rule->users[rule->user_count++] = (struct sshrule_user){login, local};
}

static void common_users(struct asking *a, struct sshrule *rule)
{
	bool root = false, nonroot = false;
	for (size_t i = 0; i < a->rule->user_count; i++) {
		root |= a->rule->users[i].kind == SSH_USER_ROOT;
		nonroot |= a->rule->users[i].kind == SSH_USER_NONROOT;
	}
	rule->users = ARENA_ARRAY(a->arena, struct sshrule_user, a->rule->user_count + 2);
	add_user(rule, BYTES("root"), root ? BYTES("root") : BYTES(""));
	if (nonroot)
		add_user(rule, BYTES("*"), BYTES("="));
	for (size_t i = 0; i < a->rule->user_count; i++)
		if (a->rule->users[i].kind == SSH_USER_NAME)
			add_user(rule, a->rule->users[i].text, a->rule->users[i].text);
}

enum { TAGGED = 0 };

/* Sources that `user` owns (TAGGED: tagged ones), or all with `every`. */
static void add_principals(struct asking *a, struct sshrule *rule, bool every, uint64_t user)
{
	rule->principals = ARENA_ARRAY(a->arena, struct ip, 2 * a->source_count);
	for (size_t i = 0; i < a->source_count; i++) {
		const struct node *node = node_at(a->policy, a->sources[i]);
		if (!every && (node_is_tagged(node) ? TAGGED : node->user) != user)
			continue;
		if (node->ip4.family != IP_NONE)
			rule->principals[rule->principal_count++] = node->ip4;
		if (node->ip6.family != IP_NONE)
			rule->principals[rule->principal_count++] = node->ip6;
	}
}

static struct sshrule *add_rule(struct asking *a, struct sshrules *out, size_t *room)
{
	if (out->count == *room) {
		struct sshrule *list = ARENA_ARRAY(a->arena, struct sshrule, *room = *room ? *room * 2 : 4);
		if (out->count)
			memcpy(list, out->list, out->count * sizeof *list);
		out->list = list;
	}
	struct sshrule *rule = &out->list[out->count++];
	*rule = (struct sshrule){.rule = a->rule};
	return rule;
}

static void add_common(struct asking *a, struct sshrules *out, size_t *room, bool every, uint64_t user)
{
	struct sshrule *rule = add_rule(a, out, room);
	common_users(a, rule);
	add_principals(a, rule, every, user);
	if (!rule->principal_count)
		out->count--;
}

/* The part of the login before the @, when one of the rule's domains is behind it. */
static struct bytes localpart(const struct ssh_rule *rule, const struct user *user)
{
	struct bytes domain, local = bytes_split(user_login_name(user), '@', &domain);
	for (size_t i = 0; domain.at && i < rule->user_count; i++)
		if (rule->users[i].kind == SSH_USER_LOCALPART && bytes_equal(rule->users[i].text, domain))
			return local;
	return BYTES_NONE;
}

/* Per source user, by id: the common rule, then that of his own name; tagged sources at the end. */
static void add_by_user(struct asking *a, struct sshrules *out, size_t *room)
{
	struct bitset owners;
	const struct roll *roll = a->policy->roll;
	bitset_init(&owners);
	for (size_t i = 0; i < a->source_count; i++) {
		const struct node *node = node_at(a->policy, a->sources[i]);
		const struct roll_user *user = node_is_tagged(node) ? NULL : roll_user(roll, node->user);
		if (user)
			bitset_add(&owners, (size_t)(user - roll->users));
	}
	BITSET_EACH(&owners, number) {
		const struct user *user = roll->users[number].user;
		struct bytes local = localpart(a->rule, user);
		add_common(a, out, room, false, user->id);
		if (!local.len)
			continue;
		struct sshrule *rule = add_rule(a, out, room);
		rule->users = ARENA_NEW(a->arena, struct sshrule_user);
		add_user(rule, local, local);
		add_principals(a, rule, false, user->id);
	}
	bitset_clear(&owners);
	add_common(a, out, room, false, TAGGED);
}

struct sshrules sshrules_of(struct policy *policy, struct arena *arena, uint32_t slot)
{
	struct sshrules out = {0};
	size_t room = 0;
	const struct document *document = policy->document;
	for (unsigned check = 2; check-- > 0;)
		for (size_t i = 0; i < document->ssh_count; i++) {
			struct asking a = {.policy = policy, .arena = arena, .rule = &document->ssh[i], .slot = slot, .node = node_at(policy, slot)};
			if (!a.node || a.rule->check != check || !applies(&a))
				continue;
			gather_sources(&a);
			if (has_localpart(a.rule))
				add_by_user(&a, &out, &room);
			else
				add_common(&a, &out, &room, true, 0);
		}
	return out;
}

static bool maps(const struct sshrule *rule, struct bytes login)
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
			return maps(rule, login);
	return false;
}

const struct sshrule *sshrules_judge(const struct sshrules *rules, struct ip source, struct bytes login)
{
	for (size_t i = 0; i < rules->count; i++)
		if (sshrule_applies(&rules->list[i], source, login))
			return &rules->list[i];
	return NULL;
}
