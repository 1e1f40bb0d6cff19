#include "audits.h"

#include "rows.h"

static void arg_who(struct tx *tx, const struct audit *audit)
{
	tx_arg_text(tx, audit->actor);
	tx_arg_text(tx, audit->credential);
	tx_arg_text(tx, audit->request);
	tx_arg_text(tx, audit->action);
}

void audits_open(struct tx *tx, const struct audit *audit)
{
	arg_who(tx, audit);
	tx_arg_id(tx, audit->subject);
	tx_arg_text(tx, audit->name);
	tx_arg_text(tx, audit->detail);
	/* A deed that makes what stands already under its number makes nothing. */
	tx_add(tx, "SELECT fleetscale.audit_open($1, $2, $3, $4, $5, $6, $7) "
		   "WHERE $5 IS NULL OR $4 NOT LIKE '%.create' OR fleetscale.audit_state(split_part($4, '.', 1), $5, NULL) IS NULL");
	tx_at_end(tx, "SELECT fleetscale.audit_close()");
}

unsigned audits_refuse(struct tx *tx, const struct audit *audit)
{
	arg_who(tx, audit);
	tx_arg_text(tx, audit->detail);
	return tx_add(tx, "INSERT INTO fleetscale.audits (tailnet_id, actor, credential, request, action, detail, outcome) "
			  "VALUES (fleetscale.current_tailnet(), $1, $2, $3, $4, $5, 'refused')");
}

unsigned audits_session(struct tx *tx)
{
	return tx_add(tx, "SELECT session_user::text");
}

struct bytes audits_read_session(const struct tx *tx, unsigned statement)
{
	return tx_text(tx, statement, 0, 0);
}

unsigned audits_list(struct tx *tx, uint64_t before, unsigned limit, size_t bytes)
{
	tx_arg_u64(tx, before ? before : INT64_MAX);
	tx_arg_u64(tx, limit);
	tx_arg_u64(tx, bytes);
	return tx_add(
		tx,
		"SELECT id, tailnet_id, at, split_part(actor, ':', 1), coalesce(NULLIF(credential, ''), split_part(actor, ':', 2)), request, action, subject, "
		"detail, outcome = 'refused', before_state, after_state FROM (SELECT a.*, "
		"sum(octet_length(detail) + coalesce(octet_length(before_state::text), 0) + coalesce(octet_length(after_state::text), 0)) "
		"OVER (ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ahead "
		"FROM (SELECT * FROM fleetscale.audits WHERE id < $1 ORDER BY id DESC LIMIT $2) AS a) AS l WHERE coalesce(ahead, 0) < $3 ORDER BY id DESC");
}

size_t audits_read(struct tx *tx, unsigned statement, struct arena *arena, struct audit **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct audit, count);
	for (size_t i = 0; i < count; i++) {
		struct audit *a = &(*out)[i];
		unsigned c = 0;
		*a = (struct audit){.id = tx_u64(tx, statement, i, c++)};
		a->tailnet = tx_u64(tx, statement, i, c++);
		a->at = tx_time(tx, statement, i, c++);
		a->actor = rows_text(tx, statement, i, c++, arena);
		a->credential = rows_text(tx, statement, i, c++, arena);
		a->request = rows_text(tx, statement, i, c++, arena);
		a->action = rows_text(tx, statement, i, c++, arena);
		a->subject = tx_u64(tx, statement, i, c++);
		a->detail = rows_text(tx, statement, i, c++, arena);
		a->refused = tx_bool(tx, statement, i, c++);
		a->before = rows_text(tx, statement, i, c++, arena);
		a->after = rows_text(tx, statement, i, c++, arena);
	}
	return count;
}
