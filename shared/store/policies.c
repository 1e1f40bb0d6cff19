#include "policies.h"

#include "rows.h"

#define ROWS_POLICY "p.version, p.author, p.note, p.created, octet_length(p.text)"

unsigned policies_newest(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_POLICY ", p.text FROM fleetscale.policies p WHERE p.tailnet_id = fleetscale.current_tailnet() "
			  "ORDER BY p.version DESC LIMIT 1");
}

unsigned policies_newest_since(struct tx *tx, uint64_t known)
{
	tx_arg_u64(tx, known);
	return tx_add(tx, "SELECT " ROWS_POLICY ", p.text FROM fleetscale.journal_policy($1) p");
}

unsigned policies_get(struct tx *tx, uint64_t version)
{
	tx_arg_u64(tx, version);
	return tx_add(tx, "SELECT " ROWS_POLICY ", p.text FROM fleetscale.policies p WHERE p.tailnet_id = fleetscale.current_tailnet() AND p.version = $1");
}

unsigned policies_history(struct tx *tx, uint64_t before, unsigned limit)
{
	tx_arg_u64(tx, before);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " ROWS_POLICY ", NULL FROM fleetscale.policies p WHERE p.tailnet_id = fleetscale.current_tailnet() "
			  "AND ($1::bigint = 0 OR p.version < $1) ORDER BY p.version DESC LIMIT $2");
}

size_t policies_read(struct tx *tx, unsigned statement, struct arena *arena, struct policy_row **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct policy_row, count);
	for (size_t i = 0; i < count; i++) {
		struct policy_row *p = &(*out)[i];
		p->version = tx_u64(tx, statement, i, 0);
		p->author = rows_text(tx, statement, i, 1, arena);
		p->note = rows_text(tx, statement, i, 2, arena);
		p->created = tx_time(tx, statement, i, 3);
		p->size = tx_u64(tx, statement, i, 4);
		if (!tx_null(tx, statement, i, 5))
			p->text = rows_text(tx, statement, i, 5, arena);
	}
	return count;
}

unsigned policies_put(struct tx *tx, const struct policy_row *policy, int64_t expected)
{
	if (expected == POLICY_ANY_VERSION)
		tx_arg_null(tx);
	else
		tx_arg_i64(tx, expected);
	tx_arg_text(tx, policy->text);
	tx_arg_text(tx, policy->author);
	tx_arg_text(tx, policy->note);
	tx_arg_u64(tx, POLICIES_KEPT);
	return tx_add(tx, "SELECT fleetscale.put_policy($1, $2, $3, $4, $5)");
}

uint64_t policies_read_put(const struct tx *tx, unsigned statement)
{
	return tx_u64(tx, statement, 0, 0);
}
