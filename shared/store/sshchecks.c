#include "sshchecks.h"

#include "rows.h"

/* An answer counts some minutes longer than the question, so that nobody loses it who asks late. */
#define ROWS_CHECK \
	"k.id, k.tailnet_id, k.source_id, k.destination_id, k.user_id, k.local_user, k.created, k.ends, k.answered IS NOT NULL, k.refusal, " \
	"(extract(epoch FROM greatest(k.ends, k.answered + interval '5 minutes') - clock_timestamp()) * 1000)::bigint"
#define ROWS_OWN \
	ROWS_CHECK ", s.label, d.label, " \
		   "coalesce((SELECT u.name FROM fleetscale.users u WHERE u.id = k.user_id), array_to_string(s.tags, ', ')), '' " \
		   "FROM fleetscale.ssh_checks k JOIN fleetscale.nodes s ON s.id = k.source_id JOIN fleetscale.nodes d ON d.id = k.destination_id "

static void rows_check(struct tx *tx, unsigned statement, size_t row, struct arena *arena, struct sshchecks_found *out)
{
	unsigned c = 0;
	*out = (struct sshchecks_found){.check = {.id = tx_u64(tx, statement, row, c++)}};
	out->check.tailnet = tx_u64(tx, statement, row, c++);
	out->check.source = tx_u64(tx, statement, row, c++);
	out->check.destination = tx_u64(tx, statement, row, c++);
	out->check.user = tx_u64(tx, statement, row, c++);
	out->check.local_user = rows_text(tx, statement, row, c++, arena);
	out->check.created = tx_time(tx, statement, row, c++);
	out->check.ends = tx_time(tx, statement, row, c++);
	out->check.answered = tx_bool(tx, statement, row, c++);
	if (!tx_null(tx, statement, row, c))
		out->check.refusal = rows_text(tx, statement, row, c, arena);
	c++;
	out->left_ms = tx_i64(tx, statement, row, c++);
	out->source = rows_text(tx, statement, row, c++, arena);
	out->destination = rows_text(tx, statement, row, c++, arena);
	out->owner = rows_text(tx, statement, row, c++, arena);
	out->network = rows_text(tx, statement, row, c, arena);
}

/* --- before the tailnet is known ----------------------------------------------------------------------------------------------------------------------- */

struct destination {
	sshchecks_destination_fn on_found;
	void *context;
};

static void on_destination(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct destination d = *(struct destination *)context;
	(void)why;
	d.on_found(d.context, e, e || !tx_rows(tx, 0) ? 0 : tx_u64(tx, 0, 0, 0));
}

void sshchecks_destination(struct pg *pg, uint64_t node, const struct machine_key *machine, sshchecks_destination_fn on_found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct destination *d = ARENA_NEW(tx_arena(tx), struct destination);
	*d = (struct destination){on_found, context};
	tx_arg_u64(tx, node);
	tx_arg_bytea(tx, bytes_of(machine->raw, KEY_LEN));
	tx_add(tx, "SELECT fleetscale.ssh_destination($1, $2)");
	tx_run(tx, on_destination, d);
}

struct find {
	struct arena *arena;
	sshchecks_found_fn on_found;
	void *context;
};

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct find *find = context;
	struct sshchecks_found *found = NULL;
	(void)why;
	if (!e && tx_rows(tx, 0)) {
		found = ARENA_NEW(find->arena, struct sshchecks_found);
		rows_check(tx, 0, 0, find->arena, found);
	}
	find->on_found(find->context, e, found);
}

void sshchecks_find(struct pg *pg, const uint8_t hash[static LOGIN_HASH_LEN], struct arena *arena, sshchecks_found_fn found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){arena, found, context};
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	tx_add(tx, "SELECT " ROWS_CHECK ", r.source, r.destination, r.owner, r.network FROM fleetscale.ssh_check_find($1) r, LATERAL (SELECT (r.found).*) k");
	tx_run(tx, on_found, find);
}

/* --- in a tailnet ---------------------------------------------------------------------------------------------------------------------------------------- */

void sshchecks_begin(struct tx *tx, const struct login_id *id, const struct sshcheck_login *login, int64_t lifetime_ms, struct sshchecks_caps caps)
{
	tx_arg_bytea(tx, bytes_of(id->hash, LOGIN_HASH_LEN));
	tx_arg_u64(tx, login->source);
	tx_arg_u64(tx, login->destination);
	tx_arg_text(tx, login->local_user);
	tx_arg_i64(tx, lifetime_ms);
	tx_arg_u64(tx, caps.pair);
	tx_arg_u64(tx, caps.destination);
	tx_arg_u64(tx, caps.tailnet);
	tx_add(tx, "SELECT fleetscale.ssh_check_begin($1, $2, $3, $4, $5, $6, $7, $8)");
}

unsigned sshchecks_answer(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN], struct bytes reason)
{
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	if (reason.len)
		tx_arg_text(tx, reason);
	else
		tx_arg_null(tx);
	return tx_add(tx, "SELECT fleetscale.ssh_check_answer($1, $2)");
}

size_t sshchecks_read_answer(struct tx *tx, unsigned statement, struct arena *arena, const uint8_t (**hashes)[LOGIN_HASH_LEN])
{
	size_t count = tx_rows(tx, statement);
	uint8_t(*out)[LOGIN_HASH_LEN] = arena_alloc(arena, (count + 1) * sizeof *out);
	for (size_t i = 0; i < count; i++)
		rows_raw(tx, statement, i, 0, out[i], LOGIN_HASH_LEN);
	*hashes = (const uint8_t(*)[LOGIN_HASH_LEN])out;
	return count;
}

unsigned sshchecks_get(struct tx *tx, const uint8_t hash[static LOGIN_HASH_LEN])
{
	tx_arg_bytea(tx, bytes_of(hash, LOGIN_HASH_LEN));
	return tx_add(tx, "SELECT " ROWS_OWN "WHERE k.hash = $1");
}

unsigned sshchecks_page(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " ROWS_OWN "WHERE k.tailnet_id = fleetscale.current_tailnet() AND k.id > $1 AND k.answered IS NULL AND k.ends > now() "
			  "ORDER BY k.id LIMIT $2");
}

size_t sshchecks_read(struct tx *tx, unsigned statement, struct arena *arena, struct sshchecks_found **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct sshchecks_found, count);
	for (size_t i = 0; i < count; i++)
		rows_check(tx, statement, i, arena, &(*out)[i]);
	return count;
}

unsigned sshchecks_signin(struct tx *tx, uint64_t node)
{
	tx_arg_u64(tx, node);
	return tx_add(tx, "SELECT greatest(0, extract(epoch FROM clock_timestamp() - s.at) * 1000)::bigint FROM fleetscale.ssh_signins s "
			  "JOIN fleetscale.nodes n ON n.id = s.node_id WHERE s.node_id = $1 AND n.user_id IS NOT DISTINCT FROM s.user_id");
}

int64_t sshchecks_read_signin(const struct tx *tx, unsigned statement)
{
	return tx_rows(tx, statement) ? tx_i64(tx, statement, 0, 0) : -1;
}

struct look {
	struct arena *arena;
	unsigned check, signin; /* statements */
	sshchecks_looked_fn on_looked;
	void *context;
};

static void on_looked(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct look *look = context;
	struct sshchecks_found *found = NULL;
	(void)why;
	if (!e && !sshchecks_read(tx, look->check, look->arena, &found))
		found = NULL;
	look->on_looked(look->context, e, found, e ? -1 : sshchecks_read_signin(tx, look->signin));
}

void sshchecks_look(struct pg *pg, uint64_t tailnet, const uint8_t hash[static LOGIN_HASH_LEN], uint64_t node, struct arena *arena, sshchecks_looked_fn looked,
		    void *context)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	struct look *look = ARENA_NEW(tx_arena(tx), struct look);
	*look = (struct look){.arena = arena, .on_looked = looked, .context = context};
	look->check = sshchecks_get(tx, hash);
	look->signin = sshchecks_signin(tx, node);
	tx_run(tx, on_looked, look);
}
