#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "announce.h"
#include "answerkeys.h"
#include "bootstrap.h"
#include "handshake.h"
#include "jsonr.h"
#include "log.h"
#include "metacert.h"
#include "prober.h"
#include "routes_relay.h"
#include "selfsigned.h"
#include "selfstat.h"
#include "stundoor.h"
#include "text.h"

enum {
	TEXT_MAX = 256,
	REQUEST_MS = 30000, /* slow heads and idle keep-alive before the upgrade */
	ALLOWED_MAX = 100000,
	REFUSED_MAX = 10000, /* remembered keys of the whole process */
};

/* ---- the process ---- */

static struct endpoint bound(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof sa;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return (struct endpoint){0};
	return endpoint_from_sockaddr((struct sockaddr *)&sa);
}

/* Shards share a port, so the kernel would let another process of ours share it too: this one must be alone. */
static bool is_taken(const struct sockaddr_storage *sa, socklen_t len, int type)
{
	int fd = socket(sa->ss_family, type | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0)
		return false;
	if (type == SOCK_STREAM)
		(void)!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	bool taken = bind(fd, (const struct sockaddr *)sa, len) < 0 && errno == EADDRINUSE;
	close(fd);
	return taken;
}

/* Holds a port for listeners that come: bound, but not listening, it takes no connections from them. */
static enum err reserve(const char *text, const char *option, int *fd, struct endpoint *at, struct diag *why)
{
	*fd = -1;
	*at = (struct endpoint){0};
	if (!*text)
		return ERR_NONE;
	if (endpoint_parse(bytes_text(text), at))
		return diag_set(why, ERR_MALFORMED, "%s: \"%s\" is not an address and a port", option, text);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(*at, &sa);
	if (at->port && is_taken(&sa, len, SOCK_STREAM))
		return diag_set(why, ERR_EXISTS, "%s: somebody listens on %s already", option, text);
	*fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1, only = !ip_equal(at->ip, (struct ip){.family = IP_V6});
	if (*fd >= 0 && sa.ss_family == AF_INET6)
		(void)!setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 ||
	    bind(*fd, (struct sockaddr *)&sa, len) < 0)
		return diag_set(why, ERR_IO, "%s: cannot bind %s: %s", option, text, strerror(errno));
	at->port = bound(*fd).port;
	return ERR_NONE;
}

static enum err reserve_stun(struct relay *r, struct diag *why)
{
	const char *text = r->options->listen_stun;
	if (!*text)
		return ERR_NONE;
	if (endpoint_parse(bytes_text(text), &r->stun_at))
		return diag_set(why, ERR_MALFORMED, "listen.stun: \"%s\" is not an address and a port", text);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(r->stun_at, &sa);
	if (r->stun_at.port && is_taken(&sa, len, SOCK_DGRAM))
		return diag_set(why, ERR_EXISTS, "listen.stun: somebody uses %s already", text);
	r->reserved_stun = stundoor_bind(r->stun_at, why);
	if (r->reserved_stun < 0)
		return ERR_IO;
	r->stun_at.port = bound(r->reserved_stun).port;
	return ERR_NONE;
}

/* A file that has no name: readable by path while this process lives, and gone with it however it ends. */
static enum err in_memory(const char *name, const struct buffer *content, int *fd, char path[static 64], struct diag *why)
{
	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0 || write(*fd, content->at, content->len) != (ssize_t)content->len)
		return diag_set(why, ERR_IO, "cannot keep a certificate in memory: %s", strerror(errno));
	snprintf(path, 64, "/proc/self/fd/%d", *fd);
	return ERR_NONE;
}

static enum err make_certificate(struct relay *r, struct diag *why)
{
	struct buffer certificate, key;
	buffer_init(&certificate, 1 << 16);
	buffer_init(&key, 1 << 16);
	enum err e = selfsigned_make(r->options->relay_hostname, &certificate, &key);
	if (e)
		diag_set(why, e, "cannot make a self-signed certificate for \"%s\"", r->options->relay_hostname);
	if (!e)
		e = in_memory("certificate", &certificate, &r->certificate_fd, r->certificate, why);
	if (!e)
		e = in_memory("key", &key, &r->key_fd, r->certificate_key, why);
	if (key.len)
		key_wipe(key.at, key.len);
	buffer_clear(&certificate);
	buffer_clear(&key);
	return e;
}

static enum err open_answerkeys(struct relay *r, struct diag *why)
{
	struct coordinators *c = &r->coordinators;
	bool plain = false;
	c->keys = answerkeys_new(bytes_text(r->options->relay_coordinators_key), r->options->relay_token, why);
	if (!c->keys)
		return ERR_MALFORMED;
	for (unsigned i = 0; i < c->count; i++)
		plain |= bytes_starts(bytes_text(c->url[i]), "http://");
	if (plain && !answerkeys_any(c->keys))
		log_warning(SUBJECT("relay"), "a coordinator is asked by http:// and relay.coordinators_key is not set: anybody on the way may answer for it");
	return ERR_NONE;
}

enum err relay_open(struct relay *r, const struct relay_options *options, struct diag *why)
{
	*r = (struct relay){.options = options, .reserved = -1, .reserved_stun = -1, .reserved_plain = -1, .certificate_fd = -1, .key_fd = -1};
	r->purses = purses_new();
	enum err e = relay_options_check(options, why);
	if (!e)
		e = coordinators_parse(bytes_text(options->coordinators), &r->coordinators, why);
	if (!e)
		e = open_answerkeys(r, why);
	if (!e)
		e = trusted_parse(bytes_text(options->proxies_trusted), &r->proxies, why);
	if (!e && !(r->bootstrap = bootstrap_new(options->bootstrap_names, options->bootstrap_hidden_names, why)))
		e = ERR_MALFORMED;
	if (!e)
		e = rates_open(&r->rates, options->limit_rate_file, why);
	if (!e)
		e = reserve(options->listen_relay, "listen.relay", &r->reserved, &r->at, why);
	if (!e)
		e = reserve(options->listen_plain, "listen.plain", &r->reserved_plain, &r->plain_at, why);
	if (!e)
		e = reserve_stun(r, why);
	if (!e && *options->relay_own_certificate)
		e = owncert_open(&r->own, options->relay_own_certificate, options->relay_hostname, why);
	if (!e && options->relay_unsafe_self_signed)
		e = make_certificate(r, why);
	if (e)
		return e;
	key_mint(&r->key, &r->public_key);
	probekeys_mint(&r->probes);
	buffer_init(&r->metacert, METACERT_MAX);
	if (metacert_make(&r->public_key, &r->metacert))
		return diag_set(why, ERR_CRYPTO, "cannot make the certificate that tells the relay's key");
	atomic_store(&r->uncertified, firstcert_is_missing(options));
	r->seed = random_number() | 1;
	r->memory_at_start = selfstat_read().resident;
	uint8_t instance[8];
	random_fill(instance, sizeof instance);
	hex_encode(r->instance, bytes_of(instance, sizeof instance));
	if (!relay_certificate(r))
		log_warning(SUBJECT("relay"), "no certificate: clients cannot use a relay without TLS, unless something before it provides that");
	if (options->relay_unsafe_self_signed)
		log_warning(SUBJECT("relay"), "unsafe: clients are told not to verify this relay's certificate");
	return ERR_NONE;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void relay_close(struct relay *r)
{
	for (unsigned i = 0; i < RELAY_SHARDS_MAX; i++) {
		free(r->shard[i]);
		r->shard[i] = NULL;
	}
	close_fd(&r->reserved);
	close_fd(&r->reserved_stun);
	close_fd(&r->reserved_plain);
	close_fd(&r->certificate_fd);
	close_fd(&r->key_fd);
	answerkeys_free(&r->coordinators.keys);
	coordinators_clear(&r->coordinators);
	bootstrap_free(&r->bootstrap);
	rates_close(&r->rates);
	purses_free(&r->purses);
	buffer_clear(&r->metacert);
	key_wipe(&r->key, sizeof r->key);
	probekeys_wipe(&r->probes);
}

const char *relay_not_ready(const struct relay *r)
{
	if (atomic_load(&r->draining))
		return "draining";
	if (atomic_load(&r->uncertified))
		return "waits for its first certificate";
	if (atomic_load(&r->shut))
		return "its doors are shut";
	if (atomic_load(&r->announced))
		return NULL;
	return atomic_load(&r->refused) ? "refused by a coordinator" : "not announced to a coordinator yet";
}

unsigned relay_home(const struct relay *r, const struct node_key *key)
{
	uint64_t mixed = (get_be64(key->raw) ^ get_be64(key->raw + 8) ^ r->seed) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)((mixed >> 32) * r->count >> 32);
}

/* The one made for tests, the one it keeps, or the one it was given. */
const char *relay_certificate(const struct relay *r)
{
	const char *path = *r->certificate ? r->certificate : *r->own.pin ? r->own.certificate : r->options->tls_certificate;
	return *path ? path : NULL;
}

const char *relay_certificate_key(const struct relay *r)
{
	const char *path = *r->certificate_key ? r->certificate_key : *r->own.pin ? r->own.key : r->options->tls_key;
	return *path ? path : NULL;
}

unsigned relay_told_port(const struct relay *r)
{
	return r->options->relay_port ? (unsigned)r->options->relay_port : r->at.port;
}

/* ---- one shard ---- */

bool shard_complete(const struct shard *s)
{
	return atomic_load_explicit(&s->relay->opened, memory_order_acquire) == s->crew;
}

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
	if (announcement_encode(&s->relay->said, out))
		log_error(SUBJECT("relay"), "what the relay says about itself is too long");
}

static void begin_announcing(struct shard *s)
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
		.stun_port = r->stun_at.port ? r->stun_at.port : -1,
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
		begin_announcing(s);
}

/* The doors are open: how clients find them. */
static void appear(struct shard *first)
{
	port80_watch(first, on_port80_known);
}

enum err shard_welcome(struct shard *s, struct diag *why)
{
	struct relay *r = s->relay;
	enum err e = server_listen(s->server, DOOR_RELAY, r->at, relay_certificate(r), relay_certificate_key(r), why);
	if (!e && r->options->listen_proxy_protocol)
		server_expect_proxyline(s->server, r->at);
	if (e || !r->stun_at.port)
		return e;
	int fd = s->index || r->reserved_stun < 0 ? stundoor_bind(r->stun_at, why) : dup(r->reserved_stun);
	if (fd < 0)
		return ERR_IO;
	s->stun = stundoor_open(s->loop, fd, (unsigned)s->options->limit_stun);
	/* Of two sockets on one port each is sent its share: nobody reads this one. */
	if (!s->index)
		close_fd(&r->reserved_stun);
	return ERR_NONE;
}

enum err shard_listen(struct shard *s, struct diag *why)
{
	struct relay *r = s->relay;
	enum err e = r->plain_at.port ? server_listen(s->server, DOOR_CLIENTS, r->plain_at, NULL, NULL, why) : ERR_NONE;
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

enum err relay_may_reload(const struct relay_options *options, struct diag *why)
{
	enum err e = relay_options_check(options, why);
	return e ? e : rates_check(options->limit_rate_file, why);
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
		relaylife_recheck_all(s);
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
	limit_init(&s->refusal_log, 20, loop_now(s->loop));
	crossing_open(s, count);
	relaylife_open(s);
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
			firstcert_await(s, appear);
		else
			appear(s);
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
	announce_free(&s->announce);
	prober_free(&s->prober);
	if (!s->index) {
		firstcert_stop(s);
		port80_stop(s);
		bootstrap_stop(s->relay->bootstrap);
		rates_stop(&s->relay->rates);
	}
	shard_shut(s);
	handshake_end_all(s);
	client_end_all(s);
	rttlook_close(s);
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
