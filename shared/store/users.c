#include "users.h"

#include "rows.h"

unsigned users_insert(struct tx *tx, const struct user *user)
{
	tx_arg_text(tx, user->name);
	tx_arg_text(tx, user->display_name);
	tx_arg_text(tx, user->email);
	tx_arg_text(tx, user->picture_url);
	tx_arg_text(tx, user->provider);
	return tx_add(tx, "WITH u AS (INSERT INTO fleetscale.users (tailnet_id, name, display_name, email, picture_url, provider) "
			  "SELECT fleetscale.current_tailnet(), $1, $2, $3, $4, $5 FROM fleetscale.want_user_room() RETURNING *) "
			  "SELECT " ROWS_USER ", " ROWS_GROUPS ", fleetscale.note('user', u.id) FROM u");
}

unsigned users_list(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.users u WHERE u.tailnet_id = fleetscale.current_tailnet() ORDER BY u.id");
}

unsigned users_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.users u WHERE u.tailnet_id = fleetscale.current_tailnet() AND u.id > $1 "
			  "ORDER BY u.id LIMIT $2");
}

unsigned users_get(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.users u WHERE u.id = $1");
}

unsigned users_find(struct tx *tx, struct bytes name)
{
	tx_arg_text(tx, name);
	return tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.users u WHERE u.tailnet_id = fleetscale.current_tailnet() AND u.name = $1");
}

unsigned users_of_nodes(struct tx *tx, const uint64_t *nodes, size_t count)
{
	tx_arg_u64s(tx, nodes, count);
	return tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.users u "
			  "WHERE u.id IN (SELECT n.user_id FROM fleetscale.nodes n WHERE n.id = ANY ($1)) ORDER BY u.id");
}

unsigned users_rename(struct tx *tx, uint64_t id, struct bytes name)
{
	tx_arg_u64(tx, id);
	tx_arg_text(tx, name);
	tx_journal(tx, CHANGE_USER, id);
	/* One row even when nothing matched, so that `want` is asked. */
	return tx_add(tx, "WITH u AS (UPDATE fleetscale.users SET name = $2 WHERE id = $1 RETURNING *) "
			  "SELECT " ROWS_USER ", " ROWS_GROUPS
			  " FROM (SELECT fleetscale.want(EXISTS (SELECT FROM u), 'FS001', 'no such user')) w LEFT JOIN u ON true");
}

unsigned users_delete(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	tx_add(tx, "SELECT fleetscale.want(NOT EXISTS (SELECT FROM fleetscale.nodes WHERE user_id = $1), 'FS003', 'the user still has nodes')");
	tx_arg_u64(tx, id);
	tx_journal(tx, CHANGE_USER, id);
	return tx_add(tx, "WITH u AS (DELETE FROM fleetscale.users WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM u), 'FS001', 'no such user')");
}

unsigned users_set_role(struct tx *tx, uint64_t id, unsigned roles)
{
	tx_arg_u64(tx, id);
	tx_arg_text(tx, bytes_text(user_role_name(roles)));
	return tx_add(tx, "SELECT fleetscale.set_user_role($1, $2)");
}

unsigned users_set_groups(struct tx *tx, uint64_t id, const struct bytes *groups, size_t count)
{
	tx_arg_u64(tx, id);
	tx_arg_texts(tx, groups, count);
	return tx_add(tx, "SELECT fleetscale.set_user_groups($1, $2)");
}

size_t users_read(struct tx *tx, unsigned statement, struct arena *arena, struct user **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct user, count);
	for (size_t i = 0; i < count; i++) {
		rows_user(tx, statement, i, 0, arena, &(*out)[i]);
		rows_groups(tx, statement, i, ROWS_USER_COUNT, arena, &(*out)[i]);
	}
	return count;
}
