#include "tailnets.h"

#include "rows.h"

unsigned tailnets_insert(struct tx *tx, const struct tailnet *tailnet)
{
	tx_arg_text(tx, tailnet->name);
	tx_arg_text(tx, tailnet->domain);
	tx_arg_text(tx, tailnet->display_name);
	tx_arg_prefix(tx, tailnet->range4);
	tx_arg_prefix(tx, tailnet->range6);
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.create_tailnet($1, $2, $3, $4, $5, true) t");
}

unsigned tailnets_list(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.tailnets t ORDER BY t.id");
}

unsigned tailnets_find(struct tx *tx, struct bytes name)
{
	tx_arg_text(tx, name);
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.tailnets t WHERE t.name = $1");
}

unsigned tailnets_get(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.tailnets t WHERE t.id = fleetscale.current_tailnet()");
}

size_t tailnets_read(struct tx *tx, unsigned statement, struct arena *arena, struct tailnet **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct tailnet, count);
	for (size_t i = 0; i < count; i++)
		rows_tailnet(tx, statement, i, 0, arena, &(*out)[i]);
	return count;
}
