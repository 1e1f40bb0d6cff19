#include "relays.h"

#include <stdlib.h>

#include "rows.h"

#define COLUMNS \
	"r.id, r.region_id, r.name, r.host_name, r.cert_name, r.ipv4, r.ipv6, r.stun_port, r.relay_port, r.stun_only, r.insecure_for_tests, r.can_port80, " \
	"r.prefix, r.hash, r.version, r.created, r.last_seen, r.revoked"

unsigned regions_insert(struct tx *tx, const struct relay_region *region)
{
	tx_arg_u64(tx, region->id);
	tx_arg_text(tx, region->code);
	tx_arg_text(tx, region->name);
	tx_arg_text(tx, bytes_text(arena_format(tx_arena(tx), "%.9g", region->latitude)));
	tx_arg_text(tx, bytes_text(arena_format(tx_arena(tx), "%.9g", region->longitude)));
	tx_arg_bool(tx, region->no_measure_no_home);
	tx_journal(tx, CHANGE_RELAYS, region->id);
	return tx_add(
		tx, "INSERT INTO fleetscale.regions (id, code, name, latitude, longitude, no_measure_no_home) VALUES ($1, $2, $3, $4, $5, $6) "
		    "ON CONFLICT (id) DO UPDATE SET code = excluded.code, name = excluded.name, latitude = excluded.latitude, longitude = excluded.longitude, "
		    "no_measure_no_home = excluded.no_measure_no_home");
}

unsigned regions_list(struct tx *tx)
{
	return tx_add(tx, "SELECT id, code, name, latitude, longitude, no_measure_no_home FROM fleetscale.regions ORDER BY id");
}

size_t regions_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay_region **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct relay_region, count);
	for (size_t i = 0; i < count; i++) {
		struct relay_region *r = &(*out)[i];
		r->id = (unsigned)tx_u64(tx, statement, i, 0);
		r->code = rows_text(tx, statement, i, 1, arena);
		r->name = rows_text(tx, statement, i, 2, arena);
		r->latitude = strtod(arena_text(arena, tx_text(tx, statement, i, 3)), NULL);
		r->longitude = strtod(arena_text(arena, tx_text(tx, statement, i, 4)), NULL);
		r->no_measure_no_home = tx_bool(tx, statement, i, 5);
	}
	return count;
}

unsigned relays_insert(struct tx *tx, const struct relay *relay)
{
	tx_arg_u64(tx, relay->region);
	tx_arg_text(tx, relay->node.name);
	tx_arg_text(tx, bytes_text(relay->prefix));
	tx_arg_bytea(tx, bytes_of(relay->hash, SECRET_HASH_LEN));
	/* Not in the map before it announces itself, hence no journal line. */
	return tx_add(tx, "INSERT INTO fleetscale.relays AS r (region_id, name, prefix, hash) VALUES ($1, $2, $3, $4) RETURNING " COLUMNS);
}

unsigned relays_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.relays r WHERE r.id > $1 ORDER BY r.id LIMIT $2");
}

unsigned relays_delete(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	tx_journal(tx, CHANGE_RELAYS, id);
	return tx_add(tx, "WITH r AS (DELETE FROM fleetscale.relays WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM r), 'FS001', 'no such relay')");
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
	rows_secret_prefix(tx, statement, row, c++, out->prefix);
	rows_raw(tx, statement, row, c++, out->hash, SECRET_HASH_LEN);
	out->version = rows_text(tx, statement, row, c++, arena);
	out->created = tx_time(tx, statement, row, c++);
	out->last_seen = tx_time(tx, statement, row, c++);
	out->revoked = tx_time(tx, statement, row, c++);
}

size_t relays_read(struct tx *tx, unsigned statement, struct arena *arena, struct relay **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct relay, count);
	for (size_t i = 0; i < count; i++)
		read_row(tx, statement, i, arena, &(*out)[i]);
	return count;
}

struct find {
	struct arena *arena;
	relay_fn on_found;
	void *context;
};

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct find find = *(struct find *)context;
	struct relay *relays = NULL;
	size_t count = e ? 0 : relays_read(tx, 0, find.arena, &relays);
	(void)why;
	find.on_found(find.context, e, count ? relays : NULL);
}

void relays_find(struct pg *pg, struct bytes prefix, struct arena *arena, relay_fn found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){arena, found, context};
	tx_arg_text(tx, prefix);
	tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.relays r WHERE r.prefix = $1");
	tx_run(tx, on_found, find);
}

unsigned relays_announce(struct tx *tx, const struct relay *relay)
{
	const struct relay_node *n = &relay->node;
	tx_arg_u64(tx, relay->id);
	tx_arg_text(tx, n->host_name);
	tx_arg_text(tx, n->cert_name);
	tx_arg_text(tx, n->ipv4);
	tx_arg_text(tx, n->ipv6);
	tx_arg_i64(tx, n->stun_port);
	tx_arg_u64(tx, n->relay_port);
	tx_arg_bool(tx, n->stun_only);
	tx_arg_bool(tx, n->insecure_for_tests);
	tx_arg_bool(tx, n->can_port80);
	tx_arg_text(tx, relay->version);
	return tx_add(tx, "SELECT fleetscale.relay_announce($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
}
