#include "rows.h"

#include "text.h"

struct bytes rows_text(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena)
{
	return arena_copy(arena, tx_text(tx, statement, row, column));
}

void rows_raw(const struct tx *tx, unsigned statement, size_t row, unsigned column, uint8_t *out, size_t len)
{
	struct bytes text = tx_text(tx, statement, row, column);
	if (!bytes_starts(text, "\\x") || hex_decode(bytes_skip(text, 2), out, len))
		memset(out, 0, len);
}

void rows_secret_prefix(const struct tx *tx, unsigned statement, size_t row, unsigned column, char *out)
{
	struct bytes text = bytes_take(tx_text(tx, statement, row, column), SECRET_PREFIX_LEN);
	if (text.len)
		memcpy(out, text.at, text.len);
	out[text.len] = 0;
}

static struct prefix prefix_of(const struct tx *tx, unsigned statement, size_t row, unsigned column)
{
	struct prefix prefix;
	return prefix_parse(tx_text(tx, statement, row, column), &prefix) ? (struct prefix){{.family = IP_NONE}, 0} : prefix;
}

void rows_tailnet(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct tailnet *out)
{
	unsigned c = first;
	*out = (struct tailnet){.id = tx_u64(tx, statement, row, c++)};
	out->name = rows_text(tx, statement, row, c++, arena);
	out->domain = rows_text(tx, statement, row, c++, arena);
	out->display_name = rows_text(tx, statement, row, c++, arena);
	out->range4 = prefix_of(tx, statement, row, c++);
	out->range6 = prefix_of(tx, statement, row, c++);
	out->created = tx_time(tx, statement, row, c++);
	out->key_lifetime_ms = tx_i64(tx, statement, row, c++);
	out->frozen = tx_bool(tx, statement, row, c++);
	out->suspended = tx_bool(tx, statement, row, c++);
	out->device_approval = tx_bool(tx, statement, row, c++);
	out->node_limit = (unsigned)tx_u64(tx, statement, row, c++);
	out->user_limit = (unsigned)tx_u64(tx, statement, row, c++);
	out->login_host = rows_text(tx, statement, row, c++, arena);
	out->domain_count = tx_texts(tx, statement, row, c++, arena, &out->domains);
	out->relay_rate = tx_u64(tx, statement, row, c++);
	out->relay_burst = tx_u64(tx, statement, row, c++);
}

static void rows_dns(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct dns *out)
{
	unsigned c = first;
	struct bytes *resolvers, *split, *records;
	out->magic = tx_bool(tx, statement, row, c++);
	out->override = tx_bool(tx, statement, row, c++);
	out->resolver_count = tx_texts(tx, statement, row, c++, arena, &resolvers);
	out->split_count = tx_texts(tx, statement, row, c++, arena, &split);
	out->search_count = tx_texts(tx, statement, row, c++, arena, &out->search);
	out->record_count = tx_texts(tx, statement, row, c++, arena, &records);
	out->exit_filtered_count = tx_texts(tx, statement, row, c, arena, &out->exit_filtered);
	out->resolvers = ARENA_ARRAY(arena, struct dns_resolver, out->resolver_count);
	out->split = ARENA_ARRAY(arena, struct dns_split, out->split_count);
	out->records = ARENA_ARRAY(arena, struct dns_record, out->record_count);
	for (size_t i = 0; i < out->resolver_count; i++)
		out->resolvers[i] = dns_resolver_parse(resolvers[i]);
	for (size_t i = 0; i < out->split_count; i++)
		out->split[i] = dns_split_parse(split[i]);
	for (size_t i = 0; i < out->record_count; i++)
		out->records[i] = dns_record_parse(records[i]);
}

static size_t rows_ids(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, uint64_t **out)
{
	struct bytes *texts;
	size_t count = tx_texts(tx, statement, row, column, arena, &texts), kept = 0;
	*out = ARENA_ARRAY(arena, uint64_t, count);
	for (size_t i = 0; i < count; i++)
		if (!text_parse_u64(texts[i], UINT64_MAX, &(*out)[kept]))
			kept++;
	return kept;
}

void rows_settings(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct settings *out)
{
	enum { DNS_COUNT = 7 };
	unsigned c = first + DNS_COUNT;
	*out = (struct settings){.file_sharing = tx_bool(tx, statement, row, c)};
	rows_dns(tx, statement, row, first, arena, &out->dns);
	out->ssh = tx_bool(tx, statement, row, ++c);
	out->auto_update = tx_bool(tx, statement, row, ++c);
	out->random_client_port = tx_bool(tx, statement, row, ++c);
	out->client_logs = tx_bool(tx, statement, row, ++c);
	out->notice = rows_text(tx, statement, row, ++c, arena);
	out->relays.fence_count = rows_ids(tx, statement, row, ++c, arena, &out->relays.fence);
	out->relays.omit_count = rows_ids(tx, statement, row, ++c, arena, &out->relays.omit);
	out->relays.no_home_count = rows_ids(tx, statement, row, ++c, arena, &out->relays.no_home);
	out->relays.omit_shared = tx_bool(tx, statement, row, ++c);
}

void rows_user(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct user *out)
{
	unsigned c = first;
	*out = (struct user){.id = tx_u64(tx, statement, row, c++)};
	out->tailnet = tx_u64(tx, statement, row, c++);
	out->name = rows_text(tx, statement, row, c++, arena);
	out->display_name = rows_text(tx, statement, row, c++, arena);
	out->email = rows_text(tx, statement, row, c++, arena);
	out->picture_url = rows_text(tx, statement, row, c++, arena);
	out->provider = rows_text(tx, statement, row, c++, arena);
	out->created = tx_time(tx, statement, row, c++);
	/* A role that a newer program gave gives nothing here. */
	if (user_parse_role(tx_text(tx, statement, row, c++), &out->roles, NULL))
		out->roles = ROLE_MEMBER;
}

void rows_groups(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct user *out)
{
	out->group_count = tx_texts(tx, statement, row, column, arena, &out->groups);
}

static size_t endpoints_of(struct tx *tx, unsigned statement, size_t row, unsigned column, struct arena *arena, struct endpoint **out)
{
	struct bytes *texts;
	size_t count = tx_texts(tx, statement, row, column, arena, &texts), kept = 0;
	*out = ARENA_ARRAY(arena, struct endpoint, count);
	for (size_t i = 0; i < count; i++)
		if (!endpoint_parse(texts[i], &(*out)[kept]))
			kept++;
	return kept;
}

void rows_node(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct node *out)
{
	unsigned c = first;
	*out = (struct node){.id = tx_u64(tx, statement, row, c++)};
	out->tailnet = tx_u64(tx, statement, row, c++);
	out->user = tx_u64(tx, statement, row, c++);
	rows_raw(tx, statement, row, c++, out->machine_key.raw, KEY_LEN);
	rows_raw(tx, statement, row, c++, out->node_key.raw, KEY_LEN);
	rows_raw(tx, statement, row, c++, out->disco_key.raw, KEY_LEN);
	rows_raw(tx, statement, row, c++, out->lock_key.raw, KEY_LEN);
	out->label = rows_text(tx, statement, row, c++, arena);
	out->renamed = tx_bool(tx, statement, row, c++);
	out->ip4 = tx_ip(tx, statement, row, c++);
	out->ip6 = tx_ip(tx, statement, row, c++);
	out->hostinfo = rows_text(tx, statement, row, c++, arena);
	out->endpoint_count = endpoints_of(tx, statement, row, c++, arena, &out->endpoints);
	out->home_relay = (unsigned)tx_u64(tx, statement, row, c++);
	out->capver = (unsigned)tx_u64(tx, statement, row, c++);
	out->expiry = tx_time(tx, statement, row, c++);
	out->created = tx_time(tx, statement, row, c++);
	out->last_seen = tx_time(tx, statement, row, c++);
	out->first_polled = tx_time(tx, statement, row, c++);
	out->approved = tx_bool(tx, statement, row, c++);
	out->ephemeral = tx_bool(tx, statement, row, c++);
	out->tag_count = tx_texts(tx, statement, row, c++, arena, &out->tags);
	out->advertised_count = tx_prefixes(tx, statement, row, c++, arena, &out->routes_advertised);
	out->approved_count = tx_prefixes(tx, statement, row, c++, arena, &out->routes_approved);
	out->authkey = tx_u64(tx, statement, row, c++);
	out->register_method = (unsigned)tx_u64(tx, statement, row, c++);
	out->primary_count = tx_prefixes(tx, statement, row, c++, arena, &out->routes_primary);
	out->unreachable = tx_bool(tx, statement, row, c++);
}

void rows_authkey(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct authkey *out)
{
	unsigned c = first;
	*out = (struct authkey){.id = tx_u64(tx, statement, row, c++)};
	out->tailnet = tx_u64(tx, statement, row, c++);
	out->user = tx_u64(tx, statement, row, c++);
	rows_secret_prefix(tx, statement, row, c++, out->prefix);
	rows_raw(tx, statement, row, c++, out->hash, SECRET_HASH_LEN);
	out->description = rows_text(tx, statement, row, c++, arena);
	out->reusable = tx_bool(tx, statement, row, c++);
	out->ephemeral = tx_bool(tx, statement, row, c++);
	out->preapproved = tx_bool(tx, statement, row, c++);
	out->tag_count = tx_texts(tx, statement, row, c++, arena, &out->tags);
	out->created = tx_time(tx, statement, row, c++);
	out->expiry = tx_time(tx, statement, row, c++);
	out->revoked = tx_time(tx, statement, row, c++);
	out->used_by = tx_u64(tx, statement, row, c++);
	out->uses = (unsigned)tx_u64(tx, statement, row, c++);
	out->uses_most = (unsigned)tx_u64(tx, statement, row, c++);
}
