#include "breakglass.h"

#include "arena.h"
#include "pgblock.h"
#include "text.h"

struct glass {
	struct pgblock *p;
	struct diag *why;
};

static enum err ask(struct glass *g, const char *sql, int count, const char *const *args)
{
	return pgblock_run(g->p, sql, count, args, g->why);
}

static enum err begin(struct glass *g, const char *url, const char *tailnet)
{
	enum err e = pgblock_open(url, &g->p, g->why);

	if (!e)
		e = ask(g, "BEGIN", 0, NULL);
	return e ? e : ask(g, "SELECT set_config('fleetscale.tailnet', $1, true)", 1, &tailnet);
}

static enum err commit(struct glass *g)
{
	enum err e = ask(g, "SELECT fleetscale.audit_close()", 0, NULL);

	if (!e)
		e = ask(g, "SELECT fleetscale.commit_changes('{}', '{}')", 0, NULL);
	return e ? e : ask(g, "COMMIT", 0, NULL);
}

/* --- keys -------------------------------------------------------------------------------------------------------------------------------------------- */

static enum err revoke_all(struct glass *g, size_t *revoked)
{
	enum err e = ask(g,
			 "SELECT fleetscale.audit_open('sql', session_user, '', 'apikey.expire', k.id, '', '') "
			 "FROM (SELECT id FROM fleetscale.apikeys WHERE tailnet_id IS NULL AND revoked IS NULL ORDER BY id) k",
			 0, NULL);

	*revoked = e ? 0 : pgblock_rows(g->p);
	return e ? e : ask(g, "UPDATE fleetscale.apikeys SET revoked = now() WHERE tailnet_id IS NULL AND revoked IS NULL", 0, NULL);
}

static enum err insert_key(struct glass *g, const struct secret *secret, const char *expiry)
{
	char hash[3 + 2 * SECRET_HASH_LEN] = "\\x";
	const char *const args[] = {secret->prefix, hash, expiry};
	enum err e;

	hex_encode(hash + 2, bytes_of(secret->hash, SECRET_HASH_LEN));
	e = ask(g, "SELECT fleetscale.audit_open('sql', session_user, '', 'apikey.create', NULL, $1, '')", 1, args);
	return e ? e
		 : ask(g, "INSERT INTO fleetscale.apikeys (tailnet_id, prefix, hash, description, expiry) VALUES (NULL, $1, $2::bytea, '', $3::timestamptz)", 3,
		       args);
}

enum err breakglass_operator(const char *url, const struct secret *secret, const char *expiry, bool reset, size_t *revoked, struct diag *why)
{
	struct glass g = {.why = why};
	enum err e = begin(&g, url, "0");

	*revoked = 0;
	if (!e && reset)
		e = revoke_all(&g, revoked);
	if (!e)
		e = insert_key(&g, secret, expiry);
	if (!e)
		e = commit(&g);
	pgblock_close(&g.p);
	return e;
}

/* --- tailnets ---------------------------------------------------------------------------------------------------------------------------------------- */

static enum err enter_tailnet(struct glass *g, const char *name, struct arena *arena)
{
	enum err e = ask(g, "SELECT id FROM fleetscale.tailnets WHERE name = $1", 1, &name);
	const char *id;

	if (e)
		return e;
	if (!pgblock_rows(g->p))
		return diag_set(g->why, ERR_NOT_FOUND, "there is no tailnet \"%.100s\"", name);
	id = arena_text(arena, pgblock_text(g->p, 0, 0));
	return ask(g, "SELECT set_config('fleetscale.tailnet', $1, true)", 1, &id);
}

static enum err set_state(struct glass *g, enum breakglass_state state, bool on, bool *changed)
{
	static const char *const updates[] = {
		[BREAKGLASS_FROZEN] = "UPDATE fleetscale.tailnets SET frozen = $1::boolean WHERE id = fleetscale.current_tailnet() AND frozen <> $1::boolean "
				      "RETURNING fleetscale.note('tailnet', id)",
		[BREAKGLASS_SUSPENDED] = "UPDATE fleetscale.tailnets SET suspended = $1::boolean WHERE id = fleetscale.current_tailnet() "
					 "AND suspended <> $1::boolean RETURNING fleetscale.note('tailnet', id)",
	};
	const char *const args[] = {on ? "true" : "false"};
	enum err e = ask(g, "SELECT fleetscale.audit_open('sql', session_user, '', 'tailnet.update', fleetscale.current_tailnet(), '', '')", 0, NULL);

	if (!e)
		e = ask(g, updates[state], 1, args);
	*changed = !e && pgblock_rows(g->p);
	return e;
}

enum err breakglass_tailnet(const char *url, const char *name, enum breakglass_state state, bool on, bool *changed, struct diag *why)
{
	struct arena *arena = arena_new();
	struct glass g = {.why = why};
	enum err e = begin(&g, url, "0");

	*changed = false;
	if (!e)
		e = enter_tailnet(&g, name, arena);
	if (!e)
		e = set_state(&g, state, on, changed);
	if (!e)
		e = commit(&g);
	pgblock_close(&g.p);
	arena_free(&arena);
	return e;
}
