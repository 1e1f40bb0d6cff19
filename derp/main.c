/* fleetscale-derp: one relay of one region. Passes encrypted packets on between clients that cannot reach each other, answers STUN, and admits only
 * keys that a coordinator knows. */
#include "expiry.h"
#include "metrics_relay.h"
#include "roundtrip.h"
#include "shard.h"

static struct relay_options options;
static struct relay relay;
static struct roundtrip *roundtrip; /* of the main thread */

static enum err on_start(void *config, struct diag *why)
{
	return relay_open(&relay, config, why);
}

static enum err on_check(void *config, struct diag *why)
{
	return relay_check(config, why);
}

static enum err on_worker(struct worker *w, struct diag *why)
{
	return shard_open(&relay, w, daemon_worker_count(), why);
}

static enum err on_reload(const void *next, struct diag *why)
{
	return relay_may_reload(next, why);
}

static void on_reloaded(struct worker *w, const void *next)
{
	shard_reload(w->program, next);
}

static void on_drain(struct worker *w)
{
	shard_drain(w->program);
}

static void on_stop(struct worker *w)
{
	if (w->program)
		shard_close(w->program);
}

static void on_end(void *config)
{
	(void)config;
	relay_close(&relay);
}

static const char *not_ready(void)
{
	return relay_not_ready(&relay);
}

static void on_health(struct loop *loop, roundtrip_fn answer, void *context)
{
	if (!roundtrip)
		roundtrip = roundtrip_new(loop, &relay);
	roundtrip_ask(roundtrip, answer, context);
}

static void on_health_end(void)
{
	roundtrip_free(&roundtrip);
}

int main(int argc, char **argv)
{
	const struct daemon_spec spec = {
		.name = "fleetscale-derp",
		.options = relay_option_table,
		.config = &options,
		.metrics = relay_metrics,
		.on_start = on_start,
		.on_worker = on_worker,
		.on_drain = on_drain,
		.on_stop = on_stop,
		.on_end = on_end,
		.on_reload = on_reload,
		.on_reloaded = on_reloaded,
		.config_size = sizeof options,
		.on_check = on_check,
		.not_ready = not_ready,
		.on_health = on_health,
		.on_health_end = on_health_end,
	};
	metric_register(expiry_metrics);
	return daemon_main(argc, argv, &spec);
}
