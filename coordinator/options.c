#include "coordinator.h"

#define AT(member) offsetof(struct coordinator_options, member)
#define SECONDS(n) ((n)*INT64_C(1000))
#define MINUTES(n) SECONDS((n)*60)
#define DAYS(n) MINUTES((n)*1440)

const struct option coordinator_option_table[] = {
	{"listen.clients", OPTION_LISTEN, AT(listen_clients), "127.0.0.1:8080", 0, 0, NULL, "Plain HTTP door of clients and relays."},
	{"listen.clients_tls", OPTION_LISTEN, AT(listen_clients_tls), "", 0, 0, NULL, "TLS door of clients and relays; needs tls.certificate and tls.key."},
	{"listen.admin", OPTION_LISTEN, AT(listen_admin), "", 0, 0, NULL, "Door of the admin API; may be the address of listen.clients."},
	{"listen.admin_socket", OPTION_TEXT, AT(listen_admin_socket), "", 0, 0, NULL, "Unix socket of the admin API: who may open it is the operator."},
	{"server_url", OPTION_TEXT, AT(server_url), "", 0, 0, NULL,
	 "What clients have as --login-server, such as https://login.example.com: login pages and the issuer of identity tokens. Empty: as each one dialled."},
	{"listen.proxy_protocol", OPTION_TEXT, AT(listen_proxy_protocol), "", 0, 0, NULL,
	 "Doors (clients, clients_tls, admin; by commas) at which connections of trusted proxies must begin with a PROXY header, version 1 or 2."},
	{"proxies.trusted", OPTION_TEXT, AT(proxies_trusted), "", 0, 0, NULL,
	 "Addresses and prefixes of reverse proxies, by commas: only their X-Forwarded-For, -Proto, -Host and PROXY headers are believed."},
	{"tls.certificate", OPTION_TEXT, AT(tls_certificate), "", 0, 0, NULL, "PEM file of the certificate chain; looked at again when it changes."},
	{"tls.key", OPTION_TEXT, AT(tls_key), "", 0, 0, NULL, "PEM file of its private key."},
	{"database.url", OPTION_SECRET, AT(database_url), NULL, 0, 0, NULL, "PostgreSQL, as libpq takes it; role fleetscale_coordinator."},
	{"database.connections", OPTION_INT, AT(database_connections), "3", 1, 16, NULL, "Connections of each thread."},
	{"redis.url", OPTION_SECRET, AT(redis_url), NULL, 0, 0, NULL, "redis://[:PASSWORD@]HOST:PORT[/N] or unix:/PATH."},
	{"cluster.secret", OPTION_SECRET, AT(cluster_secret), NULL, 0, 0, NULL, "Shared with the mappers: authenticates the link both ways."},
	{"connections", OPTION_INT, AT(connections_most), "50000", 1, 1000000, NULL, "Most client sessions, and connections per door, of each thread."},
	{"request.timeout", OPTION_DURATION, AT(request_ms), "15s", 1000, MINUTES(5), NULL, "A request head or body must arrive within."},
	{"session.idle", OPTION_DURATION, AT(session_idle_ms), "15m", SECONDS(5), DAYS(7), NULL, "A session without an open stream ends after."},
	{"register.per_minute", OPTION_INT, AT(register_per_minute), "60", 1, 100000, NULL, "Registrations of one machine key, per thread; past it 429."},
	{"requests.per_minute", OPTION_INT, AT(requests_per_minute), "60", 1, 100000, NULL,
	 "Identity tokens, attributes, audit lines, warnings and questions about SSH connections of one machine key, per thread; past it 429."},
	{"handshakes.per_minute", OPTION_INT, AT(handshakes_per_minute), "12000", 1, 100000000, NULL,
	 "Handshakes from one address (IPv6: one /64), per thread; past it 429. Behind a proxy that is not in proxies.trusted all clients are one address."},
	{"refusals.per_minute", OPTION_INT, AT(refusals_per_minute), "120", 1, 100000000, NULL,
	 "Refused API keys and relay tokens from one address, per thread; past it 429 without asking the database."},
	{"admin.requests_per_minute", OPTION_INT, AT(admin_per_minute), "6000", 1, 100000000, NULL,
	 "Requests of one API key at the admin door, per thread; past it 429."},
	{"map.keepalive", OPTION_DURATION, AT(keepalive_ms), "50s", SECONDS(1), SECONDS(100), NULL,
	 "Keep-alive of an idle map stream, plus 0 to 8 s; clients give up after 120 s."},
	{"map.first_frame", OPTION_DURATION, AT(first_frame_ms), "100s", SECONDS(1), SECONDS(115), NULL, "A stream without its first map ends after."},
	{"report.gather", OPTION_DURATION, AT(report_gather_ms), "10ms", 1, SECONDS(5), NULL,
	 "Client reports are gathered so long before they are written; up to ten times longer while they come in crowds."},
	{"login.lifetime", OPTION_DURATION, AT(login_lifetime_ms), "15m", SECONDS(1), DAYS(1), NULL,
	 "An interactive login, or a sign-in that an SSH rule asks for, waits so long for an answer."},
	{"login.hold", OPTION_DURATION, AT(login_hold_ms), "60s", SECONDS(1), MINUTES(10), NULL,
	 "A client's request that waits for its login is held so long; then it asks again."},
	{"presence.grace", OPTION_DURATION, AT(presence_grace_ms), "10s", 0, MINUTES(10), NULL, "A node whose stream ended stays online so long."},
	{"ephemeral.inactivity", OPTION_DURATION, AT(ephemeral_inactivity_ms), "2m", SECONDS(1), DAYS(365), NULL, "A silent ephemeral node is removed after."},
	{"sweep.interval", OPTION_DURATION, AT(sweep_ms), "1s", 100, MINUTES(5), NULL,
	 "Expiry, ephemeral nodes and the journal are looked at this often, by one coordinator at a time."},
	{"audits.keep", OPTION_DURATION, AT(audits_kept_ms), "400d", 0, DAYS(3650), NULL, "Audits older than that are removed. 0: never."},
	{"routes.probe_interval", OPTION_DURATION, AT(probe_interval_ms), "10s", 0, MINUTES(60), NULL,
	 "Routers of a route that has several are asked this often whether they answer, by each coordinator. 0: never."},
	{"routes.probe_timeout", OPTION_DURATION, AT(probe_timeout_ms), "5s", 100, MINUTES(1), NULL,
	 "An answer must come within. A router that lets two questions pass one after the other loses its routes to another."},
	{"relay.insecure_for_tests", OPTION_BOOL, AT(relay_insecure_for_tests), "false", 0, 0, NULL,
	 "Lets relays announce InsecureForTests: clients then do not check their certificate."},
	{"relays.settle", OPTION_DURATION, AT(relays_settle_ms), "10s", 100, MINUTES(10), NULL,
	 "A region that leaves the relay map is scored away first, then nobody's home, then gone; each lasts at least so long."},
	{"relays.patience", OPTION_DURATION, AT(relays_patience_ms), "5m", 100, DAYS(1), NULL,
	 "So long each of these waits for clients that are still at home in the region."},
	{"relays.dead", OPTION_DURATION, AT(relays_dead_ms), "5m", SECONDS(1), DAYS(7), NULL,
	 "A relay that was not heard of for so long leaves the relay map."},
	{"relays.steady", OPTION_DURATION, AT(relays_steady_ms), "30s", 0, MINUTES(60), NULL,
	 "One that had left it so comes back when it has been heard of for so long."},
	{0},
};

static const char *const handshake_results[] = {"accepted", "refused", NULL};
static const char *const register_results[] = {"enrolled", "rekeyed", "known", "logout", "expired", "refused", "failed", "login", NULL};

static const char *const check_results[] = {"accepted", "refused", "begun", "failed", NULL};

/* In the order of relayreg.h. */
static const char *const announce_results[] = {"taken", "unknown_token", "revoked_token", "throttled", "malformed", "refused", "unavailable", NULL};
static const char *const verify_results[] = {"allowed", "unknown_token", "revoked_token", "throttled", "malformed", "refused", "unavailable", NULL};

struct metric coordinator_metrics[] = {
	{"sessions_open", METRIC_GAUGE, "Noise sessions of clients.", NULL, NULL, 0},
	{"map_streams_open", METRIC_GAUGE, "Open map streams.", NULL, NULL, 0},
	{"handshakes_total", METRIC_COUNTER, "Noise handshakes.", "result", handshake_results, 0},
	{"registrations_total", METRIC_COUNTER, "Answers to /machine/register.", "result", register_results, 0},
	{"map_frames_total", METRIC_COUNTER, "Frames sent on map streams, without keep-alives.", NULL, NULL, 0},
	{"ssh_checks_total", METRIC_COUNTER, "Answers to questions about SSH connections.", "result", check_results, 0},
	{"relay_announcements_total", METRIC_COUNTER, "Announcements of relays.", "result", announce_results, 0},
	{"relays", METRIC_TOLD, "Relays of a region by state, as `relays list` shows it; the same at each coordinator.", "region,region_id,state", NULL, 0},
	{"relay_verifications_total", METRIC_COUNTER, "Questions of relays about keys.", "result", verify_results, 0},
	{0},
};

const struct metric *const metric_sessions = &coordinator_metrics[0], *const metric_polls = &coordinator_metrics[1];
const struct metric *const metric_handshakes = &coordinator_metrics[2], *const metric_registers = &coordinator_metrics[3];
const struct metric *const metric_frames = &coordinator_metrics[4], *const metric_checks = &coordinator_metrics[5];
const struct metric *const metric_announcements = &coordinator_metrics[6], *const metric_verifications = &coordinator_metrics[8];
const struct metric *const metric_relays = &coordinator_metrics[7];
