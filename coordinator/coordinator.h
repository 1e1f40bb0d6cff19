/* One worker of a coordinator: what its loop owns, and the options that all share.
 * Not a god object: each module touches only its own member; this struct is where they live.
 * main.c makes and ends it; everything in it belongs to its loop. */
#ifndef COORDINATOR_H
#define COORDINATOR_H

#include "bus.h"
#include "daemon.h"
#include "dial.h"
#include "key.h"
#include "pg.h"
#include "presence.h"
#include "roster.h"
#include "server.h"

/* The public identity keys as they were rendered last (serve_idtoken). */
struct published_keys {
	struct buffer json;
	struct mono until;
};

struct asks;
struct charters;
struct online;
struct rate;
struct relayfleet;
struct relaygauge;
struct reports;
struct routers;
struct signers;
struct sweep;

struct coordinator_options {
	struct daemon_options daemon;
	char *listen_clients, *listen_clients_tls, *listen_admin, *listen_admin_socket;
	char *server_url;
	char *listen_proxy_protocol, *proxies_trusted;
	char *tls_certificate, *tls_key;
	char *database_url, *redis_url, *cluster_secret;
	int64_t database_connections;
	int64_t connections_most, request_ms, session_idle_ms;
	int64_t register_per_minute, requests_per_minute, handshakes_per_minute, refusals_per_minute, admin_per_minute;
	int64_t keepalive_ms, first_frame_ms, report_gather_ms;
	int64_t presence_grace_ms, ephemeral_inactivity_ms, sweep_ms, audits_kept_ms;
	int64_t login_lifetime_ms, login_hold_ms;
	int64_t probe_interval_ms, probe_timeout_ms;
	bool relay_insecure_for_tests;
	int64_t relays_settle_ms, relays_patience_ms, relays_dead_ms, relays_steady_ms;
};

enum session_state {
	SESSION_OPEN,     /* Noise is done; requests come and go */
	SESSION_DRAINING, /* GOAWAY was said; ends when its streams have ended */
	SESSION_ENDED,    /* nothing may happen any more; freed at the end of the turn */
	SESSION_STATES
};

struct coordinator {
	struct worker *worker;
	struct loop *loop;
	const struct coordinator_options *options;
	const struct private_key *noise_key; /* of the process; wiped by main */
	struct signers *signers;             /* of answers to relays */
	struct server *server;
	struct pg *pg;
	struct bus *bus;
	struct presence *presence;
	struct presence_view *view; /* of tailnets that administrators looked at, and that sweep asks about */
	struct online *online;      /* follows those */
	struct roster *roster;
	struct dial *dial;
	struct rate *register_rate, *request_rate;  /* by machine key */
	struct rate *handshake_rate, *refusal_rate; /* by address */
	struct rate *admin_rate;                    /* by API key */
	struct published_keys published;
	struct reports *reports;
	unsigned refusals_open;  /* audit lines of refusals that are under way */
	unsigned checks_open;    /* SSH connections that are judged */
	unsigned approvals_open; /* of routes by the policy, that are under way */
	struct asks *asks;
	struct charters *charters;
	struct sweep *sweep; /* first worker only, as the next */
	struct routers *routers;
	struct relayfleet *relayfleet;
	struct relaygauge *relaygauge;
	struct list sessions[SESSION_STATES];
	size_t session_count;
	struct list logins;  /* requests held until somebody answers for them */
	struct table *polls; /* node id -> its newest poll here */
	size_t poll_count;
	struct timer poll_touch;
	bool draining;
};

extern const struct option coordinator_option_table[];
extern struct metric coordinator_metrics[];
extern const struct metric *const metric_sessions, *const metric_polls, *const metric_handshakes, *const metric_registers, *const metric_frames,
																   *const metric_checks;
extern const struct metric *const metric_announcements, *const metric_verifications, *const metric_relays;

/* The drain has nothing left to wait for: tell the daemon. */
static inline void coordinator_check_drained(struct coordinator *c)
{
	if (c->draining && c->session_count == 0)
		daemon_drained(c->worker);
}

#endif
