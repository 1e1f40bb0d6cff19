#include "regroup.h"

#include <stdlib.h>

#include "hujson.h"
#include "resolve.h"
#include "secret.h"

/* Past that many, compiling is as cheap. */
enum { USERS_MAX = 64 };

static void add_hash(uint8_t sum[static 32], struct bytes text)
{
	uint8_t both[64];
	memcpy(both, sum, 32);
	hash_bytes(text, both + 32);
	hash_bytes(bytes_of(both, sizeof both), sum);
}

static void add_member(struct arena *arena, uint8_t sum[static 32], const struct json_member *member)
{
	add_hash(sum, member->name);
	if (!bytes_equal_text(member->name, "groups") || member->value.kind != JSON_OBJECT) {
		add_hash(sum, hujson_compact(arena, &member->value));
		return;
	}
	for (size_t i = 0; i < member->value.count; i++)
		add_hash(sum, member->value.members[i].name);
	add_hash(sum, BYTES("groups end"));
}

bool regroup_outline(struct bytes text, uint8_t outline[static 32])
{
	struct arena *arena = arena_new();
	struct json root;
	bool good = !hujson_parse(arena, text, &root, NULL) && root.kind == JSON_OBJECT;
	memset(outline, 0, 32);
	for (size_t i = 0; good && i < root.count; i++)
		add_member(arena, outline, &root.members[i]);
	arena_free(&arena);
	return good;
}

static bool same_users(const struct aliases *a, const struct aliases *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; same && i < a->count; i++)
		same = bytes_equal(a->list[i].text, b->list[i].text);
	return same;
}

static bool same_names(const struct document *a, const struct document *b)
{
	bool same = a->group_count == b->group_count;
	for (size_t i = 0; same && i < a->group_count; i++)
		same = bytes_equal(a->groups[i].name, b->groups[i].name);
	return same;
}

/* Users of the roll, by id, that are in one of the lists and not in both. */
struct others {
	const struct roll *roll;
	uint64_t ids[USERS_MAX];
	size_t count;
};

static bool add_login(struct others *o, struct bytes login)
{
	for (size_t i = 0; i < o->roll->user_count; i++) {
		if (!roll_is_login(o->roll->users[i].user, login))
			continue;
		if (o->count == USERS_MAX)
			return false;
		o->ids[o->count++] = o->roll->users[i].user->id;
	}
	return true;
}

static bool add_missing(struct others *o, const struct aliases *list, const struct aliases *from)
{
	struct table *known = table_new();
	size_t missing = 0;
	bool few = true;
	for (size_t i = 0; i < from->count; i++)
		table_put(known, from->list[i].text, known);
	for (size_t i = 0; few && i < list->count; i++)
		if (!table_find(known, list->list[i].text))
			few = ++missing <= USERS_MAX && add_login(o, list->list[i].text);
	table_free(&known);
	return few;
}

static bool is_among(const struct others *o, uint64_t id)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->ids[i] == id)
			return true;
	return false;
}

bool regroup(struct policy *policy, struct document *document, const struct document *now, struct bitset *slots)
{
	struct others others = {.roll = policy->roll};
	const struct resolver *r = policy->resolver;
	bool can = same_names(document, now);
	for (size_t i = 0; can && i < document->group_count; i++) {
		const struct aliases *a = &document->groups[i].users, *b = &now->groups[i].users;
		if (!same_users(a, b))
			can = add_missing(&others, a, b) && add_missing(&others, b, a);
	}
	if (!can)
		return false;
	for (size_t i = 0; i < document->group_count; i++)
		document->groups[i].users = now->groups[i].users;
	for (size_t slot = 0; others.count && slot < r->slots; slot++)
		if (r->owner[slot] != NO_OWNER && is_among(&others, r->owner[slot]))
			bitset_add(slots, slot);
	return true;
}
