/* A relay client from within: its state, and what the files that make it up share. For client*.c, recheck.c, room.c, rttlook.c, routing.c and tests alone.
 * client.c is its life, clientin.c what it says, clientout.c what it is sent, clientrate.c how fast it may send, clientmesh.c what makes it a
 * sibling; recheck.c asks about it again.
 * Not what others may do with a client (client.h).
 * A client belongs to its shard. */
#ifndef CLIENTPARTS_H
#define CLIENTPARTS_H

#include "shard.h"

/* Bytes on the wire, packets and their payload. */
struct given {
	uint32_t bytes, disco, other, payload;
};

/* Of a client that is a sibling. */
struct client_mesh {
	struct list link; /* mesh.accepted */
	struct client *client;
	uint8_t key[KEY_LEN];            /* which it has proven */
	uint16_t owed[RELAY_SHARDS_MAX]; /* shards that wait until it has heard their news */
	unsigned owed_count;
};

struct client {
	struct shard *shard;
	enum client_state state;
	struct list in_state;
	struct pipe *pipe;
	struct node_key key;
	uint64_t number;
	struct endpoint peer;
	struct verify_wait wait;
	struct member member;
	struct hearer hearer;

	struct packet *incoming; /* being read; filled up to incoming_len */
	uint32_t incoming_len;
	unsigned received, pace_mark; /* packets, modulo; loop_count_packets */
	uint64_t skip;                /* bytes of the current frame that nobody wants */

	struct queue disco, other;
	struct limit allowance;   /* of what it may send itself */
	struct purse_share share; /* of what its tailnet may send */
	unsigned limits_told;     /* which of the changes of its rate it knows */
	struct timer thirst;      /* set: the frame at hand waits until its client may send again */
	bool paid, shared;        /* for that frame, by itself and by its tailnet */
	bool wait_counted;        /* of that frame, for the one that is not paid */
	struct buffer control;    /* small frames of our own, before all packets */
	unsigned control_frames;  /* of them, not given yet */
	bool pong_waits;
	uint8_t tls; /* enum relay_tls */
	bool preferred, not_ideal, bridged, prober;
	struct client_mesh *mesh; /* a sibling, proven; NULL: it is none */
	bool watching;            /* it wants to know who is here */
	bool missed;              /* it could not hear all of the news */
	bool forwarded;           /* of the packet that is being read */
	bool unsure;              /* recheck_later */
	bool parting;             /* ends as soon as nothing waits for it */
	struct limit not_here;    /* answers that a peer is not here */
	struct list in_line;      /* room.line */
	size_t held;              /* beside the queues, as counted by the room */
	struct timer keep_alive, stall;
	int64_t keep_alive_ms;
	uint64_t given, taken;    /* bytes given to the pipe; of those, gone to the kernel when last looked */
	struct given last;        /* of those, the last write */
	struct mono moved, begun; /* when `taken` grew last; when it became live */
	struct defer flushing, ending;
};

/* A small frame of our own, before all packets; past the cap it is left out. */
void client_add_control(struct client *c, const uint8_t *frame, size_t len);
void client_want_flush(struct client *c); /* at the end of the turn */
void client_log_refused(struct client *c, const char *reason);
/* Queues it, takes it. */
void client_push(struct client *c, struct packet *packet);
void client_watch_for_stall(struct client *c);
/* Its rate (clientrate.c): how fast it may send, the lower of its own and its tailnet's. */
MUST_USE enum err client_encode_info(struct client *c, struct buffer *out); /* ServerInfo, which tells it; appended */
void client_take_standing(struct client *c);                                /* a coordinator may have said anew where it belongs */
/* A frame of `len` bytes begins: true when its client may not send it yet. Then nothing is read, so that the network holds the sender up; nothing is lost. */
bool client_must_wait(struct client *c, uint32_t len);
/* It ends: of the last write, what the kernel did not take. */
void client_count_lost(const struct client *c);
/* What timers, the pipe and the turn's end call; the context is the client. */
void client_on_turn_end(void *context);
void client_on_written(void *context);
void client_on_stall_tick(void *context);
void client_on_keep_alive(void *context);
void client_on_data(void *context, struct buffer *in);
void client_on_thirst_over(void *context); /* it may send again */
/* The head of a frame that only siblings may say. False: more bytes are needed. */
bool client_begin_mesh_frame(struct client *c, struct buffer *in, struct derpframe_header h);
/* It has proven that key, one of the mesh's. */
void client_begin_sibling(struct client *c, const uint8_t key[static KEY_LEN]);
void client_end_sibling(struct client *c); /* legal on one that is none */
void client_hear_on(struct client *c);     /* a sibling; asks for further news when few wait */
/* As siblings are told. */
uint8_t client_presence_flags(const struct client *c);

#endif
