#include "shard.h"

#include <stdlib.h>

#include "bootstrap.h"
#include "handshake.h"
#include "metrics_relay.h"
#include "prober.h"
#include "registration.h"
#include "routes_relay.h"
#include "stundoor.h"

enum {
	REQUEST_MS = 30000, /* slow heads and idle keep-alive before the upgrade */
	ALLOWED_MAX = 100000,
	REFUSED_MAX = 10000, /* remembered keys of the whole process */
};

bool shard_complete(const struct shard *s)
{
	return atomic_load_explicit(&s->relay->opened, memory_order_acquire) == s->crew;
}

enum err shard_welcome(struct shard *s, struct diag *why)
{
	struct relay *r = s->relay;
	enum err e = server_listen(s->server, DOOR_RELAY, r->port.at, relay_certificate(r), relay_certificate_key(r), why);
	if (!e && r->options->listen_proxy_protocol)
		server_expect_proxyline(s->server, r->port.at);
	if (e || !r->stun_port.at.port)
		return e;
	/* Of two sockets on one port each is sent its share: the one that held it is read, too. */
	int fd = s->index ? -1 : heldport_take(&r->stun_port);
	if (fd < 0)
		fd = stundoor_bind(r->stun_port.at, why);
	if (fd < 0)
		return ERR_IO;
	s->stun = stundoor_open(s->loop, fd, (unsigned)s->options->limit_stun);
	return ERR_NONE;
}

enum err shard_listen(struct shard *s, struct diag *why)
{
	struct relay *r = s->relay;
	enum err e = r->plain_port.at.port ? server_listen(s->server, DOOR_CLIENTS, r->plain_port.at, NULL, NULL, why) : ERR_NONE;
	return e || atomic_load(&r->uncertified) ? e : shard_welcome(s, why);
}

void shard_shut(struct shard *s)
{
	stundoor_close(&s->stun);
	server_stop_listening(s->server);
}

static enum err open_doors(struct shard *s, struct diag *why)
{
	const struct relay *r = s->relay;
	const struct server_limits limits = {.connections = (size_t)s->options->limit_connections,
					     .may_come = room_may_come,
					     .request_ms = REQUEST_MS,
					     .proxies = r->proxies,
					     .counted = DOOR_RELAY,
					     .accepted = &relay_metrics[RELAY_DOOR_ACCEPTED],
					     .rejected = &relay_metrics[RELAY_DOOR_REJECTED]};
	s->server = server_new(s->loop, relay_routes, &limits, s);
	server_show_certificate(s->server, buffer_bytes(&r->metacert));
	return shard_listen(s, why);
}

static struct verify_config verify_config_of(const struct shard *s)
{
	const struct relay_options *o = s->options;
	return (struct verify_config){
		.loop = s->loop,
		.fetcher = s->fetcher,
		.coordinators = &s->relay->coordinators,
		.token = o->relay_token,
		.url = o->verify_url,
		.ask_coordinators = o->verify_coordinators,
		.fail_open = o->verify_fail_open,
		.limits = {.allowed_ms = o->verify_cache_ms,
			   .refused_ms = o->verify_refused_ms,
			   .grace_ms = o->verify_grace_ms,
			   .allowed_max = ALLOWED_MAX / s->crew + 1,
			   .refused_max = REFUSED_MAX / s->crew + 1},
	};
}

void shard_reload(struct shard *s, const struct relay_options *options)
{
	const struct relay_options *before = s->options;
	const struct verify_config verify = ((s->options = options), verify_config_of(s));
	verify_reload(s->verify, &verify);
	room_reload(s);
	server_set_connections(s->server, (size_t)options->limit_connections);
	stundoor_set_rate(s->stun, (unsigned)options->limit_stun);
	if (!s->index)
		rates_follow(&s->relay->rates, options->limit_rate_file);
	if (options->verify_coordinators != before->verify_coordinators || strcmp(options->verify_url, before->verify_url) != 0)
		recheck_all(s);
}

enum err shard_open(struct relay *r, struct worker *w, unsigned count, struct diag *why)
{
	if (count > RELAY_SHARDS_MAX)
		return diag_set(why, ERR_TOO_BIG, "threads: at most %d", RELAY_SHARDS_MAX);
	struct shard *s = x_zalloc(sizeof(*s));
	w->program = s;
	s->relay = r;
	s->loop = w->loop;
	s->worker = w;
	s->index = w->index;
	s->crew = count;
	s->options = r->options;
	s->directory = directory_new();
	s->heard = heard_new();
	s->clients = table_new();
	s->fetcher = fetcher_new(s->loop);
	const struct verify_config verify = verify_config_of(s);
	s->verify = verify_new(&verify);
	for (unsigned i = 0; i < CLIENT_STATE_COUNT; i++)
		list_init(&s->in_state[i]);
	list_init(&s->guests);
	room_open(s);
	crossing_open(s, count);
	relaylife_open(s);
	recheck_open(s);
	rttlook_open(s);
	list_init(&s->walks);
	mesh_open(s);
	purses_set_shards(r->purses, count);
	if (!s->index)
		r->count = count;
	r->shard[s->index] = s;
	enum err e = open_doors(s, why);
	if (!e && !s->index) {
		bootstrap_start(r->bootstrap, s->loop);
		rates_start(&r->rates, s->loop);
		if (r->options->probe_ms)
			s->prober = prober_new(s->loop, r, r->options->probe_ms);
		if (atomic_load(&r->uncertified))
			firstcert_await(s, registration_begin);
		else
			registration_begin(s);
	}
	atomic_fetch_add_explicit(&r->opened, 1, memory_order_release);
	return e;
}

void shard_drain(struct shard *s)
{
	relaylife_end(s);
}

void shard_close(struct shard *s)
{
	s->closing = true;
	prober_free(&s->prober);
	if (!s->index) {
		registration_end(s);
		firstcert_stop(s);
		bootstrap_stop(s->relay->bootstrap);
		rates_stop(&s->relay->rates);
	}
	shard_shut(s);
	handshake_end_all(s);
	client_end_all(s);
	rttlook_close(s);
	recheck_close(s);
	mesh_close(s);
	server_free(&s->server);
	handshake_end_all(s);
	verify_free(&s->verify);
	fetcher_free(&s->fetcher);
	crossing_close(s);
	heard_free(&s->heard);
	directory_free(&s->directory);
	table_free(&s->clients);
	relaylife_close(s);
	room_close(s);
	packet_spare_clear();
}
