#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "capver.h"
#include "fullmap.h"
#include "happenings.h"
#include "mapframe.h"
#include "render.h"

/* A world of random events; model clients that apply what they are sent as official clients do; after each delivery a client must know exactly
 * what a fresh full map tells. */

enum { CLIENTS_MAX = 12, STEPS = 90, TEXT_MAX = 64 << 20 };

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
	struct happenings h;
	struct views views;
	struct chunk_cache *chunks;
	struct render render;
	struct delta delta;
	struct fullmap fullmap;
	struct client clients[CLIENTS_MAX];
};

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

/* Parts by name; null takes one away. */
static void apply_filters(struct client *c, json_t *parts)
{
	json_t *known = json_object_get(c->sections, "PacketFilters"), *part;
	const char *name;
	if (parts && !known) {
		json_object_set_new(c->sections, "PacketFilters", json_object());
		known = json_object_get(c->sections, "PacketFilters");
	}
	json_object_foreach(parts, name, part)
	{
		if (json_is_null(part))
			json_object_del(known, name);
		else
			json_object_set(known, name, part);
	}
}

static void apply(struct client *c, json_t *message, bool first)
{
	static const char *const sections[] = {"DERPMap", "DNSConfig", "Domain", "SSHPolicy", "Health", "DefaultAutoUpdate", NULL};
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
	apply_filters(c, json_object_get(message, "PacketFilters"));
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
	rules_look(w->views.rules, w->h.s, c->slot);
	assert_int_equal(fullmap_render(&w->fullmap, w->h.s, w->chunks, class, c->slot, false, w->h.now), ERR_NONE);
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

static struct span span_parse(const char *text)
{
	struct bytes last, first = bytes_split(bytes_text(text), '-', &last);
	struct prefix prefix;
	assert_int_equal(prefix_parse(bytes_equal_text(first, "*") ? BYTES("0.0.0.0/0") : first, &prefix), ERR_NONE);
	struct span span = span_of(prefix);
	if (last.at)
		assert_int_equal(ip_parse(last, &span.last), ERR_NONE);
	return span;
}

/* What a filter lets in, whatever its parts: by all of a rule but its sources, the ranges of these. */
static json_t *meaning_of(json_t *parts)
{
	json_t *rules = json_object(), *part, *rule, *source;
	struct arena *arena = arena_new();
	const char *name;
	size_t i, k;
	json_object_foreach(parts, name, part) json_array_foreach(part, i, rule)
	{
		json_t *rest = json_copy(rule);
		json_object_del(rest, "SrcIPs");
		char *key = json_dumps(rest, JSON_SORT_KEYS);
		json_decref(rest);
		if (!json_object_get(rules, key))
			json_object_set_new(rules, key, json_array());
		json_array_extend(json_object_get(rules, key), json_object_get(rule, "SrcIPs"));
		free(key);
	}
	json_object_foreach(rules, name, part)
	{
		struct span *list = ARENA_ARRAY(arena, struct span, json_array_size(part) + 1);
		json_array_foreach(part, k, source) list[k] = span_parse(json_string_value(source));
		struct spans spans = spans_of(list, json_array_size(part));
		json_array_clear(part);
		for (k = 0; k < spans.count; k++) {
			char text[SPAN_TEXT_MAX];
			json_array_append_new(part, json_stringn(text, span_format(text, spans.list[k])));
		}
	}
	arena_free(&arena);
	return rules;
}

static void check_filter(const struct client *c, struct bytes whole)
{
	json_t *root = json_loadb((const char *)whole.at, whole.len, 0, NULL);
	json_t *told = meaning_of(json_object_get(c->sections, "PacketFilters")), *wanted = meaning_of(json_object_get(root, "PacketFilters"));
	check_equal(told, wanted, "what the filter lets in");
	json_decref(told);
	json_decref(wanted);
	json_decref(root);
}

/* What was followed is what would be compiled, and what the client was told in parts. */
static void check_rules(struct rules *r, const struct snapshot *s, const struct client *c)
{
	uint32_t slot = c->slot;
	struct surroundings around = {.domains = s->domains, .domain_count = s->domain_count};
	struct arena *arena = arena_new();
	struct document *document;
	struct lapses lapses = {0};
	struct diag why;
	assert_int_equal(document_read_stored(arena, body_bytes(s->policy), &around, &document, &lapses, &why), ERR_NONE);
	struct policy *kept = r->policy, *fresh = policy_compile(document, &r->roll);
	struct sourcebook book = r->book;
	r->book = (struct sourcebook){0}; /* lists as a whole */
	struct buffer text[2];
	for (size_t i = 0; i < 2; i++) {
		struct jsonw w;
		buffer_init(&text[i], TEXT_MAX);
		jsonw_start(&w, &text[i]);
		r->policy = i ? fresh : kept;
		jsonw_object(&w, NULL);
		rules_write_filter(r, &w, s, slot, OWN_FILTERS, true);
		rules_write_ssh(r, &w, s, slot);
		rules_write_caps(r, &w, s, slot, NULL);
		jsonw_object_end(&w);
		assert_int_equal(jsonw_end(&w), ERR_NONE);
	}
	r->policy = kept;
	r->book = book;
	assert_true(bytes_equal(buffer_bytes(&text[0]), buffer_bytes(&text[1])));
	if (snapshot_admits(s, snapshot_node(s, slot)))
		check_filter(c, buffer_bytes(&text[1]));
	const struct sight *a = visible_sight(kept, slot), *b = visible_sight(fresh, slot);
	assert_int_equal(a != NULL, b != NULL);
	assert_true(!a || sight_hash(a) == sight_hash(b));
	for (uint32_t i = 0; i < s->seat_count; i++)
		assert_ptr_equal(r->roll.nodes[i].node, snapshot_admits(s, s->seats[i].node) ? s->seats[i].node : NULL);
	buffer_clear(&text[0]);
	buffer_clear(&text[1]);
	policy_free(&fresh);
	arena_free(&arena);
}

/* What a client knows is what its sight holds: who, and with which routes and addresses. */
static void check_peers_by_policy(struct world *w, const struct client *c)
{
	const struct rules *r = w->views.rules;
	size_t seen = 0;
	if (r->state == RULES_OPEN)
		return;
	if (r->state == RULES_COMPILED)
		check_rules(w->views.rules, w->h.s, c);
	const struct sight *sight =
		r->state == RULES_COMPILED && snapshot_admits(w->h.s, snapshot_node(w->h.s, c->slot)) ? visible_sight(r->policy, c->slot) : NULL;
	for (uint32_t slot = 0; sight && slot < w->h.s->seat_count; slot++) {
		char key[24];
		if (slot == c->slot || !bitset_has(&sight->row, slot))
			continue;
		snprintf(key, sizeof key, "%llu", (unsigned long long)w->h.s->seats[slot].id);
		const json_t *peer = json_object_get(c->peers, key);
		assert_non_null(peer);
		const struct sight_router *router = w->h.s->seats[slot].expired ? NULL : sight_find(sight, slot);
		size_t addresses = json_array_size(json_object_get(peer, "Addresses")), allowed = json_array_size(json_object_get(peer, "AllowedIPs"));
		assert_int_equal(addresses, bitset_has(&r->no_ip4, slot) || bitset_has(&r->no_ip4, c->slot) ? 1 : 2);
		assert_int_equal(allowed ? allowed : addresses, addresses + (router ? router->count : 0));
		seen++;
	}
	assert_int_equal(json_object_size(c->peers), seen);
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
	check_peers_by_policy(w, c);
	check_equal(c->sections, fresh.sections, "sections");
	check_equal(c->self, fresh.self, "own nodes");
	check_equal(c->messages, fresh.messages, "messages");
	json_object_foreach(fresh.profiles, key, peer) check_equal(json_object_get(c->profiles, key), peer, "profiles");
	json_object_foreach(c->peers, key, peer) assert_non_null(json_object_get(c->profiles, id_key(peer, "User")));
	client_clear(&fresh);
}

static struct class class_now(const struct world *w, const struct client *c)
{
	return (struct class){.view = view_of(&w->views, w->h.s, c->slot), .band = (uint16_t)capver_band(c->capver), .zstd = c->zstd};
}

/* As streams do: what was told may be needed again. */
static void hold(struct client *c, struct view *view)
{
	if (view)
		view->holders++;
	if (c->class.view)
		c->class.view->holders--;
	c->class.view = view;
}

static void told(struct world *w, struct client *c, struct class class)
{
	hold(c, class.view);
	c->class = class;
	c->version = w->h.s->version;
	check_client(w, c);
}

static void client_open(struct world *w, struct client *c)
{
	static const unsigned versions[] = {90, 109, 111, 113, 117, 125, 131, 142, 148, 200};
	uint32_t slot = (uint32_t)dice(w->h.s->seat_count);
	if (!snapshot_node(w->h.s, slot))
		return;
	client_clear(c);
	hold(c, NULL);
	*c = (struct client){.open = true, .slot = slot, .node = w->h.s->seats[slot].id, .capver = versions[dice(COUNT_OF(versions))], .zstd = chance(70)};
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
	if (w->h.s->seats[c->slot].id != c->node || !snapshot_node(w->h.s, c->slot)) {
		c->open = false;
		return;
	}
	enum err e = delta_compute(&w->delta, w->h.s, c->class.view, c->version, class.view);
	if (e) {
		assert_int_equal(e, ERR_NO_HISTORY);
		c->open = false;
		return;
	}
	rules_look(w->views.rules, w->h.s, c->slot);
	bool mover = delta_moved(&w->delta, c->slot) || rules_moved(w->views.rules, c->slot, c->version);
	assert_int_equal(render_start(&w->render, w->h.s, &w->delta, class), ERR_NONE);
	assert_int_equal(render_body(&w->render, mover ? c->slot : (uint32_t)SLOT_NONE, &body), ERR_NONE);
	if (body.len) {
		json_t *message = load(body, c->zstd);
		apply(c, message, false);
		json_decref(message);
	}
	told(w, c, class);
}

static uint64_t lowest_told(const struct world *w)
{
	uint64_t floor = w->h.s->version;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (w->clients[i].open && w->clients[i].version < floor)
			floor = w->clients[i].version;
	return floor;
}

static void step(struct world *w)
{
	for (uint64_t events = dice(chance(10) ? 60 : 4); events; events--)
		happen(&w->h);
	if (chance(80))
		happen_hand_over(&w->h, chance(10));
	w->h.now = wall_add_ms(w->h.now, (int64_t)dice(200));
	if (chance(30))
		snapshot_expire(w->h.s, w->h.now);
	snapshot_close(w->h.s);
	views_follow(&w->views, w->h.s);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (!w->clients[i].open)
			client_open(w, &w->clients[i]);
		else if (chance(i < CLIENTS_MAX / 2 ? 70 : 15))
			client_catch_up(w, &w->clients[i]);
	}
	if (chance(20))
		snapshot_settle(w->h.s, lowest_told(w));
}

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){0};
	happenings_init(&w->h, seed);
	views_init(&w->views, seed % 5 ? 4096 : 16);
	if (seed % 3)
		w->views.rules->book.least = 1;
	w->chunks = chunk_cache_new();
	render_init(&w->render);
	fullmap_init(&w->fullmap);
	delta_init(&w->delta);
}

static void world_clear(struct world *w)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		client_clear(&w->clients[i]);
	chunk_cache_free(&w->chunks);
	views_clear(&w->views);
	render_clear(&w->render);
	delta_clear(&w->delta);
	fullmap_clear(&w->fullmap);
	happenings_end(&w->h);
}

static void deltas_add_up_to_the_full_map(void **state)
{
	static struct world w;
	(void)state;
	for (uint64_t seed = 1; seed <= 14; seed++) {
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
		w.h.most = NODES_MAX;
		for (size_t i = 0; i < NODES_MAX; i++) {
			if (!w.h.here[i])
				happen_node(&w.h, i);
			w.h.nodes[i].approved = true;
		}
		happen_hand_over(&w.h, true);
		uint64_t before = snapshot_close(w.h.s);
		views_follow(&w.views, w.h.s);
		for (size_t i = 0; i < counts[c]; i++) {
			w.h.nodes[i].home_relay++;
			happen_line(&w.h, CHANGE_NODE_RELAY, w.h.nodes[i].id);
		}
		happen_hand_over(&w.h, false);
		snapshot_close(w.h.s);
		views_follow(&w.views, w.h.s);
		struct class class = {.view = w.views.everybody, .band = (uint16_t)capver_band(142), .zstd = true};
		assert_int_equal(delta_compute(&w.delta, w.h.s, class.view, before, class.view), ERR_NONE);
		assert_int_equal(render_start(&w.render, w.h.s, &w.delta, class), ERR_NONE);
		for (size_t i = 0; i<counts[c]; i += counts[c]> 130 ? 7 : 1) {
			struct bytes body;
			size_t j;
			json_t *patch;
			uint32_t viewer = snapshot_find(w.h.s, w.h.nodes[i].id);
			assert_int_equal(render_body(&w.render, viewer, &body), ERR_NONE);
			if (counts[c] == 1) {
				assert_int_equal(body.len, 0);
				continue;
			}
			json_t *message = load(body, true), *patches = json_object_get(message, "PeersChangedPatch");
			assert_int_equal(json_array_size(patches), counts[c] - 1);
			json_array_foreach(patches, j, patch) assert_int_not_equal(json_integer_value(json_object_get(patch, "NodeID")), w.h.nodes[i].id);
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
