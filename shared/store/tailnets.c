#include "tailnets.h"

#include "rows.h"

/* NULL rather than "": unique only among those that have one. */
static void arg_login_host(struct tx *tx, struct bytes login_host)
{
	if (login_host.len)
		tx_arg_text(tx, login_host);
	else
		tx_arg_null(tx);
}

unsigned tailnets_insert(struct tx *tx, const struct tailnet *tailnet)
{
	tx_arg_text(tx, tailnet->name);
	tx_arg_text(tx, tailnet->domain);
	tx_arg_text(tx, tailnet->display_name);
	tx_arg_prefix(tx, tailnet->range4);
	tx_arg_prefix(tx, tailnet->range6);
	tx_add(tx, "SELECT fleetscale.create_tailnet($1, $2, $3, $4, $5, true)");
	tx_arg_text(tx, tailnet->name);
	tx_arg_bool(tx, tailnet->frozen);
	tx_arg_bool(tx, tailnet->suspended);
	tx_arg_u64(tx, tailnet->node_limit);
	tx_arg_u64(tx, tailnet->user_limit);
	arg_login_host(tx, tailnet->login_host);
	tx_arg_u64(tx, tailnet->relay_rate);
	tx_arg_u64(tx, tailnet->relay_burst);
	return tx_add(tx, "UPDATE fleetscale.tailnets t SET frozen = $2, suspended = $3, node_limit = $4, user_limit = $5, login_host = $6, relay_rate = $7, "
			  "relay_burst = $8 WHERE t.name = $1 "
			  "RETURNING " ROWS_TAILNET);
}

unsigned tailnets_list(struct tx *tx, uint64_t after, unsigned limit)
{
	tx_arg_u64(tx, after);
	tx_arg_u64(tx, limit);
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.tailnets t WHERE t.id > $1 ORDER BY t.id LIMIT $2");
}

unsigned tailnets_find(struct tx *tx, struct bytes name)
{
	tx_arg_text(tx, name);
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.tailnets t WHERE t.name = $1");
}

unsigned tailnets_get(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_TAILNET " FROM fleetscale.tailnets t WHERE t.id = fleetscale.current_tailnet()");
}

size_t tailnets_read(struct tx *tx, unsigned statement, struct arena *arena, struct tailnet **out)
{
	size_t count = tx_rows(tx, statement);
	*out = ARENA_ARRAY(arena, struct tailnet, count);
	for (size_t i = 0; i < count; i++)
		rows_tailnet(tx, statement, i, 0, arena, &(*out)[i]);
	return count;
}

/* --- the whole row -------------------------------------------------------------------------------------------------------------------------------------- */

#define ROWS_WHOLE ROWS_TAILNET ", " ROWS_SETTINGS ", t.xmin::text"

unsigned tailnets_find_whole(struct tx *tx, struct bytes name)
{
	tx_arg_text(tx, name);
	return tx_add(tx, "SELECT " ROWS_WHOLE " FROM fleetscale.tailnets t WHERE t.name = $1");
}

unsigned tailnets_get_whole(struct tx *tx)
{
	return tx_add(tx, "SELECT " ROWS_WHOLE " FROM fleetscale.tailnets t WHERE t.id = fleetscale.current_tailnet()");
}

bool tailnets_read_whole(struct tx *tx, unsigned statement, struct arena *arena, struct tailnets_whole *out)
{
	if (!tx_rows(tx, statement))
		return false;
	rows_tailnet(tx, statement, 0, 0, arena, &out->tailnet);
	rows_settings(tx, statement, 0, ROWS_TAILNET_COUNT, arena, &out->settings);
	out->version = rows_text(tx, statement, 0, ROWS_TAILNET_COUNT + ROWS_SETTINGS_COUNT, arena);
	return true;
}

static void arg_dns(struct tx *tx, const struct dns *dns)
{
	struct arena *arena = tx_arena(tx);
	struct bytes *resolvers = ARENA_ARRAY(arena, struct bytes, dns->resolver_count + 1);
	struct bytes *split = ARENA_ARRAY(arena, struct bytes, dns->split_count + 1);
	struct bytes *records = ARENA_ARRAY(arena, struct bytes, dns->record_count + 1);

	for (size_t i = 0; i < dns->resolver_count; i++)
		resolvers[i] = dns_resolver_format(arena, &dns->resolvers[i]);
	for (size_t i = 0; i < dns->split_count; i++)
		split[i] = dns_split_format(arena, &dns->split[i]);
	for (size_t i = 0; i < dns->record_count; i++)
		records[i] = dns_record_format(arena, &dns->records[i]);
	tx_arg_bool(tx, dns->magic);
	tx_arg_bool(tx, dns->override);
	tx_arg_texts(tx, resolvers, dns->resolver_count);
	tx_arg_texts(tx, split, dns->split_count);
	tx_arg_texts(tx, dns->search, dns->search_count);
	tx_arg_texts(tx, records, dns->record_count);
	tx_arg_texts(tx, dns->exit_filtered, dns->exit_filtered_count);
}

#define UPDATED \
	"name, display_name, key_lifetime_ms, frozen, suspended, device_approval, node_limit, user_limit, login_host, magic_dns, dns_override, " \
	"dns_resolvers, " \
	"dns_split, dns_search, dns_records, dns_exit_filtered, file_sharing, ssh, auto_update, random_client_port, client_logs, notice, domains, " \
	"relay_fence, relay_omit, relay_no_home, relay_omit_shared, relay_rate, relay_burst"
#define UPDATED_TO \
	"$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24::bigint[]::integer[], " \
	"$25::bigint[]::integer[], " \
	"$26::bigint[]::integer[], $27, $28, $29"

unsigned tailnets_update(struct tx *tx, const struct tailnets_whole *whole)
{
	const struct tailnet *t = &whole->tailnet;
	const struct settings *s = &whole->settings;

	tx_arg_text(tx, whole->version);
	tx_add(tx, "SELECT fleetscale.tailnet_hold($1)");
	tx_arg_text(tx, t->name);
	tx_arg_text(tx, t->display_name);
	tx_arg_i64(tx, t->key_lifetime_ms);
	tx_arg_bool(tx, t->frozen);
	tx_arg_bool(tx, t->suspended);
	tx_arg_bool(tx, t->device_approval);
	tx_arg_u64(tx, t->node_limit);
	tx_arg_u64(tx, t->user_limit);
	arg_login_host(tx, t->login_host);
	arg_dns(tx, &s->dns);
	tx_arg_bool(tx, s->file_sharing);
	tx_arg_bool(tx, s->ssh);
	tx_arg_bool(tx, s->auto_update);
	tx_arg_bool(tx, s->random_client_port);
	tx_arg_bool(tx, s->client_logs);
	tx_arg_text(tx, s->notice);
	tx_arg_texts(tx, t->domains, t->domain_count);
	tx_arg_u64s(tx, s->relays.fence, s->relays.fence_count);
	tx_arg_u64s(tx, s->relays.omit, s->relays.omit_count);
	tx_arg_u64s(tx, s->relays.no_home, s->relays.no_home_count);
	tx_arg_bool(tx, s->relays.omit_shared);
	tx_arg_u64(tx, t->relay_rate);
	tx_arg_u64(tx, t->relay_burst);
	tx_add(tx, "WITH t AS (UPDATE fleetscale.tailnets SET (domain, " UPDATED ") = "
		   "ROW(CASE WHEN domain = name || '.' || base_domain THEN $1 || '.' || base_domain ELSE domain END, " UPDATED_TO ") "
		   "FROM fleetscale.installation "
		   "WHERE id = fleetscale.current_tailnet() AND (" UPDATED ") IS DISTINCT FROM (" UPDATED_TO ") RETURNING id) "
		   "SELECT fleetscale.note('tailnet', id) FROM t");
	return tailnets_get_whole(tx);
}

void tailnets_clear(struct tx *tx)
{
	tx_add(tx, "SELECT fleetscale.tailnet_clear()");
}

unsigned tailnets_delete(struct tx *tx, uint64_t tailnet, bool forced)
{
	tx_arg_u64(tx, tailnet);
	tx_arg_bool(tx, forced);
	return tx_add(tx, "SELECT fleetscale.delete_tailnet($1, $2)");
}

uint64_t tailnets_read_bell(struct tx *tx, unsigned statement)
{
	return tx_u64(tx, statement, 0, 0);
}
