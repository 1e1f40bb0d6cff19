#include "approve.h"

#include <stdlib.h>

#include "aliasnode.h"
#include "route.h"

enum { NOT_ASKED, NO, YES };

/* One node, and what was found out about it. */
struct one {
	const struct document *document;
	const struct roll *roll;
	const struct node *node;
	uint8_t *groups, *approvers; /* NOT_ASKED, NO, YES; made when the first is asked */
};

static void one_clear(struct one *one)
{
	free(one->groups);
	free(one->approvers);
}

/* Groups may be large and named often. */
static bool is_named(struct one *one, const struct alias *alias)
{
	if (alias->kind != ALIAS_GROUP)
		return alias_names(one->document, one->roll, alias, one->node);
	if (!one->groups)
		one->groups = x_zalloc(one->document->group_count);
	uint8_t *known = &one->groups[alias->index];
	if (*known == NOT_ASKED)
		*known = alias_names(one->document, one->roll, alias, one->node) ? YES : NO;
	return *known == YES;
}

static bool names_any(struct one *one, const struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (is_named(one, &aliases->list[i]))
			return true;
	return false;
}

static const struct prefix *prefix_at(const struct document *document, size_t place)
{
	return &document->route_approvers[document->approver_order[place]].prefix;
}

/* The first approver, in the order of prefixes, that is not before this one. */
static size_t place_of(const struct document *document, struct prefix prefix)
{
	size_t low = 0, high = document->route_approver_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (prefix_compare(*prefix_at(document, middle), prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether one of the approvers whose prefix covers the route says yes: a look for each length. */
static bool any_cover(const struct document *document, struct prefix route, bool (*says)(void *context, uint32_t approver), void *context)
{
	for (int bits = route.bits; bits >= 0; bits--) {
		struct prefix cover = prefix_masked((struct prefix){route.ip, (uint8_t)bits});
		for (size_t i = place_of(document, cover); i < document->route_approver_count && !prefix_compare(*prefix_at(document, i), cover); i++)
			if (says(context, document->approver_order[i]))
				return true;
	}
	return false;
}

static bool says_of_one(void *context, uint32_t approver)
{
	struct one *one = context;
	if (!one->approvers)
		one->approvers = x_zalloc(one->document->route_approver_count);
	uint8_t *known = &one->approvers[approver];
	if (*known == NOT_ASKED)
		*known = names_any(one, &one->document->route_approvers[approver].who) ? YES : NO;
	return *known == YES;
}

size_t approve_routes(const struct document *document, const struct roll *roll, const struct node *node, const struct prefix *routes, size_t count,
		      struct prefix *out)
{
	struct one one = {.document = document, .roll = roll, .node = node};
	int exits = -1;
	size_t approved = 0;
	for (size_t i = 0; i < count; i++) {
		struct prefix route = prefix_masked(routes[i]);
		if (route_is_exit(route) && exits < 0)
			exits = names_any(&one, &document->exit_approvers);
		if (route_is_exit(route) ? exits > 0 : any_cover(document, route, says_of_one, &one))
			out[approved++] = routes[i];
	}
	one_clear(&one);
	return approved;
}

bool approve_route(const struct document *document, const struct roll *roll, const struct node *node, struct prefix route)
{
	struct prefix approved;
	return approve_routes(document, roll, node, &route, 1, &approved) == 1;
}

/* ---- all nodes of a roll ---- */

struct approvals {
	struct policy *policy;
	struct arena *arena;
	uint32_t slot;
	struct bitset *who; /* per approver; that of exit nodes last; no words: not asked for yet */
};

struct approvals *approvals_new(struct policy *policy, struct arena *arena)
{
	struct approvals *a = ARENA_NEW(arena, struct approvals);
	a->policy = policy;
	a->arena = arena;
	a->who = ARENA_ARRAY(arena, struct bitset, policy->document->route_approver_count + 1);
	return a;
}

static const struct bitset *named_by(struct approvals *a, uint32_t approver, const struct aliases *aliases)
{
	struct bitset *who = &a->who[approver];
	if (who->words)
		return who;
	who->count = (a->policy->roll->node_count + 63) / 64 + 1;
	who->words = ARENA_ARRAY(a->arena, uint64_t, who->count);
	for (size_t i = 0; i < aliases->count; i++) {
		const struct bitset *nodes = &policy_meaning(a->policy, &aliases->list[i])->nodes;
		for (size_t word = 0; word < who->count; word++)
			who->words[word] |= bitset_word(nodes, word);
	}
	return who;
}

static bool says_of_slot(void *context, uint32_t approver)
{
	struct approvals *a = context;
	return bitset_has(named_by(a, approver, &a->policy->document->route_approvers[approver].who), a->slot);
}

bool approvals_have(struct approvals *a, uint32_t slot, struct prefix route)
{
	const struct document *document = a->policy->document;
	route = prefix_masked(route);
	a->slot = slot;
	if (route_is_exit(route))
		return bitset_has(named_by(a, (uint32_t)document->route_approver_count, &document->exit_approvers), slot);
	return any_cover(document, route, says_of_slot, a);
}

static bool carries(const struct node *node, struct bytes tag)
{
	for (size_t i = 0; node && i < node->tag_count; i++)
		if (bytes_equal(node->tags[i], tag))
			return true;
	return false;
}

/* The tags that own the first one, each once, whatever circles they make. */
struct owning {
	uint32_t *tags;
	size_t count;
	bool *seen;
};

static void add_owning(struct owning *owning, uint32_t tag)
{
	if (owning->seen[tag])
		return;
	owning->seen[tag] = true;
	owning->tags[owning->count++] = tag;
}

/* Whether one of the owners of `tag` is the person, or a tag that the node carries; owners that are tags join the walk. */
static bool is_owner(struct one *person, const struct tag *tag, const struct node *carried, struct owning *owning)
{
	for (size_t i = 0; i < tag->owners.count; i++) {
		const struct alias *owner = &tag->owners.list[i];
		if (owner->kind == ALIAS_TAG) {
			if (carries(carried, person->document->tags[owner->index].name))
				return true;
			add_owning(owning, owner->index);
		} else if (person->node->user && is_named(person, owner)) {
			return true;
		}
	}
	return false;
}

enum err approve_tag(const struct document *document, const struct roll *roll, const struct roll_user *user, const struct node *carried, struct bytes tag,
		     struct diag *why)
{
	uint32_t first = document_find_tag(document, tag);
	struct node person = {.user = user ? user->user->id : 0};
	struct one asked = {.document = document, .roll = roll, .node = &person};
	bool allowed = false;
	if (first == UINT32_MAX)
		return diag_set(why, ERR_NOT_FOUND, "tag not found: \"%.*s\"", BYTES_ARG(bytes_take(tag, 200)));
	struct owning owning = {x_alloc(document->tag_count * sizeof *owning.tags), 0, x_zalloc(document->tag_count)};
	add_owning(&owning, first);
	for (size_t i = 0; !allowed && i < owning.count; i++)
		allowed = is_owner(&asked, &document->tags[owning.tags[i]], carried, &owning);
	one_clear(&asked);
	free(owning.tags);
	free(owning.seen);
	return allowed ? ERR_NONE : diag_set(why, ERR_DENIED, "tag \"%.*s\" is not permitted", BYTES_ARG(bytes_take(tag, 200)));
}
