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
	}
	free_users(s);
	table_free(&s->slots);
	ring_clear(&s->ring);
	body_drop(&s->relays);
	free((void *)s->domain.at);
	free((void *)s->display_name.at);
	free((void *)s->notice.at);
	body_drop(&s->dns[0]);
	body_drop(&s->dns[1]);
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
	mark(s, slot, change_facets(CHANGE_NODE_ADDED));
}

/* Whether maps can hold the row: clients refuse a whole map for one name that is none. */
static bool is_presentable(const struct snapshot *s, const struct node *row)
{
	struct diag why;
	return row->tailnet == s->id && row->id && hostname_check(row->label, &why) == ERR_NONE;
}

static void put_node(struct snapshot *s, const struct node *row, struct wall now)
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
	bool expired = node_is_expired(node, now);
	unsigned facets = old ? noderow_facets(old, seat->expired, node, expired, seat->online) : change_facets(CHANGE_NODE_ADDED);
	s->node_count += !old;
	free(old);
	seat->node = node;
	seat->hostinfo_hash = hash;
	seat->expired = expired;
	facets |= look(s, seat, now);
	if (facets)
		mark(s, slot, facets);
}

static void put_user(struct snapshot *s, const struct user *user)
{
	struct bytes login = user_login_name(user);
	struct profile *old = table_find_number(s->users, user->id);
	struct bytes display = user->display_name.len ? user->display_name : user->name;
	if (old && bytes_equal(old->login_name, login) && bytes_equal(old->display_name, display) && bytes_equal(old->picture_url, user->picture_url))
		return;
	struct profile *profile = x_alloc(sizeof *profile + login.len + display.len + user->picture_url.len);
	uint8_t *at = (uint8_t *)(profile + 1);
	*profile = (struct profile){.id = user->id};
	profile->login_name = noderow_text(&at, login);
	profile->display_name = noderow_text(&at, display);
	profile->picture_url = noderow_text(&at, user->picture_url);
	free(table_put_number(s->users, user->id, profile));
	for (uint32_t i = 0; old && i < s->seat_count; i++)
		if (s->seats[i].node && node_wire_user(s->seats[i].node) == user->id)
			mark(s, i, FACET_PROFILE | FACET_SELF);
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
	if (s->suspended != tailnet->suspended)
		facets |= FACET_VISIBLE | FACET_SELF;
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

static int by_id(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

void snapshot_load(struct snapshot *s, const struct census *census, struct wall now)
{
	put_tailnet(s, &census->tailnet, &census->settings, now);
	for (size_t i = 0; i < census->user_count; i++)
		put_user(s, &census->users[i]);
	for (uint32_t i = 0; i < s->seat_count; i++) {
		struct node wanted = {.id = s->seats[i].id};
		if (s->seats[i].node && !(census->node_count && bsearch(&wanted, census->nodes, census->node_count, sizeof wanted, by_id)))
			remove_node(s, i);
	}
	for (size_t i = 0; i < census->node_count; i++)
		put_node(s, &census->nodes[i], now);
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
	}
	for (size_t i = 0; i < read->node_count; i++)
		put_node(s, &read->nodes[i], now);
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
	if (same)
		return;
	s->relays_moved = s->version + 1;
	s->pending = true;
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
