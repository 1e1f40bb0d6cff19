#include "debugpages.h"

#include <unistd.h>

#include "dispatch.h"
#include "metrics_relay.h"
#include "selfstat.h"
#include "shard.h"
#include "stockvars.h"

enum { PAGE_MAX = 64 << 10, LOOKS = 16, TEXT_MAX = 256 };

static bool is_near(struct ip ip)
{
	static const char *const near[] = {"127.0.0.0/8", "::1/128", "100.64.0.0/10", "fd7a:115c:a1e0::/48"};
	for (size_t i = 0; i < COUNT_OF(near); i++) {
		struct prefix p;
		if (!prefix_parse(bytes_text(near[i]), &p) && prefix_has(p, ip))
			return true;
	}
	return false;
}

bool debugpages_may_look(const struct exchange *x)
{
	return !exchange_header(x, "x-forwarded-for").at && is_near(x->peer.ip);
}

void debugpages_guard(struct exchange *x)
{
	if (debugpages_may_look(x))
		dispatch_pass(x);
	else
		exchange_reply_text(x, 403, "debug access denied\n");
}

static void reply(struct exchange *x, const char *type, enum err (*write)(const struct relay *relay, struct buffer *out))
{
	const struct shard *s = x->program;
	struct buffer page;
	buffer_init(&page, PAGE_MAX);
	if (!shard_complete(s))
		exchange_reply_text(x, 503, "starting\n");
	else if (write(s->relay, &page))
		exchange_reply_text(x, 500, "too much to tell\n");
	else
		exchange_reply(x, 200, type, buffer_bytes(&page));
	buffer_clear(&page);
}

void debugpages_vars(struct exchange *x)
{
	reply(x, "application/json; charset=utf-8", stockvars_json);
}

void debugpages_varz(struct exchange *x)
{
	reply(x, "text/plain; version=0.0.4; charset=utf-8", stockvars_text);
}

/* Each connection is its key's only one or a duplicate. Threads count while we look, so that one look in agreement is enough. */
static bool books_agree(int64_t *connections, int64_t *keys)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		*connections = metric_sum(&relay_metrics[RELAY_CONNECTIONS], 0);
		*keys = metric_sum(&relay_metrics[RELAY_KEYS], 0);
		int64_t dup_keys = metric_sum(&relay_metrics[RELAY_DUP_KEYS], 0), dups = metric_sum(&relay_metrics[RELAY_DUP_CONNECTIONS], 0);
		if (*connections == *keys - dup_keys + dups)
			return true;
	}
	return false;
}

void debugpages_check(struct exchange *x)
{
	int64_t connections, keys;
	if (books_agree(&connections, &keys))
		exchange_reply_text(x, 200, "derp.Server ConsistencyCheck okay\n");
	else
		exchange_reply_text(x, 500, arena_format(x->arena, "%lld connections do not fit %lld keys\n", (long long)connections, (long long)keys));
}

/* What may stand in a page: names of hosts hold nothing else. */
static const char *plain(struct arena *arena, const char *text)
{
	char *kept = arena_format(arena, "%.*s", TEXT_MAX, text);
	for (char *c = kept; *c; c++)
		if (strchr("<>&\"'", *c))
			*c = '?';
	return kept;
}

static const char *uptime(struct arena *arena)
{
	struct selfstat self = selfstat_read();
	int64_t s = (int64_t)((double)clock_wall().ns / 1e9 - self.started_unix_s);
	return arena_format(arena, "%lldh%lldm%llds", (long long)(s / 3600), (long long)(s / 60 % 60), (long long)(s % 60));
}

void debugpages_index(struct exchange *x)
{
	const struct shard *s = x->program;
	char machine[TEXT_MAX] = "";
	if (x->path.len > strlen("/debug/")) {
		exchange_reply_text(x, 404, "404 page not found\n");
		return;
	}
	(void)!gethostname(machine, sizeof machine - 1);
	const struct told *told = s->life.told;
	const char *page = arena_format(
		x->arena,
		"<!DOCTYPE html>\n<html><body><h1>relay debug</h1><ul><li><b>Uptime:</b> %s</li><li><b>Version:</b> %s</li><li><b>Machine:</b> "
		"%s</li><li><b>TLS hostname:</b> %s</li><li><b>TLS:</b> %s</li><li><b>Mesh key:</b> %s</li><li><a href=\"/debug/vars\">/debug/vars</a> "
		"(JSON)</li><li><a href=\"/debug/varz\">/debug/varz</a> (Prometheus)</li><li><a href=\"/debug/check\">/debug/check</a> "
		"(whether the books agree)</li></ul></body></html>\n",
		uptime(x->arena), FLEETSCALE_VERSION, plain(x->arena, machine), plain(x->arena, s->relay->options->relay_hostname),
		relay_certificate(s->relay) ? "on" : "off", told && told->mesh_key_count ? "true" : "false");
	exchange_reply(x, 200, "text/html; charset=utf-8", bytes_text(page));
}
