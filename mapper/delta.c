#include "delta.h"

#include <stdlib.h>

enum {
	/* A patch can say these. */
	PATCHABLE = FACET_KEY | FACET_EXPIRY | FACET_ENDPOINTS | FACET_RELAY | FACET_DISCO | FACET_ONLINE | FACET_SEEN | FACET_CAPVER,
	OF_PEER = PATCHABLE | FACET_PEER | FACET_PROFILE,
};

void delta_init(struct delta *d)
{
	*d = (struct delta){0};
}

void delta_clear(struct delta *d)
{
	free(d->peers);
	free(d->gone);
	free(d->facets);
	bitset_clear(&d->moved);
	bitset_clear(&d->reshown);
	bitset_clear(&d->was);
	delta_init(d);
}

static void delta_remove(struct delta *d, uint32_t slot, uint64_t id)
{
	if (d->gone_count == d->gone_room) {
		d->gone_room = d->gone_room ? d->gone_room * 2 : 16;
		d->gone = x_realloc(d->gone, d->gone_room * sizeof *d->gone);
	}
	d->gone[d->gone_count++] = (struct delta_gone){slot, id};
}

static void delta_tell(struct delta *d, uint32_t slot, unsigned facets, bool added)
{
	if (d->peer_count == d->peer_room) {
		d->peer_room = d->peer_room ? d->peer_room * 2 : 16;
		d->peers = x_realloc(d->peers, d->peer_room * sizeof *d->peers);
	}
	d->peers[d->peer_count++] = (struct delta_peer){.slot = slot, .facets = (uint16_t)facets, .whole = added || facets & FACET_PEER, .added = added};
}

static void start(struct delta *d, const struct snapshot *s)
{
	d->peer_count = d->gone_count = 0;
	for (size_t i = 0; i < d->moved.count; i++)
		d->moved.words[i] = 0;
	for (size_t i = 0; i < d->reshown.count; i++)
		d->reshown.words[i] = 0;
	if (d->facet_room < s->seat_count) {
		d->facet_room = s->seat_room;
		d->facets = x_realloc(d->facets, d->facet_room * sizeof *d->facets);
	}
}

static void add_moved(struct delta *d, uint32_t slot)
{
	if (bitset_has(&d->moved, slot))
		return;
	bitset_add(&d->moved, slot);
	d->facets[slot] = 0;
}

static void gather(struct delta *d, const struct snapshot *s, uint64_t version)
{
	RING_EACH(&s->ring, entry, version) {
		add_moved(d, entry->slot);
		d->facets[entry->slot] |= (uint16_t)entry->facets;
	}
}

static void judge(struct delta *d, const struct snapshot *s, const struct view *now, uint32_t slot)
{
	bool was = bitset_has(&d->was, slot), is = bitset_has(&now->row, slot);
	add_moved(d, slot);
	unsigned facets = (delta_facets(d, slot) & OF_PEER) | (bitset_has(&d->reshown, slot) ? FACET_PEER : 0);
	if (was && !is)
		delta_remove(d, slot, s->seats[slot].id);
	else if (is && !was)
		delta_tell(d, slot, FACETS_ALL, true);
	else if (is && facets)
		delta_tell(d, slot, facets, false);
}

enum err delta_compute(struct delta *d, const struct snapshot *s, const struct view *told, uint64_t version, const struct view *now)
{
	if (version && !ring_reaches(&s->ring, version))
		return ERR_NO_HISTORY;
	enum err e = view_at(told, version, &d->was);
	if (e)
		return e;
	start(d, s);
	d->since = version;
	if ((e = view_reshown(told, version, now, s, &d->reshown)))
		return e;
	if (version)
		gather(d, s, version);
	for (uint32_t word = 0; word < snapshot_segments(s); word++) {
		uint64_t look = (bitset_word(&d->was, word) ^ bitset_word(&now->row, word)) | bitset_word(&d->moved, word) | bitset_word(&d->reshown, word);
		for (; look; look &= look - 1)
			judge(d, s, now, word * 64 + (uint32_t)__builtin_ctzll(look));
	}
	d->sections = (s->settings_moved > version ? SECTION_SETTINGS : 0) | (now->rules->relays.moved > version ? SECTION_RELAYS : 0);
	return ERR_NONE;
}
