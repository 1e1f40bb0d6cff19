#include "rollcall.h"

#include <stdlib.h>

static struct list32 *lists_new(struct resolver *r, const uint32_t *sizes, size_t count, size_t total)
{
	struct list32 *lists = ARENA_ARRAY(r->arena, struct list32, count + 1);
	uint32_t *room = ARENA_ARRAY(r->arena, uint32_t, total + 1);
	for (size_t i = 0; i < count; i++) {
		lists[i].at = room;
		room += sizes[i];
	}
	return lists;
}

/* Pairs (key, value) as one list of values per key, values in the order given. */
struct pair {
	uint32_t key, value;
};

struct pairs {
	struct pair *at;
	size_t count, room;
};

static void pairs_add(struct pairs *pairs, uint32_t key, uint32_t value)
{
	if (pairs->count == pairs->room) {
		pairs->room = pairs->room ? pairs->room * 2 : 256;
		pairs->at = x_realloc(pairs->at, pairs->room * sizeof *pairs->at);
	}
	pairs->at[pairs->count++] = (struct pair){key, value};
}

static struct list32 *pairs_take(struct resolver *r, struct pairs *pairs, size_t keys)
{
	uint32_t *sizes = x_zalloc((keys + 1) * sizeof *sizes);
	for (size_t i = 0; i < pairs->count; i++)
		sizes[pairs->at[i].key]++;
	struct list32 *lists = lists_new(r, sizes, keys, pairs->count);
	for (size_t i = 0; i < pairs->count; i++) {
		struct list32 *list = &lists[pairs->at[i].key];
		list->at[list->count++] = pairs->at[i].value;
	}
	free(sizes);
	free(pairs->at);
	*pairs = (struct pairs){0};
	return lists;
}

static int by_ip(const void *a, const void *b)
{
	const struct address *x = a, *y = b;
	int order = ip_compare(x->ip, y->ip);
	return order ? order : (x->slot > y->slot) - (x->slot < y->slot);
}

struct text_at {
	struct bytes text;
	uint32_t number;
};

static int by_text(const void *a, const void *b)
{
	return bytes_compare(((const struct text_at *)a)->text, ((const struct text_at *)b)->text);
}

static void rank_texts(struct resolver *r)
{
	struct text_at *order = x_alloc((r->address_count + 1) * sizeof *order);
	for (size_t i = 0; i < r->address_count; i++)
		order[i] = (struct text_at){r->addresses[i].text, (uint32_t)i};
	if (r->address_count)
		qsort(order, r->address_count, sizeof *order, by_text);
	r->by_text = ARENA_ARRAY(r->arena, uint32_t, r->address_count + 1);
	r->ranked = true;
	for (size_t i = 0; i < r->address_count; i++) {
		r->by_text[i] = order[i].number;
		r->addresses[order[i].number].text_rank = (uint32_t)i;
	}
	free(order);
}

struct bytes rollcall_text(struct resolver *r, struct ip ip)
{
	char text[IP_TEXT_MAX];
	size_t len = ip_format(text, ip);
	return arena_copy(r->arena, bytes_of(text, len));
}

void rollcall_addresses(struct resolver *r)
{
	const struct roll *roll = r->policy->roll;
	r->addresses = ARENA_ARRAY(r->arena, struct address, r->slots * 2);
	r->entry = ARENA_ARRAY(r->arena, uint32_t, r->slots * 2);
	memset(r->entry, 0xff, r->slots * 2 * sizeof *r->entry);
	for (size_t slot = 0; slot < roll->node_count; slot++) {
		const struct node *node = roll->nodes[slot].node;
		if (node && node->ip4.family == IP_V4)
			r->addresses[r->address_count++] = (struct address){.ip = node->ip4, .slot = (uint32_t)slot};
		if (node && node->ip6.family == IP_V6)
			r->addresses[r->address_count++] = (struct address){.ip = node->ip6, .slot = (uint32_t)slot};
	}
	if (r->address_count)
		qsort(r->addresses, r->address_count, sizeof *r->addresses, by_ip);
	r->mark_words = r->slots * 2 / 64 + 1;
	r->marks = ARENA_ARRAY(r->arena, uint64_t, r->mark_words);
	r->follows = (struct bitset){ARENA_ARRAY(r->arena, uint64_t, r->mark_words), r->mark_words};
	r->behind = (struct bitset){ARENA_ARRAY(r->arena, uint64_t, r->mark_words), r->mark_words};
	for (size_t i = 0; i < r->address_count; i++) {
		struct address *here = &r->addresses[i];
		here->text = rollcall_text(r, here->ip);
		r->entry[here->slot * 2 + (here->ip.family == IP_V6)] = (uint32_t)i;
		if (!i || here[-1].ip.family != here->ip.family)
			continue;
		if (ip_equal(here[-1].ip, here->ip) || ip_equal(ip_add(here[-1].ip, 1), here->ip))
			bitset_add(&r->follows, i);
	}
	rank_texts(r);
}

struct served {
	struct prefix route;
	uint32_t slot;
};

static int by_route(const void *a, const void *b)
{
	const struct served *x = a, *y = b;
	int order = prefix_compare(x->route, y->route);
	return order ? order : (x->slot > y->slot) - (x->slot < y->slot);
}

static struct served *all_served(struct resolver *r, size_t *count)
{
	const struct roll *roll = r->policy->roll;
	struct served *list = NULL;
	size_t room = 0;
	*count = 0;
	for (size_t slot = 0; slot < roll->node_count; slot++) {
		const struct node *node = roll->nodes[slot].node;
		if (!node || !node->approved_count)
			continue;
		struct prefix *routes = x_alloc(node->approved_count * sizeof *routes);
		size_t here = roll_subnet_routes(node, routes);
		if (*count + here > room) {
			room = (*count + here) * 2;
			list = x_realloc(list, room * sizeof *list);
		}
		for (size_t i = 0; i < here; i++)
			list[(*count)++] = (struct served){routes[i], (uint32_t)slot};
		free(routes);
		if (here)
			bitset_add(&r->routing, slot);
		if (roll_is_exit(node))
			bitset_add(&r->policy->exits, slot);
	}
	if (*count)
		qsort(list, *count, sizeof *list, by_route);
	return list;
}

/* Routes nest or are apart, so what is wider than a route and holds it is the one before it, or one of that one's parents. */
static void nest_routes(struct resolver *r)
{
	struct policy *policy = r->policy;
	r->parent = ARENA_ARRAY(r->arena, uint32_t, policy->route_count + 1);
	for (size_t i = 0; i < policy->route_count; i++) {
		uint32_t above = i ? (uint32_t)(i - 1) : UINT32_MAX;
		while (above != UINT32_MAX && !prefix_has(policy->routes[above], policy->routes[i].ip))
			above = r->parent[above];
		r->parent[i] = above;
	}
}

void rollcall_routes(struct resolver *r)
{
	struct policy *policy = r->policy;
	size_t count;
	struct served *served = all_served(r, &count);
	struct pairs pairs = {0};
	policy->routes = ARENA_ARRAY(r->arena, struct prefix, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (!i || prefix_compare(served[i].route, served[i - 1].route) != 0)
			policy->routes[policy->route_count++] = served[i].route;
		pairs_add(&pairs, (uint32_t)policy->route_count - 1, served[i].slot);
	}
	free(served);
	r->routers = pairs_take(r, &pairs, policy->route_count);
	nest_routes(r);
	for (size_t i = 0; i < policy->route_count; i++) {
		struct span span = span_of(policy->routes[i]);
		for (size_t k = r->parent[i] == UINT32_MAX ? address_from(r, span.first) : r->address_count;
		     k < r->address_count && ip_compare(r->addresses[k].ip, span.last) <= 0; k++) {
			bitset_add(&r->behind, k);
			r->any_behind = true;
		}
	}
}

static void add_named(struct resolver *r, struct table *table, struct bytes name, uint32_t user)
{
	struct named *first = table_find(table, name), *entry = ARENA_NEW(r->arena, struct named);
	entry->user = user;
	if (first) {
		entry->next = first->next;
		first->next = entry;
	} else {
		table_put(table, name, entry);
	}
}

/* UINT32_MAX when unknown. */
static uint32_t number_of_user(const struct roll *roll, uint64_t id)
{
	const struct roll_user *user = roll_user(roll, id);
	return user ? (uint32_t)(user - roll->users) : UINT32_MAX;
}

void rollcall_users(struct resolver *r)
{
	const struct roll *roll = r->policy->roll;
	struct pairs pairs = {0};
	r->logins = table_new();
	r->outer = table_new();
	if (!r->owner)
		r->owner = ARENA_ARRAY(r->arena, uint64_t, r->slots);
	memset(r->owner, 0xff, r->slots * sizeof *r->owner);
	for (size_t i = 0; i < roll->user_count; i++) {
		const struct roll_user *user = &roll->users[i];
		struct bytes login = user_login_name(user->user);
		add_named(r, r->logins, login, (uint32_t)i);
		if (!bytes_equal(login, user->user->name))
			add_named(r, r->logins, user->user->name, (uint32_t)i);
		for (size_t k = 0; k < user->group_count; k++)
			add_named(r, r->outer, user->groups[k], (uint32_t)i);
	}
	for (size_t slot = 0; slot < roll->node_count; slot++) {
		const struct node *node = roll->nodes[slot].node;
		uint32_t user;
		if (!node)
			continue;
		bitset_add(&r->all, slot);
		if (node_is_tagged(node)) {
			bitset_add(&r->policy->tagged, slot);
			continue;
		}
		bitset_add(&r->members, slot);
		r->owner[slot] = node->user;
		user = number_of_user(roll, node->user);
		if (user != UINT32_MAX)
			pairs_add(&pairs, user, (uint32_t)slot);
	}
	r->user_nodes = pairs_take(r, &pairs, roll->user_count);
	r->user_known = ARENA_ARRAY(r->arena, struct known *, roll->user_count + 1);
}

void rollcall_tags(struct resolver *r)
{
	const struct document *document = r->policy->document;
	const struct roll *roll = r->policy->roll;
	struct table *tags = table_new();
	struct pairs pairs = {0};
	for (size_t i = 0; i < document->tag_count; i++)
		table_put(tags, document->tags[i].name, &document->tags[i]);
	for (size_t slot = 0; slot < roll->node_count; slot++) {
		const struct node *node = roll->nodes[slot].node;
		for (size_t i = 0; node && i < node->tag_count; i++) {
			const struct tag *tag = table_find(tags, node->tags[i]);
			if (tag)
				pairs_add(&pairs, (uint32_t)(tag - document->tags), (uint32_t)slot);
		}
	}
	r->tag_nodes = pairs_take(r, &pairs, document->tag_count);
	table_free(&tags);
}

void rollcall_again(struct resolver *r)
{
	table_free(&r->logins);
	table_free(&r->outer);
	rollcall_users(r);
	rollcall_tags(r);
	r->stale = false;
}

bool rollcall_is_behind(const struct resolver *r, struct ip ip)
{
	const struct policy *policy = r->policy;
	size_t low = 0, high = policy->route_count;
	while (low < high) { /* the first route that begins behind the address */
		size_t middle = low + (high - low) / 2;
		if (ip_compare(policy->routes[middle].ip, ip) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t i = low ? (uint32_t)(low - 1) : UINT32_MAX; i != UINT32_MAX; i = r->parent[i])
		if (prefix_has(policy->routes[i], ip))
			return true;
	return false;
}
