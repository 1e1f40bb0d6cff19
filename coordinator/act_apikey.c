#include "act_apikey.h"

unsigned act_apikey_create(struct tx *tx, const struct actor *actor, struct apikey *key, struct secret *secret)
{
	unsigned row;

	secret_mint(SECRET_API, secret);
	memcpy(key->prefix, secret->prefix, sizeof key->prefix);
	memcpy(key->hash, secret->hash, sizeof key->hash);
	act_audit_named(tx, actor, "apikey.create", bytes_text(key->prefix));
	row = apikeys_insert(tx, key);
	return row;
}

void act_apikey_expire(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "apikey.expire", id, NULL);
	apikeys_expire(tx, id);
}

void act_apikey_delete(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "apikey.delete", id, NULL);
	apikeys_delete(tx, id);
}
