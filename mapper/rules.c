#include "rules.h"

#include <stdlib.h>

#include "afford.h"
#include "attrs.h"
#include "filterparts.h"
#include "follow.h"
#include "regroup.h"
#include "secret.h"
#include "sshjson.h"
#include "table.h"

/* A filter of ten thousand rules is a few megabytes. */
enum { TEXT_MAX = 64 << 20, LOOKS_OF_AN_ARENA = 1 << 20, HASH_NOTHING = 0, HASH_OPEN = 1 };

/* So many nodes are followed at once, and a share of all. */
enum { FOLLOWED_LEAST = 8, FOLLOWED_SHARE = 64 };

struct rules *rules_new(size_t history)
{
	struct rules *r = x_zalloc(sizeof *r);
	r->history = history;
	r->document_arena = arena_new();
	r->roll_arena = arena_new();
	r->scratch = arena_new();
	buffer_init(&r->text, TEXT_MAX);
	bitset_init(&r->no_ip4);
	sourcebook_init(&r->book);
	return r;
}

static void drop_later(struct rules *r)
{
	for (size_t i = 0; i < r->later_count; i++) {
		arena_free(&r->later[i].arena);
		body_drop(&r->later[i].source);
	}
	r->later_count = 0;
	r->outlined = false;
}

void rules_free(struct rules **rules)
{
	struct rules *r = *rules;
	*rules = NULL;
	if (!r)
		return;
	policy_free(&r->policy);
	drop_later(r);
	arena_free(&r->document_arena);
	arena_free(&r->roll_arena);
	arena_free(&r->scratch);
	body_drop(&r->source);
	buffer_clear(&r->text);
	bitset_clear(&r->no_ip4);
	moves_clear(&r->flips);
	relaymap_clear(&r->relays);
	sourcebook_clear(&r->book);
	bitset_clear(&r->rolled);
	free(r->roll_nodes);
	free(r->own);
	free(r);
}

/* ---- following ---- */

static int by_id(const void *a, const void *b)
{
	const struct roll_user *x = a, *y = b;
	return (x->user->id > y->user->id) - (x->user->id < y->user->id);
}

static void call_users(struct rules *r, const struct snapshot *s)
{
	struct roll_user *users = ARENA_ARRAY(r->roll_arena, struct roll_user, table_count(s->users) + 1);
	struct bytes key;
	struct profile *profile;
	r->roll.user_count = 0;
	TABLE_EACH(s->users, key, profile)
		users[r->roll.user_count++] = (struct roll_user){&profile->user, profile->user.roles, profile->user.groups, profile->user.group_count};
	if (r->roll.user_count > 1)
		qsort(users, r->roll.user_count, sizeof *users, by_id);
	r->roll.users = users;
}

static void call_node(struct rules *r, const struct snapshot *s, uint32_t slot)
{
	const struct seat *seat = &s->seats[slot];
	if (snapshot_admits(s, seat->node))
		r->roll_nodes[slot] = (struct roll_node){seat->node, seat->facts->list, seat->facts->count};
	else
		r->roll_nodes[slot] = (struct roll_node){0};
}

static void make_room(struct rules *r, const struct snapshot *s)
{
	if (s->seat_count > r->roll_room)
		r->roll_nodes = x_realloc(r->roll_nodes, (r->roll_room = s->seat_room) * sizeof *r->roll_nodes);
	for (uint32_t slot = (uint32_t)r->roll.node_count; slot < s->seat_count; slot++)
		call_node(r, s, slot);
	r->roll.nodes = r->roll_nodes;
	r->roll.node_count = s->seat_count;
}

/* Rows took the place of others. */
static void call_nodes(struct rules *r, const struct snapshot *s)
{
	struct bitset slots = {0};
	make_room(r, s);
	if (r->replaced && moves_since(&s->replaced, r->replaced, &slots)) {
		BITSET_EACH(&slots, slot)
			call_node(r, s, (uint32_t)slot);
	} else {
		for (uint32_t slot = 0; slot < s->seat_count; slot++)
			call_node(r, s, slot);
	}
	bitset_clear(&slots);
	r->replaced = s->version;
}

static void call_all_users(struct rules *r, const struct snapshot *s)
{
	arena_reset(r->roll_arena);
	r->roll.domains = s->domains;
	r->roll.domain_count = s->domain_count;
	call_users(r, s);
}

/* Groups of users from outside: rules may name them. */
static size_t outer_groups(struct arena *arena, const struct snapshot *s, struct bytes **out)
{
	struct bytes key;
	struct profile *profile;
	struct table *seen = table_new();
	size_t most = 0, count = 0;
	TABLE_EACH(s->users, key, profile)
		most += profile->user.group_count;
	*out = ARENA_ARRAY(arena, struct bytes, most + 1);
	TABLE_EACH(s->users, key, profile)
		for (size_t i = 0; i < profile->user.group_count; i++)
			if (!table_put(seen, profile->user.groups[i], seen))
				(*out)[count++] = arena_copy(arena, profile->user.groups[i]);
	table_free(&seen);
	return count;
}

static enum err read_text(struct arena *arena, const struct snapshot *s, struct body *text, struct document **document, struct lapses *lapses, struct diag *why)
{
	struct bytes *groups, *domains = ARENA_ARRAY(arena, struct bytes, s->domain_count + 1);
	for (size_t i = 0; i < s->domain_count; i++)
		domains[i] = arena_copy(arena, s->domains[i]);
	size_t group_count = outer_groups(arena, s, &groups);
	struct surroundings around = {.domains = domains, .domain_count = s->domain_count, .groups = groups, .group_count = group_count};
	return document_read_stored(arena, body_bytes(text), &around, document, lapses, why);
}

/* The text differs in the users of groups alone: theirs are the nodes to be followed. */
static bool regroup_text(struct rules *r, const struct snapshot *s)
{
	uint8_t outline[32];
	struct document *now = NULL;
	struct lapses lapses = {0};
	struct diag why;
	if (!s->policy || r->lapses.count || r->later_count == LATER_MAX || !regroup_outline(body_bytes(s->policy), outline))
		return false;
	if (!r->outlined)
		r->outlined = regroup_outline(body_bytes(r->source), r->outline);
	if (!r->outlined || memcmp(outline, r->outline, sizeof outline) != 0)
		return false;
	struct later *later = &r->later[r->later_count];
	*later = (struct later){arena_new(), body_take(s->policy)};
	bool can = !read_text(later->arena, s, later->source, &now, &lapses, &why) && !lapses.count && regroup(r->policy, r->document, now, &r->rolled);
	if (can) {
		r->later_count++;
		r->read = s->policy_moved;
		return true;
	}
	arena_free(&later->arena);
	body_drop(&later->source);
	return false;
}

static void read_document(struct rules *r, const struct snapshot *s)
{
	drop_later(r);
	arena_reset(r->document_arena);
	body_drop(&r->source);
	r->document = NULL;
	r->read = s->policy_moved;
	r->why = (struct diag){0};
	r->lapses = (struct lapses){0};
	r->state = RULES_OPEN;
	if (!s->policy)
		return;
	r->source = body_take(s->policy);
	enum err e = read_text(r->document_arena, s, r->source, &r->document, &r->lapses, &r->why);
	r->state = e ? RULES_CLOSED : RULES_COMPILED;
}

/* Whether some node may have no IPv4 address. */
static bool names_no_ip4(const struct document *document)
{
	if (document->disable_ipv4)
		return true;
	for (size_t i = 0; i < document->node_attr_count; i++)
		for (size_t j = 0; j < document->node_attrs[i].attr_count; j++)
			if (bytes_equal_text(document->node_attrs[i].attrs[j], "disable-ipv4"))
				return true;
	return false;
}

static void look_at_ip4_of(struct rules *r, const struct snapshot *s, uint32_t slot, bool any)
{
	bool was = bitset_has(&r->no_ip4, slot), is = any && r->roll.nodes[slot].node && attrs_of(r->policy, r->scratch, slot, false).disable_ipv4;
	if (arena_size(r->scratch) > LOOKS_OF_AN_ARENA)
		arena_reset(r->scratch);
	if (was == is)
		return;
	if (is)
		bitset_add(&r->no_ip4, slot);
	else
		bitset_remove(&r->no_ip4, slot);
	moves_push(&r->flips, r->history, s->version, slot);
}

/* `slots`: those that can have changed; NULL: all. */
static void look_at_ip4(struct rules *r, const struct snapshot *s, const struct bitset *slots)
{
	bool any = r->state == RULES_COMPILED && names_no_ip4(r->document);
	if (!any && !bitset_any(&r->no_ip4))
		return;
	for (uint32_t slot = 0; slot < s->seat_count; slot++)
		if (!slots || bitset_has(slots, slot))
			look_at_ip4_of(r, s, slot, any);
	arena_reset(r->scratch);
}

static struct own *own_at(struct rules *r, const struct snapshot *s, uint32_t slot)
{
	if (slot >= r->own_room) {
		r->own = x_realloc(r->own, s->seat_room * sizeof *r->own);
		memset(r->own + r->own_room, 0, (s->seat_room - r->own_room) * sizeof *r->own);
		r->own_room = s->seat_room;
	}
	return &r->own[slot];
}

static void make_due(struct rules *r, const struct snapshot *s, const struct bitset *slots, unsigned parts)
{
	BITSET_EACH(slots, slot)
		own_at(r, s, (uint32_t)slot)->due |= parts;
}

static size_t most_followed(const struct snapshot *s)
{
	return FOLLOWED_LEAST + s->seat_count / FOLLOWED_SHARE;
}

/* Nodes and users moved, and not so many of them that compiling is cheaper. */
static bool can_follow(struct rules *r, const struct snapshot *s)
{
	bitset_clear(&r->rolled);
	return r->policy && s->roll_anew <= r->followed && moves_since(&s->rolled, r->followed, &r->rolled) &&
	       bitset_population(&r->rolled) <= most_followed(s);
}

/* RULES_SAME: it could not. */
static enum rules_step follow(struct rules *r, const struct snapshot *s)
{
	struct touched touched = {0};
	if (s->users_moved > r->followed)
		call_all_users(r, s);
	if (s->policy_moved > r->read && (!regroup_text(r, s) || bitset_population(&r->rolled) > most_followed(s)))
		return RULES_SAME;
	uint32_t *slots = x_alloc((bitset_population(&r->rolled) + 1) * sizeof *slots), count = 0;
	BITSET_EACH(&r->rolled, slot)
		slots[count++] = (uint32_t)slot;
	call_nodes(r, s);
	BITSET_EACH(&r->rolled, slot) /* a node that left has no new row */
		call_node(r, s, (uint32_t)slot);
	bool followed = policy_follow(r->policy, slots, count, &touched);
	if (followed) {
		make_due(r, s, &touched.filters, OWN_FILTERS);
		make_due(r, s, &touched.ssh, OWN_SSH);
		make_due(r, s, &r->rolled, OWN_ALL);
		r->followed = s->roll_moved;
		look_at_ip4(r, s, &r->rolled);
	}
	bitset_clear(&touched.filters);
	bitset_clear(&touched.ssh);
	free(slots);
	return !followed ? RULES_SAME : touched.sights ? RULES_RESEEN : RULES_FOLLOWED;
}

static void compile(struct rules *r, const struct snapshot *s)
{
	policy_free(&r->policy);
	if (!r->serial || s->policy_moved > r->read)
		read_document(r, s);
	if (r->document) {
		r->replaced = 0;
		call_nodes(r, s);
		call_all_users(r, s);
		r->state = afford_check(r->document, &r->roll, AFFORD_GROWN, NULL, &r->why) ? RULES_CLOSED : RULES_COMPILED;
	}
	if (r->state == RULES_COMPILED) {
		r->policy = policy_compile(r->document, &r->roll);
		sourcebook_turn(&r->book, r->policy->source_count);
	}
	r->followed = s->roll_moved;
	r->serial++;
	look_at_ip4(r, s, NULL);
}

enum rules_step rules_follow(struct rules *r, const struct snapshot *s)
{
	if (r->serial && s->roll_moved <= r->followed) {
		/* The same nodes, but perhaps other rows. */
		if (r->policy)
			call_nodes(r, s);
		return RULES_SAME;
	}
	enum rules_step step = r->serial && can_follow(r, s) ? follow(r, s) : RULES_SAME;
	if (step != RULES_SAME)
		return step;
	compile(r, s);
	return RULES_ANEW;
}

/* ---- what a node alone is told ---- */

/* Whether the policy is asked about the node. */
static bool is_ruled(const struct rules *r, const struct snapshot *s, uint32_t slot)
{
	return r->state == RULES_COMPILED && slot < r->roll.node_count && r->roll.nodes[slot].node && snapshot_admits(s, snapshot_node(s, slot));
}

/* Or nobody needs to be asked. */
static bool is_open(const struct rules *r, const struct snapshot *s, uint32_t slot)
{
	return r->state == RULES_OPEN && snapshot_admits(s, snapshot_node(s, slot));
}

static struct sshrules ssh_of(struct rules *r, const struct snapshot *s, uint32_t slot)
{
	return is_ruled(r, s, slot) && r->document->ssh_count ? sshrules_of(r->policy, r->scratch, slot) : (struct sshrules){0};
}

static uint64_t digest(struct buffer *text)
{
	uint8_t hash[32];
	hash_bytes(buffer_bytes(text), hash);
	return get_be64(hash);
}

static void write_caps_digest(struct rules *r, struct jsonw *w, uint32_t slot)
{
	struct attrs attrs = attrs_of(r->policy, r->scratch, slot, false);
	if (bitset_has(&r->no_ip4, slot))
		jsonw_null(w, NULL);
	for (size_t i = 0; i < attrs.count; i++) {
		jsonw_text(w, NULL, attrs.list[i].name);
		jsonw_text(w, NULL, attrs.list[i].values);
	}
}

/* One of OWN_PARTS as text to be compared; nothing when there is nothing to tell. filter: of the node. */
static void write_part(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot, const struct filter *filter, unsigned part)
{
	struct sshrules ssh;
	switch (1U << part) {
	case OWN_SSH:
		ssh = ssh_of(r, s, slot);
		if (ssh.count)
			sshjson_write(w, NULL, r->policy, r->scratch, &ssh);
		break;
	case OWN_CAPS:
		write_caps_digest(r, w, slot);
		break;
	default:
		filterpart_digest(w, &r->book, filter, (enum filter_part)part);
	}
}

static uint64_t part_hash(struct rules *r, const struct snapshot *s, uint32_t slot, const struct filter *filter, unsigned part, uint64_t before)
{
	struct jsonw w;
	if (!is_ruled(r, s, slot))
		return 1U << part == OWN_FILTER && is_open(r, s, slot) ? HASH_OPEN : HASH_NOTHING;
	buffer_reset(&r->text);
	jsonw_start(&w, &r->text);
	write_part(r, &w, s, slot, filter, part);
	/* Past all caps: whatever it was, it moved. */
	if (jsonw_end(&w))
		return before + 1;
	return r->text.len ? digest(&r->text) : HASH_NOTHING;
}

void rules_look(struct rules *r, const struct snapshot *s, uint32_t slot)
{
	struct own *own = own_at(r, s, slot);
	struct filter filter = {0};
	unsigned due = own->looked == r->serial ? own->due : OWN_ALL;
	own->looked = r->serial;
	own->due = 0;
	if (due & OWN_FILTERS && is_ruled(r, s, slot))
		filter = filter_of(r->policy, r->scratch, slot);
	for (unsigned i = 0; due >> i; i++) {
		if (!(due >> i & 1))
			continue;
		uint64_t hash = part_hash(r, s, slot, &filter, i, own->hash[i]);
		if (hash != own->hash[i])
			own->moved[i] = s->version;
		own->hash[i] = hash;
	}
	arena_reset(r->scratch);
}

unsigned rules_moved(const struct rules *r, uint32_t slot, uint64_t version)
{
	unsigned parts = 0;
	for (size_t i = 0; slot < r->own_room && i < OWN_PARTS; i++)
		if (r->own[slot].moved[i] > version)
			parts |= 1U << i;
	return parts;
}

/* The empty list blocks all; an absent one would keep the old rules. */
void rules_write_filter(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot, unsigned parts, bool first)
{
	struct filter filter = {0};
	if (is_ruled(r, s, slot))
		filter = filter_of(r->policy, r->scratch, slot);
	jsonw_object(w, "PacketFilters");
	for (unsigned part = 0; part < PART_COUNT; part++) {
		bool any = part == PART_BASE || filterpart_any(&r->book, &filter, (enum filter_part)part);
		if (!(parts >> part & 1) || (first && !any))
			continue;
		if (!any) {
			jsonw_null(w, filterpart_name((enum filter_part)part));
			continue;
		}
		jsonw_array(w, filterpart_name((enum filter_part)part));
		if (part == PART_BASE && is_open(r, s, slot))
			jsonw_raw(w, NULL, BYTES("{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}"));
		filterpart_write(w, &r->book, &filter, (enum filter_part)part);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
	arena_reset(r->scratch);
}

void rules_write_ssh(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot)
{
	struct sshrules rules = ssh_of(r, s, slot);
	sshjson_write(w, "SSHPolicy", r->policy, r->scratch, &rules);
	arena_reset(r->scratch);
}

static bool is_among(struct bytes name, const char *const *names)
{
	for (; names && *names; names++)
		if (bytes_equal_text(name, *names))
			return true;
	return false;
}

void rules_write_caps(struct rules *r, struct jsonw *w, const struct snapshot *s, uint32_t slot, const char *const *has)
{
	if (!is_ruled(r, s, slot))
		return;
	struct attrs attrs = attrs_of(r->policy, r->scratch, slot, false);
	for (size_t i = 0; i < attrs.count; i++) {
		const struct attr *attr = &attrs.list[i];
		if (is_among(attr->name, has))
			continue;
		jsonw_key(w, attr->name);
		jsonw_raw(w, NULL, attr->values.len ? attr->values : BYTES("null"));
	}
	arena_reset(r->scratch);
}
