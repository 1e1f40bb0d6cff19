#include "deliver.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"
#include "options.h"

void deliver_init(struct deliver *d)
{
	*d = (struct deliver){0};
	fullmap_init(&d->fullmap);
	render_init(&d->render);
	delta_init(&d->delta);
}

void deliver_clear(struct deliver *d)
{
	fullmap_clear(&d->fullmap);
	render_clear(&d->render);
	delta_clear(&d->delta);
	for (size_t i = 0; i < d->group_room; i++)
		free(d->groups[i].streams);
	free(d->groups);
	free(d->index);
	free(d->gates);
	free(d->gate_pieces);
}

/* ---- first maps ---- */

static void send_full(struct deliver *d, struct stream *stream, uint64_t version)
{
	const struct pieces *pieces = &d->fullmap.pieces;
	if (d->gate_piece_room < pieces->count) {
		d->gate_piece_room = pieces->count * 2;
		d->gate_pieces = x_realloc(d->gate_pieces, d->gate_piece_room * sizeof *d->gate_pieces);
	}
	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->list[i];
		d->gate_pieces[i] = (struct gate_piece){piece->body, piece->shared ? piece->name : NULL};
	}
	gate_send_full(stream->gate, version, d->gate_pieces, pieces->count);
}

static void deliver_first(struct deliver *d, const struct snapshot *s, struct class class, struct chunk_cache *chunks, struct stream *stream, struct wall now)
{
	const struct link_subscribe *request = &stream->gate->request;
	enum err e = fullmap_render(&d->fullmap, s, chunks, class, stream->slot, request->omit_peers, now);
	if (e) {
		log_error(NODE(request->tailnet, request->node), "full map not rendered", F_ERR(e));
		stream_end(stream, LINK_END_OVERLOADED);
		return;
	}
	send_full(d, stream, s->version);
	metric_add(metric_full_maps, 1);
	pieces_clear(&d->fullmap.pieces);
	stream_told(stream, class, s->version);
	if (request->once)
		stream_end(stream, LINK_END_DONE);
}

static void deliver_farewell(struct deliver *d, struct gate *gate, const struct snapshot *s, struct stream *stream)
{
	const struct node *ghost = s->seats[stream->slot].ghost;
	struct bytes body;
	if (stream->version && stream->gate->free && ghost && !render_farewell(&d->render, s, ghost, stream->class.zstd, &body))
		gate_send(gate, &stream->gate, 1, s->version, body);
	stream_end(stream, LINK_END_NO_NODE);
}

/* ---- deltas ---- */

static size_t hash_of(const struct view *told, uint64_t version, struct class class)
{
	uint64_t hash = (uintptr_t)told * UINT64_C(0x9e3779b97f4a7c15) ^ (uintptr_t) class.view;
	hash = (hash ^ version) * UINT64_C(0x9e3779b97f4a7c15) ^ ((uint64_t) class.band << 1 | class.zstd);
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash >> 32);
}

/* The place of a group with these marks, or the empty one where it belongs. */
static uint32_t *index_at(struct deliver *d, const struct view *told, uint64_t version, struct class class)
{
	assert(d->index);
	size_t mask = d->index_room - 1;
	for (size_t i = hash_of(told, version, class) & mask;; i = (i + 1) & mask) {
		const struct delivery *group = d->index[i] ? &d->groups[d->index[i] - 1] : NULL;
		if (!group || (group->version == version && group->told == told && class_equal(group->class, class)))
			return &d->index[i];
	}
}

static void groups_grow(struct deliver *d)
{
	size_t room = d->group_room ? d->group_room * 2 : 8;
	d->groups = x_realloc(d->groups, room * sizeof *d->groups);
	memset(d->groups + d->group_room, 0, (room - d->group_room) * sizeof *d->groups);
	d->group_room = room;
	d->index_room = room * 2;
	free(d->index);
	d->index = x_zalloc(d->index_room * sizeof *d->index);
	for (size_t i = 0; i < d->group_count; i++)
		*index_at(d, d->groups[i].told, d->groups[i].version, d->groups[i].class) = (uint32_t)i + 1;
}

static struct delivery *group_for(struct deliver *d, const struct stream *stream, struct class class)
{
	if (d->group_count == d->group_room)
		groups_grow(d);
	uint32_t *at = index_at(d, stream->class.view, stream->version, class);
	if (*at)
		return &d->groups[*at - 1];
	struct delivery *group = &d->groups[d->group_count++];
	*at = (uint32_t)d->group_count;
	group->told = stream->class.view;
	group->version = stream->version;
	group->class = class;
	group->count = 0;
	return group;
}

static void group_add(struct delivery *group, struct stream *stream)
{
	if (group->count == group->room) {
		group->room = group->room ? group->room * 2 : 16;
		group->streams = x_realloc(group->streams, group->room * sizeof(struct stream *));
	}
	group->streams[group->count++] = stream;
}

static void end_group(struct delivery *group, enum link_end reason)
{
	for (size_t i = 0; i < group->count; i++)
		stream_end(group->streams[i], reason);
}

/* Whether it must have a body of its own. */
static bool is_mover(const struct deliver *d, const struct delivery *group, const struct stream *stream)
{
	return delta_moved(&d->delta, stream->slot) || rules_moved(group->class.view->rules, stream->slot, group->version);
}

/* To those who did not move themselves: one body. */
static enum err tell_bystanders(struct deliver *d, struct gate *gate, const struct snapshot *s, struct delivery *group)
{
	struct bytes body = BYTES_NONE;
	size_t count = 0;
	if (d->gate_room < group->count) {
		d->gate_room = group->room;
		d->gates = x_realloc(d->gates, d->gate_room * sizeof(struct gate_stream *));
	}
	for (size_t i = 0; i < group->count; i++)
		if (!is_mover(d, group, group->streams[i]))
			d->gates[count++] = group->streams[i]->gate;
	if (!count)
		return ERR_NONE;
	enum err e = render_body(&d->render, SLOT_NONE, &body);
	if (e || !body.len)
		return e;
	gate_send(gate, d->gates, count, s->version, body);
	d->frames += count;
	metric_add(metric_deltas, (int64_t)count);
	metric_add(metric_bodies, 1);
	return ERR_NONE;
}

/* To each that moved itself: a body without it. */
static enum err tell_mover(struct deliver *d, struct gate *gate, const struct snapshot *s, struct stream *stream)
{
	struct bytes body;
	enum err e = render_body(&d->render, stream->slot, &body);
	if (e || !body.len)
		return e;
	gate_send(gate, &stream->gate, 1, s->version, body);
	d->frames++;
	metric_add(metric_deltas, 1);
	metric_add(metric_bodies, 1);
	return ERR_NONE;
}

static void deliver_group(struct deliver *d, struct gate *gate, const struct snapshot *s, struct delivery *group)
{
	enum err e = render_start(&d->render, s, &d->delta, group->class);
	e = e ? e : tell_bystanders(d, gate, s, group);
	for (size_t i = 0; i < group->count && !e; i++)
		if (is_mover(d, group, group->streams[i]))
			e = tell_mover(d, gate, s, group->streams[i]);
	if (e) {
		log_error(TAILNET(s->id), "delta not rendered", F_ERR(e));
		end_group(group, LINK_END_OVERLOADED);
		return;
	}
	for (size_t i = 0; i < group->count; i++)
		stream_told(group->streams[i], group->class, s->version);
}

static int by_told(const void *a, const void *b)
{
	const struct delivery *x = a, *y = b;
	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	if (x->told != y->told)
		return x->told < y->told ? -1 : 1;
	return (x->class.view > y->class.view) - (x->class.view < y->class.view);
}

static void deliver_groups(struct deliver *d, struct gate *gate, const struct snapshot *s)
{
	const struct delivery *before = NULL;
	enum err e = ERR_NONE;
	if (d->group_count > 1)
		qsort(d->groups, d->group_count, sizeof *d->groups, by_told);
	for (size_t i = 0; i < d->group_count; i++) {
		struct delivery *group = &d->groups[i];
		/* Bands and encodings share what is computed. */
		if (!before || by_told(before, group))
			e = delta_compute(&d->delta, s, group->told, group->version, group->class.view);
		before = group;
		if (e)
			end_group(group, LINK_END_MOVED);
		else
			deliver_group(d, gate, s, group);
	}
}

/* Has credit, at itself and on the way. */
static bool has_room(const struct stream *stream, struct delivered *done)
{
	if (!stream->gate->free)
		return false;
	size_t waiting = gate_unsent(stream->gate->peer);
	done->unsent = waiting > done->unsent ? waiting : done->unsent;
	if (waiting <= DELIVER_UNSENT_MAX)
		return true;
	done->left = true;
	return false;
}

struct delivered deliver_tick(struct deliver *d, struct gate *gate, const struct snapshot *s, const struct views *views, struct chunk_cache *chunks,
			      struct list *streams, bool deltas, struct wall now)
{
	struct delivered done = {0};
	uint64_t began = clock_mono_us();
	d->group_count = 0;
	if (d->index)
		memset(d->index, 0, d->index_room * sizeof *d->index);
	LIST_EACH(streams, stream, struct stream, link) {
		if (stream->ended || stream->slot == SLOT_NONE)
			continue;
		if (!snapshot_node(s, stream->slot)) {
			deliver_farewell(d, gate, s, stream);
			continue;
		}
		if (stream->version == s->version || (stream->version && !deltas) || !has_room(stream, &done))
			continue;
		struct class class = stream_class(stream, views, s);
		rules_look(views->rules, s, stream->slot);
		if (stream->version)
			group_add(group_for(d, stream, class), stream);
		else if (clock_mono_us() - began < DELIVER_FIRST_US)
			deliver_first(d, s, class, chunks, stream, now);
		else
			done.left = true;
	}
	d->frames = 0;
	deliver_groups(d, gate, s);
	done.frames = d->frames;
	return done;
}
