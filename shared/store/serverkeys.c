#include "serverkeys.h"

#include "pgblock.h"
#include "text.h"

enum err serverkeys_load(const char *url, struct serverkey keys[static SERVERKEYS_MAX], size_t *count, struct diag *why)
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
		"FROM fleetscale.serverkeys WHERE kind = 'noise' AND (valid_until IS NULL OR valid_until > now()) ORDER BY valid_from DESC, id DESC",
		0, NULL, why);
	for (size_t i = 0; !e && i < pgblock_rows(p) && i < SERVERKEYS_MAX; i++) {
		struct serverkey *key = &keys[i];
		int64_t us;
		if (hex_decode(pgblock_text(p, i, 0), key->private_key.raw, KEY_LEN))
			e = diag_set(why, ERR_BUG, "a server key in the database has the wrong length");
		key_public(&key->private_key, &key->public_key);
		key->from = text_parse_i64(pgblock_text(p, i, 1), &us) ? WALL_ZERO : (struct wall){us * 1000};
		key->until = text_parse_i64(pgblock_text(p, i, 2), &us) ? WALL_ZERO : (struct wall){us * 1000};
		*count = i + 1;
	}
	if (!e && !*count)
		e = diag_set(why, ERR_NOT_FOUND, "the database holds no Noise key; run `fleetscale migrate`");
	pgblock_close(&p);
	return e;
}
