/* A document of any kind over a tailnet of any kind: what is accepted compiles, and every filter keeps the promises of its order and of its node. */
#include <stdlib.h>

#include "filter.h"
#include "follow.h"
#include "visible.h"

enum { NODES_MAX = 70, USERS = 3, ROUTES_MAX = 3 };

static const char *const tags[] = {"tag:a", "tag:b", "tag:c"};
static const char *const routes[] = {"10.0.0.0/8", "10.33.0.0/16", "10.33.1.0/24", "8.8.8.0/24", "100.64.0.0/29", "0.0.0.0/0", "::/0", "fd00::/16"};

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Bytes say what the tailnet is like; behind their end all are zero. */
struct dice {
	struct bytes rest;
};

static unsigned roll_of(struct dice *dice, unsigned sides)
{
	unsigned byte = dice->rest.len ? dice->rest.at[0] : 0;
	dice->rest = bytes_skip(dice->rest, 1);
	return byte % sides;
}

static void make_node(struct arena *arena, struct dice *dice, struct node *node, size_t slot)
{
	struct ip v4 = {.family = IP_V4, .byte = {100, 64}}, v6 = {.family = IP_V6, .byte = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}};
	unsigned kind = roll_of(dice, 8);
	*node = (struct node){.id = 100 + slot, .ip4 = ip_add(v4, slot + 1), .ip6 = ip_add(v6, slot * (kind + 1) + 1)};
	if (kind < COUNT_OF(tags)) {
		node->tags = ARENA_NEW(arena, struct bytes);
		node->tags[node->tag_count++] = bytes_text(tags[kind]);
	} else {
		node->user = 1 + kind % USERS;
	}
	node->routes_advertised = node->routes_approved = ARENA_ARRAY(arena, struct prefix, ROUTES_MAX);
	for (unsigned i = kind % 2 ? roll_of(dice, ROUTES_MAX + 1) : 0; i; i--)
		must(!prefix_parse(bytes_text(routes[roll_of(dice, COUNT_OF(routes))]), &node->routes_approved[node->approved_count++]));
	node->advertised_count = node->approved_count;
}

static void must_be_sorted(const struct source *source)
{
	for (size_t i = 1; i < source->text_count; i++)
		must(bytes_compare(source->texts[i - 1], source->texts[i]) < 0);
}

/* Whether a rule of the whole list says the same at least: all that is left of DstPorts stands there too. */
static void must_come_from(const struct filter_rule *rule, const struct filter *all)
{
	size_t at = 0;
	while (at < all->count && (all->rules[at].source != rule->source || all->rules[at].proto != rule->proto || !all->rules[at].dst_count))
		at++;
	must(at < all->count);
	const struct filter_rule *whole = &all->rules[at];
	size_t next = 0;
	for (size_t i = 0; i < rule->dst_count; i++, next++) {
		while (next < whole->dst_count &&
		       (!bytes_equal(whole->dst[next].ip, rule->dst[i].ip) || whole->dst[next].ports.first != rule->dst[i].ports.first ||
			whole->dst[next].ports.last != rule->dst[i].ports.last))
			next++;
		must(next < whole->dst_count);
	}
}

static void must_hold(struct policy *policy, struct arena *arena, uint32_t slot)
{
	struct filter filter = filter_of(policy, arena, slot), all = filter_unreduced(policy, arena, slot);
	must(filter.count <= all.count);
	for (size_t i = 0; i < filter.count; i++) {
		const struct filter_rule *rule = &filter.rules[i];
		must((rule->dst_count > 0) != (rule->grant_count > 0));
		must_be_sorted(rule->source);
		if (rule->dst_count)
			must_come_from(rule, &all);
		for (size_t k = 0; k < i; k++)
			must(!rule->dst_count || !filter.rules[k].dst_count || filter.rules[k].source != rule->source || filter.rules[k].proto != rule->proto);
		for (size_t k = 0; k < rule->grant_count; k++)
			must(rule->grants[k].dst_count > 0);
	}
}

static void must_be_same_filter(const struct filter *a, const struct filter *b)
{
	must(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct filter_rule *x = &a->rules[i], *y = &b->rules[i];
		must(x->proto == y->proto && x->dst_count == y->dst_count && x->grant_count == y->grant_count);
		must(x->source->text_count == y->source->text_count && x->source->sum == y->source->sum);
		for (size_t k = 0; k < x->source->text_count; k++)
			must(bytes_equal(x->source->texts[k], y->source->texts[k]));
		for (size_t k = 0; k < x->dst_count; k++)
			must(bytes_equal(x->dst[k].ip, y->dst[k].ip) && x->dst[k].ports.first == y->dst[k].ports.first &&
			     x->dst[k].ports.last == y->dst[k].ports.last);
	}
}

static void must_be_same(struct policy *followed, struct policy *fresh, struct arena *arena)
{
	for (uint32_t slot = 0; slot < fresh->roll->node_count; slot++) {
		struct filter a = filter_of(followed, arena, slot), b = filter_of(fresh, arena, slot);
		must_be_same_filter(&a, &b);
		const struct sight *x = visible_sight(followed, slot), *y = visible_sight(fresh, slot);
		must(!x == !y && (!x || sight_hash(x) == sight_hash(y)));
	}
}

/* Nodes go, come and are others; what is followed is what would be compiled. */
static void change_some(struct policy **policy, const struct document *document, struct roll *roll, struct arena *arena, struct dice *dice)
{
	struct roll_node *slots = (struct roll_node *)roll->nodes;
	for (unsigned changes = roll->node_count ? roll_of(dice, 6) : 0; changes; changes--) {
		uint32_t slot = roll_of(dice, (unsigned)roll->node_count);
		struct touched touched = {0};
		struct node *node = ARENA_NEW(arena, struct node);
		visible_sight(*policy, 0);
		make_node(arena, dice, node, slot + roll_of(dice, 2) * NODES_MAX);
		slots[slot].node = roll_of(dice, 3) ? node : NULL;
		if (!policy_follow(*policy, &slot, 1, &touched)) {
			policy_free(policy);
			*policy = policy_compile(document, roll);
		}
		struct policy *fresh = policy_compile(document, roll);
		must_be_same(*policy, fresh, arena);
		policy_free(&fresh);
		bitset_clear(&touched.filters);
		bitset_clear(&touched.ssh);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line for the tailnet, then the document. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text, domain = BYTES("example.com");
	struct dice dice = {bytes_split(bytes_of(data, size), '\n', &text)};
	struct user users[USERS] = {{.id = 1, .name = BYTES("odin"), .email = BYTES("odin@example.com")},
				    {.id = 2, .name = BYTES("thor"), .email = BYTES("thor@example.org")},
				    {.id = 3, .name = BYTES("freya@example.com")}};
	struct roll_user roll_users[USERS] = {{.user = &users[0], .roles = ROLE_OWNER}, {.user = &users[1]}, {.user = &users[2], .roles = ROLE_ADMIN}};
	struct surroundings around = {.domains = &domain, .domain_count = 1};
	struct arena *arena = arena_new();
	struct node *nodes = ARENA_ARRAY(arena, struct node, NODES_MAX);
	struct roll_node *slots = ARENA_ARRAY(arena, struct roll_node, NODES_MAX);
	struct roll roll = {
		.users = roll_users, .user_count = USERS, .nodes = slots, .node_count = roll_of(&dice, NODES_MAX), .domains = &domain, .domain_count = 1};
	struct document *document;
	struct lapses lapses;
	for (size_t i = 0; i < roll.node_count; i++) {
		make_node(arena, &dice, &nodes[i], i);
		slots[i].node = i % 9 == 8 ? NULL : &nodes[i];
	}
	/* Refused ones too: what is left of them must mean something. */
	if (!document_read_stored(arena, text, &around, &document, &lapses, NULL)) {
		struct policy *policy = policy_compile(document, &roll);
		for (uint32_t slot = 0; slot < roll.node_count; slot++)
			must_hold(policy, arena, slot);
		change_some(&policy, document, &roll, arena, &dice);
		policy_free(&policy);
	}
	arena_free(&arena);
	return 0;
}
