/* The relay's options as a struct.
 * Not their table (options.c) and not what they mean.
 * Filled by daemon_main; lives as long as the process. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "daemon.h"

struct relay_options {
	struct daemon_options daemon;
	char *listen_relay, *listen_stun, *listen_plain;
	bool listen_proxy_protocol;
	char *proxies_trusted;
	char *tls_certificate, *tls_key;
	char *acme_webroot;
	char *coordinators;
	char *relay_token, *relay_name, *relay_hostname, *relay_ipv4, *relay_ipv6, *relay_cert_name, *relay_coordinators_key;
	int64_t relay_port;
	bool relay_unsafe_self_signed;
	char *relay_own_certificate;
	char *bootstrap_names, *bootstrap_hidden_names;
	char *verify_url;
	bool verify_coordinators, verify_fail_open;
	int64_t verify_cache_ms, verify_refused_ms, verify_grace_ms;
	int64_t probe_ms;
	char *limit_rate_file;
	int64_t limit_stun;
	int64_t limit_connections, limit_handshakes, limit_accepts, limit_accept_burst, limit_queued, limit_memory, limit_write_ms;
};

extern const struct option relay_option_table[];
/* What the table alone cannot check: options that need one another. */
MUST_USE enum err relay_options_check(const struct relay_options *options, struct diag *why);

#endif
