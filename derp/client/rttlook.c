#include "rttlook.h"

#include "clientparts.h"
#include "metrics_relay.h"

enum { ROUND_MS = 10000, TICKS = 100 };

static void begin_round(struct shard *s)
{
	struct rttlook *l = &s->rtts;
	size_t count = table_count(s->clients);
	l->ticks = count < TICKS ? (unsigned)count + !count : TICKS;
	l->most = (unsigned)((count + l->ticks - 1) / l->ticks);
	clientwalk_begin(s, &l->walk);
}

static void on_tick(void *context)
{
	struct shard *s = context;
	struct rttlook *l = &s->rtts;
	if (!clientwalk_goes(&l->walk))
		begin_round(s);
	for (unsigned i = 0; i < l->most; i++) {
		struct client *c = clientwalk_next(&l->walk);
		uint32_t us;
		if (!c) {
			clientwalk_end(&l->walk);
			break;
		}
		if (pipe_rtt_us(c->pipe, &us))
			relay_observe(RELAY_TCP_RTT, us);
	}
	if (!l->most)
		clientwalk_end(&l->walk);
	timer_set(&l->tick, ROUND_MS / l->ticks);
}

void rttlook_open(struct shard *s)
{
	timer_init(&s->rtts.tick, s->loop, on_tick, s);
	timer_set(&s->rtts.tick, 1 + (int64_t)(random_number() % ROUND_MS));
}

void rttlook_close(struct shard *s)
{
	timer_cancel(&s->rtts.tick);
	clientwalk_end(&s->rtts.walk);
}
