/* Columns and rows of the nouns: what a SELECT lists, and how a row of it becomes a struct.
 * Not statements. Private to store. Tables are named t (tailnets), u (users), n (nodes), a (authkeys) wherever these columns are listed.
 * `first`: the column at which the list begins. Texts live in `arena`. */
#ifndef ROWS_H
#define ROWS_H

#include "authkey.h"
#include "node.h"
#include "settings.h"
#include "tailnet.h"
#include "tx.h"
#include "user.h"

#define ROWS_TAILNET \
	"t.id, t.name, t.domain, t.display_name, t.range4, t.range6, t.created, t.key_lifetime_ms, t.frozen, t.suspended, t.device_approval, t.node_limit, " \
	"t.user_limit, t.login_host, t.domains, t.relay_rate, t.relay_burst"
#define ROWS_SETTINGS \
	"t.magic_dns, t.dns_override, t.dns_resolvers, t.dns_split, t.dns_search, t.dns_records, t.dns_exit_filtered, t.file_sharing, t.ssh, t.auto_update, " \
	"t.random_client_port, t.client_logs, t.notice, t.relay_fence::text[], t.relay_omit::text[], t.relay_no_home::text[], t.relay_omit_shared"
#define ROWS_USER "u.id, u.tailnet_id, u.name, u.display_name, u.email, u.picture_url, u.provider, u.created, u.role"
/* Beside those of the user, at its end: rows_groups. */
#define ROWS_GROUPS "ARRAY(SELECT g.name FROM fleetscale.user_groups g WHERE g.user_id = u.id ORDER BY g.name COLLATE \"C\")"
#define ROWS_NODE \
	"n.id, n.tailnet_id, n.user_id, n.machine_key, n.node_key, n.disco_key, n.lock_key, n.label, n.renamed, host(n.ip4), host(n.ip6), n.hostinfo, " \
	"n.endpoints, " \
	"n.home_relay, n.capver, n.expiry, n.created, n.last_seen, n.first_polled, n.approved, n.ephemeral, n.tags, n.routes_advertised, n.routes_approved, " \
	"n.authkey_id, n.register_method, n.routes_primary, n.unreachable"
#define ROWS_AUTHKEY \
	"a.id, a.tailnet_id, a.user_id, a.prefix, a.hash, a.description, a.reusable, a.ephemeral, a.preapproved, a.tags, a.created, a.expiry, a.revoked, " \
	"a.used_by, a.uses, a.uses_most"
enum { ROWS_TAILNET_COUNT = 17, ROWS_SETTINGS_COUNT = 17, ROWS_USER_COUNT = 9, ROWS_NODE_COUNT = 28, ROWS_AUTHKEY_COUNT = 16 };

void rows_tailnet(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct tailnet *out);
void rows_settings(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct settings *out);
void rows_user(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct user *out);
void rows_groups(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct user *out);
void rows_node(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct node *out);
void rows_authkey(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct authkey *out);

struct bytes rows_text(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena); /* copied */
/* A bytea of exactly `len` bytes; zeroes when it is NULL or of another length. */
void rows_raw(const struct tx *tx, unsigned statement, size_t row, unsigned column, uint8_t *out, size_t len);
/* A prefix of a secret; `out` has room for SECRET_PREFIX_LEN + 1. */
void rows_secret_prefix(const struct tx *tx, unsigned statement, size_t row, unsigned column, char *out);

#endif
