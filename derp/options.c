#include "options.h"

#include "fetchurl.h"
#include "forwarded.h"

#define AT(member) offsetof(struct relay_options, member)

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

const struct option relay_option_table[] = {
	{.name = "listen.relay",
	 .type = OPTION_LISTEN,
	 .offset = AT(listen_relay),
	 .fallback = "[::]:443",
	 .help = "Where clients of the relay connect; TLS when a certificate is given."},
	{.name = "listen.stun", .type = OPTION_LISTEN, .offset = AT(listen_stun), .fallback = "[::]:3478", .help = "Where STUN requests are answered (UDP)."},
	{.name = "listen.plain",
	 .type = OPTION_LISTEN,
	 .offset = AT(listen_plain),
	 .fallback = "",
	 .help = "Where plain HTTP answers captive portal checks and acme.webroot, and sends others to https; told to clients once port 80 of relay.ipv4 "
		 "answers as it should."},
	{.name = "listen.proxy_protocol",
	 .type = OPTION_BOOL,
	 .offset = AT(listen_proxy_protocol),
	 .fallback = "false",
	 .help = "Connections of trusted proxies to listen.relay must begin with a PROXY header, version 1 or 2."},
	{.name = "proxies.trusted",
	 .type = OPTION_TEXT,
	 .offset = AT(proxies_trusted),
	 .fallback = "",
	 .help = "Addresses and prefixes of proxies, by commas: only their X-Forwarded-For and PROXY headers are believed."},
	{.name = "tls.certificate",
	 .type = OPTION_TEXT,
	 .offset = AT(tls_certificate),
	 .fallback = "",
	 .help = "PEM file with the certificate chain, leaf first; several by commas: a client gets the one for the host that it names, or the first. Read "
		 "anew when they change."},
	{.name = "tls.key",
	 .type = OPTION_TEXT,
	 .offset = AT(tls_key),
	 .fallback = "",
	 .help = "PEM file with the private key of the certificate; as many, in the same order."},
	{.name = "acme.webroot",
	 .type = OPTION_TEXT,
	 .offset = AT(acme_webroot),
	 .fallback = "",
	 .help = "Folder in which an ACME client puts .well-known/acme-challenge/: listen.plain answers from it, also while the files of tls.certificate are "
		 "not there yet."},
	{.name = "coordinators",
	 .type = OPTION_TEXT,
	 .offset = AT(coordinators),
	 .help = "URLs of coordinators, separated by commas; the next one is tried when one does not answer."},
	{.name = "relay.token", .type = OPTION_SECRET, .offset = AT(relay_token), .help = "Token of this relay, as minted by the command relays create."},
	{.name = "relay.name",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_name),
	 .fallback = "",
	 .help = "Name of this node in the relay map; empty: the coordinator knows."},
	{.name = "relay.hostname",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_hostname),
	 .help = "Host name by which clients reach the relay, also for TLS; may be an IP address."},
	{.name = "relay.coordinators_key",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_coordinators_key),
	 .fallback = "",
	 .help = "What coordinators sign their answers by, as the command relays key shows it; several by commas. Empty: what the first one says that is "
		 "reached by https://; without such a one answers are believed unsigned."},
	{.name = "relay.port",
	 .type = OPTION_INT,
	 .offset = AT(relay_port),
	 .fallback = "0",
	 .least = 0,
	 .most = 65535,
	 .help = "Port told to clients, where something stands before the relay; 0: that of listen.relay."},
	{.name = "relay.ipv4",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_ipv4),
	 .fallback = "",
	 .help = "IPv4 address told to clients; empty: they ask DNS; none: not reachable by IPv4."},
	{.name = "relay.ipv6",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_ipv6),
	 .fallback = "",
	 .help = "IPv6 address told to clients; empty: they ask DNS; none: not reachable by IPv6."},
	{.name = "relay.cert_name",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_cert_name),
	 .fallback = "",
	 .help = "Name the certificate is valid for if not the host name, or sha256-raw: and the hash of the only certificate."},
	{.name = "relay.unsafe_self_signed",
	 .type = OPTION_BOOL,
	 .offset = AT(relay_unsafe_self_signed),
	 .fallback = "false",
	 .help = "Make a certificate at start and tell clients not to verify it (InsecureForTests); never outside tests."},
	{.name = "relay.own_certificate",
	 .type = OPTION_TEXT,
	 .offset = AT(relay_own_certificate),
	 .fallback = "",
	 .help = "Folder where the relay makes and keeps a certificate of its own, which clients know by its hash; instead of tls.certificate."},
	{.name = "bootstrap.names",
	 .type = OPTION_TEXT,
	 .offset = AT(bootstrap_names),
	 .fallback = "",
	 .help = "Host names, by commas, that clients with broken DNS may ask the relay for (/bootstrap-dns): those of the coordinators."},
	{.name = "bootstrap.hidden_names",
	 .type = OPTION_TEXT,
	 .offset = AT(bootstrap_hidden_names),
	 .fallback = "",
	 .help = "Further such names, told only to clients that ask for exactly that name."},
	{.name = "verify.url",
	 .type = OPTION_SECRET | OPTION_LIVE,
	 .offset = AT(verify_url),
	 .fallback = "",
	 .help = "URL that is asked as well whether a key may connect, as the stock relay's -verify-client-url is: all who are asked must allow it."},
	{.name = "verify.coordinators",
	 .type = OPTION_BOOL | OPTION_LIVE,
	 .offset = AT(verify_coordinators),
	 .fallback = "true",
	 .help = "Ask coordinators whether a key may connect; false leaves it to verify.url alone."},
	{.name = "verify.fail_open",
	 .type = OPTION_BOOL | OPTION_LIVE,
	 .offset = AT(verify_fail_open),
	 .fallback = "false",
	 .help = "Admit unknown keys while no coordinator, or nobody at verify.url, answers."},
	{.name = "verify.cache",
	 .type = OPTION_DURATION | OPTION_LIVE,
	 .offset = AT(verify_cache_ms),
	 .fallback = "5m",
	 .least = 0,
	 .most = 24LL * HOUR,
	 .help = "How long an admission of a key is good."},
	{.name = "verify.refused",
	 .type = OPTION_DURATION | OPTION_LIVE,
	 .offset = AT(verify_refused_ms),
	 .fallback = "2s",
	 .least = 0,
	 .most = HOUR,
	 .help = "How long a refusal of a key is good; short, since a key may be registered meanwhile."},
	{.name = "verify.grace",
	 .type = OPTION_DURATION | OPTION_LIVE,
	 .offset = AT(verify_grace_ms),
	 .fallback = "24h",
	 .least = 0,
	 .most = 90LL * 24 * HOUR,
	 .help = "How long after its admission a key stays admitted while no coordinator, or nobody at verify.url, answers."},
	{.name = "probe.interval",
	 .type = OPTION_DURATION,
	 .offset = AT(probe_ms),
	 .fallback = "1m",
	 .least = 0,
	 .most = 24LL * HOUR,
	 .help = "How often, more or less, this relay probes every other one that coordinators name; 0s: never."},
	{.name = "limits.connections",
	 .type = OPTION_INT | OPTION_LIVE,
	 .offset = AT(limit_connections),
	 .fallback = "100000",
	 .least = 1,
	 .most = 10000000,
	 .help = "Most HTTP connections and most relay clients at once, per thread."},
	{.name = "limits.handshakes",
	 .type = OPTION_INT | OPTION_LIVE,
	 .offset = AT(limit_handshakes),
	 .fallback = "8192",
	 .least = 1,
	 .most = 1000000,
	 .help = "Most connections that have not proven a key yet, per thread."},
	{.name = "limits.accepts",
	 .type = OPTION_INT | OPTION_LIVE,
	 .offset = AT(limit_accepts),
	 .fallback = "2000",
	 .least = 0,
	 .most = 100000000,
	 .help = "Most connections accepted per second and thread; more are closed at once, and clients dial again; 0: any number."},
	{.name = "limits.accept_burst",
	 .type = OPTION_INT | OPTION_LIVE,
	 .offset = AT(limit_accept_burst),
	 .fallback = "20000",
	 .least = 1,
	 .most = 1000000,
	 .help = "Connections accepted at once, per thread, such as those that come back after a restart."},
	{.name = "limits.memory",
	 .type = OPTION_SIZE | OPTION_LIVE,
	 .offset = AT(limit_memory),
	 .fallback = "0",
	 .least = 0,
	 .most = INT64_C(1) << 50,
	 .help = "Most bytes that the relay holds for its clients, all threads together; from 7/8 on new connections are closed, beyond it the queues of those "
		 "that take nothing are emptied; 0: no limit."},
	{.name = "limits.queued",
	 .type = OPTION_SIZE | OPTION_LIVE,
	 .offset = AT(limit_queued),
	 .fallback = "256MiB",
	 .least = 1 << 20,
	 .most = INT64_C(1) << 40,
	 .help = "Most bytes of packets that wait for slow clients, per thread; each of them has an even share."},
	{.name = "limits.rate_file",
	 .type = OPTION_TEXT | OPTION_LIVE,
	 .offset = AT(limit_rate_file),
	 .fallback = "",
	 .help = "JSON file with PerClientRateLimitBytesPerSec and PerClientRateBurstBytes; looked at again every second; empty: no limit per client."},
	{.name = "limits.stun",
	 .type = OPTION_INT | OPTION_LIVE,
	 .offset = AT(limit_stun),
	 .fallback = "200000",
	 .least = 1,
	 .most = 100000000,
	 .help = "Most STUN answers per second and thread; a tenth of a second's worth at once. Not per source: many clients share one address."},
	{.name = "limits.write_timeout",
	 .type = OPTION_DURATION | OPTION_LIVE,
	 .offset = AT(limit_write_ms),
	 .fallback = "2s",
	 .least = 100,
	 .most = 10LL * MINUTE,
	 .help = "A client that takes nothing for so long while something waits for it is disconnected."},
	{0},
};

/* Nothing of it is said again: it may hold a secret. */
static enum err check_verify(const struct relay_options *o, struct diag *why)
{
	struct bytes url = bytes_text(o->verify_url);
	if (!url.len)
		return o->verify_coordinators ? ERR_NONE : diag_set(why, ERR_MALFORMED, "verify.coordinators=false needs verify.url: nobody would be asked");
	return fetchurl_is_good(url) ? ERR_NONE : diag_set(why, ERR_MALFORMED, "verify.url is not an http:// or https:// URL");
}

enum err relay_options_check(const struct relay_options *o, struct diag *why)
{
	if (!*o->listen_relay)
		return diag_set(why, ERR_MALFORMED, "listen.relay is off, but a relay must listen somewhere");
	if (!*o->tls_certificate != !*o->tls_key)
		return diag_set(why, ERR_MALFORMED, "tls.certificate and tls.key need each other");
	if (*o->tls_certificate && o->relay_unsafe_self_signed)
		return diag_set(why, ERR_MALFORMED, "relay.unsafe_self_signed and tls.certificate exclude each other");
	if (*o->relay_own_certificate && (*o->tls_certificate || o->relay_unsafe_self_signed || *o->relay_cert_name))
		return diag_set(why, ERR_MALFORMED, "relay.own_certificate excludes tls.certificate, relay.unsafe_self_signed and relay.cert_name");
	if (!*o->relay_hostname)
		return diag_set(why, ERR_MALFORMED, "relay.hostname is empty");
	if (!*o->relay_token)
		return diag_set(why, ERR_MALFORMED, "relay.token is empty");
	if (*o->acme_webroot && (!*o->listen_plain || !*o->tls_certificate))
		return diag_set(why, ERR_MALFORMED,
				"acme.webroot needs listen.plain, where authorities ask, and tls.certificate, where their answer is to lie");
	struct trusted proxies;
	enum err e = check_verify(o, why);
	if (!e)
		e = trusted_parse(bytes_text(o->proxies_trusted), &proxies, why);
	if (!e && o->listen_proxy_protocol && !proxies.count)
		return diag_set(why, ERR_MALFORMED, "listen.proxy_protocol needs proxies.trusted: the header of nobody would be believed");
	return e;
}
