#include "authkeys.h"

#include "rows.h"

unsigned authkeys_insert(struct tx *tx, const struct authkey *key)
{
	tx_arg_id(tx, key->user);
	tx_arg_text(tx, bytes_text(key->prefix));
	tx_arg_bytea(tx, bytes_of(key->hash, SECRET_HASH_LEN));
	tx_arg_text(tx, key->description);
	tx_arg_bool(tx, key->reusable);
	tx_arg_bool(tx, key->ephemeral);
	tx_arg_bool(tx, key->preapproved);
	tx_arg_texts(tx, key->tags, key->tag_count);
	tx_arg_time(tx, key->expiry);
	tx_arg_u64(tx, key->uses_most);
	return tx_add(tx,
		      "INSERT INTO fleetscale.authkeys AS a (tailnet_id, user_id, prefix, hash, description, reusable, ephemeral, preapproved, tags, expiry, "
		      "uses_most) "
		      "VALUES (fleetscale.current_tailnet(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING " ROWS_AUTHKEY);
}

unsigned authkeys_list(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_AUTHKEY " FROM fleetscale.authkeys a WHERE a.tailnet_id = fleetscale.current_tailnet() ORDER BY a.id");
}

unsigned authkeys_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " ROWS_AUTHKEY
			  " FROM fleetscale.authkeys a WHERE a.tailnet_id = fleetscale.current_tailnet() AND a.id > $1 ORDER BY a.id LIMIT $2");
}

unsigned authkeys_expire(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "WITH a AS (UPDATE fleetscale.authkeys SET revoked = coalesce(revoked, now()) WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM a), 'FS001', 'no such auth key')");
}

unsigned authkeys_delete(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "WITH a AS (DELETE FROM fleetscale.authkeys WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM a), 'FS001', 'no such auth key')");
}

size_t authkeys_read(struct tx *tx, unsigned statement, struct arena *arena, struct authkey **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct authkey, count);
	for (size_t i = 0; i < count; i++)
		rows_authkey(tx, statement, i, 0, arena, &(*out)[i]);
	return count;
}
