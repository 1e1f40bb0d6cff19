#include "logins.h"

#include "rows.h"

#define ROWS_LOGIN \
	"l.id, l.tailnet_id, l.machine_key, l.node_key, l.old_node_key, l.lock_key, l.label, l.hostinfo, l.capver, l.routes, l.wanted_expiry, l.ephemeral, " \
	"l.address, l.created, l.ends, l.node_id, l.refusal"
enum { ROWS_LOGIN_COUNT = 17, MADE_UP_MOST = 100 };

static void rows_login(struct tx *tx, unsigned statement, size_t row, struct arena *arena, struct login *out)
{
	unsigned c = 0;
	*out = (struct login){.id = tx_u64(tx, statement, row, c++)};
	out->tailnet = tx_u64(tx, statement, row, c++);
	rows_raw(tx, statement, row, c++, out->machine_key.raw, KEY_LEN);
	rows_raw(tx, statement, row, c++, out->node_key.raw, KEY_LEN);
	rows_raw(tx, statement, row, c++, out->old_node_key.raw, KEY_LEN);
	rows_raw(tx, statement, row, c++, out->lock_key.raw, KEY_LEN);
	out->label = rows_text(tx, statement, row, c++, arena);
	out->hostinfo = rows_text(tx, statement, row, c++, arena);
	out->capver = (unsigned)tx_u64(tx, statement, row, c++);
	out->route_count = tx_prefixes(tx, statement, row, c++, arena, &out->routes);
	out->wanted_expiry = tx_time(tx, statement, row, c++);
	out->ephemeral = tx_bool(tx, statement, row, c++);
	out->address = rows_text(tx, statement, row, c++, arena);
	out->created = tx_time(tx, statement, row, c++);
	out->ends = tx_time(tx, statement, row, c++);
	out->node = tx_u64(tx, statement, row, c++);
	out->refused = !tx_null(tx, statement, row, c);
	out->refusal = rows_text(tx, statement, row, c, arena);
}

/* --- beginning --------------------------------------------------------------------------------------------------------------------------------------- */

struct begin {
	logins_begun_fn on_begun;
	void *context;
};

static void on_begun(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct begin begin = *(struct begin *)context;
	(void)tx;
	begin.on_begun(begin.context, e, why);
}

static void arg_key_or_null(struct tx *tx, const uint8_t raw[static KEY_LEN])
{
	if (key_is_zero(raw))
		tx_arg_null(tx);
	else
		tx_arg_bytea(tx, bytes_of(raw, KEY_LEN));
}

void logins_begin(struct pg *pg, const struct login_id *id, const struct login *login, struct bytes host, int64_t lifetime_ms, unsigned most,
		  logins_begun_fn begun, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct begin *begin = ARENA_NEW(tx_arena(tx), struct begin);
	*begin = (struct begin){begun, context};
	tx_arg_bytea(tx, bytes_of(id->hash, LOGIN_HASH_LEN));
	tx_arg_bytea(tx, bytes_of(login->machine_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(login->node_key.raw, KEY_LEN));
	arg_key_or_null(tx, login->old_node_key.raw);
	tx_arg_bytea(tx, bytes_of(login->lock_key.raw, KEY_LEN));
	tx_arg_text(tx, login->label);
	tx_arg_text(tx, login->hostinfo.len ? login->hostinfo : BYTES("{}"));
	tx_arg_u64(tx, login->capver);
	tx_arg_prefixes(tx, login->routes, login->route_count);
	tx_arg_time(tx, login->wanted_expiry);
	tx_arg_bool(tx, login->ephemeral);
	tx_arg_text(tx, login->address);
	tx_arg_text(tx, host);
	tx_arg_i64(tx, lifetime_ms);
	tx_arg_u64(tx, most);
	tx_add(tx, "SELECT fleetscale.login_begin($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)");
	tx_run(tx, on_begun, begin);
}

/* --- finding ----------------------------------------------------------------------------------------------------------------------------------------- */

struct find {
	struct arena *arena;
	logins_found_fn on_found;
	void *context;
};

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	enum { LEFT = ROWS_LOGIN_COUNT, RENEWS };
	const struct find *find = context;
	struct logins_found found = {0};
	(void)why;
	if (!e && tx_rows(tx, 0)) {
		found.login = ARENA_NEW(find->arena, struct login);
		rows_login(tx, 0, 0, find->arena, found.login);
		found.left_ms = tx_i64(tx, 0, 0, LEFT);
		found.renews = rows_text(tx, 0, 0, RENEWS, find->arena);
	}
	find->on_found(find->context, e, &found);
}

void logins_find(struct pg *pg, const uint8_t hash[static LOGIN_HASH_LEN], struct arena *arena, logins_found_fn found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){arena ? arena : tx_arena(tx), found, context};
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_add(tx, "SELECT " ROWS_LOGIN ", r.left_ms, r.renews FROM fleetscale.login_find($1) r, LATERAL (SELECT (r.login).*) l");
	tx_run(tx, on_found, find);
}

/* --- answering --------------------------------------------------------------------------------------------------------------------------------------- */

unsigned logins_enroll(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], const struct enrollment *e)
{
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_arg_id(tx, e->user);
	tx_arg_texts(tx, e->tags, e->tag_count);
	tx_arg_bytea(tx, bytes_of(e->machine_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(e->node_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(e->lock_key.raw, KEY_LEN));
	tx_arg_text(tx, e->label);
	tx_arg_text(tx, e->hostinfo.len ? e->hostinfo : BYTES("{}"));
	tx_arg_u64(tx, e->capver);
	tx_arg_prefixes(tx, e->routes, e->route_count);
	tx_arg_time(tx, e->expiry);
	tx_arg_bool(tx, e->ephemeral);
	tx_arg_bool(tx, e->approved);
	tx_arg_u64(tx, e->register_method);
	tx_arg_prefixes(tx, e->pools, e->pool_count);
	return tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.login_enroll($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) n");
}

void logins_take(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], uint64_t node)
{
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_add(tx, "SELECT fleetscale.login_claim($1)");
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_arg_u64(tx, node);
	tx_add(tx, "UPDATE fleetscale.logins l SET node_id = $2 WHERE l.hash = $1");
}

void logins_refuse(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], struct bytes reason)
{
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_add(tx, "SELECT fleetscale.login_claim($1)");
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_arg_text(tx, reason);
	tx_add(tx, "UPDATE fleetscale.logins l SET refusal = $2 WHERE l.hash = $1");
}

void logins_make_up(struct tx *tx, const struct login_id *id, const struct login *login, struct bytes user, int64_t lifetime_ms)
{
	tx_arg_text(tx, user);
	tx_add(tx, "SELECT fleetscale.want(EXISTS (SELECT FROM fleetscale.users u WHERE u.tailnet_id = fleetscale.current_tailnet() AND u.name = $1), 'FS001', "
		   "'user not found')");
	tx_arg_u64(tx, MADE_UP_MOST);
	tx_add(tx,
	       "SELECT fleetscale.want((SELECT count(*) FROM fleetscale.logins l WHERE l.tailnet_id = fleetscale.current_tailnet() AND l.address = 'made up' "
	       "AND l.node_id IS NULL AND l.refusal IS NULL AND l.ends > now()) < $1, 'FS005', 'too many logins wait that were made up')");
	tx_arg_bytea(tx, bytes_of(id->hash, LOGIN_HASH_LEN));
	tx_arg_bytea(tx, bytes_of(login->machine_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(login->node_key.raw, KEY_LEN));
	tx_arg_text(tx, login->label);
	tx_arg_text(tx, login->hostinfo);
	tx_arg_prefixes(tx, login->routes, login->route_count);
	tx_arg_i64(tx, lifetime_ms);
	tx_add(tx, "INSERT INTO fleetscale.logins (tailnet_id, hash, machine_key, node_key, label, hostinfo, routes, address, ends) "
		   "VALUES (fleetscale.current_tailnet(), $1, $2, $3, $4, $5, $6, 'made up', now() + $7 * interval '1 millisecond')");
}

/* --- reading ----------------------------------------------------------------------------------------------------------------------------------------- */

unsigned logins_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx,
		      "SELECT " ROWS_LOGIN " FROM fleetscale.logins l WHERE l.tailnet_id = fleetscale.current_tailnet() AND l.id > $1 AND l.node_id IS NULL "
		      "AND l.refusal IS NULL AND l.ends > now() ORDER BY l.id LIMIT $2");
}

size_t logins_read(struct tx *tx, unsigned statement, struct arena *arena, struct login **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct login, count);
	for (size_t i = 0; i < count; i++)
		rows_login(tx, statement, i, arena, &(*out)[i]);
	return count;
}
