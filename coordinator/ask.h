/* Questions to a node and their answers, wherever its map stream is held: a PingRequest goes out on the stream, the answer comes in at any coordinator.
 * Not what is asked (routers.h, admin/own_ask.h).
 * The worker owns its asks; an answer's body is borrowed until the callback returns. Source: docs/protocol/ping.md (tailscale tailcfg PingRequest).
 *
 * Channels fs:ask (all workers) and fs:answer:NAME (who asked), sealed with the cluster's secret: who can only write Redis asks no client anything. */
#ifndef ASK_H
#define ASK_H

#include "coordinator.h"

struct ask_question {
	uint64_t tailnet, node;
	struct machine_key machine_key; /* the node's: an answer of another machine is none */
	const char *types;              /* "" is it alive; "c2n"; "disco", "TSMP", "ICMP", "peerapi" */
	struct ip target;               /* of a ping; IP_NONE otherwise */
	struct bytes payload;           /* c2n: an HTTP/1.1 request */
	int64_t timeout_ms;
};

struct asks *asks_new(struct coordinator *c);
void asks_free(struct asks **asks); /* who waits hears ERR_CANCELED */

/* Once, never before ask_node returned. ERR_TIMEOUT: no answer; ERR_UNAVAILABLE: Redis is away; ERR_EXHAUSTED: too many questions are open;
 * ERR_MALFORMED: the payload is too big. */
typedef void (*ask_fn)(void *context, enum err e, struct bytes body);
void ask_node(struct asks *asks, const struct ask_question *question, ask_fn on_answer, void *context);

/* HEAD, GET, POST /machine/ping-response/{id} inside Noise. */
void serve_answer(struct exchange *x);

#endif
