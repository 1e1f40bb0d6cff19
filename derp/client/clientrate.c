#include "clientparts.h"
#include "metrics_relay.h"

enum { THIRST_MOST_MS = 1000 /* after which it is seen whether the rate has changed */ };

/* ---- which rate ---- */

static uint64_t lower(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static struct rate rate_of(const struct client *c)
{
	struct rate own = rates_now(&c->shard->relay->rates), shared = purse_rate(&c->share);
	return (struct rate){lower(own.per_second, shared.per_second), lower(own.burst, shared.burst)};
}

/* Another number when that has changed. */
static unsigned changes_of(const struct client *c)
{
	return rates_changes(&c->shard->relay->rates) + purse_changes(&c->share);
}

enum err client_encode_info(struct client *c, struct buffer *out)
{
	/* In this order: a change in between is told again. */
	c->limits_told = changes_of(c);
	struct rate rate = rate_of(c);
	return derpframe_encode_server_limits(&c->shard->relay->key, &c->key, rate.per_second, rate.burst, out);
}

static void tell_limits(struct client *c)
{
	if (!client_encode_info(c, &c->control))
		c->control_frames++, client_want_flush(c);
}

void client_take_standing(struct client *c)
{
	struct shard *s = c->shard;
	if (c->mesh)
		return;
	struct standing standing = verify_standing(s->verify, &c->key);
	bool moved = purse_join(&c->share, s->relay->purses, standing.tailnet, standing.rate, s->index, loop_now(s->loop));
	if (moved && c->state == CLIENT_LIVE)
		tell_limits(c);
}

/* ---- waiting ---- */

void client_on_thirst_over(void *context)
{
	struct client *c = context;
	pipe_read_resume(c->pipe);
	pipe_kick(c->pipe);
}

bool client_must_wait(struct client *c, uint32_t len)
{
	struct mono now = loop_now(c->shard->loop);
	if (c->mesh)
		return false;
	if (c->limits_told != changes_of(c))
		tell_limits(c);
	int64_t wait_ms = 0;
	if (!c->paid) {
		wait_ms = rates_take(&c->shard->relay->rates, &c->allowance, len, now);
		c->paid = !wait_ms;
		c->wait_counted &= !c->paid;
	}
	if (c->paid && !c->shared) {
		wait_ms = purse_take(&c->share, len, now);
		c->shared = !wait_ms;
	}
	if (!wait_ms)
		return false;
	relay_count(c->paid ? RELAY_TAILNET_WAITS : RELAY_RATE_WAITS, !c->wait_counted);
	c->wait_counted = true;
	pipe_read_pause(c->pipe);
	timer_set(&c->thirst, wait_ms < THIRST_MOST_MS ? wait_ms : THIRST_MOST_MS);
	return true;
}
