#include <math.h>
#include <stdlib.h>

#include "filter.h"
#include "follow.h"
#include "price.h"
#include "visible.h"

enum { TAGS = 200, GROUPS = 100, GROUP_USERS = 20, SECONDS_MAX = 60 };

/* A tailnet of users, tags and routers; rules lead from groups and tags to tags, from * to tags, and to subnets. */
struct tailnet {
	struct arena *arena;
	struct user *users;
	struct roll_user *roll_users;
	struct node *nodes;
	struct roll_node *slots;
	struct roll roll;
	struct document document;
	struct pass pass;
};

static struct bytes text(struct tailnet *t, const char *format, size_t number)
{
	char room[64];
	int len = snprintf(room, sizeof room, format, number);
	return arena_copy(t->arena, bytes_of(room, (size_t)len));
}

static void add_users(struct tailnet *t, size_t count)
{
	t->users = ARENA_ARRAY(t->arena, struct user, count);
	t->roll_users = ARENA_ARRAY(t->arena, struct roll_user, count);
	for (size_t i = 0; i < count; i++) {
		t->users[i].id = i + 1;
		t->users[i].name = t->users[i].email = text(t, "u%zu@example.com", i);
		t->roll_users[i].user = &t->users[i];
	}
	t->roll.users = t->roll_users;
	t->roll.user_count = count;
}

static void add_node(struct tailnet *t, size_t i)
{
	struct node *node = &t->nodes[i];
	struct ip v4 = {.family = IP_V4, .byte = {100, 64}}, v6 = {.family = IP_V6, .byte = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}};
	node->id = 1000 + i;
	node->ip4 = ip_add(v4, i * 7 + 1);
	node->ip6 = ip_add(v6, i * 7 + 1);
	if (i % 3) {
		node->tags = ARENA_ARRAY(t->arena, struct bytes, 1);
		node->tag_count = 1;
		node->tags[0] = text(t, "tag:t%zu", i % TAGS);
	} else {
		node->user = 1 + i / 3 % t->roll.user_count;
	}
	if (i % 100 == 1) {
		node->routes_advertised = ARENA_ARRAY(t->arena, struct prefix, 1);
		node->routes_advertised[0] = (struct prefix){{.family = IP_V4, .byte = {10, (uint8_t)(i / 256), (uint8_t)i}}, 24};
		node->routes_approved = node->routes_advertised;
		node->advertised_count = node->approved_count = 1;
	}
	t->slots[i].node = node;
}

static void add_names(struct tailnet *t)
{
	struct document *d = &t->document;
	d->tags = ARENA_ARRAY(t->arena, struct tag, TAGS);
	d->groups = ARENA_ARRAY(t->arena, struct group, GROUPS);
	for (d->tag_count = 0; d->tag_count < TAGS; d->tag_count++)
		d->tags[d->tag_count].name = text(t, "tag:t%zu", d->tag_count);
	for (d->group_count = 0; d->group_count < GROUPS; d->group_count++) {
		struct group *group = &d->groups[d->group_count];
		group->name = text(t, "group:g%zu", d->group_count);
		group->users.list = ARENA_ARRAY(t->arena, struct alias, GROUP_USERS);
		for (; group->users.count < GROUP_USERS; group->users.count++) {
			size_t user = (d->group_count * 7 + group->users.count * 31) % t->roll.user_count;
			group->users.list[group->users.count] = (struct alias){.kind = ALIAS_USER, .text = t->users[user].name};
		}
	}
}

static struct alias some_source(size_t i, size_t which)
{
	if (i % 50 == 0 && !which)
		return (struct alias){.kind = ALIAS_ANY};
	if (which % 2)
		return (struct alias){.kind = ALIAS_TAG, .index = (uint32_t)((i * 13 + which * 5) % TAGS)};
	return (struct alias){.kind = ALIAS_GROUP, .index = (uint32_t)((i * 7 + i / 64 + which) % GROUPS)};
}

static struct alias some_destination(size_t i)
{
	struct prefix subnet = {{.family = IP_V4, .byte = {10, (uint8_t)(i % 40)}}, 16};
	if (i % 10 == 3)
		return (struct alias){.kind = ALIAS_PREFIX, .prefix = subnet, .slash = true};
	return (struct alias){.kind = ALIAS_TAG, .index = (uint32_t)(i * 11 % TAGS)};
}

static void add_rules(struct tailnet *t, size_t count, size_t sources)
{
	struct document *d = &t->document;
	t->pass = (struct pass){.proto = PROTO_ABSENT};
	d->rules = ARENA_ARRAY(t->arena, struct rule, count);
	d->rule_count = count;
	for (size_t i = 0; i < count; i++) {
		struct rule *rule = &d->rules[i];
		struct port_range *port = ARENA_NEW(t->arena, struct port_range);
		port->first = port->last = (uint16_t)(1 + i % 60000);
		rule->src = (struct aliases){ARENA_ARRAY(t->arena, struct alias, sources), sources};
		for (size_t k = 0; k < sources; k++)
			rule->src.list[k] = some_source(i, k);
		rule->dst = ARENA_NEW(t->arena, struct target);
		rule->dst[0] = (struct target){some_destination(i), port, 1};
		rule->dst_count = 1;
		rule->passes = &t->pass;
		rule->pass_count = 1;
	}
}

static void tailnet_new(struct tailnet *t, size_t nodes, size_t users, size_t rules, size_t sources)
{
	*t = (struct tailnet){.arena = arena_new()};
	add_users(t, users);
	t->nodes = ARENA_ARRAY(t->arena, struct node, nodes);
	t->slots = ARENA_ARRAY(t->arena, struct roll_node, nodes);
	for (size_t i = 0; i < nodes; i++)
		add_node(t, i);
	t->roll.nodes = t->slots;
	t->roll.node_count = nodes;
	add_names(t);
	add_rules(t, rules, sources);
}

static void filter_all(struct policy *policy, size_t nodes)
{
	struct arena *arena = arena_new();
	for (size_t i = 0; i < nodes; i++) {
		filter_of(policy, arena, (uint32_t)i);
		arena_reset(arena);
	}
	arena_free(&arena);
}

enum { SIZES = 4, RULES = 4 };

static const char *const compiles[RULES] = {"compile, 10 rules", "compile, 100 rules", "compile, 1,000 rules", "compile, 10,000 rules"};
static const char *const sighted[RULES] = {"all sights, 10 rules", "all sights, 100 rules", "all sights, 1,000 rules", "all sights, 10,000 rules"};
static const char *const filters[RULES] = {"every filter, 10 rules", "every filter, 100 rules", "every filter, 1,000 rules", "every filter, 10,000 rules"};
static const char *const joins[RULES] = {"a leave or a join, 10 rules", "a leave or a join, 100 rules", "a leave or a join, 1,000 rules",
					 "a leave or a join, 10,000 rules"};

/* A node leaves that some other is like, and comes back. */
static void go_or_come(struct tailnet *t, struct policy *policy, uint32_t slot)
{
	struct touched touched = {0};
	t->slots[slot].node = t->slots[slot].node ? NULL : &t->nodes[slot];
	if (!policy_follow(policy, &slot, 1, &touched))
		abort();
	bitset_clear(&touched.filters);
	bitset_clear(&touched.ssh);
}

/* A tagged node that is no router, and that has a twin. */
static uint32_t some_slot(size_t nodes)
{
	size_t slot = nodes / 2;
	while (slot % 3 == 0 || slot % 100 == 1)
		slot++;
	return (uint32_t)slot;
}

static double price_size(struct price *p, size_t nodes, size_t rules, int which)
{
	struct tailnet t;
	struct policy *policy = NULL;
	tailnet_new(&t, nodes, nodes / 3 + 1, rules, 2);
	PRICE_CPU(p, compiles[which], nodes, 20, arena_size(policy->arena), (policy_free(&policy), policy = policy_compile(&t.document, &t.roll)));
	double us = p->rows[p->count - 1].us;
	PRICE_CPU(p, sighted[which], nodes, 1, arena_size(policy->arena), visible_sight(policy, 0));
	PRICE_CPU(p, filters[which], nodes, 1, 0, filter_all(policy, nodes));
	if (nodes >= 1000)
		PRICE_CPU(p, joins[which], nodes, 100, 0, go_or_come(&t, policy, some_slot(nodes)));
	policy_free(&policy);
	arena_free(&t.arena);
	return us;
}

/* One group that holds everybody, and rules as long as they may be. */
static void price_worst(struct price *p)
{
	struct tailnet t;
	struct policy *policy = NULL;
	tailnet_new(&t, 1000, 100000, 100000, 40);
	struct group *group = &t.document.groups[0];
	group->users = (struct aliases){ARENA_ARRAY(t.arena, struct alias, 100000), 100000};
	for (size_t i = 0; i < group->users.count; i++)
		group->users.list[i] = (struct alias){.kind = ALIAS_USER, .text = t.users[i].name};
	PRICE_CPU(p, "compile, 100,000 rules of 40 sources", 1000, 1, arena_size(policy->arena), (policy = policy_compile(&t.document, &t.roll)));
	policy_free(&policy);
	arena_free(&t.arena);
}

/* Of the last step of ten, where the fixed part weighs least: 1 is linear. */
static void print_exponents(double us[SIZES][RULES])
{
	for (int which = 0; which < RULES; which++)
		if (us[SIZES - 1][which] > 0)
			printf("exponent over nodes, 10,000 to 100,000, %s: %.2f\n", compiles[which] + sizeof "compile, " - 1,
			       log10(us[SIZES - 1][which] / us[SIZES - 2][which]));
	for (int size = 0; size < SIZES; size++)
		if (us[size][RULES - 1] > 0)
			printf("exponent over rules, 1,000 to 10,000, %.0f nodes: %.2f\n", 100 * pow(10, size),
			       log10(us[size][RULES - 1] / us[size][RULES - 2]));
}

int main(void)
{
	static double us[SIZES][RULES];
	struct price p = {.bench = "policy"};
	size_t nodes = 100;
	for (int size = 0; size < SIZES; size++, nodes *= 10) {
		size_t rules = 10;
		for (int which = 0; which < RULES; which++, rules *= 10)
			us[size][which] = price_size(&p, nodes, rules, which);
	}
	price_worst(&p);
	price_print(&p);
	print_exponents(us);
	return 0;
}
