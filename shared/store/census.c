#include "census.h"

#include <stdlib.h>

#include "rows.h"

#define STANDS \
	"SELECT g.generation, (SELECT j.stamp FROM fleetscale.journal j WHERE j.tailnet_id = g.tailnet_id AND j.generation = g.generation LIMIT 1) " \
	"FROM fleetscale.generations g WHERE g.tailnet_id = fleetscale.current_tailnet()"

struct take {
	struct arena *arena;
	census_fn on_read;
	void *context;
};

static void on_taken(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	enum { STAND, TAILNET, USERS, NODES, POLICY, FACTS };
	const struct take *take = context;
	(void)why;
	if (!e && (!tx_rows(tx, STAND) || !tx_rows(tx, TAILNET)))
		e = ERR_NOT_FOUND;
	if (e) {
		take->on_read(take->context, e, NULL);
		return;
	}
	struct census *c = ARENA_NEW(take->arena, struct census);
	c->generation = tx_u64(tx, STAND, 0, 0);
	c->stamp = tx_u64(tx, STAND, 0, 1);
	rows_tailnet(tx, TAILNET, 0, 0, take->arena, &c->tailnet);
	rows_settings(tx, TAILNET, 0, ROWS_TAILNET_COUNT, take->arena, &c->settings);
	c->user_count = tx_rows(tx, USERS);
	c->users = ARENA_ARRAY(take->arena, struct user, c->user_count);
	for (size_t i = 0; i < c->user_count; i++) {
		rows_user(tx, USERS, i, 0, take->arena, &c->users[i]);
		rows_groups(tx, USERS, i, ROWS_USER_COUNT, take->arena, &c->users[i]);
	}
	c->node_count = tx_rows(tx, NODES);
	c->nodes = ARENA_ARRAY(take->arena, struct node, c->node_count);
	for (size_t i = 0; i < c->node_count; i++)
		rows_node(tx, NODES, i, 0, take->arena, &c->nodes[i]);
	if (tx_rows(tx, POLICY))
		policies_read(tx, POLICY, take->arena, &c->policy);
	c->fact_count = attributes_read_facts(tx, FACTS, take->arena, &c->facts);
	take->on_read(take->context, ERR_NONE, c);
}

void census_take(struct pg *pg, uint64_t tailnet, struct arena *arena, census_fn on_read, void *context)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	struct take *take = ARENA_NEW(tx_arena(tx), struct take);
	*take = (struct take){arena, on_read, context};
	tx_add(tx, STANDS);
	tx_add(tx, "SELECT " ROWS_TAILNET ", " ROWS_SETTINGS " FROM fleetscale.tailnets t WHERE t.id = fleetscale.current_tailnet()");
	tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.users u WHERE u.tailnet_id = fleetscale.current_tailnet() ORDER BY u.id");
	tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.nodes n WHERE n.tailnet_id = fleetscale.current_tailnet() ORDER BY n.id");
	policies_newest(tx);
	attributes_facts(tx);
	tx_run(tx, on_taken, take);
}

/* --- the installation -------------------------------------------------------------------------------------------------------------------------------- */

struct take_relays {
	struct arena *arena;
	census_relays_fn on_read;
	void *context;
};

static void read_region(struct tx *tx, size_t row, struct arena *arena, struct relay_region *out)
{
	enum { REGIONS = 1 };
	out->id = (unsigned)tx_u64(tx, REGIONS, row, 0);
	out->code = rows_text(tx, REGIONS, row, 1, arena);
	out->name = rows_text(tx, REGIONS, row, 2, arena);
	out->latitude = strtod(arena_text(arena, tx_text(tx, REGIONS, row, 3)), NULL);
	out->longitude = strtod(arena_text(arena, tx_text(tx, REGIONS, row, 4)), NULL);
	out->no_measure_no_home = tx_bool(tx, REGIONS, row, 5);
	out->score = strtod(arena_text(arena, tx_text(tx, REGIONS, row, 6)), NULL);
}

static void read_tailnets(struct tx *tx, size_t row, struct arena *arena, struct relay_region *out)
{
	enum { REGIONS = 1 };
	struct bytes *texts;
	uint64_t *ids;
	out->tailnet_count = tx_texts(tx, REGIONS, row, 7, arena, &texts);
	ids = ARENA_ARRAY(arena, uint64_t, out->tailnet_count);
	for (size_t i = 0; i < out->tailnet_count; i++)
		ids[i] = strtoull(arena_text(arena, texts[i]), NULL, 10);
	out->tailnets = ids;
}

static void read_relay(struct tx *tx, size_t row, struct arena *arena, struct relay_node *out)
{
	enum { RELAYS = 2 };
	unsigned c = 1;
	out->name = rows_text(tx, RELAYS, row, c++, arena);
	out->host_name = rows_text(tx, RELAYS, row, c++, arena);
	out->cert_name = rows_text(tx, RELAYS, row, c++, arena);
	out->ipv4 = rows_text(tx, RELAYS, row, c++, arena);
	out->ipv6 = rows_text(tx, RELAYS, row, c++, arena);
	out->stun_port = (int)tx_i64(tx, RELAYS, row, c++);
	out->relay_port = (unsigned)tx_u64(tx, RELAYS, row, c++);
	out->stun_only = tx_bool(tx, RELAYS, row, c++);
	out->insecure_for_tests = tx_bool(tx, RELAYS, row, c++);
	out->can_port80 = tx_bool(tx, RELAYS, row, c++);
}

static void on_relays_taken(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	enum { STAND, REGIONS, RELAYS };
	const struct take_relays *take = context;
	(void)why;
	if (!e && !tx_rows(tx, STAND))
		e = ERR_NOT_FOUND;
	if (e) {
		take->on_read(take->context, e, NULL);
		return;
	}
	struct census_relays *c = ARENA_NEW(take->arena, struct census_relays);
	size_t relay_count = tx_rows(tx, RELAYS), at = 0;
	struct relay_node *relays = ARENA_ARRAY(take->arena, struct relay_node, relay_count);
	c->generation = tx_u64(tx, STAND, 0, 0);
	c->stamp = tx_u64(tx, STAND, 0, 1);
	c->region_count = tx_rows(tx, REGIONS);
	c->regions = ARENA_ARRAY(take->arena, struct relay_region, c->region_count);
	/* Both are sorted by region. */
	for (size_t i = 0; i < c->region_count; i++) {
		struct relay_region *region = &c->regions[i];
		read_region(tx, i, take->arena, region);
		read_tailnets(tx, i, take->arena, region);
		region->nodes = &relays[at];
		while (at < relay_count && tx_u64(tx, RELAYS, at, 0) == region->id)
			read_relay(tx, at, take->arena, &relays[at]), at++;
		region->node_count = (size_t)(&relays[at] - region->nodes);
	}
	take->on_read(take->context, ERR_NONE, c);
}

void census_take_relays(struct pg *pg, struct arena *arena, census_relays_fn on_read, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_READ);
	struct take_relays *take = ARENA_NEW(tx_arena(tx), struct take_relays);
	*take = (struct take_relays){arena, on_read, context};
	tx_add(tx, STANDS);
	/* A region that leaves is scored away, then nobody's home, before its relays are shown no more (relays_step). */
	tx_add(tx, "SELECT id, code, name, latitude, longitude, no_measure_no_home OR stage > 1, CASE WHEN stage > 0 THEN score * 1000 ELSE score END, "
		   "coalesce(tailnets, '{}')::text[] FROM fleetscale.regions ORDER BY id");
	tx_add(tx, "SELECT region_id, name, host_name, cert_name, ipv4, ipv6, stun_port, relay_port, stun_only, insecure_for_tests, can_port80 "
		   "FROM fleetscale.relays WHERE shown ORDER BY region_id, id");
	tx_run(tx, on_relays_taken, take);
}
