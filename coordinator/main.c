#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "bus_check.h"
#include "charter.h"
#include "coordinator.h"
#include "expiry.h"
#include "held.h"
#include "log.h"
#include "online.h"
#include "origin.h"
#include "poll.h"
#include "rate.h"
#include "relayfleet.h"
#include "relaygauge.h"
#include "reports.h"
#include "routers.h"
#include "routes.h"
#include "serverkeys.h"
#include "session.h"
#include "signers.h"
#include "sweep.h"
#include "tlsfiles.h"
#include "turns.h"

enum { RATE_BUCKETS_MAX = 65536 };

static struct coordinator_options options;
static struct private_key noise_key;
static struct signing_key signing[SERVERKEYS_MAX]; /* answers to relays, as workers begin */
static size_t signing_count;
static struct trusted proxies;
static char process_name[24]; /* random: names this process in Redis */

static enum err listen_text(const char *text, struct endpoint *endpoint, struct diag *why)
{
	if (endpoint_parse(bytes_text(text), endpoint))
		return diag_set(why, ERR_MALFORMED, "\"%s\" is not ADDRESS:PORT", text);
	return ERR_NONE;
}

static bool expects_proxyline(const char *door)
{
	for (struct bytes rest = bytes_text(options.listen_proxy_protocol); rest.at;)
		if (bytes_equal_text(bytes_trim(bytes_split(rest, ',', &rest)), door))
			return true;
	return false;
}

static enum err coordinator_listen_tcp(struct coordinator *c, const char *name, const char *at, unsigned doors, bool tls, struct diag *why)
{
	struct endpoint endpoint;
	enum err e;

	if (!*at)
		return ERR_NONE;
	e = listen_text(at, &endpoint, why);
	if (e)
		return e;
	e = server_listen(c->server, doors, endpoint, tls ? options.tls_certificate : NULL, tls ? options.tls_key : NULL, why);
	if (!e && expects_proxyline(name))
		server_expect_proxyline(c->server, endpoint);
	return e;
}

static enum err coordinator_listen(struct coordinator *c, struct diag *why)
{
	bool shared = strcmp(options.listen_admin, options.listen_clients) == 0;
	enum err e = coordinator_listen_tcp(c, "clients", options.listen_clients, shared ? DOOR_CLIENTS | DOOR_ADMIN : DOOR_CLIENTS, false, why);

	if (!e)
		e = coordinator_listen_tcp(c, "clients_tls", options.listen_clients_tls, DOOR_CLIENTS, true, why);
	if (!e && !shared)
		e = coordinator_listen_tcp(c, "admin", options.listen_admin, DOOR_ADMIN, false, why);
	if (!e && *options.listen_admin_socket && c->worker->index == 0)
		e = server_listen_unix(c->server, DOOR_SOCKET, options.listen_admin_socket, 0600, why);
	return e;
}

static void on_replaced(void *context, uint64_t tailnet, uint64_t node, uint64_t session)
{
	poll_replaced(context, tailnet, node, session);
}

/* Administrators and the sweep ask when they want to know. */
static void on_presence(void *context, uint64_t tailnet, uint64_t node)
{
	(void)context, (void)tailnet, (void)node;
}

static void on_mapper_lost(void *context, struct endpoint mapper)
{
	struct coordinator *c = context;

	roster_mark(c->roster, mapper);
}

static void coordinator_connect(struct coordinator *c)
{
	char holder[48];

	snprintf(holder, sizeof holder, "%s.%u", process_name, c->worker->index);
	c->pg = pg_new(c->loop, &(struct pg_config){
					.url = options.database_url,
					.writer = true,
					.connections = (unsigned)options.database_connections,
					.waiting_max = 4096,
					.timeout_ms = 20000,
				});
	c->presence = presence_new(c->bus, holder, on_replaced, c);
	c->view = presence_view_new(c->bus, options.presence_grace_ms, on_presence, c);
	c->online = online_new(c->view);
	c->roster = roster_new(c->bus, NULL, NULL);
	c->dial = dial_new(c->loop, bytes_text(options.cluster_secret), on_mapper_lost, c);
	c->register_rate = rate_new((unsigned)options.register_per_minute, RATE_BUCKETS_MAX);
	c->request_rate = rate_new((unsigned)options.requests_per_minute, RATE_BUCKETS_MAX);
	c->handshake_rate = rate_new((unsigned)options.handshakes_per_minute, RATE_BUCKETS_MAX);
	c->refusal_rate = rate_new((unsigned)options.refusals_per_minute, RATE_BUCKETS_MAX);
	c->admin_rate = rate_new((unsigned)options.admin_per_minute, RATE_BUCKETS_MAX);
	buffer_init(&c->published.json, 1 << 20);
	c->reports = reports_new(c);
	c->asks = asks_new(c);
	c->charters = charters_new();
	c->signers = signers_new(c, signing, signing_count);
	polls_start(c);
}

static enum err on_worker(struct worker *w, struct diag *why)
{
	struct coordinator *c = x_zalloc(sizeof *c);
	enum err e;

	w->program = c;
	c->worker = w;
	c->loop = w->loop;
	c->options = &options;
	c->noise_key = &noise_key;
	for (unsigned i = 0; i < SESSION_STATES; i++)
		list_init(&c->sessions[i]);
	list_init(&c->logins);
	c->bus = bus_new(c->loop, options.redis_url, why);
	if (!c->bus)
		return ERR_MALFORMED;
	coordinator_connect(c);
	c->server =
		server_new(c->loop, coordinator_routes,
			   &(struct server_limits){.connections = (size_t)options.connections_most, .request_ms = options.request_ms, .proxies = proxies}, c);
	e = coordinator_listen(c, why);
	if (!e && w->index == 0) {
		c->sweep = sweep_new(c);
		c->relayfleet = relayfleet_new(c);
		c->relaygauge = relaygauge_new(c);
		c->routers = routers_new(c);
	}
	return e;
}

static void on_drain(struct worker *w)
{
	struct coordinator *c = w->program;

	c->draining = true;
	server_stop_listening(c->server);
	sweep_free(&c->sweep);
	relayfleet_free(&c->relayfleet);
	relaygauge_free(&c->relaygauge);
	routers_free(&c->routers);
	poll_end_all(c);
	held_end_all(c);
	LIST_EACH(&c->sessions[SESSION_OPEN], s, struct session, in_state)
		session_drain(s);
	coordinator_check_drained(c);
}

static void sessions_end_all(struct coordinator *c)
{
	for (unsigned state = 0; state < SESSION_ENDED; state++)
		LIST_EACH(&c->sessions[state], s, struct session, in_state)
			session_end(s, ERR_CANCELED);
	loop_turn(c->loop, 0);
}

static void on_stop(struct worker *w)
{
	struct coordinator *c = w->program;

	if (!c)
		return;
	sweep_free(&c->sweep);
	relayfleet_free(&c->relayfleet);
	relaygauge_free(&c->relaygauge);
	routers_free(&c->routers);
	server_free(&c->server); /* first: it may still hand over a session */
	sessions_end_all(c);
	turns_end(c->loop); /* runs the loop for the last time */
	polls_stop(c);
	asks_free(&c->asks);
	reports_free(&c->reports);
	online_free(&c->online);
	presence_view_free(&c->view);
	presence_free(&c->presence);
	roster_free(&c->roster);
	dial_free(&c->dial);
	charters_free(&c->charters);
	signers_free(&c->signers);
	pg_free(&c->pg);
	bus_free(&c->bus);
	rate_free(&c->register_rate);
	rate_free(&c->request_rate);
	buffer_clear(&c->published.json);
	rate_free(&c->handshake_rate);
	rate_free(&c->refusal_rate);
	rate_free(&c->admin_rate);
	free(c);
	w->program = NULL;
}

static enum err load_noise_key(struct diag *why)
{
	struct serverkey keys[SERVERKEYS_MAX];
	size_t count = 0;
	enum err e = serverkeys_load(options.database_url, keys, &count, why);

	if (!e)
		noise_key = keys[0].private_key;
	key_wipe(keys, sizeof keys);
	return e;
}

static enum err check_proxies(struct diag *why)
{
	static const char *const doors[] = {"", "clients", "clients_tls", "admin"};
	enum err e = trusted_parse(bytes_text(options.proxies_trusted), &proxies, why);

	for (struct bytes rest = bytes_text(options.listen_proxy_protocol); !e && rest.at;) {
		struct bytes door = bytes_trim(bytes_split(rest, ',', &rest));
		bool known = false;
		for (unsigned i = 0; i < COUNT_OF(doors); i++)
			known |= bytes_equal_text(door, doors[i]);
		if (!known)
			e = diag_set(why, ERR_MALFORMED, "listen.proxy_protocol: \"%.*s\" is none of clients, clients_tls, admin", BYTES_ARG(door));
	}
	if (!e && *options.listen_proxy_protocol && !proxies.count)
		e = diag_set(why, ERR_MALFORMED, "listen.proxy_protocol needs proxies.trusted: the header of nobody would be believed");
	return e;
}

static enum err on_start(void *config, struct diag *why)
{
	enum err e;

	(void)config;
	if (*options.listen_clients_tls && !(*options.tls_certificate && *options.tls_key))
		return diag_set(why, ERR_MALFORMED, "listen.clients_tls needs tls.certificate and tls.key");
	e = check_proxies(why);
	if (e)
		return e;
	snprintf(process_name, sizeof process_name, "%016llx", (unsigned long long)random_number());
	e = origin_check(options.server_url, why);
	if (e)
		return e;
	e = pg_check_schema(options.database_url, why);
	if (!e)
		e = load_noise_key(why);
	return e ? e : serverkeys_load_signing(options.database_url, signing, &signing_count, why);
}

static void on_end(void *config)
{
	(void)config;
	key_wipe(&noise_key, sizeof noise_key);
	key_wipe(signing, sizeof signing);
}

static enum err on_check(void *config, struct diag *why)
{
	char version[BUS_VERSION_MAX];
	struct diag cause = {0};
	enum err e = on_start(config, why);

	if (!e && *options.listen_clients_tls)
		e = tlsfiles_check(options.tls_certificate, options.tls_key, why);
	if (!e && (e = bus_check(options.redis_url, version, &cause)))
		diag_set(why, e, "redis.url: %.400s", cause.text);
	on_end(config);
	return e;
}

/* Without Redis nobody can begin, but who has begun goes on with the last roster: a lost Redis must not take every coordinator out of its load balancer at once. */
static const char *not_ready(void)
{
	static atomic_bool begun;
	const char *trouble = pg_trouble();

	if (trouble)
		return trouble;
	trouble = bus_trouble();
	if (!trouble)
		atomic_store(&begun, true);
	return atomic_load(&begun) ? NULL : trouble;
}

int main(int argc, char **argv)
{
	metric_register(expiry_metrics);
	return daemon_main(argc, argv,
			   &(struct daemon_spec){
				   .name = "fleetscale-coordinator",
				   .options = coordinator_option_table,
				   .config = &options,
				   .metrics = coordinator_metrics,
				   .on_start = on_start,
				   .on_worker = on_worker,
				   .on_drain = on_drain,
				   .on_stop = on_stop,
				   .on_end = on_end,
				   .on_check = on_check,
				   .not_ready = not_ready,
			   });
}
