#include <stdlib.h>

#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "pgblock.h"
#include "secret.h"
#include "text.h"

static const struct ctl_flag create_flags[] = {
	{"expiration", 'e', false, CTL_WHEN, "WHEN", "90d", "good for that duration, or until that time"},
	{"database", 0, false, CTL_TEXT, "URL", NULL, "write it into PostgreSQL, without a coordinator (or \"env\": FLEETSCALE_DATABASE_URL)"},
	{0},
};

/* Written as the API does it: no tailnet, prefix and hash only, a line in audits. */
static enum err insert_key(struct pgblock *p, const struct secret *secret, const char *expiry, struct diag *why)
{
	char hash[3 + 2 * SECRET_HASH_LEN] = "\\x";
	const char *const args[] = {secret->prefix, hash, expiry};
	enum err e;

	hex_encode(hash + 2, bytes_of(secret->hash, SECRET_HASH_LEN));
	if ((e = pgblock_run(p, "BEGIN", 0, NULL, why)) || (e = pgblock_run(p, "SELECT set_config('fleetscale.tailnet', '0', true)", 0, NULL, why)) ||
	    (e = pgblock_run(p,
			     "INSERT INTO fleetscale.apikeys (tailnet_id, prefix, hash, description, expiry) VALUES (NULL, $1, $2::bytea, '', $3::timestamptz)",
			     3, args, why)) ||
	    (e = pgblock_run(p, "INSERT INTO fleetscale.audits (tailnet_id, actor, action, subject, detail) VALUES (0, 'sql', 'apikey.create', NULL, '')", 0,
			     NULL, why)))
		return e;
	return pgblock_run(p, "COMMIT", 0, NULL, why);
}

static void create_by_sql(struct ctl *c, const char *url)
{
	const char *expiry = ctl_flags_when(&c->flags, "expiration", c->arena);
	struct pgblock *p;
	struct secret secret;
	struct diag why = {0};
	enum err e = pgblock_open(url, &p, &why);

	secret_mint(SECRET_API, &secret);
	if (!e)
		e = insert_key(p, &secret, expiry, &why);
	pgblock_close(&p);
	if (e) {
		const char *hint = e == ERR_UNAVAILABLE ? "" : "; was `fleetscale migrate` run, and is this role the owner or fleetscale_coordinator?";

		ctl_fail(c, "writing to the database: %s%s", *why.text ? why.text : err_text(e), hint);
	} else {
		const json_t *key = ctl_keep(c, json_string(secret.text));

		ctl_show_text(c, key, key);
	}
	key_wipe(&secret, sizeof secret);
}

static void operator_create(struct ctl *c)
{
	const char *url = ctl_flags_text(&c->flags, "database");
	const json_t *key;

	if (url && strcmp(url, "env") == 0 && !(url = ctl_secret(c, "FLEETSCALE_DATABASE_URL"))) {
		if (!c->status)
			ctl_misuse(c, "set FLEETSCALE_DATABASE_URL or FLEETSCALE_DATABASE_URL_FILE");
		return;
	}
	if (url) {
		create_by_sql(c, url);
		return;
	}
	key = json_object_get(
		ctl_call(c, "POST", "/api/fleetscale/v1/operator/keys", json_pack("{s:s}", "expiration", ctl_flags_when(&c->flags, "expiration", c->arena))),
		"apiKey");
	ctl_show_text(c, key, key);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", NULL, 0, 0, "Make an API key of the operator and print it, this once", create_flags, operator_create},
	{0},
};

const struct ctl_noun ctl_noun_operator = {"operator", NULL, "Who administers the whole installation", verbs, NULL};
