#include "nodes.h"

#include "rows.h"

#define GUARDED(change) "WITH n AS (" change " RETURNING n.id) SELECT fleetscale.want(EXISTS (SELECT FROM n), 'FS001', 'no such node')"

/* --- one node, hard -------------------------------------------------------------------------------------------------------------------------------- */

unsigned nodes_rekey(struct tx *tx, uint64_t node, const struct node_key *was, const struct enrollment *e)
{
	tx_arg_u64(tx, node);
	tx_arg_bytea(tx, bytes_of(was->raw, KEY_LEN));
	tx_arg_id(tx, e->user);
	tx_arg_texts(tx, e->tags, e->tag_count);
	tx_arg_bytea(tx, bytes_of(e->node_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(e->lock_key.raw, KEY_LEN));
	tx_arg_text(tx, e->hostinfo);
	tx_arg_u64(tx, e->capver);
	tx_arg_time(tx, e->expiry);
	tx_arg_bool(tx, e->ephemeral);
	tx_arg_id(tx, e->authkey);
	tx_arg_bool(tx, e->consume_key);
	tx_arg_u64(tx, e->register_method);
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.node_rekey($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) n");
}

unsigned nodes_set_expiry(struct tx *tx, uint64_t node, struct wall expiry)
{
	tx_arg_u64(tx, node);
	tx_arg_time(tx, expiry);
	tx_journal(tx, CHANGE_NODE_EXPIRY, node);
	/* A past one is told by this very line. */
	return tx_add(tx,
		      GUARDED("UPDATE fleetscale.nodes AS n SET expiry = $2::timestamptz, expiry_told = CASE WHEN $2 <= now() THEN $2 END WHERE n.id = $1"));
}

unsigned nodes_delete(struct tx *tx, uint64_t node)
{
	tx_arg_u64(tx, node);
	tx_journal(tx, CHANGE_NODE_REMOVED, node);
	return tx_add(tx, GUARDED("DELETE FROM fleetscale.nodes AS n WHERE n.id = $1"));
}

unsigned nodes_rename(struct tx *tx, uint64_t node, struct bytes label)
{
	tx_arg_u64(tx, node);
	tx_arg_text(tx, label);
	tx_journal(tx, CHANGE_NODE_NAME, node);
	return tx_add(tx, GUARDED("UPDATE fleetscale.nodes AS n SET label = $2, renamed = true WHERE n.id = $1"));
}

unsigned nodes_relabel(struct tx *tx, uint64_t node, struct bytes base)
{
	/* The node before the tailnet, as every other writer takes them: reports hold nodes and then want the generation. */
	tx_arg_u64(tx, node);
	tx_add(tx,
	       "SELECT fleetscale.want(count(*) = 1, 'FS001', 'no such node') FROM (SELECT n.id FROM fleetscale.nodes n WHERE n.id = $1 FOR UPDATE) AS held");
	tx_add(tx, "SELECT fleetscale.lock_tailnet()");
	tx_arg_u64(tx, node);
	tx_arg_text(tx, base);
	return tx_add(tx, "WITH n AS (UPDATE fleetscale.nodes AS n SET label = fleetscale.label_take($2) "
			  "WHERE n.id = $1 AND NOT n.renamed AND NOT fleetscale.label_is_of(n.label, $2) RETURNING n.id) "
			  "SELECT fleetscale.note('node-name', n.id) FROM n");
}

unsigned nodes_tag(struct tx *tx, uint64_t node, const struct bytes *tags, size_t count)
{
	tx_arg_u64(tx, node);
	tx_arg_texts(tx, tags, count);
	tx_journal(tx, CHANGE_NODE_OWNER, node);
	return tx_add(tx, GUARDED("UPDATE fleetscale.nodes AS n SET tags = $2, user_id = NULL, expiry = NULL, expiry_told = NULL WHERE n.id = $1"));
}

unsigned nodes_retag(struct tx *tx, const struct node *was, const struct bytes *tags, size_t count)
{
	tx_arg_u64(tx, was->id);
	tx_arg_texts(tx, tags, count);
	tx_arg_texts(tx, was->tags, was->tag_count);
	tx_journal(tx, CHANGE_NODE_OWNER, was->id);
	return tx_add(tx, "WITH n AS (UPDATE fleetscale.nodes AS n SET tags = $2 WHERE n.id = $1 AND n.tags = $3 AND (n.expiry IS NULL OR n.expiry > now()) "
			  "RETURNING n.id) SELECT fleetscale.want(EXISTS (SELECT FROM n), 'FS003', 'this node was changed meanwhile: try again')");
}

unsigned nodes_approve_routes(struct tx *tx, uint64_t node, const struct prefix *routes, size_t count)
{
	tx_arg_u64(tx, node);
	tx_arg_prefixes(tx, routes, count);
	tx_journal(tx, CHANGE_NODE_ROUTES, node);
	return tx_add(tx, GUARDED("UPDATE fleetscale.nodes AS n SET routes_approved = $2 WHERE n.id = $1"));
}

unsigned nodes_add_routes(struct tx *tx, uint64_t node, const struct prefix *routes, size_t count)
{
	tx_arg_u64(tx, node);
	tx_arg_prefixes(tx, routes, count);
	return tx_add(tx,
		      "WITH n AS (UPDATE fleetscale.nodes AS n SET routes_approved = n.routes_approved || "
		      "ARRAY(SELECT DISTINCT r FROM unnest($2::cidr[]) AS r WHERE r = ANY (n.routes_advertised) AND r <> ALL (n.routes_approved)) "
		      "WHERE n.id = $1 AND EXISTS (SELECT FROM unnest($2::cidr[]) AS r WHERE r = ANY (n.routes_advertised) AND r <> ALL (n.routes_approved)) "
		      "RETURNING n.id) SELECT fleetscale.note('node-routes', n.id) FROM n");
}

unsigned nodes_approve(struct tx *tx, uint64_t node, bool approved)
{
	tx_arg_u64(tx, node);
	tx_arg_bool(tx, approved);
	tx_journal(tx, CHANGE_NODE_APPROVAL, node);
	return tx_add(tx, GUARDED("UPDATE fleetscale.nodes AS n SET approved = $2 WHERE n.id = $1"));
}

/* --- many nodes, soft ------------------------------------------------------------------------------------------------------------------------------- */

/* "=" and each member with a space behind it; "" = nothing is told of it. */
static struct bytes list_of(struct arena *arena, bool told, size_t count, size_t text_max, size_t (*format)(char *at, const void *list, size_t i),
			    const void *list)
{
	if (!told)
		return BYTES("");
	char *text = arena_alloc(arena, count * (text_max + 1) + 2), *at = text;
	*at++ = '=';
	for (size_t i = 0; i < count; i++) {
		at += format(at, list, i);
		*at++ = ' ';
	}
	return bytes_of(text, (size_t)(at - text));
}

static size_t format_endpoint(char *at, const void *list, size_t i)
{
	return endpoint_format(at, ((const struct endpoint *)list)[i]);
}
static size_t format_route(char *at, const void *list, size_t i)
{
	return prefix_format(at, prefix_masked(((const struct prefix *)list)[i]));
}

static struct bytes disco_of(struct arena *arena, const struct disco_key *key)
{
	if (key_is_zero(key->raw))
		return BYTES("");
	char *text = arena_alloc(arena, KEY_LEN * 2 + 1);
	for (size_t i = 0; i < KEY_LEN; i++) {
		text[2 * i] = "0123456789abcdef"[key->raw[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[key->raw[i] & 15];
	}
	return bytes_of(text, KEY_LEN * 2);
}

unsigned nodes_report_add(struct tx *tx, const struct node_report *reports, size_t count)
{
	enum { DISCO, HOSTINFO, ENDPOINTS, ROUTES, TEXT_COLUMNS };
	enum { ID, EPOCH, CAPVER, RELAY, NUMBER_COLUMNS };
	struct arena *arena = tx_arena(tx);
	struct bytes *text[TEXT_COLUMNS];
	uint64_t *number[NUMBER_COLUMNS];
	for (unsigned c = 0; c < TEXT_COLUMNS; c++)
		text[c] = ARENA_ARRAY(arena, struct bytes, count);
	for (unsigned c = 0; c < NUMBER_COLUMNS; c++)
		number[c] = ARENA_ARRAY(arena, uint64_t, count);
	uint64_t *seen_us = ARENA_ARRAY(arena, uint64_t, count);
	for (size_t i = 0; i < count; i++) {
		const struct node_report *r = &reports[i];
		number[ID][i] = r->node;
		number[EPOCH][i] = r->epoch;
		number[CAPVER][i] = r->capver;
		number[RELAY][i] = r->home_relay;
		text[DISCO][i] = disco_of(arena, &r->disco_key);
		text[HOSTINFO][i] = r->hostinfo.at ? r->hostinfo : BYTES("");
		text[ENDPOINTS][i] = list_of(arena, r->has_endpoints, r->endpoint_count, ENDPOINT_TEXT_MAX, format_endpoint, r->endpoints);
		text[ROUTES][i] = list_of(arena, r->has_routes, r->route_count, PREFIX_TEXT_MAX, format_route, r->routes);
		seen_us[i] = wall_is_zero(r->at) || r->at.ns < 0 ? 0 : (uint64_t)(r->at.ns / 1000);
	}
	tx_arg_u64s(tx, number[ID], count);
	tx_arg_u64s(tx, number[EPOCH], count);
	tx_arg_u64s(tx, number[CAPVER], count);
	tx_arg_texts(tx, text[DISCO], count);
	tx_arg_texts(tx, text[HOSTINFO], count);
	tx_arg_texts(tx, text[ENDPOINTS], count);
	tx_arg_u64s(tx, number[RELAY], count);
	tx_arg_texts(tx, text[ROUTES], count);
	tx_arg_u64s(tx, seen_us, count);
	return tx_add(tx, "SELECT * FROM fleetscale.nodes_report($1, $2, $3, $4, $5, $6, $7, $8, $9)");
}

unsigned nodes_seen(struct tx *tx, const uint64_t *nodes, size_t count, struct wall at, bool told)
{
	tx_arg_u64s(tx, nodes, count);
	tx_arg_time(tx, at);
	tx_arg_bool(tx, told);
	/* Locked by id, so that two batches never wait for each other in a circle. */
	return tx_add(
		tx,
		"WITH held AS MATERIALIZED (SELECT n.id FROM fleetscale.nodes n WHERE n.id = ANY ($1) AND n.last_seen < $2 ORDER BY n.id FOR NO KEY UPDATE), "
		"moved AS (UPDATE fleetscale.nodes n SET last_seen = greatest(n.last_seen, $2) FROM held WHERE n.id = held.id RETURNING n.id) "
		"SELECT CASE WHEN $3 THEN fleetscale.note('node-seen', moved.id) END FROM moved");
}

unsigned nodes_polled(struct tx *tx, const uint64_t *nodes, size_t count, struct wall at)
{
	tx_arg_u64s(tx, nodes, count);
	tx_arg_time(tx, at);
	return tx_add(tx, "WITH held AS MATERIALIZED (SELECT n.id FROM fleetscale.nodes n WHERE n.id = ANY ($1) AND n.first_polled IS NULL ORDER BY n.id FOR "
			  "NO KEY UPDATE) "
			  "UPDATE fleetscale.nodes n SET first_polled = $2 FROM held WHERE n.id = held.id");
}

unsigned nodes_tell_expired(struct tx *tx, const uint64_t *nodes, size_t count, struct wall now)
{
	tx_arg_u64s(tx, nodes, count);
	tx_arg_time(tx, now);
	return tx_add(tx, "WITH held AS MATERIALIZED (SELECT n.id FROM fleetscale.nodes n WHERE n.id = ANY ($1) AND n.expiry <= $2 "
			  "AND n.expiry_told IS DISTINCT FROM n.expiry ORDER BY n.id FOR NO KEY UPDATE), "
			  "told AS (UPDATE fleetscale.nodes n SET expiry_told = n.expiry FROM held WHERE n.id = held.id RETURNING n.id) "
			  "SELECT told.id, fleetscale.note('node-expiry', told.id) FROM told");
}

unsigned nodes_delete_silent(struct tx *tx, const uint64_t *nodes, size_t count, struct wall before)
{
	tx_arg_u64s(tx, nodes, count);
	tx_arg_time(tx, before);
	return tx_add(tx, "WITH held AS MATERIALIZED (SELECT n.id FROM fleetscale.nodes n WHERE n.id = ANY ($1) AND n.ephemeral AND n.last_seen < $2 "
			  "ORDER BY n.id FOR UPDATE), "
			  "gone AS (DELETE FROM fleetscale.nodes n USING held WHERE n.id = held.id RETURNING n.id) "
			  "SELECT gone.id, fleetscale.note('node-removed', gone.id) FROM gone");
}

/* --- reading ----------------------------------------------------------------------------------------------------------------------------------------- */

unsigned nodes_list(struct tx *tx, uint64_t user)
{
	if (!user)
		return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.tailnet_id = fleetscale.current_tailnet() ORDER BY n.id");
	tx_arg_u64(tx, user);
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.user_id = $1 ORDER BY n.id");
}

unsigned nodes_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx,
		      "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.tailnet_id = fleetscale.current_tailnet() AND n.id > $1 ORDER BY n.id LIMIT $2");
}

unsigned nodes_of_machine(struct tx *tx, const struct machine_key *machine)
{
	tx_arg_bytea(tx, bytes_of(machine->raw, KEY_LEN));
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.machine_key = $1 ORDER BY n.id");
}

unsigned nodes_advertising(struct tx *tx, const uint64_t *nodes, size_t count)
{
	tx_arg_u64s(tx, nodes, count);
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.id = ANY ($1) AND NOT n.routes_advertised <@ n.routes_approved ORDER BY n.id");
}

unsigned nodes_get(struct tx *tx, uint64_t node)
{
	tx_arg_u64(tx, node);
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.id = $1");
}

unsigned nodes_some(struct tx *tx, const uint64_t *nodes, size_t count)
{
	tx_arg_u64s(tx, nodes, count);
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.id = ANY ($1) ORDER BY n.id");
}

unsigned nodes_tagged(struct tx *tx, const struct bytes *tags, size_t count, unsigned limit)
{
	tx_arg_texts(tx, tags, count);
	tx_arg_u64(tx, limit);
	return tx_add(tx,
		      "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.tailnet_id = fleetscale.current_tailnet() AND n.tags && $1 ORDER BY n.id LIMIT $2");
}

size_t nodes_read(struct tx *tx, unsigned statement, struct arena *arena, struct node **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct node, count);
	for (size_t i = 0; i < count; i++)
		rows_node(tx, statement, i, 0, arena, &(*out)[i]);
	return count;
}

/* --- what time does ------------------------------------------------------------------------------------------------------------------------------------ */

struct find {
	nodes_due_fn on_found;
	void *context;
};

static void on_due(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct find find = *(struct find *)context;
	size_t count = e ? 0 : tx_rows(tx, 0);
	struct nodes_due *due = ARENA_ARRAY(tx_arena(tx), struct nodes_due, count);
	(void)why;
	for (size_t i = 0; i < count; i++)
		due[i] = (struct nodes_due){tx_u64(tx, 0, i, 0), tx_u64(tx, 0, i, 1), tx_time(tx, 0, i, 2)};
	find.on_found(find.context, e, due, count);
}

void nodes_find_due(struct pg *pg, const char *sql, struct wall time, unsigned limit, nodes_due_fn on_found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){on_found, context};
	tx_arg_time(tx, time);
	tx_arg_u64(tx, limit);
	tx_add(tx, sql);
	tx_run(tx, on_due, find);
}

void nodes_find_expired(struct pg *pg, struct wall now, unsigned limit, nodes_due_fn on_found, void *context)
{
	nodes_find_due(pg, "SELECT tailnet_id, id, last_seen FROM fleetscale.nodes_expired($1, $2)", now, limit, on_found, context);
}

void nodes_find_silent(struct pg *pg, struct wall before, unsigned limit, nodes_due_fn on_found, void *context)
{
	nodes_find_due(pg, "SELECT tailnet_id, id, last_seen FROM fleetscale.nodes_silent($1, $2)", before, limit, on_found, context);
}
