#include "render.h"

#include <assert.h>
#include <stdlib.h>

#include "capver.h"
#include "mapframe.h"
#include "nodejson.h"

enum {
	/* Clients that turn a changed peer into a patch lose a last seen of a peer that had none (control.md 5.6), so presence goes as a patch too. */
	PRESENCE = FACET_ONLINE | FACET_SEEN
};

void render_init(struct render *r)
{
	buffer_init(&r->text, MAPFRAME_MAX);
	buffer_init(&r->packed, MAPFRAME_MAX);
	buffer_init(&r->entries, MAPFRAME_MAX);
}

void render_clear(struct render *r)
{
	buffer_clear(&r->text);
	buffer_clear(&r->packed);
	buffer_clear(&r->entries);
}

void pieces_clear(struct pieces *p)
{
	for (size_t i = 0; i < p->count; i++)
		body_drop(&p->list[i].body);
	p->count = 0;
}

void pieces_end(struct pieces *p)
{
	pieces_clear(p);
	free(p->list);
	*p = (struct pieces){0};
}

static struct piece *piece_add(struct pieces *p, struct body *body)
{
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		p->list = x_realloc(p->list, p->room * sizeof *p->list);
	}
	p->list[p->count] = (struct piece){.body = body};
	return &p->list[p->count++];
}

static void add_chunk(struct pieces *p, const struct chunk *chunk)
{
	if (!chunk)
		return;
	struct piece *piece = piece_add(p, body_take(chunk->body));
	piece->shared = true;
	memcpy(piece->name, chunk->name, sizeof piece->name);
}

/* The text gathered so far becomes a private piece, encoded; empty text is none. */
static enum err add_private(struct render *r, bool zstd, struct pieces *p)
{
	if (!r->text.len)
		return ERR_NONE;
	struct bytes content = buffer_bytes(&r->text);
	if (zstd) {
		buffer_reset(&r->packed);
		enum err e = mapframe_compress(content, &r->packed);
		if (e)
			return e;
		content = buffer_bytes(&r->packed);
	}
	piece_add(p, body_new(content));
	buffer_reset(&r->text);
	return ERR_NONE;
}

static void write_dns(struct jsonw *w, const struct snapshot *s)
{
	jsonw_object(w, "DNSConfig");
	jsonw_array(w, "Domains");
	jsonw_text(w, NULL, s->domain);
	jsonw_array_end(w);
	if (s->magic_dns)
		jsonw_bool(w, "Proxied", true);
	jsonw_object_end(w);
}

/* Without a policy everything passes between those who see each other. The empty list blocks all; an absent one would keep the old rules. */
static void write_filter(struct jsonw *w, const struct view *view)
{
	jsonw_object(w, "PacketFilters");
	jsonw_array(w, "base");
	if (view->kind == VIEW_EVERYBODY)
		jsonw_raw(w, NULL, BYTES("{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}"));
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static void write_sections(struct jsonw *w, const struct snapshot *s, const struct delta *d, struct class class)
{
	if (d->relays && s->relays)
		jsonw_raw(w, "DERPMap", body_bytes(s->relays));
	if (d->settings) {
		write_dns(w, s);
		jsonw_text(w, "Domain", s->domain);
	}
	if (d->filter)
		write_filter(w, class.view);
}

/* Everything of the first frame but users and peers; a new stream knows nothing, so what may be absent elsewhere may not be here. */
static void write_head(struct jsonw *w, const struct snapshot *s, struct class class, uint32_t slot, struct wall now)
{
	unsigned features = capver_band_features(class.band);
	jsonw_time(w, "ControlTime", now);
	jsonw_object(w, "Debug");
	jsonw_bool(w, "DisableLogTail", true);
	jsonw_object_end(w);
	nodejson_self(w, "Node", s, slot, features);
	write_sections(w, s, &(struct delta){.relays = true, .settings = true, .filter = true}, class);
	jsonw_raw(w, "SSHPolicy", BYTES("{\"rules\":null}"));
	jsonw_bool(w, "CollectServices", false);
	if (!(features & CAPVER_DISPLAY_MESSAGES))
		jsonw_raw(w, "Health", BYTES("[]"));
	if (!(features & CAPVER_AUTO_UPDATE_CAP))
		jsonw_bool(w, "DefaultAutoUpdate", false);
}

static uint64_t mask_of(const struct class *class, uint32_t segment, uint32_t viewer)
{
	uint64_t mask = bitset_word(&class->view->row, segment);
	return viewer / SEGMENT_SLOTS == segment ? mask & ~(UINT64_C(1) << viewer % SEGMENT_SLOTS) : mask;
}

static struct chunk_key key_of(enum chunk_kind kind, uint32_t segment, uint64_t mask, struct class class)
{
	unsigned form = kind == CHUNK_PEERS ? nodejson_form(capver_band_features(class.band)) : 0;
	return (struct chunk_key){.kind = kind, .segment = segment, .mask = mask, .form = form, .zstd = class.zstd};
}

/* Which segment ends the list of peers, privately and without a last comma: the viewer's own, else any that shows somebody. */
static uint32_t last_segment(const struct snapshot *s, const struct class *class, uint32_t viewer)
{
	if (mask_of(class, viewer / SEGMENT_SLOTS, viewer))
		return viewer / SEGMENT_SLOTS;
	for (uint32_t segment = snapshot_segments(s); segment--;)
		if (mask_of(class, segment, viewer))
			return segment;
	return SLOT_NONE;
}

/* Shared chunks of every visible segment but `except`. Errors of one show as a missing chunk, which must not happen. */
static enum err add_chunks(const struct snapshot *s, struct chunk_cache *chunks, enum chunk_kind kind, struct class class, uint32_t viewer, uint32_t except,
			   struct pieces *p)
{
	for (uint32_t segment = 0; segment < snapshot_segments(s); segment++) {
		/* Profiles may show the viewer's own; peers may not. */
		uint64_t mask = kind == CHUNK_PEERS ? mask_of(&class, segment, viewer) : bitset_word(&class.view->row, segment);
		if (!mask || segment == except)
			continue;
		const struct chunk *chunk = chunk_get(chunks, s, key_of(kind, segment, mask, class));
		if (!chunk)
			return ERR_TOO_BIG;
		add_chunk(p, chunk);
	}
	return ERR_NONE;
}

static enum err add_profiles(struct render *r, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, bool omit_peers,
			     struct pieces *p)
{
	struct jsonw w;
	enum err e = buffer_add_text(&r->text, ",\"UserProfiles\":[");
	if (!e && !omit_peers) {
		e = add_private(r, class.zstd, p);
		e = e ? e : add_chunks(s, chunks, CHUNK_PROFILES, class, slot, SLOT_NONE, p);
	}
	if (e)
		return e;
	jsonw_start(&w, &r->text);
	nodejson_profile(&w, s, node_wire_user(s->places[slot].node));
	jsonw_array_end(&w);
	return jsonw_end(&w);
}

static enum err add_peers(struct render *r, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, struct pieces *p)
{
	uint32_t last = last_segment(s, &class, slot);
	enum err e = buffer_add_text(&r->text, ",\"Peers\":[");
	if (e || last == SLOT_NONE)
		return e ? e : buffer_add_text(&r->text, "]");
	if ((e = add_private(r, class.zstd, p)) || (e = add_chunks(s, chunks, CHUNK_PEERS, class, slot, last, p)))
		return e;
	e = chunk_write(s, key_of(CHUNK_PEERS, last, mask_of(&class, last, slot), class), true, &r->text);
	return e ? e : buffer_add_text(&r->text, "]");
}

enum err render_full(struct render *r, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, bool omit_peers, struct wall now,
		     struct pieces *p)
{
	struct jsonw w;
	assert(!s->pending && snapshot_node(s, slot));
	pieces_clear(p);
	buffer_reset(&r->text);
	jsonw_start(&w, &r->text);
	jsonw_object(&w, NULL);
	write_head(&w, s, class, slot, now);
	enum err e = jsonw_end(&w);
	e = e ? e : add_profiles(r, s, chunks, class, slot, omit_peers, p);
	if (!e && !omit_peers)
		e = add_peers(r, s, chunks, class, slot, p);
	e = e ? e : buffer_add_text(&r->text, "}");
	return e ? e : add_private(r, class.zstd, p);
}

static bool is_viewer(const struct delta_peer *peer, uint32_t viewer)
{
	return peer->slot == viewer;
}

/* `entries` holds what a section lists; nothing is written when it is empty. */
static void write_list(struct jsonw *w, const char *name, struct buffer *entries)
{
	if (!entries->len)
		return;
	jsonw_array(w, name);
	jsonw_raw(w, NULL, buffer_bytes(entries));
	jsonw_array_end(w);
	buffer_reset(entries);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Owners whose profiles the reader may not have: of peers that it sees for the first time, and those that moved. Each once. */
static void write_profiles(struct jsonw *w, const struct snapshot *s, const struct delta *d, uint32_t viewer, bool self)
{
	uint64_t *owners = x_alloc((d->peer_count + 1) * sizeof *owners), last = 0;
	size_t count = 0;
	for (size_t i = 0; i < d->peer_count; i++)
		if (!is_viewer(&d->peers[i], viewer) && (d->peers[i].added || d->peers[i].facets & FACET_PROFILE))
			owners[count++] = node_wire_user(s->places[d->peers[i].slot].node);
	if (self)
		owners[count++] = node_wire_user(s->places[viewer].node);
	qsort(owners, count, sizeof *owners, by_number);
	if (count)
		jsonw_array(w, "UserProfiles");
	for (size_t i = 0; i < count; i++) {
		if (owners[i] != last)
			nodejson_profile(w, s, owners[i]);
		last = owners[i];
	}
	if (count)
		jsonw_array_end(w);
	free(owners);
}

static enum err write_changed(struct jsonw *w, struct render *r, const struct snapshot *s, const struct delta *d, unsigned features, uint32_t viewer)
{
	struct jsonw list;
	jsonw_start(&list, &r->entries);
	for (size_t i = 0; i < d->peer_count; i++)
		if (!is_viewer(&d->peers[i], viewer) && d->peers[i].whole)
			nodejson_peer(&list, NULL, s, d->peers[i].slot, features);
	write_list(w, "PeersChanged", &r->entries);
	if (jsonw_end(&list))
		return jsonw_end(&list);
	jsonw_start(&list, &r->entries);
	for (size_t i = 0; i < d->peer_count; i++)
		if (!is_viewer(&d->peers[i], viewer) && !d->peers[i].added)
			nodejson_patch(&list, s, d->peers[i].slot, d->peers[i].facets & (d->peers[i].whole ? PRESENCE : FACETS_ALL));
	write_list(w, "PeersChangedPatch", &r->entries);
	return jsonw_end(&list);
}

static void write_removed(struct jsonw *w, const struct delta *d, uint32_t viewer)
{
	bool any = false;
	for (size_t i = 0; i < d->gone_count; i++) {
		if (d->gone[i].slot == viewer)
			continue;
		if (!any)
			jsonw_array(w, "PeersRemoved");
		jsonw_uint(w, NULL, d->gone[i].id);
		any = true;
	}
	if (any)
		jsonw_array_end(w);
}

static enum err encode(struct render *r, bool zstd, struct bytes *body)
{
	*body = buffer_bytes(&r->text);
	if (!zstd)
		return ERR_NONE;
	buffer_reset(&r->packed);
	enum err e = mapframe_compress(*body, &r->packed);
	*body = buffer_bytes(&r->packed);
	return e;
}

enum err render_delta(struct render *r, const struct snapshot *s, const struct delta *d, struct class class, uint32_t viewer, struct bytes *body)
{
	struct jsonw w;
	unsigned features = capver_band_features(class.band);
	bool self = viewer != SLOT_NONE && snapshot_node(s, viewer) && delta_facets(d, viewer) & FACET_SELF;
	assert(!s->pending);
	*body = BYTES_NONE;
	buffer_reset(&r->text);
	buffer_reset(&r->entries);
	jsonw_start(&w, &r->text);
	jsonw_object(&w, NULL);
	if (self)
		nodejson_self(&w, "Node", s, viewer, features);
	write_sections(&w, s, d, class);
	write_removed(&w, d, viewer);
	enum err e = write_changed(&w, r, s, d, features, viewer);
	write_profiles(&w, s, d, viewer, self);
	jsonw_object_end(&w);
	e = e ? e : jsonw_end(&w);
	/* Nothing but the brackets. */
	return e || r->text.len == 2 ? e : encode(r, class.zstd, body);
}

enum err render_farewell(struct render *r, const struct snapshot *s, const struct node *ghost, bool zstd, struct bytes *body)
{
	struct jsonw w;
	buffer_reset(&r->text);
	jsonw_start(&w, &r->text);
	jsonw_object(&w, NULL);
	nodejson_farewell(&w, "Node", ghost, s->domain);
	jsonw_object_end(&w);
	enum err e = jsonw_end(&w);
	return e ? e : encode(r, zstd, body);
}
