/* One tailnet kept current: hear, catch up, gather, serve. Cold with its first subscription (census and presence), then the journal from where it stands.
 * Nothing is decided here that two keepers of one tailnet could decide differently.
 * The intake owns it; it owns its snapshot, views, chunks and streams. */
#ifndef KEEPER_H
#define KEEPER_H

#include "intake.h"
#include "relaychoice.h"

enum keeper_state {
	KEEPER_COLD, /* no census or no presence yet: streams wait */
	KEEPER_WARM,
	KEEPER_GONE /* the tailnet is no more: streams are turned away */
};

struct keeper {
	struct list link;
	struct intake *in;
	uint64_t tailnet;
	enum keeper_state state;
	struct snapshot *snapshot;
	struct views views;
	struct chunk_cache *chunks;
	struct list streams;
	size_t stream_count;
	uint64_t generation, stamp;
	bool counted; /* a census came in */
	bool known;   /* presence was read */
	bool census_wanted;
	bool again;                       /* something was heard while a reading was under way */
	struct arena *reading;            /* of the reading under way; NULL: none */
	uint64_t reads_begun, reads_done; /* numbers: a first map waits for one that began after its subscription */
	struct timer tick, retry, bell;
	int64_t retry_ms;
	struct mono idle_since, asked_since;
	bool doubting; /* some are shown online only because presence could not say otherwise yet */
	struct mono doubt_until;
	bool certain;   /* presence was, when it was looked at last */
	uint64_t floor; /* no stream stood before it at floor_at */
	struct mono floor_at;
	bool newcomers;        /* streams wait for their first map */
	bool deltas_wanted;    /* something may have moved */
	int64_t tick_due_ms;   /* when `tick` is set */
	int64_t deltas_due_ms; /* no deltas before (gather.h) */
	uint32_t nodes_counted;
	bool closed;               /* its policy cannot be read */
	bool partly;               /* some of it is not understood */
	struct relaychoice relays; /* as the settings say */
};

struct keeper *keeper_new(struct intake *in, uint64_t tailnet);
/* No reading may be under way (keeper_busy), no stream open. */
void keeper_free(struct keeper **keeper);
static inline bool keeper_busy(const struct keeper *k)
{
	return k->reading != NULL;
}

void keeper_subscribe(struct keeper *k, struct gate_stream *gate);
void keeper_unsubscribe(struct keeper *k, struct stream *stream);
/* The tailnet reached `generation`, as a bell or the re-check says. */
void keeper_hear(struct keeper *k, uint64_t generation);
void keeper_presence(struct keeper *k, uint64_t node); /* online(node) may differ */
void keeper_presence_known(struct keeper *k);
void keeper_relays(struct keeper *k); /* the relay map is another */
void keeper_touch(struct keeper *k);  /* something may have to be told: a tick comes */
/* Once a second: keys that run out, slots that rested, memory nobody asks for. */
void keeper_housekeep(struct keeper *k, struct mono now);

#endif
