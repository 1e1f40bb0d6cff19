#include "roundtrip.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay.h"
#include "relayclient.h"
#include "self.h"

enum { PATIENCE_MS = 2000, GOOD_MS = 1000, ASKED_MAX = 256 };

struct asked {
	roundtrip_fn on_answer;
	void *context;
};

struct roundtrip {
	struct loop *loop;
	const struct relay *relay;
	struct relayclient *client;
	const struct probekey *key;
	unsigned round;
	uint8_t packet[DERPFRAME_PING_LEN];
	uint64_t begun_us;
	struct timer patience;
	struct asked asked[ASKED_MAX];
	size_t asked_count;
	struct mono known; /* .ms 0: nothing is */
	bool good;
	char text[192];
};

static const char *const stages[] = {
	[RELAYCLIENT_DIALING] = "listen.relay cannot be dialed",
	[RELAYCLIENT_SECURING] = "TLS",
	[RELAYCLIENT_ASKING] = "the upgrade to DERP",
	[RELAYCLIENT_PROVING] = "DERP's handshake",
	[RELAYCLIENT_READY] = "the packet to itself",
};

static void settle(struct roundtrip *t, bool good)
{
	size_t count = t->asked_count;
	struct asked asked[ASKED_MAX];
	memcpy(asked, t->asked, count * sizeof *asked);
	t->asked_count = 0;
	t->good = good;
	t->known = loop_now(t->loop);
	timer_cancel(&t->patience);
	relayclient_close(&t->client);
	for (size_t i = 0; i < count; i++)
		asked[i].on_answer(asked[i].context, good, t->text);
}

static void fail(struct roundtrip *t, const char *why)
{
	enum relayclient_stage stage = relayclient_stage(t->client);
	bool shut = stage == RELAYCLIENT_DIALING || atomic_load(&t->relay->shut);
	if (shut && atomic_load(&t->relay->draining))
		snprintf(t->text, sizeof t->text, "it drains: its doors are shut");
	else
		snprintf(t->text, sizeof t->text, "%s: %s", stages[stage], why);
	settle(t, false);
}

static void on_ready(void *context)
{
	struct roundtrip *t = context;
	if (memcmp(relayclient_relay(t->client)->raw, t->relay->public_key.raw, KEY_LEN) != 0) {
		fail(t, "another relay answers there");
		return;
	}
	relayclient_send(t->client, &t->key->node, bytes_of(t->packet, sizeof t->packet));
}

static void on_packet(void *context, const struct node_key *from, struct bytes packet)
{
	struct roundtrip *t = context;
	if (memcmp(from->raw, t->key->node.raw, KEY_LEN) != 0 || !bytes_equal(packet, bytes_of(t->packet, sizeof t->packet)))
		return;
	snprintf(t->text, sizeof t->text, "a packet to itself came back, %.1f ms after dialing%s", (double)(clock_mono_us() - t->begun_us) / 1000,
		 atomic_load(&t->relay->draining) ? "; it drains" : "");
	settle(t, true);
}

static void on_end(void *context, const char *why)
{
	fail(context, why);
}

static const struct relayclient_events events = {.on_ready = on_ready, .on_packet = on_packet, .on_end = on_end};

static void on_patience(void *context)
{
	fail(context, "nothing within 2 s");
}

static void begin(struct roundtrip *t)
{
	struct outward_wish wish;
	self_wish(t->relay, &wish);
	t->key = &t->relay->probes.key[PROBEKEYS_OWN + t->round++ % (PROBEKEYS_COUNT - PROBEKEYS_OWN)];
	random_fill(t->packet, sizeof t->packet);
	t->begun_us = clock_mono_us();
	t->client = relayclient_open(t->loop, &wish, t->key, &events, t);
	if (t->client) {
		timer_set(&t->patience, PATIENCE_MS);
		return;
	}
	snprintf(t->text, sizeof t->text, "no TLS can be had");
	settle(t, false);
}

void roundtrip_ask(struct roundtrip *t, roundtrip_fn on_answer, void *context)
{
	if (!t->client && t->known.ms && loop_now(t->loop).ms - t->known.ms < GOOD_MS) {
		on_answer(context, t->good, t->text);
		return;
	}
	if (t->asked_count == ASKED_MAX) {
		on_answer(context, false, "too many ask");
		return;
	}
	t->asked[t->asked_count++] = (struct asked){on_answer, context};
	if (!t->client)
		begin(t);
}

struct roundtrip *roundtrip_new(struct loop *loop, const struct relay *relay)
{
	struct roundtrip *t = x_zalloc(sizeof *t);
	t->loop = loop;
	t->relay = relay;
	t->round = (unsigned)random_number();
	timer_init(&t->patience, loop, on_patience, t);
	return t;
}

void roundtrip_free(struct roundtrip **roundtrip)
{
	struct roundtrip *t = *roundtrip;
	*roundtrip = NULL;
	if (!t)
		return;
	snprintf(t->text, sizeof t->text, "the process ends");
	settle(t, false);
	free(t);
}
