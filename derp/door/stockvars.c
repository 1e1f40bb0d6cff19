#include "stockvars.h"

#include <stdio.h>

#include "jsonw.h"
#include "metrics_relay.h"
#include "selfstat.h"
#include "shard.h"

enum { ALL = -1, FACES_MAX = 16 };

enum form {
	COUNTER,
	GAUGE,
	UNTYPED,
	HISTOGRAM,
	DROPS, /* by reason and kind */
};

/* The series of a variable that has a label. */
struct face {
	const char *label;
	struct {
		const char *value;
		int series; /* of the metric */
	} of[FACES_MAX];
};

struct now {
	const struct relay *relay;
	struct selfstat self;
	double unix_s;
};

/* A variable of the stock relay: one series of a metric of ours, or the sum of all; or several; or what a function tells. */
struct variable {
	const char *group, *name; /* of the JSON object it is in, NULL: none; both make up its name as text */
	const char *prefix;       /* of its name in JSON; NULL: it is in the text alone */
	enum form form;
	enum relay_metric metric;
	int series;
	const struct face *face;
	double (*tell)(const struct now *now);
};

static const struct face kinds = {"kind", {{"disco", RELAY_KIND_DISCO}, {"other", RELAY_KIND_OTHER}}};
static const struct face rtts = {"le", {{"10ms", 0}, {"20ms", 1}, {"50ms", 2}, {"100ms", 3}, {"150ms", 4}, {"250ms", 5}, {"500ms", 6}, {"inf", 7}}};
static const struct face versions = {"version", {{"1.2", RELAY_TLS_12}, {"1.3", RELAY_TLS_13}}};
static const struct face families = {"family", {{"ipv4", 0}, {"ipv6", 1}}};
static const struct face dispositions = {"disposition",
					 {{"limited", RELAY_STUN_LIMITED}, /* no stock relay has that one */
					  {"not_stun", RELAY_STUN_NOT_STUN},
					  {"read_error", RELAY_STUN_READ_ERROR},
					  {"success", RELAY_STUN_SUCCESS},
					  {"write_error", RELAY_STUN_WRITE_ERROR}}};
static const char *const drop_reasons[] = {
	[RELAY_DROP_UNKNOWN_DEST] = "unknown_dest", [RELAY_DROP_UNKNOWN_DEST_ON_FWD] = "unknown_dest_on_fwd",
	[RELAY_DROP_GONE] = "gone_disconnected",    [RELAY_DROP_QUEUE_HEAD] = "queue_head",
	[RELAY_DROP_QUEUE_TAIL] = "queue_tail",     [RELAY_DROP_WRITE_ERROR] = "write_error",
	[RELAY_DROP_DUP_CLIENT] = "dup_client",
};

static double uptime(const struct now *now)
{
	return now->unix_s > now->self.started_unix_s ? (double)(int64_t)(now->unix_s - now->self.started_unix_s) : 0;
}
static double started(const struct now *now)
{
	return (double)(int64_t)now->self.started_unix_s;
}
static double booted(const struct now *now)
{
	return now->self.boot_unix_s;
}
static double open_fds(const struct now *now)
{
	return (double)now->self.open_fds;
}
static double memory_at_start(const struct now *now)
{
	return (double)now->relay->memory_at_start;
}
static double memory(const struct now *now)
{
	return (double)now->self.resident;
}
static double keys(const struct now *now)
{
	(void)now;
	return (double)(metric_sum(&relay_metrics[RELAY_KEYS], 0) + metric_sum(&relay_metrics[RELAY_REMOTE_KEYS], 0));
}
static double rate(const struct now *now)
{
	return (double)rates_now(&now->relay->rates).per_second;
}
static double burst(const struct now *now)
{
	return (double)rates_now(&now->relay->rates).burst;
}

/* Of the shards that have clients, each with its own mean. */
static double queue_ms(const struct now *now)
{
	double sum = 0;
	unsigned count = 0;
	for (unsigned i = 0; i < now->relay->count; i++) {
		const struct shard *s = now->relay->shard[i];
		if (!s)
			continue;
		sum += atomic_load_explicit(&s->queue_ms, memory_order_relaxed);
		count++;
	}
	return count ? sum / count : 0;
}

#define OF(group_, name_, prefix_, form_, metric_, series_) \
	{ \
		.group = group_, .name = name_, .prefix = prefix_, .form = form_, .metric = metric_, .series = series_ \
	}
#define BY(group_, name_, prefix_, form_, metric_, face_) \
	{ \
		.group = group_, .name = name_, .prefix = prefix_, .form = form_, .metric = metric_, .face = face_ \
	}
#define TOLD(group_, name_, prefix_, form_, tell_) \
	{ \
		.group = group_, .name = name_, .prefix = prefix_, .form = form_, .tell = tell_ \
	}

/* Those of one group lie together. */
static const struct variable variables[] = {
	OF(NULL, "bootstrap_dns_published_hits", "counter_", COUNTER, RELAY_BOOTSTRAP_ANSWERS, RELAY_BOOTSTRAP_PUBLISHED_HIT),
	OF(NULL, "bootstrap_dns_published_misses", "counter_", COUNTER, RELAY_BOOTSTRAP_ANSWERS, RELAY_BOOTSTRAP_PUBLISHED_MISS),
	OF(NULL, "bootstrap_dns_queried_domains", "counter_", COUNTER, RELAY_BOOTSTRAP_NAMES, 0),
	OF(NULL, "bootstrap_dns_requests", "counter_", COUNTER, RELAY_BOOTSTRAP_REQUESTS, 0),
	OF(NULL, "bootstrap_dns_unpublished_hits", "counter_", COUNTER, RELAY_BOOTSTRAP_ANSWERS, RELAY_BOOTSTRAP_HIDDEN_HIT),
	OF(NULL, "bootstrap_dns_unpublished_misses", "counter_", COUNTER, RELAY_BOOTSTRAP_ANSWERS, RELAY_BOOTSTRAP_HIDDEN_MISS),
	OF("derp", "accepts", "", COUNTER, RELAY_ACCEPTS, 0),
	TOLD("derp", "average_queue_duration_ms", "", UNTYPED, queue_ms),
	OF("derp", "bytes_received", "", COUNTER, RELAY_BYTES_RECEIVED, 0),
	OF("derp", "bytes_sent", "", COUNTER, RELAY_BYTES_SENT, 0),
	OF("derp", "buffered_write_frames", "counter_", HISTOGRAM, RELAY_WRITE_FRAMES, 0),
	OF("derp", "mesh_update_batch_size", "counter_", HISTOGRAM, RELAY_MESH_BATCH, 0),
	OF("derp", "mesh_update_loop_count", "counter_", HISTOGRAM, RELAY_MESH_LOOPS, 0),
	BY("derp", "packets_received_kind", "counter_", COUNTER, RELAY_PACKETS_RECEIVED, &kinds),
	BY("derp", "tcp_rtt", "counter_", COUNTER, RELAY_TCP_RTT, &rtts),
	OF("derp", "total_dup_client_conns", "counter_", COUNTER, RELAY_DUP_TOTAL, 0),
	OF("derp", "clients_local", "gauge_", GAUGE, RELAY_KEYS, 0),
	OF("derp", "clients_remote", "gauge_", GAUGE, RELAY_REMOTE_KEYS, 0),
	TOLD("derp", "clients_total", "gauge_", GAUGE, keys),
	OF("derp", "current_connections", "gauge_", GAUGE, RELAY_CONNECTIONS, 0),
	OF("derp", "current_dup_client_conns", "gauge_", GAUGE, RELAY_DUP_CONNECTIONS, 0),
	OF("derp", "current_dup_client_keys", "gauge_", GAUGE, RELAY_DUP_KEYS, 0),
	TOLD("derp", "current_file_descriptors", "gauge_", GAUGE, open_fds),
	OF("derp", "current_home_connections", "gauge_", GAUGE, RELAY_HOME_CONNECTIONS, 0),
	OF("derp", "current_notideal_connections", "gauge_", GAUGE, RELAY_NOT_IDEAL, 0),
	TOLD("derp", "memstats_sys0", "gauge_", GAUGE, memory_at_start),
	OF("derp", "watchers", "gauge_", GAUGE, RELAY_WATCHERS, 0),
	OF("derp", "got_ping", "", COUNTER, RELAY_GOT_PING, 0),
	OF("derp", "home_moves_in", "", COUNTER, RELAY_HOME_MOVES_IN, 0),
	OF("derp", "home_moves_out", "", COUNTER, RELAY_HOME_MOVES_OUT, 0),
	OF("derp", "multiforwarder_created", "", COUNTER, RELAY_MULTI_CREATED, 0),
	OF("derp", "multiforwarder_deleted", "", COUNTER, RELAY_MULTI_DELETED, 0),
	OF("derp", "packet_forwarder_delete_other_value", "", COUNTER, RELAY_ROUTE_STRANGE, 0),
	OF("derp", "packets_forwarded_in", "", COUNTER, RELAY_FORWARDED_IN, 0),
	OF("derp", "packets_forwarded_out", "", COUNTER, RELAY_FORWARDED_OUT, 0),
	OF("derp", "packets_received", "", COUNTER, RELAY_PACKETS_RECEIVED, ALL),
	OF("derp", "packets_sent", "", COUNTER, RELAY_PACKETS_SENT, 0),
	OF("derp", "peer_gone_disconnected_frames", "", COUNTER, RELAY_PEER_GONE, RELAY_GONE_DISCONNECTED),
	OF("derp", "peer_gone_not_here_frames", "", COUNTER, RELAY_PEER_GONE, RELAY_GONE_NOT_HERE),
	TOLD("derp", "rate_limit_per_client_burst_bytes", "", UNTYPED, burst),
	TOLD("derp", "rate_limit_per_client_bytes_per_second", "", UNTYPED, rate),
	OF("derp", "rate_limit_per_client_waited", "", COUNTER, RELAY_RATE_WAITS, ALL),
	OF("derp", "sclient_write_timeouts", "", COUNTER, RELAY_WRITE_TIMEOUTS, 0),
	OF("derp", "sent_pong", "", COUNTER, RELAY_SENT_PONG, 0),
	OF("derp", "unknown_frames", "", COUNTER, RELAY_UNKNOWN_FRAMES, 0),
	OF(NULL, "derp_bytes_dropped", "", DROPS, RELAY_BYTES_DROPPED, 0),
	OF(NULL, "derp_packets_dropped", "", DROPS, RELAY_PACKETS_DROPPED, 0),
	OF(NULL, "derp_websocket_accepts", "", COUNTER, RELAY_WEBSOCKETS, 0),
	BY(NULL, "derper_tls_active_version", "gauge_", GAUGE, RELAY_TLS_ACTIVE, &versions),
	BY(NULL, "derper_tls_request_version", "", UNTYPED, RELAY_TLS_REQUESTS, &versions),
	TOLD(NULL, "memstats_sys", NULL, GAUGE, memory),
	TOLD(NULL, "node_boot_time_seconds", "", UNTYPED, booted),
	TOLD(NULL, "process_start_unix_time", "", UNTYPED, started),
	BY("stun", "addrfamily", "counter_", COUNTER, RELAY_STUN_FAMILY, &families),
	BY("stun", "requests", "counter_", COUNTER, RELAY_STUN_REQUESTS, &dispositions),
	OF("tls_listener", "accepted_connections", "counter_", COUNTER, RELAY_DOOR_ACCEPTED, 0),
	OF("tls_listener", "rejected_connections", "counter_", COUNTER, RELAY_DOOR_REJECTED, 0),
	TOLD(NULL, "uptime_sec", "counter_", COUNTER, uptime),
};

static struct now look(const struct relay *relay)
{
	int64_t unix_s = clock_wall().ns / 1000000000;
	return (struct now){.relay = relay, .self = selfstat_read(), .unix_s = (double)unix_s};
}

static int64_t series(const struct variable *v, int which)
{
	const struct metric *m = &relay_metrics[v->metric];
	int64_t sum = 0;
	if (which >= 0)
		return metric_sum(m, (unsigned)which);
	for (unsigned i = 0; i == 0 || (m->label && m->values[i]); i++)
		sum += metric_sum(m, i);
	return sum;
}

/* Reasons of our own: theirs for them is the queue's end. */
static int64_t dropped(const struct variable *v, unsigned reason, bool disco)
{
	int64_t count = series(v, (int)(2 * reason + !disco));
	for (int own = RELAY_DROP_DUP_CLIENT + 1; reason == RELAY_DROP_QUEUE_TAIL && own < RELAY_DROP_COUNT; own++)
		count += series(v, 2 * own + !disco);
	return count;
}

/* ---- as text ---- */

static enum err text_histogram(struct buffer *out, const char *name, const struct variable *v)
{
	const struct metric *m = &relay_metrics[v->metric];
	int64_t below = 0;
	enum err e = ERR_NONE;
	unsigned i;
	for (i = 0; !e && m->values[i]; i++) {
		below += metric_sum(m, i);
		e = buffer_format(out, "%s_bucket{le=\"%s\"} %lld\n", name, m->values[i], (long long)below);
	}
	below += metric_sum(m, i);
	return e ? e
		 : buffer_format(out, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %lld\n%s_count %lld\n", name, (long long)below, name,
				 (long long)metric_sum(m, i + 1), name, (long long)below);
}

static enum err text_drops(struct buffer *out, const char *name, const struct variable *v)
{
	enum err e = ERR_NONE;
	for (unsigned i = 0; i < 2 * COUNT_OF(drop_reasons) && !e; i++)
		e = buffer_format(out, "%s{reason=\"%s\",kind=\"%s\"} %lld\n", name, drop_reasons[i / 2], i % 2 ? "other" : "disco",
				  (long long)dropped(v, i / 2, !(i % 2)));
	return e;
}

static enum err text_faces(struct buffer *out, const char *name, const struct variable *v)
{
	enum err e = ERR_NONE;
	for (unsigned i = 0; i < FACES_MAX && v->face->of[i].value && !e; i++)
		e = buffer_format(out, "%s{%s=\"%s\"} %lld\n", name, v->face->label, v->face->of[i].value, (long long)series(v, v->face->of[i].series));
	return e;
}

static enum err text_variable(struct buffer *out, const struct variable *v, const struct now *now)
{
	static const char *const types[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [UNTYPED] = NULL, [HISTOGRAM] = "histogram", [DROPS] = "counter"};
	char name[64];
	snprintf(name, sizeof name, "%s%s%s", v->group ? v->group : "", v->group ? "_" : "", v->name);
	enum err e = types[v->form] ? buffer_format(out, "# TYPE %s %s\n", name, types[v->form]) : ERR_NONE;
	if (e)
		return e;
	if (v->tell)
		return buffer_format(out, "%s %.15g\n", name, v->tell(now));
	if (v->face)
		return text_faces(out, name, v);
	if (v->form == HISTOGRAM)
		return text_histogram(out, name, v);
	return v->form == DROPS ? text_drops(out, name, v) : buffer_format(out, "%s %lld\n", name, (long long)series(v, v->series));
}

enum err stockvars_text(const struct relay *relay, struct buffer *out)
{
	struct now now = look(relay);
	enum err e = selfstat_write(out);
	for (size_t i = 0; i < COUNT_OF(variables) && !e; i++)
		e = text_variable(out, &variables[i], &now);
	return e ? e : buffer_add_text(out, "version{version=\"" FLEETSCALE_VERSION "\",binary=\"fleetscale-derp\"} 1\n");
}

/* ---- as JSON ---- */

static void json_histogram(struct jsonw *w, const struct variable *v)
{
	const struct metric *m = &relay_metrics[v->metric];
	int64_t below = 0;
	unsigned i;
	for (i = 0; m->values[i]; i++)
		jsonw_int(w, m->values[i], below += metric_sum(m, i));
	below += metric_sum(m, i);
	jsonw_int(w, "+Inf", below);
	jsonw_int(w, "sum", metric_sum(m, i + 1));
	jsonw_int(w, "count", below);
}

static void json_drops(struct jsonw *w, const struct variable *v)
{
	for (unsigned reason = 0; reason < COUNT_OF(drop_reasons); reason++) {
		jsonw_object(w, drop_reasons[reason]);
		jsonw_int(w, "disco", dropped(v, reason, true));
		jsonw_int(w, "other", dropped(v, reason, false));
		jsonw_object_end(w);
	}
}

static void json_variable(struct jsonw *w, const struct variable *v, const struct now *now)
{
	char name[64];
	snprintf(name, sizeof name, "%s%s", v->prefix, v->name);
	if (v->tell) {
		jsonw_double(w, name, v->tell(now));
		return;
	}
	if (!v->face && v->form != HISTOGRAM && v->form != DROPS) {
		jsonw_int(w, name, series(v, v->series));
		return;
	}
	jsonw_object(w, name);
	for (unsigned i = 0; v->face && i < FACES_MAX && v->face->of[i].value; i++)
		jsonw_int(w, v->face->of[i].value, series(v, v->face->of[i].series));
	if (v->form == HISTOGRAM)
		json_histogram(w, v);
	if (v->form == DROPS)
		json_drops(w, v);
	jsonw_object_end(w);
}

enum err stockvars_json(const struct relay *relay, struct buffer *out)
{
	struct now now = look(relay);
	const char *open = NULL;
	struct jsonw w;
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	jsonw_string(&w, "version", FLEETSCALE_VERSION);
	for (size_t i = 0; i < COUNT_OF(variables); i++) {
		const struct variable *v = &variables[i];
		if (!v->prefix)
			continue;
		if (open && (!v->group || strcmp(open, v->group) != 0))
			jsonw_object_end(&w);
		if (v->group && (!open || strcmp(open, v->group) != 0)) {
			jsonw_object(&w, v->group);
			if (!strcmp(v->group, "derp"))
				jsonw_string(&w, "version", FLEETSCALE_VERSION);
		}
		open = v->group;
		json_variable(&w, v, &now);
	}
	if (open)
		jsonw_object_end(&w);
	jsonw_object_end(&w);
	return jsonw_end(&w);
}
