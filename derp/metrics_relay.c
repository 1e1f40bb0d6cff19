#include "metrics_relay.h"

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define KINDS(reason) reason ",disco", reason ",other"

/* In the order of enum relay_drop, each twice: relay_count_drop. */
static const char *const drops[] = {KINDS("unknown_dest"), KINDS("unknown_dest_on_fwd"), KINDS("gone_disconnected"), KINDS("queue_head"),   KINDS("queue_tail"),
				    KINDS("write_error"),  KINDS("dup_client"),          KINDS("crossing"),          KINDS("limit_memory"), NULL};
static const char *const fails[] = {"no_upgrade", "not_websocket", "starting",  "drain",  "limit_handshakes", "limit_memory",
				    "timeout",    "bad_frame",     "wrong_box", "closed", "broken",           NULL};
static const char *const ends[] = {"closed",     "broken",      "silent",     "write_timeout", "bad_frame", "not_admitted", "revoked", "limit_connections",
				   "duplicates", "missed_news", "close_peer", "drain",         "shutdown",  "internal",     NULL};

/* Bounds of the histograms: as numbers (microseconds of round trips), and as they are told (seconds). */
#define BATCH_BOUNDS(X) X(0) X(1) X(2) X(5) X(10) X(20) X(50) X(100) X(200) X(500) X(1000)
#define LOOP_BOUNDS(X) X(0) X(1) X(2) X(5) X(10) X(20) X(50) X(100)
#define FRAME_BOUNDS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(15) X(20) X(25) X(50) X(100)
#define RTT_BOUNDS(X) X(0.01) X(0.02) X(0.05) X(0.1) X(0.15) X(0.25) X(0.5)
#define AS_TEXT(bound) #bound,
#define AS_NUMBER(bound) bound,
#define AS_MICROSECONDS(bound) (unsigned)((bound)*1e6 + 0.5),

static const char *const batch_bounds[] = {BATCH_BOUNDS(AS_TEXT) NULL};
static const char *const loop_bounds[] = {LOOP_BOUNDS(AS_TEXT) NULL};
static const char *const frame_bounds[] = {FRAME_BOUNDS(AS_TEXT) NULL};
static const char *const rtt_bounds[] = {RTT_BOUNDS(AS_TEXT) NULL};
static const unsigned batch_numbers[] = {BATCH_BOUNDS(AS_NUMBER)};
static const unsigned loop_numbers[] = {LOOP_BOUNDS(AS_NUMBER)};
static const unsigned frame_numbers[] = {FRAME_BOUNDS(AS_NUMBER)};
static const unsigned rtt_numbers[] = {RTT_BOUNDS(AS_MICROSECONDS)};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};

struct metric relay_metrics[RELAY_METRIC_COUNT + 1] = {
	[RELAY_INFO] = {"derp_info", METRIC_TOLD, "Which relay of which region this is; 1.", "region,region_id,relay,hostname,version", NULL, 0},
	[RELAY_ACCEPTS] = {"derp_accepts_total", METRIC_COUNTER, "Relay connections begun.", NULL, NULL, 0},
	[RELAY_WEBSOCKETS] = {"derp_websocket_accepts_total", METRIC_COUNTER, "Relay connections begun as WebSockets.", NULL, NULL, 0},
	[RELAY_HANDSHAKE_FAILURES] = {"derp_handshake_failures_total", METRIC_COUNTER, "Relay connections that never proved a key.", "reason", fails, 0},
	[RELAY_DISCONNECTS] = {"derp_disconnects_total", METRIC_COUNTER, "Connections ended that had proven a key, admitted or not.", "reason", ends, 0},
	[RELAY_CONNECTIONS] = {"derp_current_connections", METRIC_GAUGE, "Clients connected now.", NULL, NULL, 0},
	[RELAY_HOME_CONNECTIONS] = {"derp_current_home_connections", METRIC_GAUGE, "Clients connected now whose home this is.", NULL, NULL, 0},
	[RELAY_NOT_IDEAL] = {"derp_current_notideal_connections", METRIC_GAUGE, "Clients connected now that would rather be at another node.", NULL, NULL, 0},
	[RELAY_KEYS] = {"derp_clients_local", METRIC_GAUGE, "Node keys connected now.", NULL, NULL, 0},
	[RELAY_DUP_KEYS] = {"derp_current_dup_client_keys", METRIC_GAUGE, "Node keys with several connections now.", NULL, NULL, 0},
	[RELAY_DUP_CONNECTIONS] = {"derp_current_dup_client_conns", METRIC_GAUGE, "Connections of node keys that have several.", NULL, NULL, 0},
	[RELAY_DUP_TOTAL] = {"derp_dup_client_conns_total", METRIC_COUNTER, "Connections that came while their key had one.", NULL, NULL, 0},
	[RELAY_PACKETS_RECEIVED] = {"derp_packets_received_total", METRIC_COUNTER, "Packets from clients.", "kind", VALUES("other", "disco"), 0},
	[RELAY_BYTES_RECEIVED] = {"derp_bytes_received_total", METRIC_COUNTER, "Payload bytes from clients.", NULL, NULL, 0},
	[RELAY_PACKETS_SENT] = {"derp_packets_sent_total", METRIC_COUNTER, "Packets given to clients' connections.", NULL, NULL, 0},
	[RELAY_BYTES_SENT] = {"derp_bytes_sent_total", METRIC_COUNTER, "Payload bytes given to clients' connections.", NULL, NULL, 0},
	[RELAY_PACKETS_DROPPED] = {"derp_packets_dropped_total", METRIC_COUNTER, "Packets dropped.", "reason,kind", drops, 0},
	[RELAY_BYTES_DROPPED] = {"derp_bytes_dropped_total", METRIC_COUNTER, "Payload bytes dropped.", "reason,kind", drops, 0},
	[RELAY_CONTROL_DROPPED] = {"derp_control_frames_dropped_total", METRIC_COUNTER,
				   "Frames of the relay's own left out, since too many wait for a client that takes nothing.", NULL, NULL, 0},
	[RELAY_PACKETS_CROSSED] = {"derp_packets_crossed_total", METRIC_COUNTER, "Packets handed to another thread.", NULL, NULL, 0},
	[RELAY_GOT_PING] = {"derp_got_ping_total", METRIC_COUNTER, "Pings from clients.", NULL, NULL, 0},
	[RELAY_SENT_PONG] = {"derp_sent_pong_total", METRIC_COUNTER, "Pongs to clients.", NULL, NULL, 0},
	[RELAY_PEER_GONE] = {"derp_peer_gone_frames_total", METRIC_COUNTER, "Clients told that a peer is gone.", "reason", VALUES("disconnected", "not_here"),
			     0},
	[RELAY_HOME_MOVES_IN] = {"derp_home_moves_in_total", METRIC_COUNTER, "Clients that made this their home later than at connecting.", NULL, NULL, 0},
	[RELAY_HOME_MOVES_OUT] = {"derp_home_moves_out_total", METRIC_COUNTER, "Clients that moved their home away.", NULL, NULL, 0},
	[RELAY_WRITE_TIMEOUTS] = {"derp_write_timeouts_total", METRIC_COUNTER, "Clients disconnected since they took nothing.", NULL, NULL, 0},
	[RELAY_UNKNOWN_FRAMES] = {"derp_unknown_frames_total", METRIC_COUNTER, "Frames skipped.", NULL, NULL, 0},
	[RELAY_BAD_FRAMES] = {"derp_bad_frames_total", METRIC_COUNTER, "Frames that ended their client's connection.", "reason", VALUES("length", "forbidden"),
			      0},
	[RELAY_RATE_WAITS] = {"derp_rate_limit_waits_total", METRIC_COUNTER, "Times that a client was not read since it had used up its rate.", NULL, NULL, 0},
	[RELAY_REFUSED] = {"derp_refused_connections_total", METRIC_COUNTER, "Connections closed as soon as they were accepted.", "reason",
			   VALUES("limit_accepts", "limit_memory"), 0},
	[RELAY_TAILNET_WAITS] = {"derp_tailnet_waits_total", METRIC_COUNTER, "Times that a client was not read since its tailnet had used up its rate.", NULL,
				 NULL, 0},
	[RELAY_VERDICTS] = {"derp_verdicts_total", METRIC_COUNTER, "Decisions whether a key may connect.", "verdict",
			    VALUES("allowed", "refused", "grace", "fail_open", "no_answer", "overload"), 0},
	[RELAY_ANSWERS_UNSIGNED] = {"derp_answers_unsigned_total", METRIC_COUNTER, "Answers that no known coordinator has signed; they are not believed.", NULL,
				    NULL, 0},
	[RELAY_ANNOUNCEMENTS] = {"derp_announcements_total", METRIC_COUNTER, "Announcements to coordinators.", "result", VALUES("failed", "taken", "refused"),
				 0},
	[RELAY_STUN_REQUESTS] = {"stun_requests_total", METRIC_COUNTER, "STUN datagrams.", "disposition",
				 VALUES("success", "not_stun", "read_error", "write_error", "limited"), 0},
	[RELAY_STUN_FAMILY] = {"stun_addrfamily_total", METRIC_COUNTER, "STUN requests answered.", "family", VALUES("ipv4", "ipv6"), 0},
	[RELAY_SIBLINGS] = {"derp_siblings", METRIC_GAUGE, "Links to siblings of the region that stand.", NULL, NULL, 0},
	[RELAY_WATCHERS] = {"derp_watchers", METRIC_GAUGE, "Siblings that are told who is here.", NULL, NULL, 0},
	[RELAY_REMOTE_KEYS] = {"derp_clients_remote", METRIC_GAUGE, "Node keys that siblings have.", NULL, NULL, 0},
	[RELAY_FORWARDED_IN] = {"derp_packets_forwarded_in_total", METRIC_COUNTER, "Packets from siblings.", NULL, NULL, 0},
	[RELAY_FORWARDED_OUT] = {"derp_packets_forwarded_out_total", METRIC_COUNTER, "Packets to siblings.", NULL, NULL, 0},
	[RELAY_PROBES] = {"derp_probes_total", METRIC_COUNTER,
			  "Probes of other relays, by what came of them; partly: its STUN or the way through the mesh failed.", "result",
			  VALUES("none", "ok", "unreachable", "tls", "protocol", "refused", "silent", "lost", "partly"), 0},
	[RELAY_PROBE_SECONDS] = {"derp_probe_seconds", METRIC_TOLD,
				 "Last probe of a relay: its handshakes, a packet to itself, STUN, a packet through the mesh; what failed is left out.",
				 "target,part", NULL, 0},
	[RELAY_PROBE_GOOD] = {"derp_probe_good", METRIC_TOLD, "Whether all of the last probe of a relay was good.", "target", NULL, 0},
	[RELAY_LINK_ENDS] = {"derp_sibling_links_ended_total", METRIC_COUNTER, "Links to siblings that ended or did not come about, by how far they had come.",
			     "stage", VALUES("dialing", "greeting", "proving", "up"), 0},
	[RELAY_MULTI_CREATED] = {"derp_multiforwarder_created_total", METRIC_COUNTER, "Node keys that a second sibling has as well.", NULL, NULL, 0},
	[RELAY_MULTI_DELETED] = {"derp_multiforwarder_deleted_total", METRIC_COUNTER, "Node keys that one sibling alone has again.", NULL, NULL, 0},
	[RELAY_ROUTE_STRANGE] = {"derp_packet_forwarder_delete_other_value_total", METRIC_COUNTER,
				 "Siblings that said that a key is gone which they had not named.", NULL, NULL, 0},
	[RELAY_ROUTES_LEFT_OUT] = {"derp_sibling_keys_left_out_total", METRIC_COUNTER, "Keys that siblings told beyond what a thread keeps.", NULL, NULL, 0},
	[RELAY_MESH_BATCH] = {"derp_mesh_update_batch_size", METRIC_HISTOGRAM, "News about keys given to a sibling at once.", "le", batch_bounds, 0},
	[RELAY_MESH_LOOPS] = {"derp_mesh_update_loop_count", METRIC_HISTOGRAM, "Writes that took a sibling its news in one turn.", "le", loop_bounds, 0},
	[RELAY_WRITE_FRAMES] = {"derp_buffered_write_frames", METRIC_HISTOGRAM, "Frames given to a connection in one write.", "le", frame_bounds, 0},
	[RELAY_TCP_RTT] = {"derp_tcp_rtt_seconds", METRIC_HISTOGRAM, "Round trip times of clients' connections, each looked at every 10 s.", "le", rtt_bounds,
			   0},
	[RELAY_TLS_ACTIVE] = {"derp_tls_connections", METRIC_GAUGE, "Clients connected now by TLS.", "version", tls_versions, 0},
	[RELAY_TLS_REQUESTS] = {"derp_tls_requests_total", METRIC_COUNTER, "Requests by TLS.", "version", tls_versions, 0},
	[RELAY_DOOR_ACCEPTED] = {"derp_listener_accepted_total", METRIC_COUNTER, "Connections taken at listen.relay.", NULL, NULL, 0},
	[RELAY_DOOR_REJECTED] = {"derp_listener_rejected_total", METRIC_COUNTER, "Connections closed at once at listen.relay, as limits want it.", NULL, NULL,
				 0},
	[RELAY_BOOTSTRAP_REQUESTS] = {"derp_bootstrap_dns_requests_total", METRIC_COUNTER, "Questions at /bootstrap-dns.", NULL, NULL, 0},
	[RELAY_BOOTSTRAP_ANSWERS] = {"derp_bootstrap_dns_answers_total", METRIC_COUNTER,
				     "Questions at /bootstrap-dns that named a name: whether that has addresses.", "result",
				     VALUES("published_hit", "published_miss", "hidden_hit", "hidden_miss"), 0},
	[RELAY_BOOTSTRAP_NAMES] = {"derp_bootstrap_dns_queried_names", METRIC_GAUGE, "Different names asked for at /bootstrap-dns lately.", NULL, NULL, 0},
};

void relay_count_drop(enum relay_drop reason, bool disco, int64_t packets, int64_t bytes)
{
	unsigned value = 2 * reason + !disco;
	relay_count_at(RELAY_PACKETS_DROPPED, value, packets);
	relay_count_at(RELAY_BYTES_DROPPED, value, bytes);
}

const char *relay_end_text(enum relay_end why)
{
	return ends[why];
}

const char *relay_fail_text(enum relay_fail why)
{
	return fails[why];
}

enum relay_tls relay_tls_version(const char *text)
{
	return !text ? RELAY_TLS_NONE : !strcmp(text, "TLSv1.3") ? RELAY_TLS_13 : !strcmp(text, "TLSv1.2") ? RELAY_TLS_12 : RELAY_TLS_NONE;
}

static const struct {
	const unsigned *at;
	unsigned count;
} bounds[RELAY_METRIC_COUNT] = {
	[RELAY_MESH_BATCH] = {batch_numbers, COUNT_OF(batch_numbers)},
	[RELAY_MESH_LOOPS] = {loop_numbers, COUNT_OF(loop_numbers)},
	[RELAY_WRITE_FRAMES] = {frame_numbers, COUNT_OF(frame_numbers)},
	[RELAY_TCP_RTT] = {rtt_numbers, COUNT_OF(rtt_numbers)},
};

void relay_observe(enum relay_metric metric, unsigned value)
{
	unsigned bucket = 0;
	while (bucket < bounds[metric].count && value > bounds[metric].at[bucket])
		bucket++;
	metric_observe_at(&relay_metrics[metric], bucket, value);
}
