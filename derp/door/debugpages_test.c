#include "debugpages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#include "dispatch.h"
#include "metrics_relay.h"
#include "routes_relay.h"
#include "shard.h"

/* ---- a request by hand ---- */

static struct relay_options options = {.relay_hostname = "relay.example.net", .tls_certificate = ""};
static struct relay relay;
static struct shard shard;
static struct exchange x;
static const char *forwarded; /* X-Forwarded-For, NULL: none */
static unsigned status;
static char *page;

static struct bytes play_header(const struct exchange *exchange, const char *name)
{
	(void)exchange;
	return forwarded && !strcmp(name, "x-forwarded-for") ? bytes_text(forwarded) : BYTES_NONE;
}

static void play_add_header(struct exchange *exchange, const char *name, struct bytes value)
{
	(void)exchange, (void)name, (void)value;
}

static void play_reply(struct exchange *exchange, unsigned code, const char *type, struct bytes body)
{
	(void)exchange, (void)type;
	status = code;
	free(page);
	page = x_alloc(body.len + 1);
	memcpy(page, body.at, body.len);
	page[body.len] = 0;
}

static const struct carrier PLAYED = {.header = play_header, .add_header = play_add_header, .reply = play_reply};

static unsigned get_from(const char *path, struct ip from)
{
	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED,
			      .arena = arena_new(),
			      .program = &shard,
			      .door = DOOR_RELAY,
			      .method = METHOD_GET,
			      .path = bytes_text(path),
			      .peer = {from, 1234}};
	status = 0;
	dispatch(relay_routes, &x);
	return status;
}

static unsigned get(const char *path)
{
	struct ip here;
	assert_int_equal(ip_parse(BYTES("127.0.0.1"), &here), ERR_NONE);
	return get_from(path, here);
}

static int open_relay(void **state)
{
	(void)state;
	metric_register(relay_metrics);
	relay = (struct relay){.options = &options, .count = 1, .shard = {&shard}, .memory_at_start = 4096};
	atomic_store(&relay.opened, 1);
	shard = (struct shard){.relay = &relay, .crew = 1};
	forwarded = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&x.arena);
	free(page);
	page = NULL;
	return 0;
}

/* ---- who may look ---- */

static const char *const pages[] = {"/debug/", "/debug/vars", "/debug/varz", "/debug/check"};

static void near_ones_may_look(void **state)
{
	(void)state;
	static const struct {
		const char *from;
		bool may;
	} cases[] = {
		{"127.0.0.1", true},
		{"127.255.255.254", true},
		{"::1", true},
		{"100.64.0.1", true},
		{"100.127.255.255", true},
		{"100.63.255.255", false},
		{"100.128.0.0", false},
		{"fd7a:115c:a1e0::1", true},
		{"fd7a:115c:a1e0:ab12::9", true},
		{"fd7a:115c:a1e1::1", false},
		{"fd7a:115c:a1df:ffff::1", false},
		{"::2", false},
		{"::", false},
		{"0.0.0.0", false},
		{"10.0.0.1", false},
		{"192.168.1.1", false},
		{"128.0.0.1", false},
		{"198.51.100.7", false},
		{"2001:db8::1", false},
		{"::ffff:127.0.0.1", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ip from;
		assert_int_equal(ip_parse(bytes_text(cases[i].from), &from), ERR_NONE);
		for (size_t p = 0; p < COUNT_OF(pages); p++) {
			if (get_from(pages[p], from) != (cases[i].may ? 200 : 403))
				fail_msg("%s from %s: %u", pages[p], cases[i].from, status);
			if (!cases[i].may)
				assert_string_equal(page, "debug access denied\n");
		}
	}
	assert_int_equal(get_from("/debug/vars", (struct ip){0}), 403);
}

/* Whoever a proxy stands before, wherever it says they are. */
static void nobody_looks_through_a_proxy(void **state)
{
	(void)state;
	static const char *const said[] = {"198.51.100.7", "127.0.0.1", "100.64.0.1", "unknown", ""};
	for (size_t i = 0; i < COUNT_OF(said); i++) {
		forwarded = said[i];
		for (size_t p = 0; p < COUNT_OF(pages); p++)
			assert_int_equal(get(pages[p]), 403);
	}
	forwarded = NULL;
	assert_int_equal(get("/debug/vars"), 200);
}

/* ---- the variables ---- */

static long long value_of(const char *series)
{
	assert_int_equal(get("/debug/varz"), 200);
	char *mark = NULL;
	assert_true(asprintf(&mark, "\n%s ", series) > 0);
	const char *at = strstr(page, mark);
	if (!at)
		fail_msg("no %s in\n%s", series, page);
	long long value = at ? strtoll(at + strlen(mark), NULL, 10) : 0;
	free(mark);
	return value;
}

/* Each series once, behind the one line that tells its type; nothing else but comments. */
static void text_is_well_formed(void **state)
{
	(void)state;
	assert_int_equal(get("/debug/varz"), 200);
	char *rest = page, *line, type[64] = "";
	unsigned count = 0;
	while ((line = strsep(&rest, "\n"))) {
		char name[64], shown[64], *value;
		if (!*line && !rest)
			break;
		if (sscanf(line, "# TYPE %63s %63s", name, shown) == 2) {
			assert_true(!strcmp(shown, "counter") || !strcmp(shown, "gauge") || !strcmp(shown, "histogram"));
			strcpy(type, name);
			continue;
		}
		if (*line == '#')
			continue;
		assert_int_equal(sscanf(line, "%63[a-z0-9_]", name), 1);
		value = strrchr(line, ' ');
		assert_non_null(value);
		char *after;
		(void)strtod(value + 1, &after);
		assert_true(after > value + 1 && !*after);
		assert_true(line[strlen(name)] == ' ' || (line[strlen(name)] == '{' && value[-1] == '}'));
		if (!strncmp(name, "derp_packets_dropped", 20))
			assert_string_equal(type, name);
		count++;
	}
	assert_true(count > 100);
}

static void drops_have_reason_and_kind(void **state)
{
	(void)state;
	static const struct {
		enum relay_drop reason;
		const char *name;
	} reasons[] = {
		{RELAY_DROP_UNKNOWN_DEST, "unknown_dest"}, {RELAY_DROP_UNKNOWN_DEST_ON_FWD, "unknown_dest_on_fwd"},
		{RELAY_DROP_GONE, "gone_disconnected"},    {RELAY_DROP_QUEUE_HEAD, "queue_head"},
		{RELAY_DROP_QUEUE_TAIL, "queue_tail"},     {RELAY_DROP_WRITE_ERROR, "write_error"},
		{RELAY_DROP_DUP_CLIENT, "dup_client"},     {RELAY_DROP_CROSSING, "queue_tail"},
		{RELAY_DROP_MEMORY, "queue_tail"}, /* theirs has one thread */
	};
	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		for (int disco = 0; disco < 2; disco++) {
			char packets[128], bytes[128];
			snprintf(packets, sizeof packets, "derp_packets_dropped{reason=\"%s\",kind=\"%s\"}", reasons[i].name, disco ? "disco" : "other");
			snprintf(bytes, sizeof bytes, "derp_bytes_dropped{reason=\"%s\",kind=\"%s\"}", reasons[i].name, disco ? "disco" : "other");
			long long packets_before = value_of(packets), bytes_before = value_of(bytes);
			relay_count_drop(reasons[i].reason, disco, 3, 500);
			assert_int_equal(value_of(packets), packets_before + 3);
			assert_int_equal(value_of(bytes), bytes_before + 500);
		}
	}
}

static void buckets_add_up(void **state)
{
	(void)state;
	static const unsigned frames[] = {0, 1, 3, 10, 11, 15, 16, 100, 101, 5000};
	for (size_t i = 0; i < COUNT_OF(frames); i++)
		relay_observe(RELAY_WRITE_FRAMES, frames[i]);
	assert_int_equal(value_of("derp_buffered_write_frames_bucket{le=\"0\"}"), 1);
	assert_int_equal(value_of("derp_buffered_write_frames_bucket{le=\"2\"}"), 2);
	assert_int_equal(value_of("derp_buffered_write_frames_bucket{le=\"10\"}"), 4);
	assert_int_equal(value_of("derp_buffered_write_frames_bucket{le=\"15\"}"), 6);
	assert_int_equal(value_of("derp_buffered_write_frames_bucket{le=\"100\"}"), 8);
	assert_int_equal(value_of("derp_buffered_write_frames_bucket{le=\"+Inf\"}"), 10);
	assert_int_equal(value_of("derp_buffered_write_frames_sum"), 5257);
	assert_int_equal(value_of("derp_buffered_write_frames_count"), 10);
	/* These are no histogram there: each bucket for itself. */
	static const unsigned us[] = {9000, 10000, 10001, 499999, 500001, 3000000};
	for (size_t i = 0; i < COUNT_OF(us); i++)
		relay_observe(RELAY_TCP_RTT, us[i]);
	assert_int_equal(value_of("derp_tcp_rtt{le=\"10ms\"}"), 2);
	assert_int_equal(value_of("derp_tcp_rtt{le=\"20ms\"}"), 1);
	assert_int_equal(value_of("derp_tcp_rtt{le=\"250ms\"}"), 0);
	assert_int_equal(value_of("derp_tcp_rtt{le=\"500ms\"}"), 1);
	assert_int_equal(value_of("derp_tcp_rtt{le=\"inf\"}"), 2);
}

static void the_process_is_told_of(void **state)
{
	(void)state;
	assert_int_equal(value_of("derp_memstats_sys0"), 4096);
	assert_true(value_of("memstats_sys") > 100000);
	assert_true(value_of("derp_current_file_descriptors") >= 3);
	assert_true(value_of("uptime_sec") >= 0 && value_of("uptime_sec") < 3600);
	atomic_store(&shard.queue_ms, 7.5);
	assert_int_equal(value_of("derp_average_queue_duration_ms"), 7);
	assert_non_null(strstr(page, "derp_average_queue_duration_ms 7.5\n"));
}

static void sums_and_single_series(void **state)
{
	(void)state;
	long long all = value_of("derp_packets_received"), disco = value_of("derp_packets_received_kind{kind=\"disco\"}");
	relay_count_at(RELAY_PACKETS_RECEIVED, RELAY_KIND_DISCO, 5);
	relay_count_at(RELAY_PACKETS_RECEIVED, RELAY_KIND_OTHER, 2);
	assert_int_equal(value_of("derp_packets_received"), all + 7);
	assert_int_equal(value_of("derp_packets_received_kind{kind=\"disco\"}"), disco + 5);
	relay_count(RELAY_KEYS, 4);
	relay_count(RELAY_REMOTE_KEYS, 3);
	assert_int_equal(value_of("derp_clients_total"), 7);
	relay_count(RELAY_KEYS, -4);
	relay_count(RELAY_REMOTE_KEYS, -3);
	relay_count_at(RELAY_TLS_REQUESTS, relay_tls_version("TLSv1.3"), 1);
	assert_int_equal(value_of("derper_tls_request_version{version=\"1.3\"}"), 1);
	assert_int_equal(relay_tls_version("TLSv1"), RELAY_TLS_NONE);
	assert_int_equal(relay_tls_version(NULL), RELAY_TLS_NONE);
}

static json_int_t number(const json_t *object, const char *group, const char *name)
{
	const json_t *in = group ? json_object_get(object, group) : object, *value = json_object_get(in, name);
	if (!json_is_number(value))
		fail_msg("%s.%s is no number", group ? group : "", name);
	return (json_int_t)json_number_value(value);
}

static void json_is_in_groups(void **state)
{
	(void)state;
	relay_count(RELAY_ACCEPTS, 9);
	relay_observe(RELAY_MESH_BATCH, 4);
	assert_int_equal(get("/debug/vars"), 200);
	json_t *all = json_loads(page, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(all);
	assert_int_equal(number(all, "derp", "accepts"), 9);
	assert_int_equal(number(all, "derp", "gauge_memstats_sys0"), 4096);
	assert_int_equal(number(all, NULL, "counter_bootstrap_dns_requests"), 0);
	assert_int_equal(number(all, "tls_listener", "counter_accepted_connections"), 0);
	assert_int_equal(number(json_object_get(all, "stun"), "counter_requests", "success"), 0);
	assert_int_equal(number(json_object_get(all, "derp"), "counter_mesh_update_batch_size", "2"), 0);
	assert_int_equal(number(json_object_get(all, "derp"), "counter_mesh_update_batch_size", "5"), 1);
	assert_int_equal(number(json_object_get(all, "derp"), "counter_mesh_update_batch_size", "+Inf"), 1);
	assert_non_null(json_object_get(json_object_get(json_object_get(all, "derp_packets_dropped"), "queue_head"), "disco"));
	assert_string_equal(json_string_value(json_object_get(all, "version")), FLEETSCALE_VERSION);
	json_decref(all);
}

static void nothing_is_told_before_all_is_there(void **state)
{
	(void)state;
	shard.crew = 2;
	assert_int_equal(get("/debug/vars"), 503);
	assert_int_equal(get("/debug/varz"), 503);
}

/* ---- the other pages ---- */

static void books_agree_or_not(void **state)
{
	(void)state;
	assert_int_equal(get("/debug/check"), 200);
	assert_string_equal(page, "derp.Server ConsistencyCheck okay\n");
	/* Two keys, one of which has three connections. */
	relay_count(RELAY_CONNECTIONS, 4);
	assert_int_equal(get("/debug/check"), 500);
	relay_count(RELAY_KEYS, 2);
	assert_int_equal(get("/debug/check"), 500);
	assert_string_equal(page, "4 connections do not fit 2 keys\n");
	relay_count(RELAY_DUP_KEYS, 1);
	relay_count(RELAY_DUP_CONNECTIONS, 3);
	assert_int_equal(get("/debug/check"), 200);
	relay_count(RELAY_CONNECTIONS, -4);
	relay_count(RELAY_KEYS, -2);
	relay_count(RELAY_DUP_KEYS, -1);
	relay_count(RELAY_DUP_CONNECTIONS, -3);
}

static void the_index(void **state)
{
	(void)state;
	static struct told told = {.mesh_key_count = 1};
	options.relay_hostname = "a<b>&\"'.example";
	assert_int_equal(get("/debug/"), 200);
	assert_non_null(strstr(page, "a?b????.example</li>"));
	assert_non_null(strstr(page, "<b>Version:</b> " FLEETSCALE_VERSION));
	assert_non_null(strstr(page, "<b>Mesh key:</b> false"));
	shard.life.told = &told;
	assert_int_equal(get("/debug/"), 200);
	assert_non_null(strstr(page, "<b>Mesh key:</b> true"));
	options.relay_hostname = "relay.example.net";
	assert_int_equal(get("/debug/pprof/"), 404);
	assert_int_equal(get("/debug/gc"), 404);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(near_ones_may_look, open_relay),
		cmocka_unit_test_setup(nobody_looks_through_a_proxy, open_relay),
		cmocka_unit_test_setup(text_is_well_formed, open_relay),
		cmocka_unit_test_setup(drops_have_reason_and_kind, open_relay),
		cmocka_unit_test_setup(buckets_add_up, open_relay),
		cmocka_unit_test_setup(the_process_is_told_of, open_relay),
		cmocka_unit_test_setup(sums_and_single_series, open_relay),
		cmocka_unit_test_setup(json_is_in_groups, open_relay),
		cmocka_unit_test_setup(nothing_is_told_before_all_is_there, open_relay),
		cmocka_unit_test_setup(books_agree_or_not, open_relay),
		cmocka_unit_test_setup(the_index, open_relay),
	};
	return cmocka_run_group_tests(tests, NULL, end);
}
