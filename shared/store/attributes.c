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

unsigned attributes_give(struct tx *tx, uint64_t node, const struct attribute *a)
{
	tx_arg_u64(tx, node);
	tx_arg_text(tx, a->key);
	tx_arg_text(tx, a->value);
	tx_arg_time(tx, a->expiry);
	tx_arg_text(tx, a->note);
	tx_arg_u64(tx, ATTRIBUTES_MAX);
	return tx_add(tx, "SELECT fleetscale.give_node_attribute($1, $2, $3, $4, $5, $6)");
}

unsigned attributes_drop(struct tx *tx, uint64_t node, struct bytes key)
{
	tx_arg_u64(tx, node);
	tx_arg_text(tx, key);
	return tx_add(tx, "SELECT fleetscale.drop_node_attribute($1, $2)");
}

void attributes_find_ended(struct pg *pg, struct wall now, unsigned limit, nodes_due_fn on_found, void *context)
{
	nodes_find_due(pg, "SELECT tailnet_id, id, last_seen FROM fleetscale.attributes_ended($1, $2)", now, limit, on_found, context);
}

unsigned attributes_end(struct tx *tx, const uint64_t *nodes, size_t count, struct wall now)
{
	tx_arg_u64s(tx, nodes, count);
	tx_arg_time(tx, now);
	return tx_add(tx, "SELECT fleetscale.end_attributes($1, $2)");
}

#define STANDS "(a.expiry IS NULL OR a.expiry > now())"

unsigned attributes_list(struct tx *tx, uint64_t node)
{
	tx_arg_u64(tx, node);
	return tx_add(tx, "SELECT a.key, a.value, a.updated, a.expiry, a.given, a.note FROM fleetscale.node_attributes a WHERE a.node_id = $1 AND " STANDS
			  " ORDER BY a.key COLLATE \"C\"");
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
		a->expiry = tx_time(tx, statement, i, 3);
		a->given = tx_bool(tx, statement, i, 4);
		a->note = rows_text(tx, statement, i, 5, arena);
	}
	return count;
}

#define ROWS_FACT "a.node_id, a.key, a.value::jsonb #>> '{}'"

unsigned attributes_facts(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_FACT " FROM fleetscale.node_attributes a WHERE a.tailnet_id = fleetscale.current_tailnet() AND " STANDS
			  " ORDER BY a.node_id, a.key COLLATE \"C\"");
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
