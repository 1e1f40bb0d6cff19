#include "fullmap.h"

#include <assert.h>
#include <stdlib.h>

#include "capver.h"
#include "mapframe.h"
#include "messages.h"
#include "nodejson.h"
#include "sections.h"

void fullmap_init(struct fullmap *f)
{
	*f = (struct fullmap){0};
	buffer_init(&f->text, MAPFRAME_MAX);
	buffer_init(&f->packed, MAPFRAME_MAX);
}

void fullmap_clear(struct fullmap *f)
{
	buffer_clear(&f->text);
	buffer_clear(&f->packed);
	pieces_end(&f->pieces);
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
static enum err add_private(struct fullmap *f, bool zstd)
{
	if (!f->text.len)
		return ERR_NONE;
	struct bytes content = buffer_bytes(&f->text);
	if (zstd) {
		buffer_reset(&f->packed);
		enum err e = mapframe_compress(content, &f->packed);
		if (e)
			return e;
		content = buffer_bytes(&f->packed);
	}
	piece_add(&f->pieces, body_new(content));
	buffer_reset(&f->text);
	return ERR_NONE;
}

/* Everything of the first frame but users and peers; a new stream knows nothing, so what may be absent elsewhere may not be here. */
static void write_head(struct jsonw *w, const struct snapshot *s, struct class class, uint32_t slot, struct wall now)
{
	struct rules *rules = class.view->rules;
	unsigned features = capver_band_features(class.band);
	jsonw_time(w, "ControlTime", now);
	/* The client obeys for the whole life of its process. */
	if (!s->features.client_logs) {
		jsonw_object(w, "Debug");
		jsonw_bool(w, "DisableLogTail", true);
		jsonw_object_end(w);
	}
	nodejson_self(w, "Node", s, rules, slot, features);
	sections_write(w, s, &rules->relays, SECTIONS_ALL, features);
	rules_write_filter(rules, w, s, slot, OWN_FILTERS, true);
	rules_write_ssh(rules, w, s, slot);
	jsonw_bool(w, "CollectServices", false);
	messages_write(w, s->seats[slot].messages, s->notice, !(features & CAPVER_DISPLAY_MESSAGES), true);
	if (!(features & CAPVER_AUTO_UPDATE_CAP))
		jsonw_bool(w, "DefaultAutoUpdate", s->features.auto_update);
}

static uint64_t mask_of(const struct class *class, uint32_t segment, uint32_t viewer)
{
	uint64_t mask = bitset_word(&class->view->row, segment);
	return viewer / SEGMENT_SLOTS == segment ? mask & ~(UINT64_C(1) << viewer % SEGMENT_SLOTS) : mask;
}

static struct chunk_key key_of(enum chunk_kind kind, uint32_t segment, uint64_t mask, struct class class)
{
	unsigned form = kind == CHUNK_PEERS ? nodejson_form(capver_band_features(class.band)) : 0;
	uint64_t shown = kind == CHUNK_PEERS ? view_form(class.view, segment, mask) : 0;
	return (struct chunk_key){.kind = kind, .segment = segment, .mask = mask, .form = form, .shown = shown, .zstd = class.zstd, .view = class.view};
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

static enum err add_profiles(struct fullmap *f, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, bool omit_peers)
{
	struct jsonw w;
	enum err e = buffer_add_text(&f->text, ",\"UserProfiles\":[");
	if (!e && !omit_peers) {
		e = add_private(f, class.zstd);
		e = e ? e : add_chunks(s, chunks, CHUNK_PROFILES, class, slot, SLOT_NONE, &f->pieces);
	}
	if (e)
		return e;
	jsonw_start(&w, &f->text);
	nodejson_profile(&w, s, node_wire_user(s->seats[slot].node));
	jsonw_array_end(&w);
	return jsonw_end(&w);
}

static enum err add_peers(struct fullmap *f, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot)
{
	uint32_t last = last_segment(s, &class, slot);
	enum err e = buffer_add_text(&f->text, ",\"Peers\":[");
	if (e || last == SLOT_NONE)
		return e ? e : buffer_add_text(&f->text, "]");
	if ((e = add_private(f, class.zstd)) || (e = add_chunks(s, chunks, CHUNK_PEERS, class, slot, last, &f->pieces)))
		return e;
	e = chunk_write(s, key_of(CHUNK_PEERS, last, mask_of(&class, last, slot), class), true, &f->text);
	return e ? e : buffer_add_text(&f->text, "]");
}

enum err fullmap_render(struct fullmap *f, const struct snapshot *s, struct chunk_cache *chunks, struct class class, uint32_t slot, bool omit_peers,
			struct wall now)
{
	struct jsonw w;
	assert(!s->pending && snapshot_node(s, slot));
	pieces_clear(&f->pieces);
	buffer_reset(&f->text);
	jsonw_start(&w, &f->text);
	jsonw_object(&w, NULL);
	write_head(&w, s, class, slot, now);
	enum err e = jsonw_end(&w);
	e = e ? e : add_profiles(f, s, chunks, class, slot, omit_peers);
	if (!e && !omit_peers)
		e = add_peers(f, s, chunks, class, slot);
	e = e ? e : buffer_add_text(&f->text, "}");
	return e ? e : add_private(f, class.zstd);
}
