#include "render.h"

#include <assert.h>
#include <stdlib.h>

#include "capver.h"
#include "mapframe.h"
#include "messages.h"
#include "nodejson.h"

enum {
	/* Clients that turn a changed peer into a patch lose a last seen of a peer that had none (docs/protocol/map.md), so presence goes as a patch too. */
	PRESENCE = FACET_ONLINE | FACET_SEEN,
	RUNS_FROM = 2 * RENDER_RUN /* entries; below, joining runs costs more than compressing all again */
};

static void list_start(struct render_list *l, const char *name)
{
	*l = (struct render_list){.name = name};
	buffer_init(&l->text, MAPFRAME_MAX);
	buffer_init(&l->packed, MAPFRAME_MAX);
}

static void list_end(struct render_list *l)
{
	free(l->entries);
	free(l->runs);
	buffer_clear(&l->text);
	buffer_clear(&l->packed);
}

void render_init(struct render *r)
{
	*r = (struct render){0};
	list_start(&r->changed, "PeersChanged");
	list_start(&r->patches, "PeersChangedPatch");
	buffer_init(&r->profiles, MAPFRAME_MAX);
	buffer_init(&r->text, MAPFRAME_MAX);
	buffer_init(&r->packed, MAPFRAME_MAX);
}

void render_clear(struct render *r)
{
	list_end(&r->changed);
	list_end(&r->patches);
	buffer_clear(&r->profiles);
	buffer_clear(&r->text);
	buffer_clear(&r->packed);
	free(r->owners);
}

/* ---- entries, once per delta ---- */

static void list_reset(struct render_list *l, size_t most)
{
	size_t runs = (most + RENDER_RUN - 1) / RENDER_RUN;
	buffer_reset(&l->text);
	buffer_reset(&l->packed);
	l->count = 0;
	if (l->room < most) {
		l->room = most * 2;
		l->entries = x_realloc(l->entries, l->room * sizeof *l->entries);
	}
	if (l->run_room < runs) {
		l->run_room = runs * 2;
		l->runs = x_realloc(l->runs, l->run_room * sizeof *l->runs);
	}
	for (size_t i = 0; i < runs; i++)
		l->runs[i] = (struct render_run){0};
}

/* What was written behind `at` becomes an entry; nothing written is none. */
static enum err list_take(struct render_list *l, uint32_t slot, size_t at)
{
	if (l->text.len == at)
		return ERR_NONE;
	l->entries[l->count++] = (struct render_entry){slot, at, l->text.len};
	return buffer_add_byte(&l->text, ',');
}

static enum err write_entries(struct render *r)
{
	const struct delta *d = r->delta;
	unsigned features = capver_band_features(r->class.band);
	enum err e = ERR_NONE;
	struct jsonw w;
	for (size_t i = 0; i < d->peer_count && !e; i++) {
		const struct delta_peer *peer = &d->peers[i];
		if (peer->whole) {
			size_t at = r->changed.text.len;
			jsonw_start(&w, &r->changed.text);
			nodejson_peer(&w, NULL, r->snapshot, r->class.view, peer->slot, features);
			e = jsonw_end(&w);
			e = e ? e : list_take(&r->changed, peer->slot, at);
		}
		if (!e && !peer->added) {
			size_t at = r->patches.text.len;
			jsonw_start(&w, &r->patches.text);
			nodejson_patch(&w, r->snapshot, peer->slot, peer->facets & (peer->whole ? PRESENCE : FACETS_ALL));
			e = jsonw_end(&w);
			e = e ? e : list_take(&r->patches, peer->slot, at);
		}
	}
	return e;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Owners whose profiles the reader may not have: of peers that it sees for the first time, and those that moved. Each once. A viewer's own is no secret
 * to it, so this is the same for all. */
static enum err write_profiles(struct render *r)
{
	const struct delta *d = r->delta;
	struct jsonw w;
	size_t count = 0;
	if (r->owner_room < d->peer_count) {
		r->owner_room = d->peer_count * 2;
		r->owners = x_realloc(r->owners, r->owner_room * sizeof *r->owners);
	}
	for (size_t i = 0; i < d->peer_count; i++)
		if (d->peers[i].added || d->peers[i].facets & FACET_PROFILE)
			r->owners[count++] = node_wire_user(r->snapshot->seats[d->peers[i].slot].node);
	if (count > 1)
		qsort(r->owners, count, sizeof *r->owners, by_number);
	jsonw_start(&w, &r->profiles);
	for (size_t i = 0; i < count; i++)
		if (!i || r->owners[i] != r->owners[i - 1])
			nodejson_profile(&w, r->snapshot, r->owners[i]);
	return jsonw_end(&w);
}

enum err render_start(struct render *r, const struct snapshot *s, const struct delta *d, struct class class)
{
	assert(!s->pending);
	r->snapshot = s;
	r->delta = d;
	r->class = class;
	list_reset(&r->changed, d->peer_count);
	list_reset(&r->patches, d->peer_count);
	buffer_reset(&r->profiles);
	enum err e = write_entries(r);
	return e ? e : write_profiles(r);
}

/* ---- bodies ---- */

/* The private text gathered so far becomes a zstd frame of its own. */
static enum err flush(struct render *r)
{
	if (!r->class.zstd || !r->text.len)
		return ERR_NONE;
	enum err e = mapframe_compress(buffer_bytes(&r->text), &r->packed);
	buffer_reset(&r->text);
	return e;
}

/* The entry of a slot, or SIZE_MAX. */
static size_t find(const struct render_list *l, uint32_t slot)
{
	size_t low = 0, high = l->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->entries[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->count && l->entries[low].slot == slot ? low : SIZE_MAX;
}

static struct bytes text_between(const struct render_list *l, size_t from, size_t to)
{
	return bytes_of(l->text.at + from, to - from);
}

/* Entries first .. last - 1 but `except`, without the last comma. */
static enum err add_entries(struct render *r, const struct render_list *l, size_t first, size_t last, size_t except)
{
	size_t from = l->entries[first].at, to = l->entries[last - 1].end;
	if (except < first || except >= last)
		return buffer_add(&r->text, text_between(l, from, to));
	if (except == last - 1)
		return buffer_add(&r->text, text_between(l, from, l->entries[except - 1].end));
	enum err e = buffer_add(&r->text, text_between(l, from, l->entries[except].at));
	return e ? e : buffer_add(&r->text, text_between(l, l->entries[except + 1].at, to));
}

static enum err add_run(struct render *r, struct render_list *l, size_t n)
{
	struct render_run *run = &l->runs[n];
	size_t last = (n + 1) * RENDER_RUN < l->count ? (n + 1) * RENDER_RUN : l->count;
	if (!run->len) {
		run->at = l->packed.len;
		enum err e = mapframe_compress(text_between(l, l->entries[n * RENDER_RUN].at, l->entries[last - 1].end + 1), &l->packed);
		if (e)
			return e;
		run->len = l->packed.len - run->at;
	}
	return buffer_add(&r->packed, bytes_of(l->packed.at + run->at, run->len));
}

/* All runs as they are but the mover's own, which ends the list; or the one before it when nothing else is in that. */
static enum err join_runs(struct render *r, struct render_list *l, size_t except)
{
	size_t runs = (l->count + RENDER_RUN - 1) / RENDER_RUN, own = except / RENDER_RUN;
	if (own * RENDER_RUN + 1 == l->count)
		own--;
	enum err e = flush(r);
	for (size_t n = 0; n < runs && !e; n++)
		if (n != own && n * RENDER_RUN != except)
			e = add_run(r, l, n);
	size_t last = (own + 1) * RENDER_RUN < l->count ? (own + 1) * RENDER_RUN : l->count;
	return e ? e : add_entries(r, l, own * RENDER_RUN, last, except);
}

static enum err start_member(struct render *r, const char *name)
{
	/* Only the opening bracket was written: no comma. */
	bool first = !r->packed.len && r->text.len == 1;
	return buffer_format(&r->text, "%s\"%s\":[", first ? "" : ",", name);
}

static enum err add_list(struct render *r, struct render_list *l, uint32_t viewer)
{
	size_t except = viewer == SLOT_NONE ? SIZE_MAX : find(l, viewer);
	if (l->count == (except != SIZE_MAX))
		return ERR_NONE;
	enum err e = start_member(r, l->name);
	if (!e && r->class.zstd && except != SIZE_MAX && l->count >= RUNS_FROM)
		e = join_runs(r, l, except);
	else if (!e)
		e = add_entries(r, l, 0, l->count, except);
	return e ? e : buffer_add_byte(&r->text, ']');
}

static enum err add_removed(struct render *r, uint32_t viewer)
{
	const struct delta *d = r->delta;
	bool any = false;
	enum err e = ERR_NONE;
	for (size_t i = 0; i < d->gone_count && !e; i++) {
		if (d->gone[i].slot == viewer)
			continue;
		e = any ? ERR_NONE : start_member(r, "PeersRemoved");
		e = e ? e : buffer_format(&r->text, any ? ",%llu" : "%llu", (unsigned long long)d->gone[i].id);
		any = true;
	}
	return e || !any ? e : buffer_add_byte(&r->text, ']');
}

static enum err add_profiles(struct render *r, uint32_t viewer, bool self)
{
	if (!r->profiles.len && !self)
		return ERR_NONE;
	enum err e = start_member(r, "UserProfiles");
	e = e ? e : buffer_add(&r->text, buffer_bytes(&r->profiles));
	if (!e && self) {
		struct jsonw w;
		if (r->profiles.len)
			e = buffer_add_byte(&r->text, ',');
		jsonw_start(&w, &r->text);
		nodejson_profile(&w, r->snapshot, node_wire_user(r->snapshot->seats[viewer].node));
		e = e ? e : jsonw_end(&w);
	}
	return e ? e : buffer_add_byte(&r->text, ']');
}

static enum err add_head(struct render *r, uint32_t viewer, unsigned private, unsigned own)
{
	struct rules *rules = r->class.view->rules;
	unsigned features = capver_band_features(r->class.band);
	const struct snapshot *s = r->snapshot;
	struct jsonw w;
	jsonw_start(&w, &r->text);
	jsonw_object(&w, NULL);
	if (private & FACET_SELF) {
		nodejson_self(&w, "Node", s, rules, viewer, features);
		if (!(features & CAPVER_AUTO_UPDATE_CAP))
			jsonw_bool(&w, "DefaultAutoUpdate", s->features.auto_update);
	}
	if (private & FACET_MESSAGES)
		messages_write(&w, s->seats[viewer].messages, s->notice, !(features & CAPVER_DISPLAY_MESSAGES), false);
	sections_write(&w, s, &r->class.view->rules->relays, r->delta->sections, features);
	if (own & OWN_FILTERS)
		rules_write_filter(rules, &w, s, viewer, own, false);
	if (own & OWN_SSH)
		rules_write_ssh(rules, &w, s, viewer);
	return jsonw_end(&w);
}

/* Whether a reader has anything to hear but a profile that it knows. */
static bool says_nothing(const struct render *r, uint32_t viewer, unsigned private)
{
	const struct delta *d = r->delta;
	size_t own_entries = viewer == SLOT_NONE ? 0 : (find(&r->changed, viewer) != SIZE_MAX) + (find(&r->patches, viewer) != SIZE_MAX);
	bool own_gone = d->gone_count == 1 && d->gone[0].slot == viewer;
	bool others = r->changed.count + r->patches.count > own_entries || (d->gone_count && !own_gone);
	bool profiles = r->profiles.len && !(viewer != SLOT_NONE && d->peer_count == 1 && d->peers[0].slot == viewer);
	return !private && !d->sections && !others && !profiles;
}

enum err render_body(struct render *r, uint32_t viewer, struct bytes *body)
{
	/* What only the node itself is told. */
	bool known = viewer != SLOT_NONE && snapshot_node(r->snapshot, viewer);
	unsigned own = known ? rules_moved(r->class.view->rules, viewer, r->delta->since) : 0;
	unsigned private = known ? (delta_facets(r->delta, viewer) & (FACET_SELF | FACET_MESSAGES)) | (own & OWN_CAPS ? FACET_SELF : 0) : 0;
	*body = BYTES_NONE;
	if (!own && says_nothing(r, viewer, private))
		return ERR_NONE;
	buffer_reset(&r->text);
	buffer_reset(&r->packed);
	enum err e = add_head(r, viewer, private, own);
	e = e ? e : add_removed(r, viewer);
	e = e ? e : add_list(r, &r->changed, viewer);
	e = e ? e : add_list(r, &r->patches, viewer);
	e = e ? e : add_profiles(r, viewer, private & FACET_SELF);
	e = e ? e : buffer_add_byte(&r->text, '}');
	e = e ? e : flush(r);
	*body = buffer_bytes(r->class.zstd ? &r->packed : &r->text);
	return e;
}

enum err render_farewell(struct render *r, const struct snapshot *s, const struct node *ghost, bool zstd, struct bytes *body)
{
	struct jsonw w;
	r->class.zstd = zstd;
	buffer_reset(&r->text);
	buffer_reset(&r->packed);
	jsonw_start(&w, &r->text);
	jsonw_object(&w, NULL);
	nodejson_farewell(&w, "Node", ghost, s->domain);
	jsonw_object_end(&w);
	enum err e = jsonw_end(&w);
	e = e ? e : flush(r);
	*body = buffer_bytes(zstd ? &r->packed : &r->text);
	return e;
}
