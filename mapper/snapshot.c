#include "snapshot.h"

#include <assert.h>
#include <stdlib.h>

#include "dnsjson.h"
#include "hostinfo.h"
#include "hostname.h"
#include "messages.h"
#include "noderow.h"
#include "secret.h"
#include "table.h"

enum {
	/* What a peer's rendered text depends on. */
	OF_PEER_TEXT =
		FACET_VISIBLE | FACET_PEER | FACET_KEY | FACET_EXPIRY | FACET_ENDPOINTS | FACET_RELAY | FACET_DISCO | FACET_ONLINE | FACET_SEEN | FACET_CAPVER,
	OF_PROFILES = FACET_PROFILE | FACET_VISIBLE,
	DNS_TEXT_MAX = 1 << 20, /* the caps of fleet/dns.h allow a third of that */
};

struct snapshot *snapshot_new(uint64_t tailnet, size_t history)
{
	struct snapshot *s = x_zalloc(sizeof *s);
	s->id = tailnet;
	s->slots = table_new();
	s->users = table_new();
	s->next_due = WALL_ZERO;
	ring_init(&s->ring, history);
	return s;
}

static void free_users(struct snapshot *s)
{
	struct bytes key;
	struct profile *profile;
	TABLE_EACH(s->users, key, profile)
		free(profile);
	table_free(&s->users);
}

void snapshot_free(struct snapshot **snapshot)
{
	struct snapshot *s = *snapshot;
	*snapshot = NULL;
	if (!s)
		return;
	for (uint32_t i = 0; i < s->seat_count; i++) {
		free(s->seats[i].node);
		free(s->seats[i].ghost);
		free(s->seats[i].facts);
	}
	free_users(s);
	table_free(&s->slots);
	moves_clear(&s->replaced);
	moves_clear(&s->rolled);
	ring_clear(&s->ring);
	body_drop(&s->relays);
	free((void *)s->domain.at);
	free((void *)s->display_name.at);
	free((void *)s->notice.at);
	body_drop(&s->dns[0]);
	body_drop(&s->dns[1]);
	body_drop(&s->policy);
	free(s->domains);
	free(s->seats);
	free(s->segments);
	free(s->empty);
	free(s->resting);
	free(s);
}

/* Facets of a slot move in the version to come. */
static void mark(struct snapshot *s, uint32_t slot, unsigned facets)
{
	struct seat *seat = &s->seats[slot];
	if (!(facets & ~seat->pending))
		return;
	uint64_t version = s->version + 1;
	struct segment *segment = &s->segments[slot / SEGMENT_SLOTS];
	if (facets & OF_PEER_TEXT)
		segment->peers = version;
	if (facets & OF_PROFILES)
		segment->profiles = version;
	s->moved += !seat->pending;
	seat->pending |= facets;
	s->pending = true;
	/* Before the first version nobody was told anything. */
	if (s->version)
		ring_push(&s->ring, version, slot, facets);
}

/* Something that a policy sees moves in the version to come; `around`: the policy itself, or what is around it. */
static void mark_roll(struct snapshot *s, bool around)
{
	s->roll_moved = s->roll_anew = s->version + 1;
	if (around)
		s->policy_moved = s->version + 1;
	s->pending = true;
}

/* Past that many, all are looked at. */
static size_t most_moves(const struct snapshot *s)
{
	return 64 + s->seat_count / 8;
}

/* A policy sees another node in that slot. */
static void mark_rolled(struct snapshot *s, uint32_t slot)
{
	s->roll_moved = s->version + 1;
	moves_push(&s->rolled, most_moves(s), s->version + 1, slot);
	s->pending = true;
}

static uint32_t slot_take(struct snapshot *s)
{
	if (s->empty_count)
		return s->empty[--s->empty_count];
	if (s->seat_count == s->seat_room) {
		uint32_t room = s->seat_room ? s->seat_room * 2 : SEGMENT_SLOTS / 4;
		s->seats = x_realloc(s->seats, room * sizeof *s->seats);
		s->empty = x_realloc(s->empty, room * sizeof *s->empty);
		s->resting = x_realloc(s->resting, room * sizeof *s->resting);
		size_t had = (s->seat_room + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS, segments = (room + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS;
		s->segments = x_realloc(s->segments, segments * sizeof *s->segments);
		memset(s->segments + had, 0, (segments - had) * sizeof *s->segments);
		s->seat_room = room;
	}
	s->seats[s->seat_count] = (struct seat){0};
	return s->seat_count++;
}

static void rest_remove(struct snapshot *s, uint32_t slot)
{
	for (uint32_t i = 0; i < s->resting_count; i++)
		if (s->resting[i] == slot) {
			s->resting[i] = s->resting[--s->resting_count];
			return;
		}
}

static uint64_t hash_of(struct bytes text)
{
	uint8_t hash[32];
	hash_bytes(text, hash);
	return get_be64(hash);
}

/* The row with its hostinfo cut, in one block. The cut text is taken over from `old` while the row's is the same. */
static struct node *row_of(const struct node *row, const struct node *old, bool same_hostinfo)
{
	struct node copy = *row;
	struct buffer cut;
	buffer_init(&cut, HOSTINFO_MAX * 2);
	if (old && same_hostinfo)
		copy.hostinfo = old->hostinfo;
	else if (hostinfo_for_peers(row->hostinfo, &cut) == ERR_NONE)
		copy.hostinfo = buffer_bytes(&cut);
	else
		copy.hostinfo = BYTES("{}");
	struct node *packed = noderow_pack(&copy);
	buffer_clear(&cut);
	return packed;
}

/* What time and settings make of a node: its messages, and when to look again. Facets that moved. */
static unsigned look(struct snapshot *s, struct seat *seat, struct wall now)
{
	struct wall due = messages_due(seat->node, s->features.key_lifetime_ms, now);
	unsigned was = seat->messages;
	if (!wall_is_zero(due) && (wall_is_zero(s->next_due) || due.ns < s->next_due.ns))
		s->next_due = due;
	seat->messages = (uint16_t)messages_of(seat->node, s->suspended, s->notice.len, s->features.key_lifetime_ms, now);
	return was == seat->messages ? 0 : FACET_MESSAGES;
}

static uint32_t seat_for(struct snapshot *s, uint64_t id)
{
	uint32_t slot = (uint32_t)(uintptr_t)table_find_number(s->slots, id);
	if (slot) {
		slot--;
	} else {
		slot = slot_take(s);
		table_put_number(s->slots, id, (void *)(uintptr_t)(slot + 1));
		s->seats[slot] = (struct seat){.id = id};
	}
	if (s->seats[slot].gone) {
		rest_remove(s, slot);
		free(s->seats[slot].ghost);
		s->seats[slot].ghost = NULL;
		s->seats[slot].gone = 0;
	}
	return slot;
}

static void remove_node(struct snapshot *s, uint32_t slot)
{
	struct seat *seat = &s->seats[slot];
	if (!seat->node)
		return;
	if (seat->subscribed)
		seat->ghost = seat->node;
	else
		free(seat->node);
	seat->node = NULL;
	seat->hostinfo_hash = 0;
	seat->online = seat->expired = seat->doubtful = false;
	seat->gone = s->version + 1;
	s->resting[s->resting_count++] = slot;
	s->node_count--;
	free(seat->facts);
	seat->facts = NULL;
	mark_rolled(s, slot);
	mark(s, slot, change_facets(CHANGE_NODE_ADDED));
}

/* Whether maps can hold the row: clients refuse a whole map for one name that is none. */
static bool is_presentable(const struct snapshot *s, const struct node *row)
{
	struct diag why;
	return row->tailnet == s->id && row->id && hostname_check(row->label, &why) == ERR_NONE;
}

/* What rules may ask of it. Whether that may have moved. */
static bool put_facts(struct seat *seat, const struct node *row, uint64_t hostinfo_hash, const struct attribute_fact *attributes, size_t count)
{
	struct seatfacts *old = seat->facts;
	seat->facts = seatfacts_read(old, row->hostinfo, hostinfo_hash, attributes, count);
	if (old == seat->facts)
		return false;
	free(old);
	return true;
}

static void put_node(struct snapshot *s, const struct node *row, const struct attribute_fact *attributes, size_t attribute_count, struct wall now)
{
	if (!is_presentable(s, row)) {
		uint32_t stood = snapshot_find(s, row->id);
		if (row->tailnet == s->id && stood != SLOT_NONE)
			remove_node(s, stood);
		return;
	}
	uint32_t slot = seat_for(s, row->id);
	struct seat *seat = &s->seats[slot];
	struct node *old = seat->node;
	uint64_t hash = hash_of(row->hostinfo);
	struct node *node = row_of(row, old, hash == seat->hostinfo_hash);
	bool asked = put_facts(seat, row, hash, attributes, attribute_count);
	if (!old || asked || !noderow_same_roll(old, node))
		mark_rolled(s, slot);
	bool expired = node_is_expired(node, now);
	unsigned facets = old ? noderow_facets(old, seat->expired, node, expired, seat->online) : change_facets(CHANGE_NODE_ADDED);
	s->node_count += !old;
	moves_push(&s->replaced, most_moves(s), s->version + 1, slot);
	free(old);
	seat->node = node;
	seat->hostinfo_hash = hash;
	seat->expired = expired;
	facets |= look(s, seat, now);
	if (facets)
		mark(s, slot, facets);
}

static struct profile *profile_of(const struct user *user)
{
	struct bytes login = user_login_name(user), display = user->display_name.len ? user->display_name : user->name;
	size_t size = sizeof(struct profile) + user->group_count * sizeof *user->groups + login.len + display.len + user->picture_url.len + user->name.len +
		      user->email.len;
	for (size_t i = 0; i < user->group_count; i++)
		size += user->groups[i].len;
	struct profile *profile = x_alloc(size);
	struct bytes *groups = (struct bytes *)(profile + 1);
	uint8_t *at = (uint8_t *)(groups + user->group_count);
	*profile = (struct profile){.id = user->id};
	profile->login_name = noderow_text(&at, login);
	profile->display_name = noderow_text(&at, display);
	profile->picture_url = noderow_text(&at, user->picture_url);
	profile->user = (struct user){.id = user->id, .tailnet = user->tailnet, .roles = user->roles, .groups = groups, .group_count = user->group_count};
	profile->user.name = noderow_text(&at, user->name);
	profile->user.email = noderow_text(&at, user->email);
	for (size_t i = 0; i < user->group_count; i++)
		groups[i] = noderow_text(&at, user->groups[i]);
	return profile;
}

static bool same_groups(const struct user *a, const struct user *b)
{
	if (a->group_count != b->group_count)
		return false;
	for (size_t i = 0; i < a->group_count; i++)
		if (!bytes_equal(a->groups[i], b->groups[i]))
			return false;
	return true;
}

static bool same_profile(const struct profile *a, const struct profile *b)
{
	return bytes_equal(a->login_name, b->login_name) && bytes_equal(a->display_name, b->display_name) && bytes_equal(a->picture_url, b->picture_url);
}

static bool same_user(const struct user *a, const struct user *b)
{
	return bytes_equal(a->name, b->name) && bytes_equal(a->email, b->email) && a->roles == b->roles;
}

/* Names are in the texts of rules and roles in aliases, but nothing else of a user: its nodes stand elsewhere for its roles alone. */
static void mark_user(struct snapshot *s, const struct profile *old, const struct profile *now, bool regrouped)
{
	bool renamed = old && (!bytes_equal(old->user.name, now->user.name) || !bytes_equal(old->user.email, now->user.email));
	if (regrouped || renamed)
		mark_roll(s, regrouped);
	s->roll_moved = s->users_moved = s->version + 1;
	s->pending = true;
	for (uint32_t i = 0; i < s->seat_count && !(old && old->user.roles == now->user.roles); i++)
		if (s->seats[i].node && s->seats[i].node->user == now->id)
			mark_rolled(s, i);
}

static void put_user(struct snapshot *s, const struct user *user)
{
	struct profile *profile = profile_of(user), *old = table_find_number(s->users, user->id);
	bool grouped = old ? same_groups(&old->user, &profile->user) : !profile->user.group_count, shown = old && same_profile(old, profile);
	if (old && grouped && shown && same_user(&old->user, &profile->user)) {
		free(profile);
		return;
	}
	table_put_number(s->users, user->id, profile);
	mark_user(s, old, profile, !grouped);
	for (uint32_t i = 0; old && !shown && i < s->seat_count; i++)
		if (s->seats[i].node && node_wire_user(s->seats[i].node) == user->id)
			mark(s, i, FACET_PROFILE | FACET_SELF);
	free(old);
}

static void remove_user(struct snapshot *s, uint64_t id)
{
	struct profile *profile = table_remove_number(s->users, id);
	if (!profile)
		return;
	mark_roll(s, profile->user.group_count);
	free(profile);
}

static bool set_text(struct bytes *at, struct bytes text)
{
	if (at->at && bytes_equal(*at, text))
		return false;
	free((void *)at->at);
	*at = bytes_of(x_dup(text.at, text.len), text.len);
	return true;
}

static bool set_dns(struct snapshot *s, const struct dns *dns)
{
	bool moved = false;
	for (unsigned form = 0; form < COUNT_OF(s->dns); form++) {
		struct buffer text;
		struct jsonw w;
		buffer_init(&text, DNS_TEXT_MAX);
		jsonw_start(&w, &text);
		dnsjson_write(&w, NULL, dns, s->domain, form);
		bool written = !jsonw_end(&w);
		/* Rows past all caps: no DNS rather than no map. */
		if (!written && !s->dns[form])
			s->dns[form] = body_new(BYTES("{}"));
		if (written && !(s->dns[form] && bytes_equal(body_bytes(s->dns[form]), buffer_bytes(&text)))) {
			body_drop(&s->dns[form]);
			s->dns[form] = body_new(buffer_bytes(&text));
			moved = true;
		}
		buffer_clear(&text);
	}
	return moved;
}

static bool set_features(struct snapshot *s, const struct tailnet *tailnet, const struct settings *settings)
{
	struct features was = s->features;
	s->features = (struct features){
		.file_sharing = settings->file_sharing,
		.ssh = settings->ssh,
		.auto_update = settings->auto_update,
		.random_client_port = settings->random_client_port,
		.client_logs = settings->client_logs,
		.key_lifetime_ms = tailnet->key_lifetime_ms,
	};
	return was.file_sharing != settings->file_sharing || was.ssh != settings->ssh || was.auto_update != settings->auto_update ||
	       was.random_client_port != settings->random_client_port || was.key_lifetime_ms != tailnet->key_lifetime_ms;
}

static void set_domains(struct snapshot *s, const struct tailnet *tailnet)
{
	bool same = s->domain_count == tailnet->domain_count;
	size_t size = tailnet->domain_count * sizeof *s->domains;
	for (size_t i = 0; i < tailnet->domain_count; i++) {
		same = same && bytes_equal(s->domains[i], tailnet->domains[i]);
		size += tailnet->domains[i].len;
	}
	if (same)
		return;
	free(s->domains);
	s->domains = x_alloc(size);
	s->domain_count = tailnet->domain_count;
	uint8_t *at = (uint8_t *)(s->domains + s->domain_count);
	for (size_t i = 0; i < s->domain_count; i++)
		s->domains[i] = noderow_text(&at, tailnet->domains[i]);
	mark_roll(s, true);
}

/* The domain is part of every name; who is suspended is seen by nobody. */
static unsigned set_tailnet(struct snapshot *s, const struct tailnet *tailnet, const struct settings *settings)
{
	unsigned facets = 0;
	bool domain = set_text(&s->domain, tailnet->domain);
	if (domain)
		facets |= FACET_PEER | FACET_SELF;
	if (set_text(&s->display_name, tailnet->display_name))
		facets |= FACET_SELF;
	if (set_features(s, tailnet, settings))
		facets |= FACET_SELF;
	if (s->suspended != tailnet->suspended) {
		facets |= FACET_VISIBLE | FACET_SELF;
		mark_roll(s, false);
	}
	set_domains(s, tailnet);
	s->suspended = tailnet->suspended;
	if (set_text(&s->notice, settings->notice) && s->notice.len)
		facets |= FACET_MESSAGES;
	if (set_dns(s, &settings->dns) || domain) {
		s->settings_moved = s->version + 1;
		s->pending = true;
	}
	return facets;
}

static void put_tailnet(struct snapshot *s, const struct tailnet *tailnet, const struct settings *settings, struct wall now)
{
	unsigned facets = set_tailnet(s, tailnet, settings);
	for (uint32_t i = 0; i < s->seat_count; i++) {
		unsigned moved = s->seats[i].node ? facets | look(s, &s->seats[i], now) : 0;
		if (moved)
			mark(s, i, moved);
	}
}

static void put_policy(struct snapshot *s, const struct policy_row *policy)
{
	if (!policy && !s->policy)
		return;
	if (policy && s->policy && bytes_equal(policy->text, body_bytes(s->policy)))
		return;
	body_drop(&s->policy);
	s->policy = policy ? body_new(policy->text) : NULL;
	s->roll_moved = s->policy_moved = s->version + 1;
	s->pending = true;
}

static int by_id(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static bool has_user(const struct user *users, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (users[i].id == id)
			return true;
	return false;
}

static int by_user(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void load_users(struct snapshot *s, const struct census *census)
{
	struct bytes key;
	struct profile *profile;
	for (size_t i = 0; i < census->user_count; i++)
		put_user(s, &census->users[i]);
	TABLE_EACH(s->users, key, profile) {
		struct user wanted = {.id = profile->id};
		if (!(census->user_count && bsearch(&wanted, census->users, census->user_count, sizeof wanted, by_user)))
			remove_user(s, wanted.id);
	}
}

void snapshot_load(struct snapshot *s, const struct census *census, struct wall now)
{
	put_tailnet(s, &census->tailnet, &census->settings, now);
	load_users(s, census);
	for (uint32_t i = 0; i < s->seat_count; i++) {
		struct node wanted = {.id = s->seats[i].id};
		if (s->seats[i].node && !(census->node_count && bsearch(&wanted, census->nodes, census->node_count, sizeof wanted, by_id)))
			remove_node(s, i);
	}
	for (size_t i = 0; i < census->node_count; i++) {
		const struct attribute_fact *facts;
		size_t count = seatfacts_find(census->facts, census->fact_count, census->nodes[i].id, &facts);
		put_node(s, &census->nodes[i], facts, count, now);
	}
	put_policy(s, census->policy);
	s->pending = s->pending || !s->version;
}

void snapshot_apply(struct snapshot *s, const struct journal_read *read, struct wall now)
{
	if (read->tailnet)
		put_tailnet(s, read->tailnet, read->settings, now);
	for (size_t i = 0; i < read->user_count; i++)
		put_user(s, &read->users[i]);
	for (size_t i = 0; i < read->line_count; i++) {
		uint32_t slot = read->lines[i].kind == CHANGE_NODE_REMOVED ? snapshot_find(s, read->lines[i].subject) : (uint32_t)SLOT_NONE;
		if (slot != SLOT_NONE)
			remove_node(s, slot);
		if (read->lines[i].kind == CHANGE_USER && !has_user(read->users, read->user_count, read->lines[i].subject))
			remove_user(s, read->lines[i].subject);
	}
	for (size_t i = 0; i < read->node_count; i++) {
		const struct attribute_fact *facts;
		size_t count = seatfacts_find(read->facts, read->fact_count, read->nodes[i].id, &facts);
		put_node(s, &read->nodes[i], facts, count, now);
	}
	if (read->policy)
		put_policy(s, read->policy);
}

void snapshot_remove_all(struct snapshot *s)
{
	for (uint32_t i = 0; i < s->seat_count; i++)
		if (s->seats[i].node)
			remove_node(s, i);
}

void snapshot_expire(struct snapshot *s, struct wall now)
{
	if (!wall_passed(s->next_due, now))
		return;
	s->next_due = WALL_ZERO;
	for (uint32_t i = 0; i < s->seat_count; i++) {
		struct seat *seat = &s->seats[i];
		unsigned facets;
		if (!seat->node)
			continue;
		facets = look(s, seat, now);
		if (!seat->expired && node_is_expired(seat->node, now)) {
			seat->expired = true;
			facets |= change_facets(CHANGE_NODE_EXPIRY);
		}
		if (facets)
			mark(s, i, facets);
	}
}

void snapshot_set_online(struct snapshot *s, uint32_t slot, bool online)
{
	struct seat *seat = &s->seats[slot];
	if (!seat->node || seat->online == online)
		return;
	seat->online = online;
	mark(s, slot, FACET_ONLINE);
}

void snapshot_set_relays(struct snapshot *s, struct body *relays)
{
	bool same = s->relays && bytes_equal(body_bytes(s->relays), body_bytes(relays));
	body_take(relays);
	body_drop(&s->relays);
	s->relays = relays;
	s->pending |= !same;
}

uint64_t snapshot_close(struct snapshot *s)
{
	if (!s->pending)
		return s->version;
	s->pending = false;
	s->moved = 0;
	s->version++;
	if (s->version == 1)
		ring_restart(&s->ring, 1);
	if (s->version == 1 || !ring_reaches(&s->ring, s->version - 1)) {
		for (uint32_t i = 0; i < s->seat_count; i++)
			s->seats[i].pending = 0;
	} else {
		RING_EACH(&s->ring, entry, s->version - 1)
			s->seats[entry->slot].pending = 0;
	}
	return s->version;
}

void snapshot_settle(struct snapshot *s, uint64_t floor)
{
	for (uint32_t i = 0; i < s->resting_count;) {
		uint32_t slot = s->resting[i];
		struct seat *seat = &s->seats[slot];
		if (seat->gone > floor || seat->gone > s->version || seat->subscribed) {
			i++;
			continue;
		}
		table_remove_number(s->slots, seat->id);
		free(seat->ghost);
		*seat = (struct seat){0};
		s->resting[i] = s->resting[--s->resting_count];
		s->empty[s->empty_count++] = slot;
	}
}

uint32_t snapshot_find(const struct snapshot *s, uint64_t node)
{
	uint32_t slot = (uint32_t)(uintptr_t)table_find_number(s->slots, node);
	return slot && s->seats[slot - 1].node ? slot - 1 : (uint32_t)SLOT_NONE;
}

const struct profile *snapshot_user(const struct snapshot *s, uint64_t user)
{
	return table_find_number(s->users, user);
}
