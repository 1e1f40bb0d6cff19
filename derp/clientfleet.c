#include "clientparts.h"
#include "metrics_relay.h"

enum { RECONNECT_MS = 100 /* told to clients of a relay that goes */ };

/* ---- asked again, and sent away ---- */

void client_ask_later(struct client *c)
{
	c->unsure = c->shard->life.unsure = true;
}

static void recheck(struct client *c)
{
	if (!list_empty(&c->wait.link) || c->mesh || probekeys_has(&c->shard->relay->probes, &c->key))
		return;
	/* That too many wait says nothing about it. */
	if (!verify_has_room(c->shard->verify, &c->key)) {
		client_ask_later(c);
		return;
	}
	if (verify_ask(c->shard->verify, &c->key, c->peer.ip, &c->wait) == VERDICT_REFUSED) {
		client_log_refused(c, "not admitted any more");
		client_end(c, RELAY_END_REVOKED);
	}
}

void client_recheck(struct shard *s, const struct node_key *key)
{
	verify_doubt(s->verify, key);
	for (struct member *m = directory_first(s->directory, key), *next; m; m = next) {
		next = directory_after(m);
		recheck(OWNER_OF(m, struct client, member));
	}
}

void client_recheck_unsure(struct shard *s)
{
	if (!s->life.unsure)
		return;
	s->life.unsure = false;
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		bool again = c->unsure;
		c->unsure = false;
		if (again)
			recheck(c);
	}
}

bool client_recheck_next(struct clientwalk *walk, unsigned most)
{
	while (most--) {
		struct client *c = clientwalk_next(walk);
		if (!c)
			return false;
		verify_doubt(c->shard->verify, &c->key);
		recheck(c);
	}
	return true;
}

void client_part_all(struct shard *s, int64_t spread_ms)
{
	LIST_EACH(&s->in_state[CLIENT_ASKING], c, struct client, in_state)
		client_end(c, RELAY_END_DRAIN);
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		uint8_t frame[DERPFRAME_RESTARTING_LEN];
		derpframe_encode_restarting(frame, RECONNECT_MS, (uint32_t)spread_ms);
		client_add_control(c, frame, sizeof frame);
		c->parting = true;
		timer_set(&c->keep_alive, 1 + (int64_t)(random_number() % (uint64_t)spread_ms));
	}
}

void client_end_all(struct shard *s)
{
	for (unsigned state = CLIENT_ASKING; state < CLIENT_ENDED; state++) {
		LIST_EACH(&s->in_state[state], c, struct client, in_state)
			client_end(c, s->closing ? RELAY_END_SHUTDOWN : RELAY_END_DRAIN);
	}
}
