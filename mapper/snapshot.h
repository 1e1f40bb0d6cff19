/* One tailnet in memory: its nodes in dense slots, its users, settings and relay map, and what moved when. Pure: no I/O, no clock.
 * Not who sees whom (class.h), not what a stream was told (stream.h).
 * The keeper owns it and everything in it; nodes and profiles handed out are borrowed until the next change.
 *
 * Changes gather under the version to come; snapshot_close makes it the present one. A row is compared with the one it replaces, and only
 * what really differs moves. The slot of a removed node rests until snapshot_settle says that nobody can still be told of it. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "body.h"
#include "census.h"
#include "change.h"
#include "journal.h"
#include "moves.h"
#include "ring.h"
#include "seatfacts.h"

enum { SLOT_NONE = UINT32_MAX, SEGMENT_SLOTS = 64 };

struct seat {
	struct node *node;      /* NULL: empty or resting. Its hostinfo is already cut for peers. */
	struct node *ghost;     /* of a resting seat: the row as it was, while the node has streams that must be told */
	uint64_t id;            /* of the node, also while it rests */
	uint64_t gone;          /* version at which it went; 0: not resting */
	uint64_t hostinfo_hash; /* of the row's text, to skip cutting it again */
	uint32_t subscribed;    /* own live map streams of this node */
	uint32_t pending;       /* facets moved in the version to come */
	bool online, expired;
	uint16_t messages; /* enum message, ored: what its own client is told to show */
	bool doubtful;     /* online only because nothing contrary is known yet (keeper) */
	struct seatfacts *facts;
};

struct profile {
	uint64_t id;
	struct bytes login_name, display_name, picture_url;
	struct user user; /* name, email, roles and outer groups */
};

/* Versions at which something of the 64 slots of a segment moved last. */
struct segment {
	uint64_t peers, profiles;
};

struct snapshot {
	uint64_t id;      /* of the tailnet */
	uint64_t version; /* the present one; 0: nothing was loaded yet */
	bool pending;     /* something moved since */
	uint32_t moved;   /* slots that moved since */
	struct seat *seats;
	uint32_t seat_count, seat_room;
	uint32_t node_count;
	struct segment *segments; /* seat_room / SEGMENT_SLOTS */
	struct table *slots;      /* node id -> slot + 1 */
	struct table *users;      /* user id -> struct profile */
	struct bytes domain, display_name, notice;
	struct features {
		bool file_sharing, ssh, auto_update, random_client_port, client_logs;
		int64_t key_lifetime_ms; /* 0: for ever */
	} features;
	bool suspended;          /* its nodes see nobody */
	struct body *dns[2];     /* DNSConfig as JSON text: for readers that do not know UseWithExitNode, and for those that do */
	struct body *relays;     /* DERPMap as JSON text; NULL before the first reading */
	uint64_t settings_moved; /* version */
	struct body *policy;     /* its text; NULL: none */
	struct bytes *domains;   /* one block */
	size_t domain_count;
	struct moves replaced; /* slots whose row took the place of another: who borrows rows looks here */
	uint64_t policy_moved; /* version: text, domains, outer groups */
	uint64_t roll_moved;   /* version: anything that a policy sees */
	uint64_t
		roll_anew; /* version: of that, what is not the policy's text, nor the row of a node that came, went or changed, nor a user that came or changed */
	struct moves rolled;  /* slots of those nodes, and of the nodes of such users */
	uint64_t users_moved; /* version: users came, or have other rows */
	struct wall next_due; /* when time alone moves a node next: its key expires, or soon will; WALL_ZERO: never */
	struct ring ring;
	uint32_t *empty, *resting; /* slots */
	uint32_t empty_count, resting_count;
};

struct snapshot *snapshot_new(uint64_t tailnet, size_t history); /* history: most ring entries */
void snapshot_free(struct snapshot **snapshot);

/* All rows as they stand: what differs moves, what is not there goes. */
void snapshot_load(struct snapshot *s, const struct census *census, struct wall now);
/* The rows that journal lines name. */
void snapshot_apply(struct snapshot *s, const struct journal_read *read, struct wall now);
/* The tailnet is gone, and all nodes with it. */
void snapshot_remove_all(struct snapshot *s);
/* Marks nodes whose key has run out by now, or soon will. Cheap when there is none. */
void snapshot_expire(struct snapshot *s, struct wall now);
void snapshot_set_online(struct snapshot *s, uint32_t slot, bool online);
void snapshot_set_relays(struct snapshot *s, struct body *relays); /* takes a reference; equal bytes move nothing */
/* The present version, after what gathered became part of it. */
uint64_t snapshot_close(struct snapshot *s);
/* Slots that rest since `floor` or longer may be used again: no stream stands before it. */
void snapshot_settle(struct snapshot *s, uint64_t floor);

uint32_t snapshot_find(const struct snapshot *s, uint64_t node);              /* SLOT_NONE when it is not there now */
const struct profile *snapshot_user(const struct snapshot *s, uint64_t user); /* NULL when absent */
static inline const struct node *snapshot_node(const struct snapshot *s, uint32_t slot)
{
	return slot < s->seat_count ? s->seats[slot].node : NULL;
}
/* Whether a node takes part: others see it, and it sees them. */
static inline bool snapshot_admits(const struct snapshot *s, const struct node *node)
{
	return node && node->approved && !s->suspended;
}
static inline uint32_t snapshot_segments(const struct snapshot *s)
{
	return (s->seat_count + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS;
}

#endif
