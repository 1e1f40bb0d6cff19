#include "primaries.h"

#include "rows.h"

struct find {
	primaries_fn on_found;
	void *context;
};

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	enum { TAILNET, ROUTE, NODE, MACHINE, CREATED, UNREACHABLE, IS_PRIMARY };
	const struct find *find = context;
	size_t count = e ? 0 : tx_rows(tx, 0), kept = 0;
	struct primaries_contest *contests = ARENA_ARRAY(tx_arena(tx), struct primaries_contest, count);
	(void)why;
	for (size_t i = 0; i < count; i++) {
		struct primaries_contest *c = &contests[kept];
		if (prefix_parse(tx_text(tx, 0, i, ROUTE), &c->route))
			continue;
		c->tailnet = tx_u64(tx, 0, i, TAILNET);
		rows_raw(tx, 0, i, MACHINE, c->machine_key.raw, KEY_LEN);
		c->router = (struct route_router){
			.node = tx_u64(tx, 0, i, NODE),
			.created = tx_time(tx, 0, i, CREATED),
			.unreachable = tx_bool(tx, 0, i, UNREACHABLE),
			.is_primary = tx_bool(tx, 0, i, IS_PRIMARY),
		};
		kept++;
	}
	find->on_found(find->context, e, contests, kept);
}

void primaries_find_contested(struct pg *pg, unsigned limit, primaries_fn on_found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){on_found, context};
	tx_arg_u64(tx, limit);
	tx_add(tx, "SELECT tailnet_id, route, node, machine_key, made, unreachable, is_primary FROM fleetscale.routes_contested($1)");
	tx_run(tx, on_read, find);
}

void primaries_move(struct tx *tx, struct prefix route, uint64_t was, uint64_t chosen)
{
	tx_arg_prefix(tx, route);
	tx_arg_u64(tx, was);
	tx_arg_u64(tx, chosen);
	tx_add(tx, "SELECT fleetscale.primary_move($1, $2, $3)");
}

void primaries_set_unreachable(struct tx *tx, uint64_t node, bool unreachable)
{
	tx_arg_u64(tx, node);
	tx_arg_bool(tx, unreachable);
	tx_add(tx, "UPDATE fleetscale.nodes n SET unreachable = $2 WHERE n.id = $1 AND n.unreachable <> $2");
}
