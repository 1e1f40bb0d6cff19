#include "warnings.h"

#include "rows.h"

unsigned warnings_set(struct tx *tx, uint64_t node, struct bytes subsystem, struct bytes message)
{
	tx_arg_u64(tx, node);
	tx_arg_text(tx, subsystem);
	tx_arg_text(tx, message.len ? message : BYTES(""));
	tx_arg_u64(tx, WARNINGS_MAX);
	return tx_add(tx, "SELECT fleetscale.set_node_health($1, $2, $3, $4)");
}

unsigned warnings_list(struct tx *tx, uint64_t node)
{
	if (!node)
		return tx_add(tx, "SELECT node_id, subsystem, message, since FROM fleetscale.node_health WHERE tailnet_id = fleetscale.current_tailnet() "
				  "ORDER BY node_id, subsystem COLLATE \"C\"");
	tx_arg_u64(tx, node);
	return tx_add(tx, "SELECT node_id, subsystem, message, since FROM fleetscale.node_health WHERE node_id = $1 ORDER BY subsystem COLLATE \"C\"");
}

size_t warnings_read(struct tx *tx, unsigned statement, struct arena *arena, struct warning **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct warning, count);
	for (size_t i = 0; i < count; i++) {
		struct warning *w = &(*out)[i];
		w->node = tx_u64(tx, statement, i, 0);
		w->subsystem = rows_text(tx, statement, i, 1, arena);
		w->message = rows_text(tx, statement, i, 2, arena);
		w->since = tx_time(tx, statement, i, 3);
	}
	return count;
}
