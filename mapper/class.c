#include "class.h"

#include <assert.h>
#include <stdlib.h>

void views_init(struct views *v, size_t history)
{
	*v = (struct views){.history = history};
	for (unsigned kind = 0; kind < VIEW_COUNT; kind++)
		v->of[kind].kind = (enum view_kind)kind;
}

void views_clear(struct views *v)
{
	for (unsigned kind = 0; kind < VIEW_COUNT; kind++) {
		bitset_clear(&v->of[kind].row);
		free(v->of[kind].undo);
	}
	views_init(v, v->history);
}

/* Half of the history goes at a time, so that dropping is cheap on the average. */
static void forget_half(struct view *view)
{
	size_t half = view->undo_count / 2;
	assert(view->undo && half);
	view->oldest = view->undo[half - 1].version;
	/* A version goes wholly or stays wholly. */
	while (half < view->undo_count && view->undo[half].version == view->oldest)
		half++;
	memmove(view->undo, view->undo + half, (view->undo_count - half) * sizeof *view->undo);
	view->undo_count -= half;
}

static void undo_push(struct view *view, size_t history, uint64_t version, uint32_t word)
{
	const struct undo *last = view->undo_count ? &view->undo[view->undo_count - 1] : NULL;
	if (last && last->version == version && last->word == word)
		return;
	if (view->undo_count >= history && view->undo_count > 1)
		forget_half(view);
	if (view->undo_count == view->undo_room) {
		view->undo_room = view->undo_room ? view->undo_room * 2 : 4;
		view->undo = x_realloc(view->undo, view->undo_room * sizeof *view->undo);
	}
	assert(view->undo);
	view->undo[view->undo_count++] = (struct undo){version, bitset_word(&view->row, word), word};
}

static void view_set(struct views *v, enum view_kind kind, uint32_t slot, bool visible, uint64_t version)
{
	struct view *view = &v->of[kind];
	if (bitset_has(&view->row, slot) == visible)
		return;
	undo_push(view, v->history, version, slot / 64);
	if (visible)
		bitset_add(&view->row, slot);
	else
		bitset_remove(&view->row, slot);
}

static void judge(struct views *v, const struct snapshot *s, uint32_t slot)
{
	const struct node *node = snapshot_node(s, slot);
	view_set(v, VIEW_EVERYBODY, slot, snapshot_admits(s, node), s->version);
}

/* Nobody was told anything yet: the rows need no past. */
static void start(struct views *v, const struct snapshot *s)
{
	for (uint32_t slot = 0; slot < s->seat_count; slot++)
		judge(v, s, slot);
	for (unsigned kind = 0; kind < VIEW_COUNT; kind++) {
		v->of[kind].undo_count = 0;
		v->of[kind].oldest = s->version;
	}
}

void views_follow(struct views *v, const struct snapshot *s)
{
	if (v->version == s->version)
		return;
	if (!v->version) {
		start(v, s);
	} else if (ring_reaches(&s->ring, v->version)) {
		RING_EACH(&s->ring, entry, v->version)
			if (entry->facets & FACET_VISIBLE)
				judge(v, s, entry->slot);
	} else {
		for (uint32_t slot = 0; slot < s->seat_count; slot++)
			judge(v, s, slot);
	}
	v->version = s->version;
}

const struct view *view_of(const struct views *v, const struct snapshot *s, uint32_t slot)
{
	const struct node *node = snapshot_node(s, slot);
	return &v->of[snapshot_admits(s, node) ? VIEW_EVERYBODY : VIEW_NOBODY];
}

enum err view_at(const struct view *view, uint64_t version, struct bitset *row)
{
	if (!version) {
		for (size_t i = 0; i < row->count; i++)
			row->words[i] = 0;
		return ERR_NONE;
	}
	if (version < view->oldest)
		return ERR_NO_HISTORY;
	bitset_copy(row, &view->row);
	for (size_t i = view->undo_count; i && view->undo[i - 1].version > version; i--) {
		const struct undo *undo = &view->undo[i - 1];
		if (undo->word >= row->count)
			bitset_add(row, (size_t)undo->word * 64); /* makes room; the word is set below */
		row->words[undo->word] = undo->before;
	}
	return ERR_NONE;
}
