#include "relaymap.h"

#include <stdlib.h>

#include "bitset.h"
#include "derpmap.h"
#include "hujson.h"
#include "jsonw.h"
#include "text.h"

enum { TEXT_MAX = 16 << 20, SCORE_HELD = 1000 /* so many times as far as measured */ };

/* A region on its way into the map. */
struct entry {
	unsigned id;
	bool no_home, held, own; /* own: not as the installation has it */
	struct bytes text;
};

struct merge {
	struct arena *arena;
	struct json installation;
	struct entry *base; /* regions of the installation */
	size_t base_count;
	struct entry *leaving; /* such that are not to be shown any more, but may be somebody's home */
	size_t leaving_count;
	struct entry *list;
	size_t count;
	struct bitset in;    /* ids in the list */
	struct bitset homes; /* ids of regions in which an online node is at home */
};

static void forget_own(struct relaymap *m)
{
	for (size_t i = 0; i < m->own_count; i++)
		body_drop(&m->own[i].text);
	free(m->own);
	m->own = NULL;
	m->own_count = m->held = 0;
}

void relaymap_clear(struct relaymap *m)
{
	forget_own(m);
	body_drop(&m->shown);
	body_drop(&m->of);
	*m = (struct relaymap){0};
}

/* ---- what there is ---- */

static bool is_true(const struct json *object, const char *name)
{
	const struct json *value = hujson_find(object, name);
	return value && value->kind == JSON_BOOL && value->truth;
}

static size_t read_regions(struct merge *g, const char *name, struct entry **out)
{
	const struct json *regions = g->installation.kind == JSON_OBJECT ? hujson_find(&g->installation, name) : NULL;
	size_t count = regions && regions->kind == JSON_OBJECT ? regions->count : 0, kept = 0;
	*out = ARENA_ARRAY(g->arena, struct entry, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct json *value = &regions->members[i].value;
		uint64_t id;
		if (value->kind == JSON_OBJECT && !text_parse_u64(regions->members[i].name, RELAY_REGION_ID_MAX, &id))
			(*out)[kept++] =
				(struct entry){.id = (unsigned)id, .no_home = is_true(value, "NoMeasureNoHome"), .text = hujson_compact(g->arena, value)};
	}
	return kept;
}

/* The installation's map is our own text: what cannot be read in it is none. */
static void read_installation(struct merge *g, const struct snapshot *s)
{
	if (hujson_parse(g->arena, body_bytes(s->relays), &g->installation, NULL) != ERR_NONE)
		g->installation = (struct json){0};
	g->base_count = read_regions(g, "Regions", &g->base);
	g->leaving_count = read_regions(g, "Leaving", &g->leaving);
}

static void add(struct merge *g, struct entry entry)
{
	if (bitset_has(&g->in, entry.id))
		return;
	bitset_add(&g->in, entry.id);
	g->list[g->count++] = entry;
}

static struct bytes region_text(struct merge *g, const struct derp_region *region)
{
	struct relay_region full = {.id = region->id,
				    .code = region->code,
				    .name = region->name,
				    .latitude = region->latitude,
				    .longitude = region->longitude,
				    .no_measure_no_home = region->no_measure_no_home,
				    .nodes = region->nodes,
				    .node_count = region->node_count};
	struct buffer text;
	buffer_init(&text, TEXT_MAX);
	struct bytes copy = derpmap_encode_region(&full, &text) ? BYTES_NONE : arena_copy(g->arena, buffer_bytes(&text));
	buffer_clear(&text);
	return copy;
}

static bool is_named(const struct derp_section *derp, unsigned id)
{
	for (size_t i = 0; i < derp->region_count; i++)
		if (derp->regions[i].id == id)
			return true;
	return false;
}

static bool has_home(const struct merge *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (!g->list[i].no_home)
			return true;
	return false;
}

/* A region of the installation: marked as no home only when everybody has left. */
static struct entry unmarked(const struct merge *g, struct entry entry)
{
	if (!entry.no_home || !bitset_has(&g->homes, entry.id))
		return entry;
	for (size_t i = 0; i < g->leaving_count; i++)
		if (g->leaving[i].id == entry.id)
			return (struct entry){.id = entry.id, .no_home = true, .held = true, .own = true, .text = g->leaving[i].text};
	return entry;
}

/* What the policy wants shown; without one, or when nobody could be at home in it, the installation's. */
static void want(struct merge *g, const struct derp_section *derp)
{
	for (size_t i = 0; derp && i < derp->region_count; i++) {
		struct derp_region region = derp->regions[i];
		struct entry entry = {.id = region.id, .no_home = region.no_measure_no_home, .own = true};
		/* Marked only when everybody has left. */
		entry.held = region.no_measure_no_home && bitset_has(&g->homes, region.id);
		region.no_measure_no_home &= !entry.held;
		entry.text = region.removed ? BYTES_NONE : region_text(g, &region);
		if (entry.text.len)
			add(g, entry);
	}
	for (size_t i = 0; i < g->base_count; i++)
		if (!derp || (!derp->omit_default && !is_named(derp, g->base[i].id)))
			add(g, unmarked(g, g->base[i]));
	if (!derp || has_home(g))
		return;
	g->count = 0;
	bitset_clear(&g->in);
	want(g, NULL);
}

/* ---- what may not go yet ---- */

static void find_homes(struct merge *g, const struct snapshot *s)
{
	for (uint32_t slot = 0; slot < s->seat_count; slot++) {
		const struct seat *seat = &s->seats[slot];
		if (seat->node && (seat->online || seat->subscribed) && seat->node->home_relay <= RELAY_REGION_ID_MAX)
			bitset_add(&g->homes, seat->node->home_relay);
	}
}

static void hold(struct merge *g, struct entry entry)
{
	if (!bitset_has(&g->homes, entry.id))
		return;
	entry.held = entry.own = true;
	add(g, entry);
}

static void hold_homes(struct merge *g, const struct relaymap *m)
{
	for (size_t i = 0; i < g->base_count; i++)
		hold(g, g->base[i]);
	for (size_t i = 0; i < g->leaving_count; i++)
		hold(g, g->leaving[i]);
	for (size_t i = 0; i < m->own_count; i++)
		hold(g, (struct entry){.id = m->own[i].id, .no_home = m->own[i].no_home, .text = body_bytes(m->own[i].text)});
}

/* ---- what is shown ---- */

static int by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void write_regions(struct jsonw *w, const struct merge *g)
{
	jsonw_object(w, "Regions");
	for (size_t i = 0; i < g->count; i++) {
		char id[U64_DIGITS_MAX];
		jsonw_key(w, bytes_of(id, text_put_u64(id, g->list[i].id)));
		jsonw_raw(w, NULL, g->list[i].text);
	}
	jsonw_object_end(w);
}

/* Those of the installation, but of regions that are to be left our own. */
static void write_scores(struct jsonw *w, const struct merge *g)
{
	const struct json *params = hujson_find(&g->installation, "HomeParams"), *scores = NULL;
	if (params && params->kind == JSON_OBJECT)
		scores = hujson_find(params, "RegionScore");
	jsonw_object(w, "HomeParams");
	jsonw_object(w, "RegionScore");
	for (size_t i = 0; i < g->count; i++) {
		const struct json *score = NULL;
		char id[U64_DIGITS_MAX + 1];
		id[text_put_u64(id, g->list[i].id)] = 0;
		if (scores && scores->kind == JSON_OBJECT)
			score = hujson_find(scores, id);
		if (g->list[i].held)
			jsonw_uint(w, id, SCORE_HELD);
		else if (score && !g->list[i].own)
			jsonw_raw(w, id, hujson_compact(g->arena, score));
	}
	jsonw_object_end(w);
	jsonw_object_end(w);
}

static enum err write_map(const struct merge *g, bool scored, struct buffer *text)
{
	struct jsonw w;
	jsonw_start(&w, text);
	jsonw_object(&w, NULL);
	if (scored || hujson_find(&g->installation, "HomeParams"))
		write_scores(&w, g);
	write_regions(&w, g);
	for (size_t i = 0; i < g->installation.count; i++) {
		const struct json_member *member = &g->installation.members[i];
		if (bytes_equal_text(member->name, "Regions") || bytes_equal_text(member->name, "Leaving") || bytes_equal_text(member->name, "HomeParams"))
			continue;
		jsonw_key(&w, member->name);
		jsonw_raw(&w, NULL, hujson_compact(g->arena, &member->value));
	}
	jsonw_object_end(&w);
	return jsonw_end(&w);
}

static void remember_own(struct relaymap *m, const struct merge *g)
{
	struct relaymap_region *own = x_zalloc((g->count + 1) * sizeof *own);
	size_t count = 0, held = 0;
	for (size_t i = 0; i < g->count; i++) {
		if (!g->list[i].own)
			continue;
		own[count++] = (struct relaymap_region){g->list[i].id, g->list[i].no_home, body_new(g->list[i].text)};
		held += g->list[i].held;
	}
	forget_own(m);
	m->own = own;
	m->own_count = count;
	m->held = held;
}

/* Takes the body. */
static void show(struct relaymap *m, struct body *body, uint64_t version)
{
	bool same = m->shown && bytes_equal(body_bytes(m->shown), body_bytes(body));
	body_drop(&m->shown);
	m->shown = body;
	if (!same)
		m->moved = version;
}

static void merge(struct relaymap *m, const struct snapshot *s, const struct derp_section *derp)
{
	struct merge g = {.arena = arena_new()};
	struct buffer text;
	bool scored = m->scored;
	buffer_init(&text, TEXT_MAX);
	bitset_init(&g.in);
	bitset_init(&g.homes);
	find_homes(&g, s);
	read_installation(&g, s);
	g.list = ARENA_ARRAY(g.arena, struct entry, g.base_count + g.leaving_count + m->own_count + (derp ? derp->region_count : 0) + 1);
	want(&g, derp);
	hold_homes(&g, m);
	qsort(g.list, g.count, sizeof *g.list, by_id);
	/* Past the cap of a text the installation's map is shown. */
	for (size_t i = 0; i < g.count; i++)
		scored |= g.list[i].held;
	if (write_map(&g, scored, &text) == ERR_NONE)
		show(m, body_new(buffer_bytes(&text)), s->version);
	else
		show(m, body_take(s->relays), s->version);
	m->scored = scored;
	remember_own(m, &g);
	bitset_clear(&g.in);
	bitset_clear(&g.homes);
	buffer_clear(&text);
	arena_free(&g.arena);
}

void relaymap_follow(struct relaymap *m, const struct snapshot *s, const struct document *document, uint64_t read)
{
	const struct derp_section *derp = document ? document->derp : NULL;
	if (!s->relays || (m->of == s->relays && m->read == read && !m->held))
		return;
	if (derp || m->own_count || m->scored || memmem(body_bytes(s->relays).at, body_bytes(s->relays).len, "\"Leaving\":", 10))
		merge(m, s, derp);
	else
		show(m, body_take(s->relays), s->version);
	body_take(s->relays);
	body_drop(&m->of);
	m->of = s->relays;
	m->read = read;
}
