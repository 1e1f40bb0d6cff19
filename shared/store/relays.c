#include "relays.h"

#include <math.h>
#include <stdlib.h>

#include "rows.h"

/* --- regions --------------------------------------------------------------------------------------------------------------------------------------------- */

static void arg_double(struct tx *tx, double value)
{
	tx_arg_text(tx, bytes_text(arena_format(tx_arena(tx), "%.9g", value)));
}

static void arg_region(struct tx *tx, const struct relay_region *region)
{
	tx_arg_u64(tx, region->id);
	tx_arg_text(tx, region->code);
	tx_arg_text(tx, region->name);
	arg_double(tx, region->latitude);
	arg_double(tx, region->longitude);
	tx_arg_bool(tx, region->no_measure_no_home);
}

#define WITH_KEY ", k AS (INSERT INTO fleetscale.region_keys (region_id) SELECT id FROM g) "

unsigned regions_insert(struct tx *tx, const struct relay_region *region)
{
	arg_region(tx, region);
	return tx_add(tx, "WITH g AS (INSERT INTO fleetscale.regions (id, code, name, latitude, longitude, no_measure_no_home) VALUES ($1, $2, $3, $4, $5, $6) "
			  "ON CONFLICT (id) DO NOTHING RETURNING id)" WITH_KEY "SELECT fleetscale.note('relays', id) FROM g");
}

static void arg_double_or_null(struct tx *tx, double value)
{
	if (isnan(value))
		tx_arg_null(tx);
	else
		arg_double(tx, value);
}

static void arg_text_or_null(struct tx *tx, struct bytes value)
{
	if (value.at)
		tx_arg_text(tx, value);
	else
		tx_arg_null(tx);
}

static void arg_count_or_null(struct tx *tx, bool set, uint64_t count)
{
	if (set)
		tx_arg_u64(tx, count);
	else
		tx_arg_null(tx);
}

unsigned regions_create(struct tx *tx, const struct region_change *change)
{
	tx_arg_u64(tx, change->id);
	tx_arg_text(tx, change->code);
	tx_arg_text(tx, change->name.at ? change->name : change->code);
	tx_add(tx, "WITH g AS (INSERT INTO fleetscale.regions (id, code, name) VALUES ($1, $2, $3) RETURNING id)" WITH_KEY "SELECT FROM g");
	return regions_update(tx, change);
}

unsigned regions_update(struct tx *tx, const struct region_change *change)
{
	tx_arg_texts(tx, change->tailnets, change->tailnet_count);
	tx_add(tx, "SELECT fleetscale.want(EXISTS (SELECT FROM fleetscale.tailnets t WHERE t.name = w), 'FS001', format('no such tailnet: %s', w)) "
		   "FROM unnest($1::text[]) AS w");
	tx_arg_u64(tx, change->id);
	arg_text_or_null(tx, change->code);
	arg_text_or_null(tx, change->name);
	arg_double_or_null(tx, change->latitude);
	arg_double_or_null(tx, change->longitude);
	arg_double_or_null(tx, change->score);
	if (change->set_no_measure)
		tx_arg_bool(tx, change->no_measure_no_home);
	else
		tx_arg_null(tx);
	tx_arg_bool(tx, change->set_tailnets);
	tx_arg_texts(tx, change->tailnets, change->tailnet_count);
	arg_count_or_null(tx, change->set_rate, change->client_rate);
	arg_count_or_null(tx, change->set_burst, change->client_burst);
	arg_count_or_null(tx, change->set_tailnet_rate, change->tailnet_rate);
	arg_count_or_null(tx, change->set_tailnet_burst, change->tailnet_burst);
	tx_journal(tx, CHANGE_RELAYS, change->id);
	return tx_add(tx, "WITH g AS (UPDATE fleetscale.regions SET code = coalesce($2, code), name = coalesce($3, name), latitude = coalesce($4, latitude), "
			  "longitude = coalesce($5, longitude), score = coalesce($6, score), no_measure_no_home = coalesce($7, no_measure_no_home), "
			  "tailnets = CASE WHEN $8 THEN NULLIF(ARRAY(SELECT t.id FROM fleetscale.tailnets t WHERE t.name = ANY ($9) ORDER BY 1), '{}') ELSE "
			  "tailnets END, "
			  "client_rate = coalesce($10, client_rate), client_burst = coalesce($11, client_burst), "
			  "tailnet_rate = coalesce($12, tailnet_rate), tailnet_burst = coalesce($13, tailnet_burst) WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM g), 'FS001', 'no such region')");
}

unsigned regions_delete(struct tx *tx, unsigned id)
{
	tx_arg_u64(tx, id);
	tx_add(tx, "SELECT fleetscale.want(NOT EXISTS (SELECT FROM fleetscale.relays WHERE region_id = $1), 'FS003', 'the region has relays')");
	tx_arg_u64(tx, id);
	tx_journal(tx, CHANGE_RELAYS, id);
	return tx_add(tx, "WITH g AS (DELETE FROM fleetscale.regions WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM g), 'FS001', 'no such region')");
}

#define REGIONS \
	"SELECT g.id, g.code, g.name, g.latitude, g.longitude, g.no_measure_no_home, g.score, ARRAY(SELECT t.name FROM fleetscale.tailnets t WHERE t.id = " \
	"ANY (g.tailnets) ORDER BY 1), g.client_rate, " \
	"g.client_burst, g.tailnet_rate, g.tailnet_burst, g.stage, (SELECT count(*) FROM fleetscale.relays r WHERE r.region_id = g.id), " \
	"(SELECT count(*) FROM fleetscale.relays r WHERE r.region_id = g.id AND r.shown), k.rotated " \
	"FROM fleetscale.regions g LEFT JOIN fleetscale.region_keys k ON k.region_id = g.id "

unsigned regions_list(struct tx *tx)
{
	return tx_add(tx, REGIONS "ORDER BY g.id");
}

unsigned regions_get(struct tx *tx, unsigned id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, REGIONS "WHERE g.id = $1");
}

static double read_double(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena)
{
	return strtod(arena_text(arena, tx_text(tx, statement, row, column)), NULL);
}

static void read_region(struct tx *tx, unsigned statement, size_t row, struct arena *arena, struct region *g)
{
	unsigned c = 0;
	g->map.id = (unsigned)tx_u64(tx, statement, row, c++);
	g->map.code = rows_text(tx, statement, row, c++, arena);
	g->map.name = rows_text(tx, statement, row, c++, arena);
	g->map.latitude = read_double(tx, statement, row, c++, arena);
	g->map.longitude = read_double(tx, statement, row, c++, arena);
	g->map.no_measure_no_home = tx_bool(tx, statement, row, c++);
	g->map.score = read_double(tx, statement, row, c++, arena);
	g->tailnet_count = tx_texts(tx, statement, row, c++, arena, &g->tailnets);
	g->client_rate = tx_u64(tx, statement, row, c++);
	g->client_burst = tx_u64(tx, statement, row, c++);
	g->tailnet_rate = tx_u64(tx, statement, row, c++);
	g->tailnet_burst = tx_u64(tx, statement, row, c++);
	g->stage = (unsigned)tx_u64(tx, statement, row, c++);
	g->relay_count = (unsigned)tx_u64(tx, statement, row, c++);
	g->shown_count = (unsigned)tx_u64(tx, statement, row, c++);
	g->rotated = tx_time(tx, statement, row, c++);
}

size_t regions_read(struct tx *tx, unsigned statement, struct arena *arena, struct region **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct region, count);
	for (size_t i = 0; i < count; i++)
		read_region(tx, statement, i, arena, &(*out)[i]);
	return count;
}

unsigned regions_rotate(struct tx *tx, unsigned id, const uint8_t *key, int64_t overlap_ms)
{
	tx_arg_u64(tx, id);
	if (key)
		tx_arg_bytea(tx, bytes_of(key, KEY_LEN));
	else
		tx_arg_null(tx);
	tx_arg_i64(tx, overlap_ms);
	return tx_add(tx, "SELECT fleetscale.region_rotate($1, $2, $3)");
}

unsigned regions_keys(struct tx *tx, unsigned id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "SELECT encode(k.mesh_key, 'hex'), CASE WHEN k.before_until > now() THEN encode(k.before, 'hex') ELSE '' END "
			  "FROM fleetscale.region_keys k WHERE k.region_id = $1");
}

bool regions_read_keys(struct tx *tx, unsigned statement, struct arena *arena, struct region_keys *out)
{
	*out = (struct region_keys){BYTES(""), BYTES("")};
	if (!tx_rows(tx, statement))
		return false;
	out->key = rows_text(tx, statement, 0, 0, arena);
	out->before = rows_text(tx, statement, 0, 1, arena);
	return true;
}

/* --- relays ---------------------------------------------------------------------------------------------------------------------------------------------- */

#define REVOKED "EXISTS (SELECT FROM fleetscale.relay_tokens t WHERE t.id = r.token_id AND t.revoked IS NOT NULL)"
#define COLUMNS \
	"r.id, r.region_id, r.name, r.host_name, r.cert_name, r.ipv4, r.ipv6, r.stun_port, r.relay_port, r.stun_only, r.insecure_for_tests, r.can_port80, " \
	"r.version, r.created, r.last_seen, r.by_hand, r.mesh, r.wish = 'drain', r.draining, r.shown, r.revoked IS NOT NULL OR " REVOKED \
	", r.silent_since, r.deleted"

static void arg_node(struct tx *tx, const struct relay_node *n)
{
	tx_arg_text(tx, n->host_name.at ? n->host_name : BYTES(""));
	tx_arg_text(tx, n->cert_name.at ? n->cert_name : BYTES(""));
	tx_arg_text(tx, n->ipv4.at ? n->ipv4 : BYTES(""));
	tx_arg_text(tx, n->ipv6.at ? n->ipv6 : BYTES(""));
	tx_arg_i64(tx, n->stun_port);
	tx_arg_u64(tx, n->relay_port);
	tx_arg_bool(tx, n->insecure_for_tests);
	tx_arg_bool(tx, n->can_port80);
}

unsigned relays_insert(struct tx *tx, const struct relay *relay, const struct secret *token)
{
	tx_arg_u64(tx, relay->region);
	tx_arg_text(tx, relay->node.name);
	arg_node(tx, &relay->node);
	tx_arg_bool(tx, relay->by_hand);
	tx_arg_bool(tx, relay->mesh);
	tx_arg_text(tx, bytes_text(token->prefix));
	tx_arg_bytea(tx, bytes_of(token->hash, SECRET_HASH_LEN));
	/* Not in the map before it announces itself, hence no journal line. */
	return tx_add(
		tx,
		"WITH r AS (INSERT INTO fleetscale.relays (region_id, name, host_name, cert_name, ipv4, ipv6, stun_port, relay_port, insecure_for_tests, "
		"can_port80, by_hand, mesh, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, CASE WHEN $11 THEN now() END) RETURNING *), "
		"m AS (INSERT INTO fleetscale.relay_tokens (region_id, relay_id, prefix, hash) SELECT r.region_id, r.id, $13, $14 FROM r) "
		"SELECT " COLUMNS " FROM r");
}

unsigned relays_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.relays r WHERE r.id > $1 ORDER BY r.id LIMIT $2");
}

unsigned relays_of_probes(struct tx *tx, uint64_t from, uint64_t to, unsigned limit)
{
	tx_arg_u64(tx, from);
	tx_arg_u64(tx, to);
	tx_arg_u64(tx, limit);
	return tx_add(tx,
		      "SELECT " COLUMNS " FROM fleetscale.relays r WHERE r.id IN (SELECT p.from_id FROM fleetscale.relay_probes p "
		      "JOIN fleetscale.relays o ON o.id = p.to_id WHERE (p.from_id, p.to_id) > ($1, $2) ORDER BY p.from_id, p.to_id LIMIT $3) ORDER BY r.id");
}

unsigned relays_wish(struct tx *tx, uint64_t id, bool drain)
{
	tx_arg_u64(tx, id);
	tx_arg_text(tx, drain ? BYTES("drain") : BYTES("serve"));
	return tx_add(tx, "WITH r AS (UPDATE fleetscale.relays SET wish = $2 WHERE id = $1 AND deleted IS NULL RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM r), 'FS001', 'no such relay')");
}

unsigned relays_remove(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "SELECT fleetscale.relay_remove($1)");
}

static void read_row(struct tx *tx, unsigned statement, size_t row, struct arena *arena, struct relay *out)
{
	unsigned c = 0;
	*out = (struct relay){.id = tx_u64(tx, statement, row, c++)};
	out->region = (unsigned)tx_u64(tx, statement, row, c++);
	out->node.name = rows_text(tx, statement, row, c++, arena);
	out->node.host_name = rows_text(tx, statement, row, c++, arena);
	out->node.cert_name = rows_text(tx, statement, row, c++, arena);
	out->node.ipv4 = rows_text(tx, statement, row, c++, arena);
	out->node.ipv6 = rows_text(tx, statement, row, c++, arena);
	out->node.stun_port = (int)tx_i64(tx, statement, row, c++);
	out->node.relay_port = (unsigned)tx_u64(tx, statement, row, c++);
	out->node.stun_only = tx_bool(tx, statement, row, c++);
	out->node.insecure_for_tests = tx_bool(tx, statement, row, c++);
	out->node.can_port80 = tx_bool(tx, statement, row, c++);
	out->version = rows_text(tx, statement, row, c++, arena);
	out->created = tx_time(tx, statement, row, c++);
	out->last_seen = tx_time(tx, statement, row, c++);
	out->by_hand = tx_bool(tx, statement, row, c++);
	out->mesh = tx_bool(tx, statement, row, c++);
	out->drain = tx_bool(tx, statement, row, c++);
	out->draining = tx_bool(tx, statement, row, c++);
	out->shown = tx_bool(tx, statement, row, c++);
	out->revoked = tx_bool(tx, statement, row, c++);
	out->silent_since = tx_time(tx, statement, row, c++);
	out->deleted = tx_time(tx, statement, row, c++);
}

size_t relays_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct relay, count);
	for (size_t i = 0; i < count; i++)
		read_row(tx, statement, i, arena, &(*out)[i]);
	return count;
}

/* --- tokens ---------------------------------------------------------------------------------------------------------------------------------------------- */

#define TOKEN \
	"t.id, t.region_id, t.relay_id, t.prefix, t.hash, t.description, t.created, t.revoked, " \
	"EXISTS (SELECT FROM fleetscale.relays r WHERE r.id = t.relay_id AND r.by_hand)"

unsigned relay_tokens_insert(struct tx *tx, const struct relay_token *token, const struct secret *secret)
{
	tx_arg_u64(tx, token->region);
	tx_arg_id(tx, token->relay);
	tx_arg_text(tx, bytes_text(secret->prefix));
	tx_arg_bytea(tx, bytes_of(secret->hash, SECRET_HASH_LEN));
	tx_arg_text(tx, token->description.at ? token->description : BYTES(""));
	return tx_add(tx, "INSERT INTO fleetscale.relay_tokens AS t (region_id, relay_id, prefix, hash, description) "
			  "VALUES (coalesce((SELECT r.region_id FROM fleetscale.relays r WHERE r.id = $2), $1), $2, $3, $4, $5) RETURNING " TOKEN);
}

unsigned relay_tokens_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " TOKEN " FROM fleetscale.relay_tokens t WHERE t.id > $1 ORDER BY t.id LIMIT $2");
}

unsigned relay_tokens_revoke(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "WITH t AS (UPDATE fleetscale.relay_tokens SET revoked = coalesce(revoked, now()) WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM t), 'FS001', 'no such relay token')");
}

size_t relay_tokens_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay_token **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct relay_token, count);
	for (size_t i = 0; i < count; i++) {
		struct relay_token *t = &(*out)[i];
		unsigned c = 0;
		t->id = tx_u64(tx, statement, i, c++);
		t->region = (unsigned)tx_u64(tx, statement, i, c++);
		t->relay = tx_u64(tx, statement, i, c++);
		rows_secret_prefix(tx, statement, i, c++, t->prefix);
		rows_raw(tx, statement, i, c++, t->hash, SECRET_HASH_LEN);
		t->description = rows_text(tx, statement, i, c++, arena);
		t->created = tx_time(tx, statement, i, c++);
		t->revoked = tx_time(tx, statement, i, c++);
		t->by_hand = tx_bool(tx, statement, i, c++);
	}
	return count;
}

struct find {
	struct arena *arena;
	relay_token_fn on_found;
	relay_verdict_fn on_verified;
	void *context;
};

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct find find = *(struct find *)context;
	struct relay_token *tokens = NULL;
	size_t count = e ? 0 : relay_tokens_read(tx, 0, find.arena, &tokens);
	(void)why;
	find.on_found(find.context, e, count ? tokens : NULL);
}

void relay_tokens_find(struct pg *pg, struct bytes prefix, struct arena *arena, relay_token_fn found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){.arena = arena, .on_found = found, .context = context};
	tx_arg_text(tx, prefix);
	tx_add(tx, "SELECT " TOKEN " FROM fleetscale.relay_tokens t WHERE t.prefix = $1");
	tx_run(tx, on_found, find);
}

/* --- announcements --------------------------------------------------------------------------------------------------------------------------------------- */

unsigned relays_announce(struct tx *tx, const struct relay_token *token, const struct relay *said)
{
	tx_arg_text(tx, said->instance.at ? said->instance : BYTES(""));
	tx_arg_u64(tx, token->id);
	tx_arg_text(tx, said->node.name);
	arg_node(tx, &said->node);
	tx_arg_text(tx, said->version);
	tx_arg_bool(tx, said->draining);
	return tx_add(tx, "SELECT fleetscale.relay_announce_as($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
}

unsigned relays_told(struct tx *tx, const struct relay_token *token, struct bytes name)
{
	tx_arg_u64(tx, token->id);
	tx_arg_text(tx, name);
	return tx_add(tx, "WITH r AS (SELECT r.* FROM fleetscale.relays r WHERE r.id = (SELECT coalesce(t.relay_id, n.id) FROM fleetscale.relay_tokens t "
			  "LEFT JOIN fleetscale.relays n ON t.relay_id IS NULL AND n.name = $2 WHERE t.id = $1)), "
			  "serving AS NOT MATERIALIZED (SELECT o.id, o.region_id FROM fleetscale.relays o, r WHERE o.id <> r.id AND o.shown AND "
			  "fleetscale.relay_is_wanted(o, 30000, 0)) "
			  "SELECT r.id, g.id, g.code, g.name, r.name, r.wish = 'drain', r.shown, g.stage, EXISTS (SELECT FROM serving s WHERE s.region_id = "
			  "r.region_id), "
			  "EXISTS (SELECT FROM serving s WHERE s.region_id <> r.region_id), g.client_rate, g.client_burst, g.tailnet_rate, "
			  "g.tailnet_burst, r.mesh, r.held_back "
			  "FROM r JOIN fleetscale.regions g ON g.id = r.region_id");
}

bool relays_read_told(struct tx *tx, unsigned statement, struct arena *arena, struct relay_told *out)
{
	unsigned c = 0;
	if (!tx_rows(tx, statement))
		return false;
	*out = (struct relay_told){.id = tx_u64(tx, statement, 0, c++)};
	out->region.id = (unsigned)tx_u64(tx, statement, 0, c++);
	out->region.code = rows_text(tx, statement, 0, c++, arena);
	out->region.name = rows_text(tx, statement, 0, c++, arena);
	out->name = rows_text(tx, statement, 0, c++, arena);
	out->drain = tx_bool(tx, statement, 0, c++);
	out->shown = tx_bool(tx, statement, 0, c++);
	out->stage = (unsigned)tx_u64(tx, statement, 0, c++);
	out->siblings_serve = tx_bool(tx, statement, 0, c++);
	out->others_serve = tx_bool(tx, statement, 0, c++);
	out->client_rate = tx_u64(tx, statement, 0, c++);
	out->client_burst = tx_u64(tx, statement, 0, c++);
	out->tailnet_rate = tx_u64(tx, statement, 0, c++);
	out->tailnet_burst = tx_u64(tx, statement, 0, c++);
	out->mesh = tx_bool(tx, statement, 0, c++);
	out->held_back = tx_bool(tx, statement, 0, c++);
	return true;
}

unsigned relays_siblings(struct tx *tx, unsigned region)
{
	tx_arg_u64(tx, region);
	tx_arg_u64(tx, RELAYS_OF_REGION_MAX);
	return tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.relays r WHERE r.region_id = $1 AND r.mesh AND r.last_seen IS NOT NULL AND r.deleted IS NULL "
			  "AND r.revoked IS NULL AND NOT " REVOKED " AND (r.silent_since IS NULL OR r.silent_since > now() - interval '1 day') "
			  "ORDER BY r.id LIMIT $2");
}

#define PEERS \
	"fleetscale.relays r JOIN fleetscale.regions g ON g.id = r.region_id JOIN fleetscale.regions m ON m.id = $3 AND fleetscale.regions_meet(g, m) " \
	"WHERE r.last_seen IS NOT NULL AND r.deleted IS NULL AND r.revoked IS NULL AND NOT " REVOKED \
	" AND r.wish = 'serve' AND NOT r.draining AND (r.silent_since IS NULL OR r.silent_since > now() - interval '1 day')"

unsigned relays_peers(struct tx *tx, unsigned region, uint64_t after)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, RELAY_PEERS_MAX + 2);
	tx_arg_u64(tx, region);
	return tx_add(tx, "SELECT p.* FROM ((SELECT " COLUMNS " FROM " PEERS " AND r.id > $1 ORDER BY r.id LIMIT $2) UNION ALL "
			  "(SELECT " COLUMNS " FROM " PEERS " AND r.id <= $1 ORDER BY r.id LIMIT $2)) p ORDER BY p.id <= $1, p.id LIMIT $2");
}

unsigned relay_rechecks(struct tx *tx, unsigned region, uint64_t known)
{
	tx_arg_u64(tx, known);
	tx_arg_u64(tx, RELAY_RECHECKS_MAX + 1);
	tx_arg_u64(tx, region);
	/* What a transaction that still runs will have written is told when it has ended. */
	return tx_add(
		tx,
		"SELECT s.stands::text, ARRAY(SELECT encode(c.node_key, 'hex') FROM fleetscale.relay_rechecks c, fleetscale.regions g "
		"WHERE $1 > 0 AND c.writer >= ($1::bigint)::text::xid8 AND c.writer < s.stands AND g.id = $3 "
		"AND CASE WHEN c.region IS NULL THEN c.owner IS NULL OR g.tailnets IS NULL OR c.owner = ANY (g.tailnets) ELSE c.region = g.id END LIMIT $2) "
		"FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS stands) s");
}

bool relay_rechecks_read(struct tx *tx, unsigned statement, struct arena *arena, uint64_t *stands, struct bytes **keys, size_t *count)
{
	*stands = tx_u64(tx, statement, 0, 0);
	*count = tx_texts(tx, statement, 0, 1, arena, keys);
	return *count <= RELAY_RECHECKS_MAX;
}

static void on_verified(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct find *find = context;
	struct relay_standing standing = {.allowed = !e && tx_rows(tx, 0)};
	(void)why;
	if (standing.allowed) {
		standing.tailnet = tx_u64(tx, 0, 0, 0);
		standing.rate = tx_u64(tx, 0, 0, 1);
		standing.burst = tx_u64(tx, 0, 0, 2);
	}
	find->on_verified(find->context, e, &standing);
}

void relays_verify(struct pg *pg, const struct node_key *key, unsigned region, relay_verdict_fn verified, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){.on_verified = verified, .context = context};
	tx_arg_bytea(tx, bytes_of(key->raw, KEY_LEN));
	tx_arg_u64(tx, region);
	tx_add(tx, "SELECT s.tailnet, s.rate, s.burst FROM fleetscale.relay_standing($1, $2) s");
	tx_run(tx, on_verified, find);
}

/* --- the map --------------------------------------------------------------------------------------------------------------------------------------------- */

unsigned relays_step(struct tx *tx, const uint64_t *heard, const uint64_t *homes, size_t count, bool certain, const struct relays_patience *patience)
{
	tx_arg_u64s(tx, heard, count);
	tx_arg_u64s(tx, homes, count);
	tx_arg_bool(tx, certain);
	tx_arg_i64(tx, patience->settle_ms);
	tx_arg_i64(tx, patience->patience_ms);
	tx_arg_i64(tx, patience->dead_ms);
	tx_arg_i64(tx, patience->steady_ms);
	return tx_add(tx, "SELECT fleetscale.relays_step($1, $2, $3, $4, $5, $6, $7)");
}
