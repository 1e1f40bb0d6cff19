#include "apikeys.h"

#include <stdlib.h>

#include "rows.h"

#define COLUMNS "k.id, coalesce(k.tailnet_id, 0), k.prefix, k.hash, k.description, k.created, k.expiry, k.revoked, k.last_used, k.scopes"

unsigned apikeys_insert(struct tx *tx, const struct apikey *key)
{
	tx_arg_text(tx, bytes_text(key->prefix));
	tx_arg_bytea(tx, bytes_of(key->hash, SECRET_HASH_LEN));
	tx_arg_text(tx, key->description);
	tx_arg_time(tx, key->expiry);
	tx_arg_texts(tx, key->scope_count ? key->scopes : (const struct bytes[]){BYTES("all")}, key->scope_count ? key->scope_count : 1);
	return tx_add(tx, "INSERT INTO fleetscale.apikeys AS k (tailnet_id, prefix, hash, description, expiry, scopes) "
			  "VALUES (NULLIF(fleetscale.current_tailnet(), 0), $1, $2, $3, $4, $5) RETURNING " COLUMNS);
}

unsigned apikeys_list(struct tx *tx)
{
	return tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.apikeys k ORDER BY k.id");
}

unsigned apikeys_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.apikeys k WHERE k.id > $1 ORDER BY k.id LIMIT $2");
}

unsigned apikeys_get_prefix(struct tx *tx, struct bytes prefix)
{
	tx_arg_text(tx, prefix);
	return tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.apikeys k WHERE k.prefix = $1");
}

unsigned apikeys_expire(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "WITH k AS (UPDATE fleetscale.apikeys SET revoked = coalesce(revoked, now()) WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM k), 'FS001', 'no such API key')");
}

unsigned apikeys_delete(struct tx *tx, uint64_t id)
{
	tx_arg_u64(tx, id);
	return tx_add(tx, "WITH k AS (DELETE FROM fleetscale.apikeys WHERE id = $1 RETURNING id) "
			  "SELECT fleetscale.want(EXISTS (SELECT FROM k), 'FS001', 'no such API key')");
}

static void read_row(struct tx *tx, unsigned statement, size_t row, struct arena *arena, struct apikey *out)
{
	unsigned c = 0;
	*out = (struct apikey){.id = tx_u64(tx, statement, row, c++)};
	out->tailnet = tx_u64(tx, statement, row, c++);
	rows_secret_prefix(tx, statement, row, c++, out->prefix);
	rows_raw(tx, statement, row, c++, out->hash, SECRET_HASH_LEN);
	out->description = rows_text(tx, statement, row, c++, arena);
	out->created = tx_time(tx, statement, row, c++);
	out->expiry = tx_time(tx, statement, row, c++);
	out->revoked = tx_time(tx, statement, row, c++);
	out->last_used = tx_time(tx, statement, row, c++);
	out->scope_count = tx_texts(tx, statement, row, c++, arena, &out->scopes);
}

size_t apikeys_read(struct tx *tx, unsigned statement, struct arena *arena, struct apikey **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct apikey, count);
	for (size_t i = 0; i < count; i++)
		read_row(tx, statement, i, arena, &(*out)[i]);
	return count;
}

struct find {
	struct arena *arena;
	apikey_fn on_found;
	void *context;
};

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct find find = *(struct find *)context;
	struct apikey *keys = NULL;
	size_t count = e ? 0 : apikeys_read(tx, 0, find.arena, &keys);
	(void)why;
	find.on_found(find.context, e, count ? keys : NULL);
}

void apikeys_find(struct pg *pg, struct bytes prefix, struct arena *arena, apikey_fn found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){arena, found, context};
	tx_arg_text(tx, prefix);
	tx_add(tx, "SELECT " COLUMNS " FROM fleetscale.apikey_of_prefix($1) k");
	tx_run(tx, on_found, find);
}

void apikeys_touch(struct pg *pg, const struct apikey *key)
{
	struct tx *tx = tx_begin(pg, key->tailnet, TX_WRITE);
	tx_arg_u64(tx, key->id);
	tx_add(tx, "UPDATE fleetscale.apikeys SET last_used = now() WHERE id = $1 AND (last_used IS NULL OR last_used < now() - interval '1 minute')");
	tx_run(tx, NULL, NULL);
}
