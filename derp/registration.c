#include "registration.h"

#include <stdio.h>

#include "announce.h"
#include "jsonr.h"
#include "log.h"
#include "metrics_relay.h"
#include "prober.h"
#include "shard.h"

enum { TEXT_MAX = 256 };

/* What its own series do not say: which relay of which region it is, as far as coordinators have told. */
static void tell_what_it_is(const struct relay *r, const json_t *answer)
{
	const struct relay_options *o = r->options;
	int64_t id = jsonr_int(answer, "RegionID");
	struct bytes code = jsonr_text(answer, "RegionCode"), name = jsonr_text(answer, "Name");
	char region[TEXT_MAX], number[24] = "", relay[TEXT_MAX];
	snprintf(region, sizeof region, "%.*s", BYTES_ARG(code));
	snprintf(relay, sizeof relay, "%.*s", BYTES_ARG(name.len ? name : bytes_text(*o->relay_name ? o->relay_name : o->relay_hostname)));
	if (id > 0)
		snprintf(number, sizeof number, "%lld", (long long)id);
	metric_tell(&relay_metrics[RELAY_INFO], &(struct metric_told){(const char *const[]){region, number, relay, o->relay_hostname, FLEETSCALE_VERSION}, 1},
		    1);
}

static void on_taken(void *context, const json_t *answer)
{
	struct shard *s = context;
	tell_what_it_is(s->relay, answer);
	atomic_store(&s->relay->announced, true);
	atomic_store(&s->relay->refused, false);
	relaylife_heard(s, answer);
	if (s->prober)
		prober_heard(s->prober, answer);
}

static void on_refused(void *context)
{
	struct shard *s = context;
	atomic_store(&s->relay->refused, true);
	relaylife_refused(s);
}

static void write_announcement(void *context, struct buffer *out)
{
	struct shard *s = context;
	int homes = atomic_load(&s->relay->homes);
	s->relay->said.homes = homes > 0 ? (uint64_t)homes : 0;
	if (s->prober)
		prober_say(s->prober, &s->relay->said);
	if (announcement_encode(&s->relay->said, clock_mono(), out))
		log_error(SUBJECT("relay"), "what the relay says about itself is too long");
}

static void begin(struct shard *s)
{
	struct relay *r = s->relay;
	tell_what_it_is(r, NULL);
	const struct relay_options *o = r->options;
	r->said = (struct announcement){
		.name = o->relay_name,
		.host_name = o->relay_hostname,
		.ipv4 = o->relay_ipv4,
		.ipv6 = o->relay_ipv6,
		.cert_name = *r->own.pin ? r->own.pin : o->relay_cert_name,
		.relay_port = relay_told_port(r),
		.stun_port = r->stun_port.at.port ? r->stun_port.at.port : -1,
		.insecure_for_tests = o->relay_unsafe_self_signed,
		.can_port80 = r->port80.good,
		.instance = r->instance,
	};
	const struct announce_config config = {
		.loop = s->loop,
		.fetcher = s->fetcher,
		.coordinators = &r->coordinators,
		.token = o->relay_token,
		.write = write_announcement,
		.on_taken = on_taken,
		.on_refused = on_refused,
		.context = s,
	};
	s->announce = announce_new(&config);
}

static void on_port80_known(struct shard *s)
{
	s->relay->said.can_port80 = s->relay->port80.good;
	if (!s->announce)
		begin(s);
}

void registration_begin(struct shard *first)
{
	port80_watch(first, on_port80_known);
}

void registration_end(struct shard *first)
{
	announce_free(&first->announce);
	port80_stop(first);
}
