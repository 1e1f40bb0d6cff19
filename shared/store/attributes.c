#include "attributes.h"

#include "rows.h"

unsigned attributes_set(struct tx *tx, uint64_t node, const struct attribute *attributes, size_t count)
{
	struct bytes *keys = ARENA_ARRAY(tx_arena(tx), struct bytes, count + 1), *values = ARENA_ARRAY(tx_arena(tx), struct bytes, count + 1);
	for (size_t i = 0; i < count; i++) {
		keys[i] = attributes[i].key;
		values[i] = attributes[i].value.len ? attributes[i].value : BYTES("");
	}
	tx_arg_u64(tx, node);
	tx_arg_texts(tx, keys, count);
	tx_arg_texts(tx, values, count);
	tx_arg_u64(tx, ATTRIBUTES_MAX);
	return tx_add(tx, "SELECT fleetscale.set_node_attributes($1, $2, $3, $4)");
}

unsigned attributes_list(struct tx *tx, uint64_t node)
{
	tx_arg_u64(tx, node);
	return tx_add(tx, "SELECT key, value, updated FROM fleetscale.node_attributes WHERE node_id = $1 ORDER BY key COLLATE \"C\"");
}

size_t attributes_read(struct tx *tx, unsigned statement, struct arena *arena, struct attribute **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct attribute, count);
	for (size_t i = 0; i < count; i++) {
		struct attribute *a = &(*out)[i];
		a->key = rows_text(tx, statement, i, 0, arena);
		a->value = rows_text(tx, statement, i, 1, arena);
		a->updated = tx_time(tx, statement, i, 2);
	}
	return count;
}

#define ROWS_FACT "a.node_id, a.key, a.value::jsonb #>> '{}'"

unsigned attributes_facts(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_FACT " FROM fleetscale.node_attributes a WHERE a.tailnet_id = fleetscale.current_tailnet() "
			  "ORDER BY a.node_id, a.key COLLATE \"C\"");
}

unsigned attributes_facts_since(struct tx *tx, uint64_t known)
{
	tx_arg_u64(tx, known);
	return tx_add(tx, "SELECT " ROWS_FACT " FROM fleetscale.journal_attributes($1) a");
}

size_t attributes_read_facts(struct tx *tx, unsigned statement, struct arena *arena, struct attribute_fact **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct attribute_fact, count);
	for (size_t i = 0; i < count; i++)
		(*out)[i] = (struct attribute_fact){tx_u64(tx, statement, i, 0), rows_text(tx, statement, i, 1, arena), rows_text(tx, statement, i, 2, arena)};
	return count;
}
