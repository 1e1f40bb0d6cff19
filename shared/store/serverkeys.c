#include "serverkeys.h"

#include "pgblock.h"
#include "rows.h"
#include "text.h"

struct kept_key {
	uint8_t raw[KEY_LEN];
	struct wall from, until;
};

/* Newest first. */
static enum err load(const char *url, const char *kind, struct kept_key keys[static SERVERKEYS_MAX], size_t *count, struct diag *why)
{
	struct pgblock *p;
	*count = 0;
	enum err e = pgblock_open(url, &p, why);
	if (e)
		return e;
	/* Times as whole microseconds since 1970. */
	e = pgblock_run(
		p,
		"SELECT encode(private_key, 'hex'), (extract(epoch FROM valid_from) * 1000000)::bigint, (extract(epoch FROM valid_until) * 1000000)::bigint "
		"FROM fleetscale.serverkeys WHERE kind = $1 AND (valid_until IS NULL OR valid_until > now()) ORDER BY valid_from DESC, id DESC",
		1, &kind, why);
	for (size_t i = 0; !e && i < pgblock_rows(p) && i < SERVERKEYS_MAX; i++) {
		int64_t us;
		if (hex_decode(pgblock_text(p, i, 0), keys[i].raw, KEY_LEN))
			e = diag_set(why, ERR_BUG, "a server key in the database has the wrong length");
		keys[i].from = text_parse_i64(pgblock_text(p, i, 1), &us) ? WALL_ZERO : (struct wall){us * 1000};
		keys[i].until = text_parse_i64(pgblock_text(p, i, 2), &us) ? WALL_ZERO : (struct wall){us * 1000};
		*count = i + 1;
	}
	if (!e && !*count)
		e = diag_set(why, ERR_NOT_FOUND, "the database holds no key for \"%s\"; run `fleetscale migrate`", kind);
	pgblock_close(&p);
	return e;
}

enum err serverkeys_load(const char *url, struct serverkey keys[static SERVERKEYS_MAX], size_t *count, struct diag *why)
{
	struct kept_key kept[SERVERKEYS_MAX];
	enum err e = load(url, "noise", kept, count, why);
	for (size_t i = 0; !e && i < *count; i++) {
		memcpy(keys[i].private_key.raw, kept[i].raw, KEY_LEN);
		key_public(&keys[i].private_key, &keys[i].public_key);
		keys[i].from = kept[i].from;
		keys[i].until = kept[i].until;
	}
	key_wipe(kept, sizeof kept);
	return e;
}

enum err serverkeys_load_signing(const char *url, struct signing_key keys[static SERVERKEYS_MAX], size_t *count, struct diag *why)
{
	struct kept_key kept[SERVERKEYS_MAX];
	enum err e = load(url, "relays", kept, count, why);
	for (size_t i = 0; !e && i < *count; i++) {
		memcpy(keys[i].seed, kept[i].raw, SIGN_SEED_LEN);
		sign_public(keys[i].seed, &keys[i].key);
		keys[i].from = kept[i].from;
		keys[i].until = kept[i].until;
	}
	key_wipe(kept, sizeof kept);
	return e;
}

const struct signing_key *serverkeys_signer(const struct signing_key *keys, size_t count, struct wall now)
{
	for (size_t i = 0; i < count; i++)
		if (keys[i].from.ns <= now.ns && (wall_is_zero(keys[i].until) || now.ns < keys[i].until.ns))
			return &keys[i];
	return NULL;
}

struct identity_find {
	serverkeys_identity_fn on_keys;
	void *context;
};

static enum err read_identity(struct tx *tx, size_t row, struct identity_key *key)
{
	uint8_t scalar[JWT_SCALAR_LEN];
	rows_raw(tx, 0, row, 0, scalar, sizeof scalar);
	enum err e = jwt_key_of(scalar, &key->key) ? ERR_BUG : ERR_NONE;
	key->from = tx_time(tx, 0, row, 1);
	key->until = tx_time(tx, 0, row, 2);
	key_wipe(scalar, sizeof scalar);
	return e;
}

static void on_identity(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct identity_find *find = context;
	struct identity_key keys[SERVERKEYS_MAX];
	size_t count = 0;
	(void)why;
	for (; !e && count < tx_rows(tx, 0) && count < SERVERKEYS_MAX; count++)
		e = read_identity(tx, count, &keys[count]);
	if (!e && !count)
		e = ERR_NOT_FOUND;
	find->on_keys(find->context, e, keys, e ? 0 : count);
	key_wipe(keys, sizeof keys);
}

void serverkeys_identity(struct pg *pg, serverkeys_identity_fn on_keys, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct identity_find *find = ARENA_NEW(tx_arena(tx), struct identity_find);
	*find = (struct identity_find){on_keys, context};
	tx_add(tx, "SELECT private_key, valid_from, valid_until FROM fleetscale.serverkeys WHERE kind = 'identity' AND (valid_until IS NULL OR valid_until > "
		   "now() - interval '1 hour') "
		   "ORDER BY valid_from DESC, id DESC");
	tx_run(tx, on_identity, find);
}

struct signing_find {
	serverkeys_signing_fn on_keys;
	void *context;
};

static void on_signing(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct signing_find *find = context;
	struct signing_key keys[SERVERKEYS_MAX];
	size_t count = 0;
	(void)why;
	for (; !e && count < tx_rows(tx, 0) && count < SERVERKEYS_MAX; count++) {
		struct signing_key *k = &keys[count];
		rows_raw(tx, 0, count, 0, k->seed, sizeof k->seed);
		sign_public(k->seed, &k->key);
		k->from = tx_time(tx, 0, count, 1);
		k->until = tx_time(tx, 0, count, 2);
	}
	if (!e && !count)
		e = ERR_NOT_FOUND;
	find->on_keys(find->context, e, keys, e ? 0 : count);
	key_wipe(keys, sizeof keys);
}

void serverkeys_signing(struct pg *pg, serverkeys_signing_fn on_keys, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct signing_find *find = ARENA_NEW(tx_arena(tx), struct signing_find);
	*find = (struct signing_find){on_keys, context};
	tx_add(tx,
	       "SELECT private_key, valid_from, valid_until FROM fleetscale.serverkeys WHERE kind = 'relays' AND (valid_until IS NULL OR valid_until > now()) "
	       "ORDER BY valid_from DESC, id DESC");
	tx_run(tx, on_signing, find);
}
