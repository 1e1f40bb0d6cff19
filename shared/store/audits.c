#include "audits.h"

#include "rows.h"

unsigned audits_append(struct tx *tx, const struct audit *audit)
{
	tx_arg_text(tx, audit->actor);
	tx_arg_text(tx, audit->action);
	if (audit->subject)
		tx_arg_u64(tx, audit->subject);
	else
		tx_arg_null(tx);
	tx_arg_text(tx, audit->detail);
	return tx_add(tx, "INSERT INTO fleetscale.audits (tailnet_id, actor, action, subject, detail) VALUES (fleetscale.current_tailnet(), $1, $2, $3, $4)");
}

unsigned audits_list(struct tx *tx, uint64_t before, unsigned limit)
{
	tx_arg_u64(tx, before ? before : INT64_MAX);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT id, tailnet_id, at, actor, action, subject, detail FROM fleetscale.audits WHERE id < $1 ORDER BY id DESC LIMIT $2");
}

size_t audits_read(struct tx *tx, unsigned statement, struct arena *arena, struct audit **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct audit, count);
	for (size_t i = 0; i < count; i++) {
		struct audit *a = &(*out)[i];
		a->id = tx_u64(tx, statement, i, 0);
		a->tailnet = tx_u64(tx, statement, i, 1);
		a->at = tx_time(tx, statement, i, 2);
		a->actor = rows_text(tx, statement, i, 3, arena);
		a->action = rows_text(tx, statement, i, 4, arena);
		a->subject = tx_u64(tx, statement, i, 5);
		a->detail = rows_text(tx, statement, i, 6, arena);
	}
	return count;
}
