#include "relay.h"

#include <stdlib.h>

#include "answerkeys.h"
#include "bootstrap.h"
#include "log.h"
#include "metacert.h"
#include "selfstat.h"
#include "text.h"
#include "tlsfiles.h"

/* What options say, before any port is taken and any file made. */
static enum err read_options(struct relay *r, struct diag *why)
{
	const struct relay_options *o = r->options;
	enum err e = relay_options_check(o, why);
	if (!e)
		e = coordinators_parse(bytes_text(o->coordinators), &r->coordinators, why);
	if (!e && !(r->coordinators.keys = answerkeys_new(bytes_text(o->relay_coordinators_key), o->relay_token, why)))
		e = ERR_MALFORMED;
	if (!e)
		e = trusted_parse(bytes_text(o->proxies_trusted), &r->proxies, why);
	if (!e && !(r->bootstrap = bootstrap_new(o->bootstrap_names, o->bootstrap_hidden_names, why)))
		e = ERR_MALFORMED;
	return e ? e : rates_open(&r->rates, o->limit_rate_file, why);
}

static enum err hold_ports(struct relay *r, struct diag *why)
{
	enum err e = heldport_open_tcp(&r->port, r->options->listen_relay, "listen.relay", why);
	if (!e)
		e = heldport_open_tcp(&r->plain_port, r->options->listen_plain, "listen.plain", why);
	return e ? e : heldport_open_udp(&r->stun_port, r->options->listen_stun, "listen.stun", why);
}

static enum err make_certificates(struct relay *r, struct diag *why)
{
	const struct relay_options *o = r->options;
	enum err e = ERR_NONE;
	if (*o->relay_own_certificate)
		e = owncert_open(&r->own, o->relay_own_certificate, o->relay_hostname, why);
	else if (o->relay_unsafe_self_signed)
		e = owncert_open_unsafe(&r->own, o->relay_hostname, why);
	if (e)
		return e;
	buffer_init(&r->metacert, METACERT_MAX);
	return metacert_make(&r->public_key, &r->metacert) ? diag_set(why, ERR_CRYPTO, "cannot make the certificate that tells the relay's key") : ERR_NONE;
}

static void name_instance(struct relay *r)
{
	uint8_t instance[sizeof r->instance / 2];
	random_fill(instance, sizeof instance);
	hex_encode(r->instance, bytes_of(instance, sizeof instance));
}

static void warn(const struct relay *r)
{
	const struct coordinators *c = &r->coordinators;
	bool plain = false;
	for (unsigned i = 0; i < c->count; i++)
		plain |= bytes_starts(bytes_text(c->url[i]), "http://");
	if (plain && !answerkeys_any(c->keys))
		log_warning(SUBJECT("relay"), "a coordinator is asked by http:// and relay.coordinators_key is not set: anybody on the way may answer for it");
	if (!relay_certificate(r))
		log_warning(SUBJECT("relay"), "no certificate: clients cannot use a relay without TLS, unless something before it provides that");
	if (r->options->relay_unsafe_self_signed)
		log_warning(SUBJECT("relay"), "unsafe: clients are told not to verify this relay's certificate");
}

static void init(struct relay *r, const struct relay_options *options)
{
	*r = (struct relay){.options = options, .port.fd = -1, .plain_port.fd = -1, .stun_port.fd = -1, .purses = purses_new()};
}

enum err relay_open(struct relay *r, const struct relay_options *options, struct diag *why)
{
	init(r, options);
	key_mint(&r->key, &r->public_key);
	probekeys_mint(&r->probes);
	name_instance(r);
	r->seed = random_number() | 1;
	enum err e = read_options(r, why);
	if (!e)
		e = hold_ports(r, why);
	if (!e)
		e = make_certificates(r, why);
	if (e)
		return e;
	atomic_store(&r->uncertified, firstcert_is_missing(options));
	r->memory_at_start = selfstat_read().resident;
	warn(r);
	return ERR_NONE;
}

enum err relay_check(const struct relay_options *options, struct diag *why)
{
	struct relay *r = x_alloc(sizeof *r);
	init(r, options);
	enum err e = read_options(r, why);
	if (!e && *options->tls_certificate && !firstcert_is_missing(options))
		e = tlsfiles_check(options->tls_certificate, options->tls_key, why);
	relay_close(r);
	free(r);
	return e;
}

void relay_close(struct relay *r)
{
	for (unsigned i = 0; i < RELAY_SHARDS_MAX; i++) {
		free(r->shard[i]);
		r->shard[i] = NULL;
	}
	heldport_close(&r->port);
	heldport_close(&r->plain_port);
	heldport_close(&r->stun_port);
	owncert_close(&r->own);
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

/* Its own, or the one it was given. */
const char *relay_certificate(const struct relay *r)
{
	const char *path = *r->own.certificate ? r->own.certificate : r->options->tls_certificate;
	return *path ? path : NULL;
}

const char *relay_certificate_key(const struct relay *r)
{
	const char *path = *r->own.key ? r->own.key : r->options->tls_key;
	return *path ? path : NULL;
}

unsigned relay_told_port(const struct relay *r)
{
	return r->options->relay_port ? (unsigned)r->options->relay_port : r->port.at.port;
}

enum err relay_may_reload(const struct relay_options *options, struct diag *why)
{
	enum err e = relay_options_check(options, why);
	return e ? e : rates_check(options->limit_rate_file, why);
}
