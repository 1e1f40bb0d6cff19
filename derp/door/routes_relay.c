#include "routes_relay.h"

#include "bootstrap.h"
#include "debugpages.h"
#include "handshake.h"
#include "metrics_relay.h"
#include "shard.h"
#include "webroot.h"

static const char home_page[] =
	"<!DOCTYPE html>\n<html><head><title>fleetscale relay</title></head>\n"
	"<body><h1>fleetscale relay</h1><p>This is a relay for a private network: it passes on encrypted packets between machines that cannot reach each "
	"other directly.</p></body></html>\n";

static void count_tls(const struct exchange *x)
{
	enum relay_tls version = relay_tls_version(x->tls);
	if (version != RELAY_TLS_NONE)
		relay_count_at(RELAY_TLS_REQUESTS, version, 1);
}

/* Guard: passes all. */
static void count(struct exchange *x)
{
	count_tls(x);
	dispatch_pass(x);
}

static void count_and_guard(struct exchange *x)
{
	count_tls(x);
	debugpages_guard(x);
}

/* What browsers shall know about pages that they may show. */
static void add_page_headers(struct exchange *x)
{
	exchange_add_header(x, "Strict-Transport-Security", BYTES("max-age=63072000; includeSubDomains"));
	exchange_add_header(x, "Content-Security-Policy", BYTES("default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'self'"));
	exchange_add_header(x, "X-Frame-Options", BYTES("DENY"));
	exchange_add_header(x, "X-Content-Type-Options", BYTES("nosniff"));
}

static void serve_home(struct exchange *x)
{
	add_page_headers(x);
	exchange_reply(x, 200, "text/html; charset=utf-8", bytes_text(home_page));
}

static void serve_robots(struct exchange *x)
{
	add_page_headers(x);
	exchange_reply_text(x, 200, "User-agent: *\nDisallow: /\n");
}

/* Latency is measured by it, also from browsers. */
static void serve_probe(struct exchange *x)
{
	if (x->method != METHOD_GET && x->method != METHOD_HEAD) {
		exchange_reply_text(x, 405, "bogus probe method\n");
		return;
	}
	exchange_add_header(x, "Access-Control-Allow-Origin", BYTES("*"));
	exchange_reply(x, 200, NULL, BYTES_NONE);
}

/* What clients ask whose DNS is broken. */
static void serve_bootstrap(struct exchange *x)
{
	struct shard *s = x->program;
	add_page_headers(x);
	exchange_add_header(x, "Connection", BYTES("close"));
	bootstrap_reply(s->relay->bootstrap, x);
}

static bool is_challenge(struct bytes text)
{
	if (!text.len || text.len > 64)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
		if (!letter && !digit && c != '.' && c != '-' && c != '_' && c != ':')
			return false;
	}
	return true;
}

static void serve_generate_204(struct exchange *x)
{
	struct bytes challenge = exchange_header(x, "x-tailscale-challenge");
	if (is_challenge(challenge)) {
		const char *response = arena_format(x->arena, "response %.*s", BYTES_ARG(challenge));
		exchange_add_header(x, "X-Tailscale-Response", bytes_text(response));
	}
	exchange_add_header(x, "Cache-Control", BYTES("no-cache, no-store, must-revalidate, no-transform, max-age=0"));
	exchange_reply(x, 204, NULL, BYTES_NONE);
}

/* On the plain port everything else is elsewhere. */
static void serve_redirect(struct exchange *x)
{
	struct shard *s = x->program;
	if (x->method != METHOD_GET && x->method != METHOD_HEAD) {
		exchange_reply_text(x, 400, "Use HTTPS\n");
		return;
	}
	const char *host = s->relay->options->relay_hostname, *mark = x->query.len ? "?" : "";
	bool is_v6 = strchr(host, ':') != NULL;
	unsigned port = relay_told_port(s->relay);
	const char *colon = port == 443 ? "" : arena_format(x->arena, ":%u", port);
	struct bytes path = bytes_equal_text(x->path, "/") && debugpages_may_look(x) ? BYTES("/debug/") : x->path;
	const char *to = arena_format(x->arena, "https://%s%s%s%s%.*s%s%.*s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", colon, BYTES_ARG(path), mark,
				      BYTES_ARG(x->query));
	exchange_add_header(x, "Location", bytes_text(to));
	exchange_reply(x, 302, NULL, BYTES_NONE);
}

/* An authority asks whether the name is ours. */
static void serve_webroot(struct exchange *x)
{
	const struct shard *s = x->program;
	const char *root = s->relay->options->acme_webroot;
	struct buffer answer;
	if (!*root) {
		serve_redirect(x);
		return;
	}
	buffer_init(&answer, WEBROOT_ANSWER_MAX);
	if (webroot_read(root, x->params[0], &answer))
		exchange_reply_text(x, 404, "no such challenge\n");
	else
		exchange_reply(x, 200, "application/octet-stream", buffer_bytes(&answer));
	buffer_clear(&answer);
}

#define ANY_METHOD(path_, doors_, handler_) \
	{METHOD_GET, path_, doors_, count, handler_, 4096}, {METHOD_HEAD, path_, doors_, count, handler_, 4096}, \
		{METHOD_POST, path_, doors_, count, handler_, 4096}, {METHOD_PUT, path_, doors_, count, handler_, 4096}, \
		{METHOD_PATCH, path_, doors_, count, handler_, 4096}, {METHOD_DELETE, path_, doors_, count, handler_, 4096}, \
	{ \
		METHOD_OTHER, path_, doors_, count, handler_, 4096 \
	}

const struct route relay_routes[] = {
	ANY_METHOD("/derp", DOOR_RELAY, handshake_begin),
	ANY_METHOD("/derp/probe", DOOR_RELAY, serve_probe),
	ANY_METHOD("/derp/latency-check", DOOR_RELAY, serve_probe),
	ANY_METHOD("/generate_204", DOOR_RELAY | DOOR_CLIENTS, serve_generate_204),
	ANY_METHOD("/robots.txt", DOOR_RELAY, serve_robots),
	{METHOD_GET, "/debug/vars", DOOR_RELAY | DOOR_CLIENTS, count_and_guard, debugpages_vars, 4096},
	{METHOD_GET, "/debug/varz", DOOR_RELAY | DOOR_CLIENTS, count_and_guard, debugpages_varz, 4096},
	{METHOD_GET, "/debug/check", DOOR_RELAY | DOOR_CLIENTS, count_and_guard, debugpages_check, 4096},
	{METHOD_GET, "/debug/{*}", DOOR_RELAY | DOOR_CLIENTS, count_and_guard, debugpages_index, 4096},
	{METHOD_GET, "/bootstrap-dns", DOOR_RELAY, count, serve_bootstrap, 4096},
	{METHOD_GET, "/.well-known/acme-challenge/{token}", DOOR_CLIENTS, NULL, serve_webroot, 4096},
	ANY_METHOD("/{*}", DOOR_CLIENTS, serve_redirect),
	ANY_METHOD("/{*}", DOOR_RELAY, serve_home),
	{0},
};
