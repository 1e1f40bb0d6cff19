#include "afford.h"

#include <stdlib.h>

#include "table.h"

enum {
	UNIT_BYTES = 256,   /* struct unit and what hangs on it */
	TARGET_BYTES = 64,  /* struct unit_dst */
	ALIAS_BYTES = 384,  /* struct known, its key and its place in a table */
	SOURCE_BYTES = 256, /* struct source likewise */
	KEY_SETS = 2,       /* a set of addresses in sets of slots: what a source is found by */
	ADDRESS_SETS = 2,   /* of a prefix: who has it, who routes it */
	SOURCE_SETS = 2,    /* of a source of several aliases, or where there are routes */
	SPAN_BYTES = 40,
	ENTRY_BYTES = 76,  /* of an address in a source: range and text */
	KEYED_BYTES = 116, /* the same of a source that is found by its ranges */
	FEW = 64           /* ranges of *, of the Internet */
};

struct counting {
	const struct document *document;
	const struct roll *roll;
	struct table *logins, *outer, *tags;           /* text -> number of nodes */
	struct table *texts, *prefixes;                /* distinct aliases -> number */
	struct table *sources;                         /* seen, by hash */
	uint64_t *groups, *sets;                       /* addresses of group and ipset, plus one; 0: not counted yet */
	uint32_t *numbers[4];                          /* of groups, tags, hosts, ipsets as aliases; 0: not seen */
	uint32_t kinds[ALIAS_ROLE + ROLE_AUDITOR + 1]; /* of all others */
	uint32_t count;                                /* distinct aliases */
	uint64_t set_bytes, users, routes;             /* a bitset of slots; users with nodes; approved routes */
	bool self;                                     /* some rule was for each user alone */
	struct afford cost;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* --- the roll --------------------------------------------------------------------------------------------------------------------------------- */

static void add_nodes(struct table *table, struct bytes key, uintptr_t nodes)
{
	if (key.len)
		table_put(table, key, (void *)((uintptr_t)table_find(table, key) + nodes));
}

static uint64_t nodes_at(const struct table *table, struct bytes key)
{
	return (uintptr_t)table_find(table, key);
}

static void count_roll(struct counting *c)
{
	const struct roll *roll = c->roll;
	uintptr_t *nodes = x_zalloc((roll->user_count + 1) * sizeof *nodes);
	for (size_t i = 0; i < roll->node_count; i++) {
		const struct node *node = roll->nodes[i].node;
		if (!node)
			continue;
		c->routes += node->approved_count;
		for (size_t k = 0; k < node->tag_count; k++)
			add_nodes(c->tags, node->tags[k], 1);
		const struct roll_user *user = node->tag_count ? NULL : roll_user(roll, node->user);
		if (user)
			nodes[user - roll->users]++;
	}
	for (size_t i = 0; i < roll->user_count; i++) {
		const struct roll_user *user = &roll->users[i];
		if (!nodes[i])
			continue;
		c->users++;
		add_nodes(c->logins, user->user->name, nodes[i]);
		if (!bytes_equal(user->user->name, user->user->email))
			add_nodes(c->logins, user->user->email, nodes[i]);
		for (size_t k = 0; k < user->group_count; k++)
			add_nodes(c->outer, user->groups[k], nodes[i]);
	}
	free(nodes);
}

/* --- aliases ---------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t all_addresses(const struct counting *c)
{
	return 2 * (uint64_t)c->roll->node_count;
}

static uint64_t addresses_of_login(const struct counting *c, struct bytes login)
{
	bool by_name = login.len && login.at[login.len - 1] == '@';
	return 2 * nodes_at(c->logins, by_name ? bytes_take(login, login.len - 1) : login);
}

static uint64_t addresses_of_group(struct counting *c, uint32_t index)
{
	const struct group *group = &c->document->groups[index];
	uint64_t *known = &c->groups[index];
	if (*known)
		return *known - 1;
	uint64_t sum = 2 * nodes_at(c->outer, group->name);
	for (size_t i = 0; i < group->users.count; i++)
		sum += addresses_of_login(c, group->users.list[i].text);
	*known = 1 + least(sum, all_addresses(c));
	return *known - 1;
}

/* Ranges that an alias may come to; of an ipset what is counted already. */
static uint64_t ranges_of(struct counting *c, const struct alias *alias)
{
	switch (alias->kind) {
	case ALIAS_USER:
		return least(addresses_of_login(c, alias->text), all_addresses(c));
	case ALIAS_GROUP:
		return addresses_of_group(c, alias->index);
	case ALIAS_TAG:
		return least(2 * nodes_at(c->tags, c->document->tags[alias->index].name), all_addresses(c));
	case ALIAS_PREFIX:
	case ALIAS_HOST:
		return 1;
	case ALIAS_IPSET:
		return c->sets[alias->index] ? c->sets[alias->index] - 1 : 0;
	case ALIAS_DOMAIN:
	case ALIAS_MEMBER:
	case ALIAS_TAGGED:
	case ALIAS_ROLE:
		return all_addresses(c);
	case ALIAS_ANY:
		return FEW + c->routes;
	default:
		return FEW;
	}
}

static bool is_address(const struct alias *alias)
{
	return alias->kind == ALIAS_PREFIX || alias->kind == ALIAS_HOST || alias->kind == ALIAS_IPSET || alias->kind == ALIAS_ANY || alias->kind == ALIAS_ALL ||
	       alias->kind == ALIAS_INTERNET;
}

/* In bitsets of slots. */
static uint64_t sets_of_alias(const struct counting *c, const struct alias *alias)
{
	return is_address(alias) ? ADDRESS_SETS : 1 + (c->routes > 0);
}

static uint64_t sets_of_source(const struct counting *c, size_t aliases)
{
	return KEY_SETS + (aliases > 1 || c->routes ? SOURCE_SETS : 0);
}

/* Each set once, those inside it first; there are no circles. A range added or taken away makes one more at most. */
static void count_set(struct counting *c, uint32_t first, uint32_t *stack, size_t *next)
{
	const uint64_t most = (uint64_t)1 << 40;
	size_t depth = 0;
	stack[depth++] = first;
	while (depth) {
		uint32_t set = stack[depth - 1];
		const struct ipset *s = &c->document->ipsets[set];
		if (next[set] < s->entry_count) {
			const struct alias *inner = &s->entries[next[set]++].alias;
			if (inner->kind == ALIAS_IPSET && !c->sets[inner->index])
				stack[depth++] = inner->index;
			continue;
		}
		uint64_t sum = 0;
		for (size_t i = 0; i < s->entry_count; i++)
			sum = least(sum + 1 + ranges_of(c, &s->entries[i].alias), most);
		c->sets[set] = 1 + sum;
		depth--;
	}
}

/* The sum of what all sets hold bounds each: ranges are joined. */
static void count_sets(struct counting *c)
{
	size_t count = c->document->ipset_count;
	uint32_t *stack = x_alloc((count + 1) * sizeof *stack);
	size_t *next = x_zalloc((count + 1) * sizeof *next);
	uint64_t total = 0;
	for (uint32_t i = 0; i < count; i++)
		for (size_t k = 0; k < c->document->ipsets[i].entry_count; k++)
			if (c->document->ipsets[i].entries[k].alias.kind != ALIAS_IPSET)
				total += 1 + ranges_of(c, &c->document->ipsets[i].entries[k].alias);
	for (uint32_t i = 0; i < count; i++) {
		if (!c->sets[i])
			count_set(c, i, stack, next);
	}
	for (size_t i = 0; i < count; i++)
		c->sets[i] = least(c->sets[i], 1 + total);
	free(next);
	free(stack);
}

static uint32_t number_in(struct counting *c, struct table *table, struct bytes key)
{
	uintptr_t number = (uintptr_t)table_find(table, key);
	if (!number)
		table_put(table, key, (void *)(number = ++c->count));
	return (uint32_t)number;
}

/* Aliases that mean the same have one number. */
static uint32_t number_of(struct counting *c, const struct alias *alias)
{
	uint32_t *known;
	switch (alias->kind) {
	case ALIAS_USER:
	case ALIAS_DOMAIN:
		return number_in(c, c->texts, alias->text.len ? alias->text : BYTES("@"));
	case ALIAS_PREFIX:
		return number_in(c, c->prefixes, bytes_of(&alias->prefix, sizeof alias->prefix));
	case ALIAS_GROUP:
	case ALIAS_TAG:
	case ALIAS_HOST:
	case ALIAS_IPSET:
		known = &c->numbers[alias->kind - ALIAS_GROUP][alias->index];
		break;
	default:
		known = &c->kinds[alias->kind == ALIAS_ROLE ? ALIAS_ROLE + (unsigned)alias->role : (unsigned)alias->kind];
	}
	if (!*known)
		*known = ++c->count;
	return *known;
}

/* What an alias takes by itself, when it is met first. */
static uint32_t meet(struct counting *c, const struct alias *alias)
{
	uint32_t before = c->count, number = number_of(c, alias);
	if (number > before)
		c->cost.bytes += ALIAS_BYTES + sets_of_alias(c, alias) * c->set_bytes + SPAN_BYTES * ranges_of(c, alias);
	return number;
}

static void meet_all(struct counting *c, const struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->count; i++)
		meet(c, &aliases->list[i]);
}

/* --- rules ------------------------------------------------------------------------------------------------------------------------------------ */

/* Sources of a rule; equal lists are one. Under postures each alias of them is another. */
static void count_source(struct counting *c, const struct rule *rule)
{
	uint64_t ranges = 0, sets = 0, hash = mix(rule->posture_count);
	bool keyed = false;
	for (size_t i = 0; i < rule->posture_count; i++)
		hash = mix(hash + rule->postures[i]);
	for (size_t i = 0; i < rule->src.count; i++) {
		hash += mix((uint64_t)meet(c, &rule->src.list[i]) << 20 | 1);
		ranges += ranges_of(c, &rule->src.list[i]);
		sets += sets_of_alias(c, &rule->src.list[i]);
		keyed |= is_address(&rule->src.list[i]);
	}
	if (table_find_number(c->sources, hash))
		return;
	table_put_number(c->sources, hash, c);
	c->cost.bytes += SOURCE_BYTES + sets_of_source(c, rule->src.count) * c->set_bytes + (keyed ? KEYED_BYTES : ENTRY_BYTES) * ranges;
	if (rule->posture_count) /* one more: who meets them */
		c->cost.bytes += rule->src.count * ALIAS_BYTES + (sets + rule->src.count) * c->set_bytes + SPAN_BYTES * ranges;
}

/* A rule of autogroup:self, for each user with nodes; what is known of each user is shared by all such rules. */
static uint64_t count_self(struct counting *c, const struct rule *rule, uint64_t each)
{
	uint64_t per_user = ALIAS_BYTES + SOURCE_BYTES + (1 + (c->routes > 0) + sets_of_source(c, 1)) * c->set_bytes;
	c->cost.bytes += c->users * each * (UNIT_BYTES + TARGET_BYTES);
	if (rule->posture_count)
		c->cost.bytes += c->users * per_user;
	if (!c->self)
		c->cost.bytes += c->users * per_user + ENTRY_BYTES * all_addresses(c);
	c->self = true;
	return c->users * each;
}

static void count_rule(struct counting *c, const struct rule *rule)
{
	uint64_t each = rule->pass_count + (rule->app_count ? 3 : 0), selves = 0;
	if (!rule->src.count || !rule->dst_count)
		return;
	count_source(c, rule);
	for (size_t i = 0; i < rule->dst_count; i++) {
		selves += rule->dst[i].alias.kind == ALIAS_SELF;
		meet(c, &rule->dst[i].alias);
	}
	uint64_t units = each * (1 + (rule->is_grant ? 0 : selves));
	c->cost.bytes += units * (UNIT_BYTES + c->set_bytes) + each * rule->dst_count * TARGET_BYTES;
	if (rule->app_count) /* companions have destinations as sources */
		c->cost.bytes += rule->src.count * 2 * TARGET_BYTES + 2 * (SOURCE_BYTES + sets_of_source(c, 2) * c->set_bytes);
	if (selves)
		units += count_self(c, rule, each);
	c->cost.units += units;
}

static void count_rest(struct counting *c)
{
	const struct document *d = c->document;
	for (size_t i = 0; i < d->ssh_count; i++) {
		meet_all(c, &d->ssh[i].src);
		meet_all(c, &d->ssh[i].dst);
	}
	for (size_t i = 0; i < d->node_attr_count; i++)
		meet_all(c, &d->node_attrs[i].targets);
	meet_all(c, &d->exit_approvers);
	for (size_t i = 0; i < d->route_approver_count; i++) {
		meet_all(c, &d->route_approvers[i].who);
		c->cost.bytes += c->set_bytes;
	}
	for (size_t i = 0; i < d->test_count; i++)
		if (!d->tests[i].fault)
			meet(c, &d->tests[i].src);
}

static void counting_new(struct counting *c, const struct document *document, const struct roll *roll)
{
	const size_t counts[] = {document->group_count, document->tag_count, document->host_count, document->ipset_count};
	struct table **tables[] = {&c->logins, &c->outer, &c->tags, &c->texts, &c->prefixes, &c->sources};
	*c = (struct counting){.document = document, .roll = roll, .set_bytes = (roll->node_count + 63) / 64 * 8};
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		*tables[i] = table_new();
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		c->numbers[i] = x_zalloc((counts[i] + 1) * sizeof *c->numbers[i]);
	c->groups = x_zalloc((document->group_count + 1) * sizeof *c->groups);
	c->sets = x_zalloc((document->ipset_count + 1) * sizeof *c->sets);
	count_roll(c);
	count_sets(c);
}

static void counting_clear(struct counting *c)
{
	struct table **tables[] = {&c->logins, &c->outer, &c->tags, &c->texts, &c->prefixes, &c->sources};
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		table_free(tables[i]);
	for (size_t i = 0; i < COUNT_OF(c->numbers); i++)
		free(c->numbers[i]);
	free(c->groups);
	free(c->sets);
}

static enum err refuse(const struct counting *c, unsigned times, struct place at, struct diag *why)
{
	enum err e;
	if (c->cost.units > (uint64_t)times * AFFORD_UNITS)
		e = diag_set(
			why, ERR_TOO_BIG,
			"for the %zu nodes of this tailnet and its %llu users with nodes this policy comes to more than %llu rules (each of autogroup:self "
			"counts for every user)",
			c->roll->node_count, (unsigned long long)c->users, (unsigned long long)times * AFFORD_UNITS);
	else
		e = diag_set(why, ERR_TOO_BIG, "for the %zu nodes of this tailnet this policy would take more than %llu MiB: fewer rules or names",
			     c->roll->node_count, (unsigned long long)(times * AFFORD_BYTES >> 20));
	if (why) {
		why->line = at.line;
		why->column = at.column;
	}
	return e;
}

enum err afford_check(const struct document *document, const struct roll *roll, unsigned times, struct afford *cost, struct diag *why)
{
	struct counting c;
	struct place at = {0};
	enum err e = ERR_NONE;
	bool past = false;
	counting_new(&c, document, roll);
	for (size_t i = 0; i < document->rule_count && !past; i++) {
		at = document->rules[i].at;
		count_rule(&c, &document->rules[i]);
		past = c.cost.units > (uint64_t)times * AFFORD_UNITS || c.cost.bytes > times * AFFORD_BYTES;
	}
	if (!past)
		count_rest(&c);
	if (past || c.cost.bytes > times * AFFORD_BYTES)
		e = refuse(&c, times, past ? at : (struct place){0}, why);
	if (cost)
		*cost = c.cost;
	counting_clear(&c);
	return e;
}
