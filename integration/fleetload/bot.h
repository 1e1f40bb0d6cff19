/* One simulated client: connect, upgrade, Noise, HTTP/2, register with an auth key, one map stream, lite updates. Public protocol only, so that it drives any control server.
 * Not a model of a tailnet (observer.h) and not a scenario. Identities derive from the seed and the number.
 * The fleet owns its bots; callbacks come on the loop. */
#ifndef BOT_H
#define BOT_H

#include "key.h"
#include "noise.h"
#include "pipe.h"

enum bot_state { BOT_IDLE, BOT_CONNECTING, BOT_REGISTERING, BOT_POLLING, BOT_SERVED, BOT_FAILED };

/* What a bot is served when it has: a Noise session; a registration; the first frame of its map stream. */
enum bot_goal { BOT_HANDSHAKE, BOT_REGISTER, BOT_MAP };

enum { BOT_NAME_MAX = 16 };

struct bot;
struct nghttp2_session;

struct bot_events {
	void (*on_served)(void *context, struct bot *b); /* its goal is reached */
	/* One frame of the map stream: wire bytes with its length, and its content as it lies in the stream (compressed). first: of this stream. */
	void (*on_frame)(void *context, struct bot *b, struct bytes frame, bool first);
	void (*on_reported)(void *context, struct bot *b); /* a lite update was answered */
	void (*on_failed)(void *context, struct bot *b, const char *why);
};

/* What all bots of a run share. */
struct bot_target {
	struct loop *loop;
	const struct endpoint *servers;
	size_t server_count;
	struct public_key server_key;
	uint16_t capver;
	const char *const *auth_keys; /* bot i has number i modulo their count */
	size_t auth_key_count;
	enum bot_goal goal;
	uint64_t seed;
	const struct bot_events *events;
	void *context;
};

struct bot {
	const struct bot_target *target;
	unsigned number;
	enum bot_state state;
	struct private_key machine, node;
	struct public_key node_public;
	struct pipe *pipe;
	struct noise_dial dial;
	struct noise noise;
	struct nghttp2_session *h2;
	struct buffer plain, frame, answer; /* opened records; a part of a frame; a short answer */
	int32_t register_stream, map_stream, report_stream;
	struct defer flush;
	bool upgraded, heard, told, report_waits;
	bool registered;          /* polls without registering; survives bot_stop */
	char name[BOT_NAME_MAX];  /* its host name */
	struct endpoint endpoint; /* what it says of itself */
	uint64_t wire_bytes;      /* received inside TCP, once upgraded */
	uint64_t started_us, served_us;
};

void bot_init(struct bot *b, const struct bot_target *target, unsigned number);
void bot_start(struct bot *b); /* up to a served map stream */
void bot_stop(struct bot *b);  /* closes at once, as a killed client would */
/* A lite update that tells `endpoint`. One is in flight at a time; a newer one replaces one that waits. */
void bot_report(struct bot *b, struct endpoint endpoint);

#endif
