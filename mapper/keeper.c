#include "keeper.h"

#include <assert.h>
#include <stdlib.h>

#include "chunk.h"
#include "gather.h"
#include "log.h"

enum {
	RETRY_LEAST_MS = 100,
	RETRY_MOST_MS = 5000,   /* as the re-check */
	READ_AHEAD_MS = 10,     /* a reading takes some milliseconds */
	CHUNKS_IDLE_MS = 60000, /* storms of first maps are shorter */
	FLOOR_TICKS_MS = 5000   /* a slot rests so much longer than its last stream needs: "stands at" may still be under way */
};

static void read_start(struct keeper *k);
static void hurry(struct keeper *k);
static void on_tick(void *context);
static void on_retry(void *context);

struct keeper *keeper_new(struct intake *in, uint64_t tailnet)
{
	struct keeper *k = x_zalloc(sizeof *k);
	k->in = in;
	k->tailnet = tailnet;
	k->snapshot = snapshot_new(tailnet, (size_t)in->options->history);
	views_init(&k->views, (size_t)in->options->history);
	k->chunks = chunk_cache_new();
	list_init(&k->streams);
	list_init(&k->link);
	timer_init(&k->tick, in->loop, on_tick, k);
	timer_init(&k->retry, in->loop, on_retry, k);
	timer_init(&k->bell, in->loop, on_retry, k);
	k->idle_since = k->asked_since = loop_now(in->loop);
	metric_add(metric_keepers, 1);
	return k;
}

void keeper_free(struct keeper **keeper)
{
	struct keeper *k = *keeper;
	*keeper = NULL;
	if (!k)
		return;
	assert(!k->reading && list_empty(&k->streams));
	timer_cancel(&k->tick);
	timer_cancel(&k->retry);
	timer_cancel(&k->bell);
	presence_unfollow(k->in->presence, k->tailnet);
	metric_add(metric_keepers, -1);
	metric_add(metric_nodes, -(int64_t)k->nodes_counted);
	metric_add(metric_policies_unreadable, -k->closed);
	metric_add(metric_policies_partly, -k->partly);
	list_remove(&k->link);
	chunk_cache_free(&k->chunks);
	views_clear(&k->views);
	snapshot_free(&k->snapshot);
	relaychoice_clear(&k->relays);
	free(k);
}

/* ---- presence ---- */

static bool is_online(const struct keeper *k, uint32_t slot)
{
	struct seat *seat = &k->snapshot->seats[slot];
	if (seat->subscribed || presence_online(k->in->presence, k->tailnet, seat->id)) {
		seat->doubtful = false;
		return true;
	}
	if (seat->doubtful)
		return k->doubting;
	/* Absence means nothing while presence is not known. */
	return seat->online && !presence_certain(k->in->presence, k->tailnet);
}

static void look_online(struct keeper *k, uint32_t slot)
{
	snapshot_set_online(k->snapshot, slot, is_online(k, slot));
}

/* Whether absence from presence may mean no more than that everything was restarted: presence cannot tell, or this process is itself so young that
 * clients may not have come back yet. */
static bool is_doubtful(const struct keeper *k)
{
	return !k->certain || loop_now(k->in->loop).ms - k->in->started.ms < k->in->options->presence_grace_ms;
}

/* A keeper that starts in doubt does not call those offline who may be about to come back. */
static void doubt(struct keeper *k)
{
	k->certain = presence_certain(k->in->presence, k->tailnet);
	k->doubting = is_doubtful(k);
	k->doubt_until = (struct mono){loop_now(k->in->loop).ms + k->in->options->presence_grace_ms};
	for (uint32_t slot = 0; slot < k->snapshot->seat_count && k->doubting; slot++)
		if (snapshot_node(k->snapshot, slot) && !wall_is_zero(snapshot_node(k->snapshot, slot)->first_polled)) {
			k->snapshot->seats[slot].doubtful = true;
			snapshot_set_online(k->snapshot, slot, true);
		}
}

static void look_all_online(struct keeper *k)
{
	for (uint32_t slot = 0; slot < k->snapshot->seat_count; slot++)
		if (snapshot_node(k->snapshot, slot))
			look_online(k, slot);
}

void keeper_presence(struct keeper *k, uint64_t node)
{
	uint32_t slot = k->counted ? snapshot_find(k->snapshot, node) : (uint32_t)SLOT_NONE;
	if (slot == SLOT_NONE)
		return;
	look_online(k, slot);
	keeper_touch(k);
}

void keeper_presence_known(struct keeper *k)
{
	k->known = true;
	keeper_touch(k);
}

/* What this tailnet sees of the installation's map. One in which nobody could be at home does not take the place of another,
 * unless there is no relay at all any more. */
static void set_relays(struct keeper *k)
{
	const struct census_relays *all = k->in->relays_census;
	struct buffer text;
	size_t homes, nodes = 0;
	if (!all)
		return;
	for (size_t i = 0; i < all->region_count; i++)
		nodes += all->regions[i].node_count;
	buffer_init(&text, 16 << 20);
	if (relaychoice_encode(&k->relays, k->tailnet, all->regions, all->region_count, &text, &homes)) {
		log_error(TAILNET(k->tailnet), "relay map not rendered", F_UINT("regions", all->region_count));
	} else if (homes || !k->snapshot->relays || !nodes) {
		struct body *body = bytes_equal(buffer_bytes(&text), body_bytes(k->in->relays)) ? body_take(k->in->relays) : body_new(buffer_bytes(&text));
		snapshot_set_relays(k->snapshot, body);
		body_drop(&body);
	} else {
		log_warning(TAILNET(k->tailnet), "the settings leave no relay region to be at home in: the map stays", F_UINT("regions", all->region_count));
	}
	buffer_clear(&text);
}

static void choose_relays(struct keeper *k, const struct settings *settings)
{
	if (settings && relaychoice_set(&k->relays, &settings->relays) && k->state == KEEPER_WARM)
		set_relays(k);
}

void keeper_relays(struct keeper *k)
{
	set_relays(k);
	keeper_touch(k);
}

/* ---- streams ---- */

void keeper_subscribe(struct keeper *k, struct gate_stream *gate)
{
	/* What its client did just now, registering say, must be in its first map: a reading must begin after this. With PostgreSQL away,
	 * what is known serves. */
	bool blind = k->counted && pg_trouble();
	struct stream *stream = stream_new(gate, blind ? k->reads_done : k->reads_begun + 1);
	list_append(&k->streams, &stream->link);
	k->stream_count++;
	k->asked_since = loop_now(k->in->loop);
	metric_add(metric_streams, 1);
	k->newcomers = true;
	if (blind)
		hurry(k);
	else
		read_start(k);
}

void keeper_unsubscribe(struct keeper *k, struct stream *stream)
{
	uint32_t slot = stream->slot;
	bool counts = slot != SLOT_NONE && !stream->gate->request.once;
	stream_free(&stream);
	metric_add(metric_streams, -1);
	if (!--k->stream_count)
		k->idle_since = loop_now(k->in->loop);
	if (!counts)
		return;
	k->snapshot->seats[slot].subscribed--;
	look_online(k, slot);
	keeper_touch(k);
}

/* Finds the nodes of streams whose reading came in. True: others wait on. */
static bool admit_streams(struct keeper *k)
{
	bool waiting = false;
	LIST_EACH(&k->streams, stream, struct stream, link) {
		if (stream->ended || stream->slot != SLOT_NONE)
			continue;
		if (stream->after > k->reads_done) {
			waiting = true;
			continue;
		}
		stream->slot = snapshot_find(k->snapshot, stream->gate->request.node);
		if (stream->slot == SLOT_NONE) {
			stream_end(stream, LINK_END_NO_NODE);
		} else if (!stream->gate->request.once) {
			k->snapshot->seats[stream->slot].subscribed++;
			look_online(k, stream->slot);
		}
	}
	return waiting;
}

static void end_all(struct keeper *k, enum link_end reason)
{
	LIST_EACH(&k->streams, stream, struct stream, link)
		stream_end(stream, reason);
}

/* ---- ticks ---- */

/* Or earlier, when one is set already. */
static void tick_within(struct keeper *k, int64_t ms)
{
	int64_t due = loop_now(k->in->loop).ms + ms;
	if (timer_is_set(&k->tick) && k->tick_due_ms <= due)
		return;
	k->tick_due_ms = due;
	timer_set(&k->tick, ms);
}

/* First maps do not wait until deltas are due. */
static void hurry(struct keeper *k)
{
	tick_within(k, k->in->options->tick_least_ms);
}

void keeper_touch(struct keeper *k)
{
	int64_t wait = k->deltas_due_ms - loop_now(k->in->loop).ms, least = k->in->options->tick_least_ms;
	k->deltas_wanted = true;
	tick_within(k, wait > least ? wait : least);
}

/* Another release may have taken what this one refuses, or domains and groups that it names are gone. */
static void look_at_lapses(struct keeper *k)
{
	const struct rules *rules = k->views.rules;
	const struct diag *first = &rules->lapses.first;
	bool partly = rules->state == RULES_COMPILED && rules->lapses.count;
	if (partly == k->partly)
		return;
	k->partly = partly;
	metric_add(metric_policies_partly, partly ? 1 : -1);
	if (partly)
		log_warning(TAILNET(k->tailnet), "policy would be refused today: what is not understood counts for nothing", F_TEXT("why", first->text),
			    F_UINT("line", first->line), F_UINT("faults", rules->lapses.count));
	else
		log_info(TAILNET(k->tailnet), "policy is understood again");
}

/* What it allows is not known, so nothing is. */
static void look_at_policy(struct keeper *k)
{
	const struct rules *rules = k->views.rules;
	bool closed = rules->state == RULES_CLOSED;
	look_at_lapses(k);
	if (closed == k->closed)
		return;
	k->closed = closed;
	metric_add(metric_policies_unreadable, closed ? 1 : -1);
	if (closed)
		log_error(TAILNET(k->tailnet), "policy cannot be read: nobody sees anybody", F_TEXT("why", rules->why.text));
	else
		log_info(TAILNET(k->tailnet), "policy can be read again");
}

static struct delivered deliver(struct keeper *k, bool deltas)
{
	snapshot_expire(k->snapshot, clock_wall());
	k->newcomers = admit_streams(k);
	snapshot_close(k->snapshot);
	views_follow(&k->views, k->snapshot);
	look_at_policy(k);
	metric_add(metric_nodes, (int64_t)k->snapshot->node_count - k->nodes_counted);
	k->nodes_counted = k->snapshot->node_count;
	return deliver_tick(&k->in->deliver, k->in->gate, k->snapshot, &k->views, k->chunks, &k->streams, deltas, clock_wall());
}

static void tick(struct keeper *k)
{
	uint64_t began = clock_mono_us();
	bool deltas = k->deltas_wanted && loop_now(k->in->loop).ms >= k->deltas_due_ms;
	struct delivered done = deliver(k, deltas);
	uint64_t cost = clock_mono_us() - began;
	metric_observe_us(metric_tick_seconds, cost);
	if (deltas) {
		struct gather_load load = {.frames = done.frames, .unsent = done.unsent, .cost_us = cost};
		k->deltas_due_ms = clock_mono().ms + gather_ms(k->in->options->tick_least_ms, k->in->options->tick_most_ms, &load);
		k->deltas_wanted = done.left;
	}
	k->newcomers = k->newcomers || done.left;
	if (done.left)
		hurry(k);
	if (k->deltas_wanted)
		keeper_touch(k);
}

/* The tailnet is no more: all its nodes have gone, and are told so. */
static void say_farewell(struct keeper *k)
{
	if (!k->snapshot->version)
		return;
	snapshot_remove_all(k->snapshot);
	deliver(k, true);
}

static void on_tick(void *context)
{
	struct keeper *k = context;
	if (k->state == KEEPER_GONE) {
		say_farewell(k);
		end_all(k, LINK_END_NO_TAILNET);
		return;
	}
	if (k->state == KEEPER_COLD) {
		if (!k->counted || !k->known || !k->in->relays)
			return;
		/* The first version: nobody was told anything before. */
		set_relays(k);
		doubt(k);
		look_all_online(k);
		k->state = KEEPER_WARM;
	}
	tick(k);
}

/* ---- readings ---- */

static void on_retry(void *context)
{
	read_start(context);
}

static void read_later(struct keeper *k)
{
	k->retry_ms = k->retry_ms ? k->retry_ms * 2 : RETRY_LEAST_MS;
	if (k->retry_ms > RETRY_MOST_MS)
		k->retry_ms = RETRY_MOST_MS;
	timer_set(&k->retry, k->retry_ms);
}

/* The end of a reading, however it went. */
static void read_done(struct keeper *k, enum err e)
{
	arena_free(&k->reading);
	if (e == ERR_CANCELED)
		return;
	k->reads_done = k->reads_begun;
	if (!e) {
		k->retry_ms = 0;
		if (k->again)
			read_start(k);
	} else if (e == ERR_NO_HISTORY) {
		k->census_wanted = true;
		k->reads_done = k->reads_begun - 1;
		read_start(k);
	} else if (e == ERR_NOT_FOUND) {
		k->state = KEEPER_GONE;
	} else {
		log_warning(TAILNET(k->tailnet), "not read", F_ERR(e));
		read_later(k);
	}
	if (k->newcomers)
		hurry(k);
	keeper_touch(k);
}

static void stands_at(struct keeper *k, uint64_t generation, uint64_t stamp)
{
	k->generation = generation;
	k->stamp = stamp;
}

static void on_census(void *context, enum err e, const struct census *census)
{
	struct keeper *k = context;
	if (!e) {
		snapshot_load(k->snapshot, census, clock_wall());
		choose_relays(k, &census->settings);
		stands_at(k, census->generation, census->stamp);
		k->counted = true;
		k->census_wanted = false;
		if (k->state == KEEPER_WARM)
			look_all_online(k);
		log_info(TAILNET(k->tailnet), "census taken", F_UINT("nodes", census->node_count), F_UINT("generation", census->generation));
	}
	read_done(k, e);
}

static void on_journal(void *context, enum err e, const struct journal_read *read)
{
	struct keeper *k = context;
	if (!e && read->tailnet_gone)
		e = ERR_NOT_FOUND;
	if (!e) {
		snapshot_apply(k->snapshot, read, clock_wall());
		choose_relays(k, read->tailnet ? read->settings : NULL);
		stands_at(k, read->generation, read->stamp);
		for (size_t i = 0; i < read->node_count && k->state == KEEPER_WARM; i++) {
			uint32_t slot = snapshot_find(k->snapshot, read->nodes[i].id);
			if (slot != SLOT_NONE)
				look_online(k, slot);
		}
	}
	read_done(k, e);
}

static void read_start(struct keeper *k)
{
	if (k->reading) {
		k->again = true;
		return;
	}
	if (k->state == KEEPER_GONE || k->in->draining)
		return;
	timer_cancel(&k->retry);
	timer_cancel(&k->bell);
	k->again = false;
	k->reads_begun++;
	k->reading = arena_new();
	if (!k->counted || k->census_wanted) {
		metric_add(metric_censuses, 1);
		census_take(k->in->pg, k->tailnet, k->reading, on_census, k);
	} else {
		metric_add(metric_journal_reads, 1);
		journal_since(k->in->pg, k->tailnet, k->generation, k->stamp, k->reading, on_journal, k);
	}
}

/* What is heard while deltas must wait is read shortly before they are due, once for all. */
void keeper_hear(struct keeper *k, uint64_t generation)
{
	int64_t wait = k->deltas_due_ms - loop_now(k->in->loop).ms - READ_AHEAD_MS;

	if (k->counted && generation <= k->generation)
		return;
	if (!k->counted || k->census_wanted || timer_is_set(&k->retry) || wait <= 0)
		read_start(k);
	else if (!timer_is_set(&k->bell))
		timer_set(&k->bell, wait);
}

/* ---- once a second ---- */

static uint64_t told_floor(const struct keeper *k)
{
	uint64_t floor = k->snapshot->version;
	LIST_EACH(&k->streams, stream, struct stream, link)
		if (stream->version && stream->version < floor)
			floor = stream->version;
	return floor;
}

/* Presence can tell again, or the time of doubt is over: who was kept online without proof is looked at. */
static void look_again(struct keeper *k, struct mono now)
{
	bool was = k->certain, over = k->doubting && now.ms >= k->doubt_until.ms;
	k->certain = presence_certain(k->in->presence, k->tailnet);
	if (was == k->certain && !over)
		return;
	k->doubting = k->doubting && !over;
	look_all_online(k);
	keeper_touch(k);
}

void keeper_housekeep(struct keeper *k, struct mono now)
{
	if (k->state != KEEPER_WARM)
		return;
	if (wall_passed(k->snapshot->next_due, clock_wall()))
		keeper_touch(k);
	look_again(k, now);
	if (k->snapshot->resting_count && now.ms - k->floor_at.ms >= FLOOR_TICKS_MS) {
		snapshot_settle(k->snapshot, k->floor);
		k->floor = told_floor(k);
		k->floor_at = now;
	}
	if (now.ms - k->asked_since.ms >= CHUNKS_IDLE_MS && chunk_cache_size(k->chunks))
		chunk_cache_forget(k->chunks);
	views_tidy(&k->views);
}
