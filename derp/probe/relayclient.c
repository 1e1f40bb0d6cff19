#include "relayclient.h"

#include <stdio.h>
#include <stdlib.h>

#include "box.h"
#include "relaystream.h"

enum { OUT_CAP = 1 << 16, INFO_MAX = 4096 };

struct relayclient {
	struct loop *loop;
	struct probekey key;
	const struct relayclient_events *events;
	void *context;
	struct outward *outward;
	struct relaystream stream;
	struct node_key relay;
	bool connected, proving, ready, closed;
	struct defer ending;
};

static void on_freed(void *context)
{
	struct relayclient *c = context;
	key_wipe(&c->key, sizeof c->key);
	free(c);
}

void relayclient_close(struct relayclient **client)
{
	struct relayclient *c = *client;
	*client = NULL;
	if (!c)
		return;
	c->closed = true;
	outward_close(&c->outward);
	loop_defer(c->loop, &c->ending);
}

static void end(struct relayclient *c, const char *why)
{
	if (!c->closed)
		c->events->on_end(c->context, why);
}

enum relayclient_stage relayclient_stage(const struct relayclient *c)
{
	if (c->ready)
		return RELAYCLIENT_READY;
	if (c->proving)
		return RELAYCLIENT_PROVING;
	if (!c->connected)
		return RELAYCLIENT_DIALING;
	return outward_asked(c->outward) ? RELAYCLIENT_ASKING : RELAYCLIENT_SECURING;
}

const struct node_key *relayclient_relay(const struct relayclient *c)
{
	return &c->relay;
}

struct endpoint relayclient_peer(const struct relayclient *c)
{
	return outward_peer(c->outward);
}

/* ---- what comes ---- */

static const char *prove(struct relayclient *c, const struct node_key *relay)
{
	struct buffer out;
	buffer_init(&out, 1024);
	c->relay = *relay;
	c->proving = true;
	bool said = !derpframe_encode_prober_info(&c->key.secret, &c->key.public, relay, &out) && outward_say(c->outward, buffer_bytes(&out));
	buffer_clear(&out);
	return said ? NULL : "cannot write";
}

static const char *take_info(struct relayclient *c, struct bytes sealed)
{
	struct buffer plain;
	if (c->ready)
		return NULL; /* its limits have changed */
	buffer_init(&plain, INFO_MAX);
	enum err e = box_open(&c->key.secret, c->relay.raw, sealed, &plain);
	buffer_clear(&plain);
	if (e)
		return "does not speak as relays do";
	c->ready = true;
	c->events->on_ready(c->context);
	return NULL;
}

static const char *take_frame(struct relayclient *c, const struct relaystream_event *e)
{
	struct node_key from;
	if (e->type == DERPFRAME_SERVER_INFO)
		return take_info(c, e->payload);
	if (!c->ready)
		return "does not speak as relays do";
	if (e->type == DERPFRAME_RECV_PACKET && e->payload.len >= KEY_LEN) {
		memcpy(from.raw, e->payload.at, KEY_LEN);
		c->events->on_packet(c->context, &from, bytes_skip(e->payload, KEY_LEN));
	}
	return NULL;
}

static void on_data(void *context, struct buffer *in)
{
	struct relayclient *c = context;
	char reason[64];
	const char *why = NULL;
	while (!why && !c->closed) {
		struct relaystream_event e = relaystream_next(&c->stream, in);
		if (e.kind == RELAYSTREAM_MORE)
			return;
		if (e.kind == RELAYSTREAM_KEY)
			why = prove(c, &e.key);
		else if (e.kind == RELAYSTREAM_FRAME)
			why = take_frame(c, &e);
		else if (e.kind == RELAYSTREAM_BAD)
			snprintf(reason, sizeof reason, e.status > 1 ? "answered %u" : "does not speak as relays do", e.status), why = reason;
	}
	if (why)
		end(c, why);
}

static void on_connected(void *context)
{
	struct relayclient *c = context;
	c->connected = true;
}

static void on_written(void *context)
{
	(void)context;
}

static void on_end(void *context, const char *why)
{
	end(context, why);
}

static const struct outward_events events = {.on_connected = on_connected, .on_data = on_data, .on_written = on_written, .on_end = on_end};

/* ---- what is said ---- */

static void say(struct relayclient *c, struct bytes head, struct bytes body)
{
	struct buffer out;
	buffer_init(&out, OUT_CAP);
	if (!buffer_add(&out, head) && !buffer_add(&out, body))
		(void)!outward_say(c->outward, buffer_bytes(&out));
	buffer_clear(&out);
}

void relayclient_send(struct relayclient *c, const struct node_key *to, struct bytes packet)
{
	uint8_t head[DERPFRAME_HEADER_LEN + KEY_LEN];
	derpframe_encode(head, DERPFRAME_SEND_PACKET, (uint32_t)(KEY_LEN + packet.len));
	memcpy(head + DERPFRAME_HEADER_LEN, to->raw, KEY_LEN);
	say(c, bytes_of(head, sizeof head), packet);
}

struct relayclient *relayclient_open(struct loop *loop, const struct outward_wish *wish, const struct probekey *key, const struct relayclient_events *e,
				     void *context)
{
	struct relayclient *c = x_zalloc(sizeof *c);
	struct outward_wish w = *wish;
	w.out_cap = OUT_CAP;
	c->loop = loop;
	c->key = *key;
	c->events = e;
	c->context = context;
	defer_init(&c->ending, on_freed, c);
	c->outward = outward_open(loop, &w, &events, c);
	if (!c->outward) {
		on_freed(c);
		return NULL;
	}
	return c;
}
