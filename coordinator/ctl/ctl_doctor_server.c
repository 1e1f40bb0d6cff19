#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "addr.h"
#include "capver.h"
#include "clock.h"
#include "ctl_doctor.h"
#include "ctl_probe.h"
#include "ctl_show.h"
#include "ctl_where.h"
#include "text.h"

enum { DAYS_WARN = 14, DAY_S = 86400, SILENT_S = 300 };

static struct ctl_probe ask(const struct doctor *d, const struct ctl_where *w, const char *url, const char *path)
{
	struct ctl *c = d->c;

	return (struct ctl_probe){
		.url = arena_format(c->arena, "%s%s", url, path), .ca_file = w->ca_file, .insecure = w->insecure, .timeout_ms = d->timeout_ms};
}

/* As the admin door wants it. */
static struct ctl_probe ask_admin(const struct doctor *d, const struct ctl_where *w, const char *path)
{
	struct ctl_probe p = ask(d, w, w->url, path);
	unsigned count = 0;

	p.socket = w->socket;
	p.headers[count++] = "Accept: application/json";
	if (w->key)
		p.headers[count++] = arena_format(d->c->arena, "Authorization: Bearer %s", w->key);
	if (w->tailnet)
		p.headers[count] = arena_format(d->c->arena, "Fleetscale-Tailnet: %s", w->tailnet);
	return p;
}

/* --- urls ------------------------------------------------------------------------------------------------------------------------------------ */

/* host[:port] of a URL, and the host alone without brackets. */
static const char *authority(struct ctl *c, const char *url)
{
	const char *at = strstr(url, "://");

	at = at ? at + 3 : url;
	return arena_format(c->arena, "%.*s", (int)strcspn(at, "/?#"), at);
}

static const char *host_of(struct ctl *c, const char *url)
{
	const char *text = authority(c, url);

	if (*text == '[')
		return arena_format(c->arena, "%.*s", (int)strcspn(text + 1, "]"), text + 1);
	return arena_format(c->arena, "%.*s", (int)strcspn(text, ":"), text);
}

static bool is_https(const char *url)
{
	return strncmp(url, "https://", 8) == 0;
}

static bool is_address(const char *host)
{
	struct ip ip;

	return !ip_parse(bytes_text(host), &ip);
}

/* Official clients speak plain HTTP with these. */
static bool is_private(const char *text)
{
	static const char *const ranges[] = {"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"};
	struct prefix range;
	struct ip ip;

	if (ip_parse(bytes_text(text), &ip))
		return false;
	for (size_t i = 0; i < COUNT_OF(ranges); i++)
		if (!prefix_parse(bytes_text(ranges[i]), &range) && prefix_has(range, ip))
			return true;
	return false;
}

/* --- the admin door -------------------------------------------------------------------------------------------------------------------------- */

static void see_clock(struct doctor *d, const struct ctl_probe *p, const char *whose)
{
	if (p->date_s > 0) /* whole seconds: half of one is in the middle */
		doctor_note_clock(d, whose, (double)p->date_s + 0.5 - (double)clock_wall().ns / 1e9);
}

/* Port 443 and 80 may be left out. */
static bool same_host(struct ctl *c, const char *dialled, const char *seen, bool https)
{
	const char *usual = https ? ":443" : ":80";

	return strcmp(dialled, seen) == 0 || strcmp(arena_format(c->arena, "%s%s", dialled, usual), seen) == 0 ||
	       strcmp(dialled, arena_format(c->arena, "%s%s", seen, usual)) == 0;
}

static void see_front(struct doctor *d, const struct ctl_where *w, const struct ctl_probe *p, const json_t *who)
{
	const char *host = json_string_value(json_object_get(who, "host")), *peer = json_string_value(json_object_get(who, "peerAddress"));
	const char *dialled = authority(d->c, w->url);
	bool secure = json_is_true(json_object_get(who, "secure"));

	if (w->socket)
		return;
	if (secure != is_https(w->url))
		doctor_note(d, "proxy", FINDING_FAILED, "let the proxy send X-Forwarded-Proto, and name its address in proxies.trusted (docs/proxies.md)",
			    "the server takes this connection for %s, but %s was dialled", secure ? "https" : "http", w->url);
	else if (!host || !same_host(d->c, dialled, host, secure))
		doctor_note(d, "proxy", FINDING_FAILED,
			    "let the proxy pass Host, or send X-Forwarded-Host, and name its address in proxies.trusted (docs/proxies.md)",
			    "the server was asked for %s, and takes that for %s", dialled, host ? host : "nothing");
	else if (peer && strcmp(peer, p->local_ip) != 0)
		doctor_note(d, "proxy", FINDING_WARNING,
			    "right behind NAT; else let the proxy send X-Forwarded-For, and name its address in proxies.trusted (docs/proxies.md)",
			    "the server sees this machine as %s, which is %s here", peer, p->local_ip);
	else
		doctor_note(d, "proxy", FINDING_OK, "", "the server sees host, scheme and address (%s) as they are", peer ? peer : "-");
}

static void note_who(struct doctor *d, const json_t *who)
{
	const char *credential = json_string_value(json_object_get(who, "credential")), *tailnet = json_string_value(json_object_get(who, "tailnet"));
	const char *version = json_string_value(json_object_get(who, "version"));

	doctor_note(d, "access", FINDING_OK, "", "as %s, tailnet %s, scopes %s", credential ? credential : "?", tailnet ? tailnet : "?",
		    ctl_text_list(d->c->arena, json_object_get(who, "scopes")));
	if (version && strcmp(version, FLEETSCALE_VERSION) != 0)
		doctor_note(d, "version", FINDING_WARNING, "use programs and command of one release", "the coordinator is %s, this command %s", version,
			    FLEETSCALE_VERSION);
}

/* A policy in force that would be refused today, or whose tests fail by now. */
static void see_policy(struct doctor *d, const struct ctl_where *w)
{
	struct ctl_probe p = ask_admin(d, w, "/api/fleetscale/v1/policy/test");
	const json_t *answer;
	const char *warning;
	long long ran, failed;

	p.method = "POST";
	ctl_probe(d->c, &p);
	answer = p.error ? NULL : ctl_keep(d->c, json_loads(p.body, 0, NULL));
	warning = json_string_value(json_object_get(answer, "warning"));
	ran = json_integer_value(json_object_get(answer, "testsRun"));
	failed = json_integer_value(json_object_get(answer, "testsFailed"));
	if (p.status == 400)
		doctor_note(d, "policy", FINDING_FAILED, "nobody reaches anybody: set another (`fleetscale policy set`) or go back (`policy rollback`)",
			    "the policy in force cannot be read");
	else if (p.status != 200 || !answer)
		doctor_note(d, "policy", FINDING_SKIPPED, "ask with a key that may read policies, and name the tailnet", "not looked at");
	else if (warning)
		doctor_note(d, "policy", FINDING_WARNING, "mend it: `fleetscale policy get`, `policy check`, `policy set`", "%s", warning);
	else if (failed)
		doctor_note(d, "policy", FINDING_WARNING, "`fleetscale policy test` names them", "%lld of %lld tests of the policy fail by now", failed, ran);
	else
		doctor_note(d, "policy", FINDING_OK, "", "the policy in force is understood; %lld tests pass", ran);
}

static void see_access(struct doctor *d, const struct ctl_where *w)
{
	struct ctl_probe p = ask_admin(d, w, "/api/fleetscale/v1/whoami");
	const json_t *who;

	if (!w->socket && !w->key) {
		doctor_note(d, "access", FINDING_SKIPPED, "set FLEETSCALE_API_KEY or FLEETSCALE_API_KEY_FILE", "no API key");
		return;
	}
	ctl_probe(d->c, &p);
	who = p.error ? NULL : ctl_keep(d->c, json_loads(p.body, 0, NULL));
	if (p.status == 200 && json_is_object(who)) {
		note_who(d, who);
		see_front(d, w, &p, who);
		see_policy(d, w);
	} else if (p.status == 401) {
		doctor_note(d, "access", FINDING_FAILED, "mint one: `fleetscale operator create` on a coordinator's machine, or with --database",
			    "the API key is not known, or has expired");
	} else {
		doctor_note(d, "access", FINDING_FAILED, "is this the admin door of a coordinator?", "%s answered %ld%s%s", p.url, p.status,
			    p.error ? ": " : "", p.error ? p.error : "");
	}
}

void doctor_see_server(struct doctor *d)
{
	const struct ctl_where *w = ctl_where(d->c);
	struct ctl_probe p;

	if (!w)
		return;
	p = ask(d, w, w->url, "/health");
	p.socket = w->socket;
	ctl_probe(d->c, &p);
	if (p.error) {
		doctor_note(d, "admin", FINDING_FAILED, "is a coordinator running there? Name another with --server URL or --socket PATH", "%s: %s",
			    ctl_where_name(d->c, w), p.error);
		return;
	}
	if (p.status == 200)
		doctor_note(d, "admin", FINDING_OK, "", "%s answers (by %s)", ctl_where_name(d->c, w), w->from);
	else
		doctor_note(d, "admin", FINDING_FAILED,
			    p.status == 500 ? "the coordinator does not reach its database: see its log" : "is this a coordinator's door?",
			    "%s/health answered %ld", w->url, p.status);
	see_clock(d, &p, "the coordinator's clock");
	see_access(d, w);
}

/* --- the clients door ------------------------------------------------------------------------------------------------------------------------ */

/* False: nothing further can be asked. */
static bool see_name(struct doctor *d, const char *url)
{
	const char *host = host_of(d->c, url), *addresses = "";
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char text[NI_MAXHOST];
	int e = getaddrinfo(host, NULL, &hints, &found);

	for (const struct addrinfo *one = found; one; one = one->ai_next)
		if (!getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST))
			addresses = arena_format(d->c->arena, "%s%s%s", addresses, *addresses ? ", " : "", text);
	if (found)
		freeaddrinfo(found);
	if (e)
		doctor_note(d, "dns", FINDING_FAILED, "publish A or AAAA records of the login server's name", "%s: %s", host, gai_strerror(e));
	else if (!is_address(host))
		doctor_note(d, "dns", FINDING_OK, "", "%s is %s", host, addresses);
	return !e;
}

static void note_days(struct doctor *d, const struct ctl_probe *p)
{
	int64_t left_s = p->expires_s - clock_wall().ns / 1000000000, days = left_s / DAY_S;

	if (!p->expires_s)
		return;
	if (left_s <= 0)
		doctor_note(d, "tls", FINDING_FAILED, "renew the certificate; a coordinator takes the new files by itself",
			    "the certificate has expired %lld days ago", (long long)-days);
	else
		doctor_note(d, "tls", days < DAYS_WARN ? FINDING_WARNING : FINDING_OK, days < DAYS_WARN ? "renew the certificate" : "",
			    "the chain is %s and good for %lld more days", p->insecure ? "not checked (--insecure)" : "trusted", (long long)days);
}

/* Who does not trust it may still look when it ends. */
static void see_untrusted(struct doctor *d, const struct ctl_probe *refused)
{
	struct ctl_probe p = *refused;
	int64_t now_s = clock_wall().ns / 1000000000;

	p.insecure = true;
	ctl_probe(d->c, &p);
	if (p.expires_s && p.expires_s <= now_s)
		note_days(d, &p);
	else
		doctor_note(d, "tls", FINDING_FAILED, "serve the whole chain of a certificate for this name; a private authority's with --ca-file", "%s",
			    refused->error);
}

/* False: the door cannot be spoken with. */
static bool see_door(struct doctor *d, const struct ctl_where *w, const char *url)
{
	struct ctl_probe p = ask(d, w, url, "/health");

	ctl_probe(d->c, &p);
	if (p.untrusted) {
		see_untrusted(d, &p);
		return false;
	}
	if (p.error) {
		doctor_note(d, "clients", FINDING_FAILED, "is the port open, and does the load balancer know a live coordinator?", "%s: %s", url, p.error);
		return false;
	}
	if (is_https(url))
		note_days(d, &p);
	else if (!is_private(p.remote_ip))
		doctor_note(d, "tls", FINDING_WARNING, "serve https: tls.certificate and listen.clients_tls, or a proxy",
			    "plain HTTP on a public address: official clients demand HTTPS there");
	else
		doctor_note(d, "tls", FINDING_OK, "", "plain HTTP on a private address (%s)", p.remote_ip);
	if (p.status != 200)
		doctor_note(d, "clients", FINDING_FAILED, "see the log of coordinator and proxy", "%s/health answered %ld", url, p.status);
	return true;
}

static void see_path(struct doctor *d, const struct ctl_where *w, const char *url, const char *path, const char *holds)
{
	struct ctl_probe p = ask(d, w, url, path);

	ctl_probe(d->c, &p);
	if (p.status == 200 && strstr(p.body, holds))
		doctor_note(d, "clients", FINDING_OK, "", "%s%s answers", url, path);
	else
		doctor_note(d, "clients", FINDING_FAILED, "let the proxy pass this path to a coordinator's clients door", "%s%s answered %ld%s%s", url, path,
			    p.status, p.error ? ": " : ", and not as a coordinator does", p.error ? p.error : "");
}

/* Without a handshake a coordinator says what is missing: whoever says something else stands between. */
static void see_upgrade(struct doctor *d, const struct ctl_where *w, const char *url)
{
	struct ctl_probe p = ask(d, w, url, "/ts2021");
	const char *advice = "let the proxy pass `Upgrade: tailscale-control-protocol` of a POST, and never gather its answer (docs/proxies.md)";

	p.method = "POST";
	p.headers[0] = "Upgrade: tailscale-control-protocol";
	p.headers[1] = "Connection: Upgrade";
	ctl_probe(d->c, &p);
	if (p.status == 101 || (p.status == 400 && strstr(p.body, "X-Tailscale-Handshake")))
		doctor_note(d, "upgrade", FINDING_OK, "", "an upgrade of /ts2021 reaches a coordinator");
	else if (p.status == 400 && strstr(p.body, "tailscale-control-protocol"))
		doctor_note(d, "upgrade", FINDING_FAILED, advice, "a proxy takes the Upgrade header away from POST /ts2021");
	else
		doctor_note(d, "upgrade", FINDING_FAILED, advice, "POST /ts2021 with an upgrade answered %ld%s%s", p.status, p.error ? ": " : "",
			    p.error ? p.error : "");
}

/* The admin door alone knows no /key. */
static bool is_clients_door(struct doctor *d, const struct ctl_where *w)
{
	struct ctl_probe p = ask(d, w, w->url, arena_format(d->c->arena, "/key?v=%d", CAPVER_OLDEST));

	ctl_probe(d->c, &p);
	return p.status != 404;
}

void doctor_see_clients(struct doctor *d)
{
	const struct ctl_where *w = ctl_where(d->c);
	const char *url = d->login_server;

	if (!w)
		return;
	if (!url && !w->socket && is_clients_door(d, w))
		url = w->url;
	if (!url) {
		doctor_note(d, "clients", FINDING_SKIPPED, "say --login-server URL: what clients have as --login-server", "not looked at");
		return;
	}
	if (!strstr(url, "://"))
		url = arena_format(d->c->arena, "https://%s", url);
	if (!see_name(d, url) || !see_door(d, w, url))
		return;
	see_path(d, w, url, arena_format(d->c->arena, "/key?v=%d", CAPVER_OLDEST), "publicKey");
	see_path(d, w, url, "/version", "fleetscale");
	see_upgrade(d, w, url);
}

/* --- relays ---------------------------------------------------------------------------------------------------------------------------------- */

static void see_relay(struct doctor *d, const json_t *relay)
{
	const char *name = json_string_value(json_object_get(relay, "name")), *host = json_string_value(json_object_get(relay, "hostName"));
	const char *seen = json_string_value(json_object_get(relay, "lastSeen"));
	long long port = json_integer_value(json_object_get(relay, "derpPort"));
	struct ctl_probe p = {.only_connect = true, .timeout_ms = d->timeout_ms};
	struct wall when;

	name = name ? name : "?";
	if (!seen || time_parse(bytes_text(seen), &when) || !host || !*host) {
		doctor_note(d, "relay", FINDING_FAILED, "start it with its token, or remove it: `fleetscale relays delete`", "%s has never been seen", name);
		return;
	}
	p.url = arena_format(d->c->arena, strchr(host, ':') ? "http://[%s]:%lld" : "http://%s:%lld", host, port ? port : 443);
	ctl_probe(d->c, &p);
	if (p.error)
		doctor_note(d, "relay", FINDING_FAILED, "is it running, and may its port be reached from outside?", "%s: port %lld of %s: %s", name,
			    port ? port : 443, host, p.error);
	else if (clock_wall().ns - when.ns > (int64_t)SILENT_S * 1000000000)
		doctor_note(d, "relay", FINDING_WARNING, "does it reach a coordinator? See its log", "%s answers, but has been silent since %s", name, seen);
	else
		doctor_note(d, "relay", FINDING_OK, "", "%s answers at %s:%lld", name, host, port ? port : 443);
}

void doctor_see_relays(struct doctor *d)
{
	const struct ctl_where *w = ctl_where(d->c);
	struct ctl_probe p;
	const json_t *answer, *relay;
	size_t i;

	if (!w || (!w->socket && !w->key))
		return;
	p = ask_admin(d, w, "/api/fleetscale/v1/relays?limit=1000");
	ctl_probe(d->c, &p);
	answer = p.error ? NULL : ctl_keep(d->c, json_loads(p.body, 0, NULL));
	if (p.status == 403 || p.status == 404) {
		doctor_note(d, "relay", FINDING_SKIPPED, "ask with a key of the operator", "this key may not see the relays");
		return;
	}
	if (p.status != 200)
		return; /* told of the door already */
	if (!json_array_size(json_object_get(answer, "relays")))
		doctor_note(d, "relay", FINDING_WARNING, "`fleetscale relays create` makes one: clients that have no direct path need it", "there is no relay");
	json_array_foreach(json_object_get(answer, "relays"), i, relay) see_relay(d, relay);
}
