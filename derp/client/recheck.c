#include "recheck.h"

#include "clientparts.h"

enum { TICK_MS = 50, BATCH = 128 };

void recheck_later(struct client *c)
{
	c->unsure = c->shard->rechecks.unsure = true;
}

static void ask(struct client *c)
{
	if (!list_empty(&c->wait.link) || c->mesh || probekeys_has(&c->shard->relay->probes, &c->key))
		return;
	/* That too many wait says nothing about it. */
	if (!verify_has_room(c->shard->verify, &c->key)) {
		recheck_later(c);
		return;
	}
	if (verify_ask(c->shard->verify, &c->key, c->peer.ip, &c->wait) == VERDICT_REFUSED) {
		client_log_refused(c, "not admitted any more");
		client_end(c, RELAY_END_REVOKED);
	}
}

void recheck_key(struct shard *s, const struct node_key *key)
{
	verify_doubt(s->verify, key);
	for (struct member *m = directory_first(s->directory, key), *next; m; m = next) {
		next = directory_after(m);
		ask(OWNER_OF(m, struct client, member));
	}
}

void recheck_unsure(struct shard *s)
{
	if (!s->rechecks.unsure)
		return;
	s->rechecks.unsure = false;
	LIST_EACH(&s->in_state[CLIENT_LIVE], c, struct client, in_state) {
		bool again = c->unsure;
		c->unsure = false;
		if (again)
			ask(c);
	}
}

static void on_tick(void *context)
{
	struct shard *s = context;
	for (unsigned i = 0; i < BATCH; i++) {
		struct client *c = clientwalk_next(&s->rechecks.walk);
		if (!c) {
			clientwalk_end(&s->rechecks.walk);
			return;
		}
		ask(c);
	}
	timer_set(&s->rechecks.tick, TICK_MS);
}

void recheck_all(struct shard *s)
{
	verify_doubt_all(s->verify);
	clientwalk_end(&s->rechecks.walk);
	clientwalk_begin(s, &s->rechecks.walk);
	timer_set(&s->rechecks.tick, 0);
}

void recheck_open(struct shard *s)
{
	timer_init(&s->rechecks.tick, s->loop, on_tick, s);
}

void recheck_close(struct shard *s)
{
	timer_cancel(&s->rechecks.tick);
	clientwalk_end(&s->rechecks.walk);
}
