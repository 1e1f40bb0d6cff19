/* A client of another relay, or of this one, for as long as a probe lasts: it proves a key, says that it is a prober, sends and receives small packets.
 * Not a node: it is nobody's home and never reconnects. Not what is measured (pairprobe.h, roundtrip.h).
 * The user owns it. No event comes from within a call of its user; relayclient_close from within an event is legal. */
#ifndef RELAYCLIENT_H
#define RELAYCLIENT_H

#include "derpframe.h"
#include "outward.h"
#include "probekeys.h"

struct relayclient;

/* How far it came. */
enum relayclient_stage {
	RELAYCLIENT_DIALING,  /* name and TCP */
	RELAYCLIENT_SECURING, /* TLS */
	RELAYCLIENT_ASKING,   /* HTTP, until the relay's key came */
	RELAYCLIENT_PROVING,  /* its own key is said */
	RELAYCLIENT_READY     /* admitted */
};

struct relayclient_events {
	void (*on_ready)(void *context);
	void (*on_packet)(void *context, const struct node_key *from, struct bytes packet);
	/* The last event. */
	void (*on_end)(void *context, const char *why);
};

/* NULL: no TLS can be had. */
struct relayclient *relayclient_open(struct loop *loop, const struct outward_wish *wish, const struct probekey *key, const struct relayclient_events *events,
				     void *context);
void relayclient_close(struct relayclient **client); /* accepts NULL, leaves NULL */
enum relayclient_stage relayclient_stage(const struct relayclient *client);
/* From RELAYCLIENT_PROVING on. */
const struct node_key *relayclient_relay(const struct relayclient *client);
/* Where it dialed; IP_NONE while that is not known. */
struct endpoint relayclient_peer(const struct relayclient *client);
/* When ready. What cannot be written is lost. */
void relayclient_send(struct relayclient *client, const struct node_key *to, struct bytes packet);

#endif
