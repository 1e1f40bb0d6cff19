#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "capver.h"
#include "fullmap.h"
#include "mapframe.h"
#include "render.h"

/* A world of random events; model clients that apply what they are sent as official clients do; after each delivery a client must know exactly
 * what a fresh full map tells. */

enum { NODES_MAX = 220, USERS_MAX = 6, CLIENTS_MAX = 12, STEPS = 70, TEXT_MAX = 64 << 20 };

static uint64_t dice_state;

static uint64_t dice(uint64_t sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return dice_state % sides;
}

static bool chance(unsigned percent)
{
	return dice(100) < percent;
}

struct client {
	bool open;
	uint64_t node;
	unsigned capver;
	bool zstd;
	uint32_t slot;
	struct class class;
	uint64_t version, view_since;
	json_t *peers, *profiles, *sections, *self, *messages; /* objects by id or name */
};

struct world {
	struct arena *arena;
	struct wall now;
	struct tailnet tailnet;
	struct settings settings;
	struct user users[USERS_MAX];
	struct node nodes[NODES_MAX];
	bool here[NODES_MAX];
	uint64_t next_id;
	size_t most;
	struct journal_line lines[512];
	struct journal_read read;
	struct snapshot *s;
	struct views views;
	struct chunk_cache *chunks;
	struct render render;
	struct delta delta;
	struct fullmap fullmap;
	struct client clients[CLIENTS_MAX];
};

static struct bytes text(struct world *w, const char *form, uint64_t n)
{
	char out[64];
	snprintf(out, sizeof out, form, (unsigned long long)n);
	return arena_copy(w->arena, bytes_text(out));
}

static void fill(uint8_t raw[static 32])
{
	for (int i = 0; i < 32; i++)
		raw[i] = (uint8_t)dice(256);
}

static void line(struct world *w, enum change_kind kind, uint64_t subject)
{
	if (w->read.line_count < COUNT_OF(w->lines))
		w->lines[w->read.line_count++] = (struct journal_line){.kind = kind, .subject = subject};
}

static struct endpoint some_endpoint(void)
{
	struct endpoint e = {.ip = {.family = IP_V4, .byte = {192, 168, (uint8_t)dice(250), (uint8_t)dice(250)}}, .port = (uint16_t)(1 + dice(60000))};
	return e;
}

static void new_endpoints(struct world *w, struct node *n)
{
	n->endpoint_count = dice(4);
	n->endpoints = ARENA_ARRAY(w->arena, struct endpoint, n->endpoint_count + 1);
	for (size_t i = 0; i < n->endpoint_count; i++)
		n->endpoints[i] = some_endpoint();
}

static void new_tags(struct world *w, struct node *n)
{
	n->tag_count = n->tag_count ? 0 : 1 + dice(2);
	n->tags = ARENA_ARRAY(w->arena, struct bytes, n->tag_count + 1);
	for (size_t i = 0; i < n->tag_count; i++)
		n->tags[i] = text(w, "tag:t%llu", dice(5));
	n->user = n->tag_count ? 0 : w->users[dice(USERS_MAX)].id;
}

/* Some of what is advertised is approved, and of some of that it is the primary router. */
static void new_routes(struct world *w, struct node *n)
{
	n->advertised_count = dice(3);
	n->approved_count = dice(n->advertised_count + 1);
	n->primary_count = dice(n->approved_count + 1);
	n->routes_approved = n->routes_advertised = n->routes_primary = ARENA_ARRAY(w->arena, struct prefix, n->advertised_count + 2);
	for (size_t i = 0; i < n->advertised_count; i++)
		n->routes_approved[i] = (struct prefix){.ip = {.family = IP_V4, .byte = {10, (uint8_t)dice(250)}}, .bits = 16};
	if (!chance(20))
		return;
	n->routes_advertised[0] = n->routes_advertised[1] = (struct prefix){.ip = {.family = IP_V4}};
	n->routes_advertised[1].ip.family = IP_V6;
	n->advertised_count = n->approved_count = 2;
	n->primary_count = 0;
}

static void change_settings(struct world *w)
{
	static struct dns_resolver resolvers[] = {{{(const uint8_t *)"192.0.2.1", 9}, false}, {{(const uint8_t *)"192.0.2.2", 9}, true}};
	switch (dice(8)) {
	case 0:
		w->tailnet.domain = text(w, "net%llu.example", dice(100));
		break;
	case 1:
		w->tailnet.suspended = !w->tailnet.suspended;
		break;
	case 2:
		w->settings.notice = chance(50) ? BYTES("") : text(w, "notice %llu", dice(10));
		break;
	case 3:
		w->settings.file_sharing = chance(50);
		w->settings.ssh = chance(50);
		break;
	case 4:
		w->settings.auto_update = chance(50);
		w->settings.random_client_port = chance(50);
		break;
	case 5:
		w->tailnet.key_lifetime_ms = (int64_t)dice(3) * 10000;
		break;
	case 6:
		w->settings.dns.magic = chance(50);
		w->settings.dns.override = chance(50);
		break;
	default:
		w->settings.dns.resolvers = resolvers;
		w->settings.dns.resolver_count = dice(3);
	}
}

static void add_node(struct world *w, size_t i)
{
	uint64_t id = w->next_id++;
	struct node *n = &w->nodes[i];
	*n = (struct node){.id = id,
			   .tailnet = w->tailnet.id,
			   .user = w->users[dice(USERS_MAX)].id,
			   .approved = chance(90),
			   .expiry = WALL_ZERO,
			   .created = w->now,
			   .last_seen = WALL_ZERO,
			   .first_polled = WALL_ZERO,
			   .capver = 90 + (unsigned)dice(60)};
	n->label = text(w, "node-%llu", id);
	n->hostinfo = text(w, "{\"OS\":\"linux\",\"Hostname\":\"h%llu\"}", id);
	n->ip4 = (struct ip){.family = IP_V4, .byte = {100, 64, (uint8_t)(id >> 8), (uint8_t)id}};
	n->ip6 = (struct ip){.family = IP_V6, .byte = {0xfd, 0x7a, [14] = (uint8_t)(id >> 8), [15] = (uint8_t)id}};
	fill(n->machine_key.raw);
	fill(n->node_key.raw);
	w->here[i] = true;
	line(w, CHANGE_NODE_ADDED, id);
}

static void change_node(struct world *w, size_t i)
{
	struct node *n = &w->nodes[i];
	switch (dice(14)) {
	case 0:
		n->label = text(w, "renamed-%llu", dice(100000));
		break;
	case 1:
	case 2:
		new_endpoints(w, n);
		break;
	case 3:
		n->home_relay = 900 + (unsigned)dice(3);
		break;
	case 4:
		fill(n->disco_key.raw);
		new_endpoints(w, n);
		break;
	case 5:
		fill(n->node_key.raw);
		break;
	case 6:
		n->expiry = chance(30) ? WALL_ZERO : wall_add_ms(w->now, (int64_t)dice(4000) - 1000);
		break;
	case 7:
		n->approved = !n->approved;
		break;
	case 8:
		new_tags(w, n);
		break;
	case 9:
		if (n->approved_count && n->routes_approved[0].bits && chance(60))
			n->primary_count = !n->primary_count; /* an election, and nothing else */
		else
			new_routes(w, n);
		break;
	case 10:
		n->hostinfo = text(w, "{\"OS\":\"linux\",\"Hostname\":\"x%llu\"}", dice(1000));
		break;
	case 11:
		n->last_seen = w->now;
		break;
	case 12:
		n->capver = 90 + (unsigned)dice(60);
		break;
	default:
		if (snapshot_find(w->s, n->id) != SLOT_NONE)
			snapshot_set_online(w->s, snapshot_find(w->s, n->id), chance(50));
	}
	line(w, CHANGE_NODE_HOSTINFO, n->id);
}

static void change_world(struct world *w)
{
	size_t i = dice(w->most);
	unsigned pick = (unsigned)dice(100);
	if (pick < 2) {
		struct user *u = &w->users[dice(USERS_MAX)];
		u->display_name = text(w, "User %llu", dice(1000));
		line(w, CHANGE_USER, u->id);
	} else if (pick < 3) {
		change_settings(w);
		line(w, CHANGE_TAILNET, 0);
	} else if (pick < 4) {
		struct body *map = body_new(text(w, "{\"Regions\":{\"%llu\":{}}}", dice(20)));
		snapshot_set_relays(w->s, map);
		body_drop(&map);
	} else if (!w->here[i]) {
		add_node(w, i);
	} else if (pick < 15) {
		w->here[i] = false;
		line(w, CHANGE_NODE_REMOVED, w->nodes[i].id);
	} else {
		change_node(w, i);
	}
}

static bool named(const struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->read.line_count; i++)
		if (w->lines[i].subject == id)
			return true;
	return false;
}

/* What was changed since the last time reaches the snapshot: as lines, or as a census. */
static void hand_over(struct world *w, bool census)
{
	static struct node rows[NODES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < w->most; i++)
		if (w->here[i] && (census || named(w, w->nodes[i].id)))
			rows[count++] = w->nodes[i];
	if (census) {
		for (size_t i = 1; i < count; i++)
			for (size_t j = i; j && rows[j - 1].id > rows[j].id; j--) {
				struct node swap = rows[j];
				rows[j] = rows[j - 1];
				rows[j - 1] = swap;
			}
		snapshot_load(
			w->s,
			&(struct census){
				.tailnet = w->tailnet, .settings = w->settings, .users = w->users, .user_count = USERS_MAX, .nodes = rows, .node_count = count},
			w->now);
	} else {
		w->read.lines = w->lines;
		w->read.nodes = rows;
		w->read.node_count = count;
		w->read.users = w->users;
		w->read.user_count = USERS_MAX;
		w->read.tailnet = &w->tailnet;
		w->read.settings = &w->settings;
		snapshot_apply(w->s, &w->read, w->now);
	}
	w->read.line_count = 0;
}

/* ---- the model client ---- */

static json_t *load(struct bytes body, bool zstd)
{
	struct buffer plain;
	json_error_t error;
	buffer_init(&plain, TEXT_MAX);
	if (zstd)
		assert_int_equal(mapframe_decompress(body, TEXT_MAX, &plain), ERR_NONE);
	else
		assert_int_equal(buffer_add(&plain, body), ERR_NONE);
	json_t *json = json_loadb((const char *)plain.at, plain.len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d: %.*s", error.text, error.position, (int)plain.len, (const char *)plain.at);
	buffer_clear(&plain);
	return json;
}

static const char *id_key(const json_t *object, const char *member)
{
	static char key[24];
	snprintf(key, sizeof key, "%lld", (long long)json_integer_value(json_object_get(object, member)));
	return key;
}

static void client_clear(struct client *c)
{
	json_decref(c->peers);
	json_decref(c->profiles);
	json_decref(c->sections);
	json_decref(c->self);
	json_decref(c->messages);
	c->peers = c->profiles = c->sections = c->self = c->messages = NULL;
}

static void client_reset(struct client *c)
{
	client_clear(c);
	c->peers = json_object();
	c->profiles = json_object();
	c->sections = json_object();
	c->messages = json_object();
}

static const char *const patchable[] = {"Key", "KeyExpiry", "DiscoKey", "Endpoints", "HomeDERP", "DERP", "Cap", "Online", "LastSeen", NULL};

static bool is_patchable(const char *name)
{
	for (size_t i = 0; patchable[i]; i++)
		if (!strcmp(patchable[i], name))
			return true;
	return false;
}

static bool differs_only_patchably(json_t *old, json_t *now)
{
	const char *name;
	json_t *value;
	json_object_foreach(old, name, value) if (!is_patchable(name) && !json_equal(value, json_object_get(now, name))) return false;
	json_object_foreach(now, name, value) if (!is_patchable(name) && !json_object_get(old, name)) return false;
	return true;
}

/* As controlclient/map.go does with a changed peer that it can turn into a patch. */
static void apply_changed(struct client *c, json_t *peer)
{
	const char *key = id_key(peer, "ID"), *name;
	json_t *old = json_object_get(c->peers, key), *value;
	if (!old || !differs_only_patchably(old, peer)) {
		json_object_set_new(c->peers, key, json_deep_copy(peer));
		return;
	}
	json_object_foreach(peer, name,
			    value) if (is_patchable(name) && (json_object_get(old, name) || (strcmp(name, "Online") != 0 && strcmp(name, "LastSeen") != 0)))
		json_object_set(old, name, value);
	if (!json_object_get(peer, "KeyExpiry"))
		json_object_del(old, "KeyExpiry");
}

static void apply_patch(struct client *c, json_t *patch)
{
	json_t *peer = json_object_get(c->peers, id_key(patch, "NodeID")), *value;
	const char *name;
	assert_non_null(peer); /* never a patch for a peer that the reader does not have */
	json_object_foreach(patch, name, value)
	{
		char relay[32];
		if (!strcmp(name, "NodeID"))
			continue;
		if (!strcmp(name, "KeyExpiry") && !strcmp(json_string_value(value), "0001-01-01T00:00:00Z")) {
			json_object_del(peer, name);
		} else if (!strcmp(name, "DERPRegion")) {
			snprintf(relay, sizeof relay, "127.3.3.40:%lld", (long long)json_integer_value(value));
			if (capver_band_features(capver_band(c->capver)) & CAPVER_HOME_DERP)
				json_object_set(peer, "HomeDERP", value);
			else
				json_object_set_new(peer, "DERP", json_string(relay));
		} else {
			json_object_set(peer, name, value);
		}
	}
}

static void check_strangers(const struct client *c, json_t *list, const char *member)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) assert_int_not_equal(json_integer_value(member ? json_object_get(item, member) : item), c->node);
}

/* Null deletes, under "*" all of them first. */
static void apply_messages(struct client *c, json_t *told)
{
	const char *id;
	json_t *text;
	if (json_object_get(told, "*"))
		json_object_clear(c->messages);
	json_object_foreach(told, id, text)
	{
		if (json_is_null(text))
			json_object_del(c->messages, id);
		else
			json_object_set(c->messages, id, text);
	}
}

static void apply(struct client *c, json_t *message, bool first)
{
	static const char *const sections[] = {"DERPMap", "DNSConfig", "Domain", "PacketFilters", "Health", "DefaultAutoUpdate", NULL};
	json_t *changed = json_object_get(message, "PeersChanged"), *patches = json_object_get(message, "PeersChangedPatch"), *item;
	json_t *removed = json_object_get(message, "PeersRemoved"), *peers = json_object_get(message, "Peers");
	size_t i;
	assert_true(first || !peers);
	check_strangers(c, changed, "ID");
	check_strangers(c, peers, "ID");
	check_strangers(c, patches, "NodeID");
	check_strangers(c, removed, NULL);
	json_array_foreach(removed, i, item)
	{
		char key[24];
		snprintf(key, sizeof key, "%lld", (long long)json_integer_value(item));
		assert_int_equal(json_object_del(c->peers, key), 0); /* it was known */
		size_t j;
		json_t *other;
		json_array_foreach(changed, j, other) assert_int_not_equal(json_integer_value(json_object_get(other, "ID")), json_integer_value(item));
	}
	json_array_foreach(peers, i, item) json_object_set(c->peers, id_key(item, "ID"), item);
	json_array_foreach(changed, i, item) apply_changed(c, item);
	json_array_foreach(patches, i, item) apply_patch(c, item);
	json_array_foreach(json_object_get(message, "UserProfiles"), i, item) json_object_set(c->profiles, id_key(item, "ID"), item);
	for (i = 0; sections[i]; i++)
		if (json_object_get(message, sections[i]))
			json_object_set(c->sections, sections[i], json_object_get(message, sections[i]));
	assert_false(json_object_get(message, "Health") && json_object_get(message, "DisplayMessages"));
	apply_messages(c, json_object_get(message, "DisplayMessages"));
	if (json_object_get(message, "Node")) {
		json_decref(c->self);
		c->self = json_incref(json_object_get(message, "Node"));
	}
}

static json_t *full_map(struct world *w, const struct client *c, struct class class)
{
	struct buffer all;
	buffer_init(&all, TEXT_MAX);
	assert_int_equal(fullmap_render(&w->fullmap, w->s, w->chunks, class, c->slot, false, w->now), ERR_NONE);
	for (size_t i = 0; i < w->fullmap.pieces.count; i++)
		assert_int_equal(buffer_add(&all, body_bytes(w->fullmap.pieces.list[i].body)), ERR_NONE);
	json_t *message = load(buffer_bytes(&all), class.zstd);
	buffer_clear(&all);
	pieces_clear(&w->fullmap.pieces);
	return message;
}

/* What nobody can know from deltas, or need not: last seen of an online peer; of the node itself what it told us. */
static void forget_the_needless(struct client *c)
{
	static const char *const own[] = {"DiscoKey", "HomeDERP", "DERP", "Cap", NULL};
	const char *key;
	json_t *peer;
	json_object_foreach(c->peers, key, peer) if (json_is_true(json_object_get(peer, "Online"))) json_object_del(peer, "LastSeen");
	for (size_t i = 0; own[i]; i++)
		json_object_del(c->self, own[i]);
}

static void check_equal(const json_t *a, const json_t *b, const char *what)
{
	if (json_equal(a, b))
		return;
	char *x = json_dumps(a, JSON_SORT_KEYS | JSON_ENCODE_ANY), *y = json_dumps(b, JSON_SORT_KEYS | JSON_ENCODE_ANY);
	fail_msg("%s differ:\n%s\n%s", what, x ? x : "-", y ? y : "-");
}

static void check_client(struct world *w, struct client *c)
{
	struct client fresh = *c;
	const char *key;
	json_t *peer;
	fresh.peers = fresh.profiles = fresh.sections = fresh.self = fresh.messages = NULL;
	client_reset(&fresh);
	json_t *message = full_map(w, c, c->class);
	apply(&fresh, message, true);
	json_decref(message);
	forget_the_needless(&fresh);
	forget_the_needless(c);
	json_object_foreach(fresh.peers, key, peer) check_equal(json_object_get(c->peers, key), peer, "peers");
	assert_int_equal(json_object_size(c->peers), json_object_size(fresh.peers));
	check_equal(c->sections, fresh.sections, "sections");
	check_equal(c->self, fresh.self, "own nodes");
	check_equal(c->messages, fresh.messages, "messages");
	json_object_foreach(fresh.profiles, key, peer) check_equal(json_object_get(c->profiles, key), peer, "profiles");
	json_object_foreach(c->peers, key, peer) assert_non_null(json_object_get(c->profiles, id_key(peer, "User")));
	client_clear(&fresh);
}

static struct class class_now(const struct world *w, const struct client *c)
{
	return (struct class){.view = view_of(&w->views, w->s, c->slot), .band = (uint16_t)capver_band(c->capver), .zstd = c->zstd};
}

static void told(struct world *w, struct client *c, struct class class)
{
	c->class = class;
	c->version = w->s->version;
	check_client(w, c);
}

static void client_open(struct world *w, struct client *c)
{
	static const unsigned versions[] = {90, 109, 111, 113, 117, 125, 131, 142, 148, 200};
	uint32_t slot = (uint32_t)dice(w->s->seat_count);
	if (!snapshot_node(w->s, slot))
		return;
	client_clear(c);
	*c = (struct client){.open = true, .slot = slot, .node = w->s->seats[slot].id, .capver = versions[dice(COUNT_OF(versions))], .zstd = chance(70)};
	client_reset(c);
	struct class class = class_now(w, c);
	json_t *message = full_map(w, c, class);
	apply(c, message, true);
	json_decref(message);
	told(w, c, class);
}

static void client_catch_up(struct world *w, struct client *c)
{
	struct class class = class_now(w, c);
	struct bytes body;
	if (w->s->seats[c->slot].id != c->node || !snapshot_node(w->s, c->slot)) {
		c->open = false;
		return;
	}
	enum err e = delta_compute(&w->delta, w->s, c->class.view, c->version, class.view);
	if (e) {
		assert_int_equal(e, ERR_NO_HISTORY);
		c->open = false;
		return;
	}
	assert_int_equal(render_start(&w->render, w->s, &w->delta, class), ERR_NONE);
	assert_int_equal(render_body(&w->render, delta_moved(&w->delta, c->slot) ? c->slot : (uint32_t)SLOT_NONE, &body), ERR_NONE);
	if (body.len) {
		json_t *message = load(body, c->zstd);
		apply(c, message, false);
		json_decref(message);
	}
	told(w, c, class);
}

static uint64_t lowest_told(const struct world *w)
{
	uint64_t floor = w->s->version;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (w->clients[i].open && w->clients[i].version < floor)
			floor = w->clients[i].version;
	return floor;
}

static void step(struct world *w)
{
	for (uint64_t events = dice(chance(10) ? 60 : 4); events; events--)
		change_world(w);
	if (chance(80))
		hand_over(w, chance(10));
	w->now = wall_add_ms(w->now, (int64_t)dice(200));
	if (chance(30))
		snapshot_expire(w->s, w->now);
	snapshot_close(w->s);
	views_follow(&w->views, w->s);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (!w->clients[i].open)
			client_open(w, &w->clients[i]);
		else if (chance(i < CLIENTS_MAX / 2 ? 70 : 15))
			client_catch_up(w, &w->clients[i]);
	}
	if (chance(20))
		snapshot_settle(w->s, lowest_told(w));
}

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){.arena = arena_new(), .now = {1700000000000000000}, .next_id = 1000};
	dice_state = seed * 0x9e3779b97f4a7c15 + 1;
	w->most = (size_t[]){2, 5, 40, 64, 65, 130, NODES_MAX}[seed % 7];
	w->tailnet = (struct tailnet){.id = 7, .domain = BYTES("a.example"), .display_name = BYTES("A")};
	for (size_t i = 0; i < USERS_MAX; i++)
		w->users[i] = (struct user){.id = 10 + i, .tailnet = 7, .name = text(w, "user%llu", i), .email = text(w, "u%llu@example.com", i)};
	w->s = snapshot_new(7, seed % 5 ? 4096 : 64);
	views_init(&w->views, seed % 5 ? 4096 : 16);
	w->chunks = chunk_cache_new();
	render_init(&w->render);
	fullmap_init(&w->fullmap);
	delta_init(&w->delta);
	struct body *map = body_new(BYTES("{\"Regions\":{}}"));
	snapshot_set_relays(w->s, map);
	body_drop(&map);
	for (size_t i = 0; i < w->most / 2 + 1; i++)
		add_node(w, i);
	hand_over(w, true);
}

static void world_clear(struct world *w)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		client_clear(&w->clients[i]);
	chunk_cache_free(&w->chunks);
	views_clear(&w->views);
	snapshot_free(&w->s);
	render_clear(&w->render);
	delta_clear(&w->delta);
	fullmap_clear(&w->fullmap);
	arena_free(&w->arena);
}

static void deltas_add_up_to_the_full_map(void **state)
{
	static struct world w;
	(void)state;
	for (uint64_t seed = 1; seed <= 7; seed++) {
		world_init(&w, seed);
		for (int i = 0; i < STEPS; i++)
			step(&w);
		world_clear(&w);
	}
}

/* Joined from runs: every length around the borders, every mover, each twice (the second time from compressed runs). */
static void a_mover_is_left_out_of_joined_runs(void **state)
{
	static const size_t counts[] = {1, 2, 63, 64, 65, 127, 128, 129, 192, 193, NODES_MAX};
	static struct world w;
	(void)state;
	for (size_t c = 0; c < COUNT_OF(counts); c++) {
		world_init(&w, 6);
		w.most = NODES_MAX;
		for (size_t i = 0; i < NODES_MAX; i++) {
			if (!w.here[i])
				add_node(&w, i);
			w.nodes[i].approved = true;
		}
		hand_over(&w, true);
		uint64_t before = snapshot_close(w.s);
		views_follow(&w.views, w.s);
		for (size_t i = 0; i < counts[c]; i++) {
			w.nodes[i].home_relay++;
			line(&w, CHANGE_NODE_RELAY, w.nodes[i].id);
		}
		hand_over(&w, false);
		snapshot_close(w.s);
		views_follow(&w.views, w.s);
		struct class class = {.view = &w.views.of[VIEW_EVERYBODY], .band = (uint16_t)capver_band(142), .zstd = true};
		assert_int_equal(delta_compute(&w.delta, w.s, class.view, before, class.view), ERR_NONE);
		assert_int_equal(render_start(&w.render, w.s, &w.delta, class), ERR_NONE);
		for (size_t i = 0; i<counts[c]; i += counts[c]> 130 ? 7 : 1) {
			struct bytes body;
			size_t j;
			json_t *patch;
			uint32_t viewer = snapshot_find(w.s, w.nodes[i].id);
			assert_int_equal(render_body(&w.render, viewer, &body), ERR_NONE);
			if (counts[c] == 1) {
				assert_int_equal(body.len, 0);
				continue;
			}
			json_t *message = load(body, true), *patches = json_object_get(message, "PeersChangedPatch");
			assert_int_equal(json_array_size(patches), counts[c] - 1);
			json_array_foreach(patches, j, patch) assert_int_not_equal(json_integer_value(json_object_get(patch, "NodeID")), w.nodes[i].id);
			json_decref(message);
		}
		world_clear(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mover_is_left_out_of_joined_runs),
		cmocka_unit_test(deltas_add_up_to_the_full_map),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
