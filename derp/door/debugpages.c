#include "debugpages.h"

#include "dispatch.h"
#include "metrics_relay.h"
#include "relay.h"

enum { PAGE_MAX = 64 << 10, LOOKS = 16 };

/* A variable of the stock relay: one series of a metric of ours, or the sum of all. */
static const struct variable {
	const char *name, *label, *value;
	enum relay_metric metric;
	int series; /* -1: all */
	bool gauge;
} variables[] = {
	{"derp_accepts", NULL, NULL, RELAY_ACCEPTS, -1, false},
	{"derp_websocket_accepts", NULL, NULL, RELAY_WEBSOCKETS, -1, false},
	{"derp_current_connections", NULL, NULL, RELAY_CONNECTIONS, -1, true},
	{"derp_current_home_connections", NULL, NULL, RELAY_HOME_CONNECTIONS, -1, true},
	{"derp_current_notideal_connections", NULL, NULL, RELAY_NOT_IDEAL, -1, true},
	{"derp_clients_local", NULL, NULL, RELAY_KEYS, -1, true},
	{"derp_clients_remote", NULL, NULL, RELAY_REMOTE_KEYS, -1, true},
	{"derp_watchers", NULL, NULL, RELAY_WATCHERS, -1, true},
	{"derp_packets_forwarded_in", NULL, NULL, RELAY_FORWARDED_IN, -1, false},
	{"derp_packets_forwarded_out", NULL, NULL, RELAY_FORWARDED_OUT, -1, false},
	{"derp_current_dup_client_keys", NULL, NULL, RELAY_DUP_KEYS, -1, true},
	{"derp_current_dup_client_conns", NULL, NULL, RELAY_DUP_CONNECTIONS, -1, true},
	{"derp_total_dup_client_conns", NULL, NULL, RELAY_DUP_TOTAL, -1, false},
	{"derp_packets_received", NULL, NULL, RELAY_PACKETS_RECEIVED, -1, false},
	{"derp_packets_received_kind", "kind", "disco", RELAY_PACKETS_RECEIVED, RELAY_KIND_DISCO, false},
	{"derp_packets_received_kind", "kind", "other", RELAY_PACKETS_RECEIVED, RELAY_KIND_OTHER, false},
	{"derp_bytes_received", NULL, NULL, RELAY_BYTES_RECEIVED, -1, false},
	{"derp_packets_sent", NULL, NULL, RELAY_PACKETS_SENT, -1, false},
	{"derp_bytes_sent", NULL, NULL, RELAY_BYTES_SENT, -1, false},
	{"derp_packets_dropped", "reason", "unknown_dest", RELAY_PACKETS_DROPPED, RELAY_DROP_UNKNOWN_DEST, false},
	{"derp_packets_dropped", "reason", "gone_disconnected", RELAY_PACKETS_DROPPED, RELAY_DROP_GONE, false},
	{"derp_packets_dropped", "reason", "queue_head", RELAY_PACKETS_DROPPED, RELAY_DROP_QUEUE_HEAD, false},
	{"derp_packets_dropped", "reason", "queue_tail", RELAY_PACKETS_DROPPED, RELAY_DROP_QUEUE_TAIL, false},
	{"derp_bytes_dropped", "reason", "unknown_dest", RELAY_BYTES_DROPPED, RELAY_DROP_UNKNOWN_DEST, false},
	{"derp_bytes_dropped", "reason", "gone_disconnected", RELAY_BYTES_DROPPED, RELAY_DROP_GONE, false},
	{"derp_bytes_dropped", "reason", "queue_head", RELAY_BYTES_DROPPED, RELAY_DROP_QUEUE_HEAD, false},
	{"derp_bytes_dropped", "reason", "queue_tail", RELAY_BYTES_DROPPED, RELAY_DROP_QUEUE_TAIL, false},
	{"derp_home_moves_in", NULL, NULL, RELAY_HOME_MOVES_IN, -1, false},
	{"derp_home_moves_out", NULL, NULL, RELAY_HOME_MOVES_OUT, -1, false},
	{"derp_got_ping", NULL, NULL, RELAY_GOT_PING, -1, false},
	{"derp_sent_pong", NULL, NULL, RELAY_SENT_PONG, -1, false},
	{"derp_peer_gone_disconnected_frames", NULL, NULL, RELAY_PEER_GONE, RELAY_GONE_DISCONNECTED, false},
	{"derp_peer_gone_not_here_frames", NULL, NULL, RELAY_PEER_GONE, RELAY_GONE_NOT_HERE, false},
	{"derp_sclient_write_timeouts", NULL, NULL, RELAY_WRITE_TIMEOUTS, -1, false},
	{"derp_unknown_frames", NULL, NULL, RELAY_UNKNOWN_FRAMES, -1, false},
	{"derp_rate_limit_per_client_waited", NULL, NULL, RELAY_RATE_WAITS, -1, false},
	{"stun_requests", "disposition", "success", RELAY_STUN_REQUESTS, RELAY_STUN_SUCCESS, false},
	{"stun_requests", "disposition", "not_stun", RELAY_STUN_REQUESTS, RELAY_STUN_NOT_STUN, false},
	{"stun_requests", "disposition", "read_error", RELAY_STUN_REQUESTS, RELAY_STUN_READ_ERROR, false},
	{"stun_requests", "disposition", "write_error", RELAY_STUN_REQUESTS, RELAY_STUN_WRITE_ERROR, false},
	{"stun_requests", "disposition", "limited", RELAY_STUN_REQUESTS, RELAY_STUN_LIMITED, false},
	{"stun_addrfamily", "family", "ipv4", RELAY_STUN_FAMILY, 0, false},
	{"stun_addrfamily", "family", "ipv6", RELAY_STUN_FAMILY, 1, false},
};

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

static int64_t value_of(const struct variable *v)
{
	const struct metric *m = &relay_metrics[v->metric];
	if (v->metric == RELAY_PACKETS_DROPPED || v->metric == RELAY_BYTES_DROPPED)
		return metric_sum(m, 2 * (unsigned)v->series) + metric_sum(m, 2 * (unsigned)v->series + 1);
	if (v->series >= 0)
		return metric_sum(m, (unsigned)v->series);
	int64_t sum = 0;
	for (unsigned i = 0; i == 0 || (m->label && m->values[i]); i++)
		sum += metric_sum(m, i);
	return sum;
}

static enum err write_varz(struct buffer *out)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; i < COUNT_OF(variables) && !e; i++) {
		const struct variable *v = &variables[i];
		if (!i || strcmp(v->name, v[-1].name) != 0)
			e = buffer_format(out, "# TYPE %s %s\n", v->name, v->gauge ? "gauge" : "counter");
		if (!e && v->label)
			e = buffer_format(out, "%s{%s=\"%s\"} %lld\n", v->name, v->label, v->value, (long long)value_of(v));
		else if (!e)
			e = buffer_format(out, "%s %lld\n", v->name, (long long)value_of(v));
	}
	int64_t keys = metric_sum(&relay_metrics[RELAY_KEYS], 0) + metric_sum(&relay_metrics[RELAY_REMOTE_KEYS], 0);
	return e ? e : buffer_format(out, "# TYPE derp_clients_total gauge\nderp_clients_total %lld\n", (long long)keys);
}

static enum err write_vars(struct buffer *out)
{
	enum err e = buffer_add_text(out, "{");
	for (size_t i = 0; i < COUNT_OF(variables) && !e; i++) {
		const struct variable *v = &variables[i];
		const char *kind = v->gauge ? "gauge" : "counter", *comma = i ? "," : "";
		if (v->label)
			e = buffer_format(out, "%s\n\"%s_%s{%s=%s}\": %lld", comma, kind, v->name, v->label, v->value, (long long)value_of(v));
		else
			e = buffer_format(out, "%s\n\"%s_%s\": %lld", comma, kind, v->name, (long long)value_of(v));
	}
	return e ? e : buffer_add_text(out, "\n}\n");
}

static void reply(struct exchange *x, const char *type, enum err (*write)(struct buffer *out))
{
	struct buffer page;
	buffer_init(&page, PAGE_MAX);
	if (write(&page))
		exchange_reply_text(x, 500, "too much to tell\n");
	else
		exchange_reply(x, 200, type, buffer_bytes(&page));
	buffer_clear(&page);
}

void debugpages_vars(struct exchange *x)
{
	reply(x, "application/json; charset=utf-8", write_vars);
}

void debugpages_varz(struct exchange *x)
{
	reply(x, "text/plain; version=0.0.4; charset=utf-8", write_varz);
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

void debugpages_index(struct exchange *x)
{
	const struct shard *s = x->program;
	const char *page = arena_format(x->arena,
					"<!DOCTYPE html>\n<html><body><h1>relay debug</h1><ul><li><b>Version:</b> %s</li><li><b>TLS:</b> %s</li>"
					"<li><a href=\"/debug/vars\">vars</a></li><li><a href=\"/debug/varz\">varz</a></li><li><a "
					"href=\"/debug/check\">check</a></li></ul></body></html>\n",
					FLEETSCALE_VERSION, relay_certificate(s->relay) ? "on" : "off");
	if (x->path.len > strlen("/debug/"))
		exchange_reply_text(x, 404, "404 page not found\n");
	else
		exchange_reply(x, 200, "text/html; charset=utf-8", bytes_text(page));
}
