#include "schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "jwt.h"
#include "key.h"
#include "pgblock.h"
#include "secret.h"
#include "sign.h"
#include "tailnet.h"
#include "text.h"

static const char default_base_domain[] = "tailnet.internal";
static const char lock[] = "SELECT pg_advisory_xact_lock(hashtextextended('fleetscale migrate', 0))";

struct migrating {
	const struct schema_plan *plan;
	struct pgblock *p;
	struct arena *arena;
	struct diag *why;
};

PRINTF(2, 3) static void say(const struct migrating *m, const char *format, ...)
{
	char sentence[DIAG_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	if (m->plan->on_step)
		m->plan->on_step(m->plan->context, sentence);
}

static enum err ask(struct migrating *m, const char *sql)
{
	return pgblock_run(m->p, sql, 0, NULL, m->why);
}

static enum err ask_with(struct migrating *m, const char *sql, const char *arg)
{
	return pgblock_run(m->p, sql, 1, &arg, m->why);
}

static bool is_true(const struct migrating *m)
{
	return bytes_equal_text(pgblock_text(m->p, 0, 0), "t");
}

/* Each step is a transaction under the same lock: whoever comes second finds the work done. */
static enum err step(struct migrating *m, enum err (*work)(struct migrating *m, const struct migration *next), const struct migration *next)
{
	struct diag ignored;
	enum err e = ask(m, "BEGIN");
	if (!e)
		e = ask(m, lock);
	if (!e)
		e = work(m, next);
	if (!e)
		return ask(m, "COMMIT");
	(void)!pgblock_run(m->p, "ROLLBACK", 0, NULL, &ignored);
	return e;
}

/* --- roles ------------------------------------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *attributes, *settings;
} roles[] = {
	/* Time limits of the role hold through poolers too. What is stopped in the middle must not keep its locks for ever. */
	{"fleetscale_coordinator", "LOGIN", "statement_timeout = '30s'; lock_timeout = '10s'; idle_in_transaction_session_timeout = '30s'"},
	{"fleetscale_mapper", "LOGIN", "statement_timeout = '60s'; idle_in_transaction_session_timeout = '60s'; default_transaction_read_only = on"},
	{"fleetscale_lookup", "NOLOGIN BYPASSRLS", ""},
};

static enum err set_role(struct migrating *m, size_t i)
{
	struct bytes rest = bytes_text(roles[i].settings);
	while (rest.len) {
		struct bytes one = bytes_trim(bytes_split(rest, ';', &rest));
		enum err e = ask(m, arena_format(m->arena, "ALTER ROLE %s SET %.*s", roles[i].name, BYTES_ARG(one)));
		if (e)
			return e;
	}
	return ERR_NONE;
}

static enum err make_role(struct migrating *m, size_t i)
{
	/* Another database of the same server may be migrating too: its lock is not ours. */
	enum err e = ask(m, arena_format(m->arena, "DO $$ BEGIN CREATE ROLE %s %s; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
					 roles[i].name, roles[i].attributes));
	if (!e)
		e = set_role(m, i);
	if (e == ERR_DENIED)
		return diag_set(m->why, e, "role %s does not exist and this role may not create it: let an administrator run CREATE ROLE %s %s", roles[i].name,
				roles[i].name, roles[i].attributes);
	if (!e)
		say(m, "role %s created", roles[i].name);
	return e;
}

static enum err check_roles(struct migrating *m)
{
	enum err e = ask(m, "SELECT rolname FROM pg_roles WHERE rolname IN ('fleetscale_coordinator', 'fleetscale_mapper') AND (rolsuper OR rolbypassrls OR "
			    "rolname = current_user)");
	if (!e && pgblock_rows(m->p))
		return diag_set(m->why, ERR_DENIED, "role %.*s must neither be a superuser nor bypass row-level security nor own the schema",
				BYTES_ARG(pgblock_text(m->p, 0, 0)));
	if (!e)
		e = ask(m, "SELECT rolbypassrls FROM pg_roles WHERE rolname = 'fleetscale_lookup'");
	if (!e && !is_true(m))
		return diag_set(m->why, ERR_DENIED,
				"role fleetscale_lookup must bypass row-level security: let an administrator run ALTER ROLE fleetscale_lookup BYPASSRLS");
	if (!e)
		e = ask(m, "SELECT pg_has_role('fleetscale_lookup', 'MEMBER'), current_user");
	if (!e && !is_true(m))
		return diag_set(m->why, ERR_DENIED, "this role must be a member of fleetscale_lookup: let an administrator run GRANT fleetscale_lookup TO %.*s",
				BYTES_ARG(pgblock_text(m->p, 0, 1)));
	return e;
}

static enum err prepare(struct migrating *m, const struct migration *next)
{
	enum err e = ERR_NONE;
	(void)next;
	for (size_t i = 0; !e && i < COUNT_OF(roles); i++) {
		e = ask_with(m, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", roles[i].name);
		if (!e && !is_true(m))
			e = make_role(m, i);
	}
	if (!e)
		e = check_roles(m);
	if (!e)
		e = ask(m, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'fleetscale')");
	if (e || is_true(m))
		return e;
	e = ask(m, "CREATE SCHEMA fleetscale");
	if (e == ERR_DENIED)
		return diag_set(m->why, e, "this role may not create a schema in this database: let an administrator run GRANT CREATE ON DATABASE ... TO it");
	return e ? e
		 : pgblock_script(m->p,
				  "GRANT USAGE ON SCHEMA fleetscale TO fleetscale_coordinator, fleetscale_mapper, fleetscale_lookup;"
				  "CREATE TABLE fleetscale.migrations (version integer PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now(), "
				  "checksum text NOT NULL,"
				  " least integer NOT NULL DEFAULT 0);"
				  "GRANT SELECT ON fleetscale.migrations TO fleetscale_coordinator, fleetscale_mapper",
				  m->why);
}

/* --- migrations --------------------------------------------------------------------------------------------------------------------------------------- */

static const char *checksum_of(struct arena *arena, const struct migration *migration)
{
	uint8_t hash[32];
	char *text = arena_alloc(arena, 2 * sizeof hash + 1);
	hash_bytes(bytes_text(migration->sql), hash);
	hex_encode(text, bytes_of(hash, sizeof hash));
	return text;
}

static enum err apply(struct migrating *m, const struct migration *next)
{
	const char *version = arena_format(m->arena, "%u", next->version), *checksum = checksum_of(m->arena, next);
	enum err e = ask_with(m, "SELECT checksum FROM fleetscale.migrations WHERE version = $1", version);
	if (e)
		return e;
	if (pgblock_rows(m->p)) {
		if (bytes_equal_text(pgblock_text(m->p, 0, 0), checksum))
			return ERR_NONE;
		return diag_set(m->why, ERR_UNSUPPORTED, "migration %u (%s) of this database is not the one that this program knows", next->version,
				next->name);
	}
	e = pgblock_script(m->p, next->sql, m->why);
	if (e) {
		struct diag reason = *m->why;
		return diag_set(m->why, e, "migration %u (%s): %.400s", next->version, next->name, reason.text);
	}
	const char *const row[] = {version, next->name, checksum, arena_format(m->arena, "%u", next->least)};
	e = pgblock_run(m->p, "INSERT INTO fleetscale.migrations (version, name, checksum, least) VALUES ($1, $2, $3, $4)", 4, row, m->why);
	if (!e)
		say(m, "migration %u (%s) applied", next->version, next->name);
	return e;
}

static enum err refuse_newer(struct migrating *m, const struct migration *next)
{
	(void)next;
	int64_t reached;
	enum err e = ask(m, "SELECT coalesce(max(version), 0) FROM fleetscale.migrations");
	if (!e && !text_parse_i64(pgblock_text(m->p, 0, 0), &reached) && reached > (int64_t)schema_migration_count)
		e = diag_set(m->why, ERR_UNSUPPORTED, "the database is newer (migration %" PRId64 ") than this program (%zu)", reached, schema_migration_count);
	return e;
}

/* --- what must be there ----------------------------------------------------------------------------------------------------------------------------------- */

static enum err mint_noise(uint8_t raw[static KEY_LEN])
{
	struct private_key key;
	struct public_key public_key;
	key_mint(&key, &public_key);
	memcpy(raw, key.raw, KEY_LEN);
	key_wipe(&key, sizeof key);
	return ERR_NONE;
}

static enum err mint_signing(uint8_t raw[static KEY_LEN])
{
	sign_mint(raw);
	return ERR_NONE;
}

static const struct {
	const char *kind, *done;
	enum err (*mint)(uint8_t raw[static KEY_LEN]);
} server_keys[] = {
	{"noise", "Noise key minted", mint_noise}, {"identity", "identity key minted", jwt_mint}, {"relays", "key for answers to relays minted", mint_signing}};

static enum err mint_server_key(struct migrating *m, size_t i)
{
	enum err e = ask_with(m, "SELECT EXISTS (SELECT FROM fleetscale.serverkeys WHERE kind = $1)", server_keys[i].kind);
	if (e || is_true(m))
		return e;
	uint8_t raw[KEY_LEN];
	char text[2 * KEY_LEN + 1];
	e = server_keys[i].mint(raw);
	if (e)
		return diag_set(m->why, e, "no key could be made");
	hex_encode(text, bytes_of(raw, KEY_LEN));
	const char *const row[] = {server_keys[i].kind, text};
	e = pgblock_run(m->p, "INSERT INTO fleetscale.serverkeys (kind, private_key) VALUES ($1, decode($2, 'hex'))", 2, row, m->why);
	key_wipe(raw, sizeof raw);
	key_wipe(text, sizeof text);
	if (!e)
		say(m, "%s", server_keys[i].done);
	return e;
}

static enum err furnish_tailnet(struct migrating *m)
{
	enum err e = ask(m, "SELECT set_config('fleetscale.tailnet', '0', true)");
	if (!e)
		e = ask(m, "SELECT EXISTS (SELECT FROM fleetscale.tailnets)");
	if (e || is_true(m))
		return e;
	e = ask(m, "SELECT set_config('fleetscale.tailnet', id::text, true) FROM fleetscale.create_tailnet('default', '', '', NULL, NULL, true)");
	if (!e)
		e = ask(m, "INSERT INTO fleetscale.users (tailnet_id, name) VALUES (fleetscale.current_tailnet(), 'default')");
	if (!e)
		e = ask(m, "SELECT fleetscale.commit_changes('{user}', ARRAY[(SELECT id FROM fleetscale.users WHERE name = 'default')])");
	if (!e)
		say(m, "tailnet and user `default` created");
	return e;
}

static enum err set_password(struct migrating *m, const char *role, const char *password)
{
	if (!password)
		return ERR_NONE;
	char *verifier = pgblock_verifier(m->p, password, role);
	char *literal = verifier ? pgblock_literal(m->p, verifier) : NULL;
	enum err e = literal ? ask(m, arena_format(m->arena, "ALTER ROLE %s PASSWORD %s", role, literal))
			     : diag_set(m->why, ERR_MALFORMED, "the password of %s cannot be stored", role);
	free(verifier);
	free(literal);
	if (e == ERR_DENIED)
		return diag_set(m->why, e, "this role may not set the password of %s", role);
	if (!e)
		say(m, "password of %s set", role);
	return e;
}

static enum err furnish(struct migrating *m, const struct migration *next)
{
	const char *base = m->plan->base_domain;
	(void)next;
	enum err e = ask_with(
		m,
		base ? "INSERT INTO fleetscale.installation (base_domain) VALUES ($1) ON CONFLICT (single) DO UPDATE SET base_domain = excluded.base_domain"
		     : "INSERT INTO fleetscale.installation (base_domain) VALUES ($1) ON CONFLICT (single) DO NOTHING",
		base ? base : default_base_domain);
	for (size_t i = 0; !e && i < COUNT_OF(server_keys); i++)
		e = mint_server_key(m, i);
	if (!e)
		e = furnish_tailnet(m);
	if (!e)
		e = set_password(m, "fleetscale_coordinator", m->plan->coordinator_password);
	return e ? e : set_password(m, "fleetscale_mapper", m->plan->mapper_password);
}

static enum err check_domain(const char *domain, struct diag *why)
{
	struct bytes rest = bytes_text(domain);
	enum err e = rest.len + TAILNET_NAME_MAX < TAILNET_DOMAIN_MAX ? ERR_NONE : ERR_MALFORMED;
	while (!e && rest.at)
		e = tailnet_check_name(bytes_split(rest, '.', &rest), NULL);
	return e ? diag_set(why, ERR_MALFORMED, "\"%.100s\" is no domain in lower-case letters, digits and inner hyphens, of at most %d characters", domain,
			    TAILNET_DOMAIN_MAX - TAILNET_NAME_MAX - 1)
		 : ERR_NONE;
}

enum err schema_migrate(const struct schema_plan *plan, struct diag *why)
{
	struct migrating m = {.plan = plan, .why = why};
	enum err e = plan->base_domain ? check_domain(plan->base_domain, why) : ERR_NONE;
	if (!e)
		e = pgblock_open(plan->url, &m.p, why);
	if (e)
		return e;
	m.arena = arena_new();
	e = step(&m, prepare, NULL);
	if (!e)
		e = step(&m, refuse_newer, NULL);
	for (size_t i = 0; !e && i < schema_migration_count; i++)
		e = step(&m, apply, &schema_migrations[i]);
	if (!e)
		e = step(&m, furnish, NULL);
	arena_free(&m.arena);
	pgblock_close(&m.p);
	return e;
}
