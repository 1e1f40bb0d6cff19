#include "act_relay.h"

#include "hostname.h"

enum err act_relay_create(struct tx *tx, const struct actor *actor, const struct relay_region *region, struct bytes name, struct secret *secret, unsigned *row,
			  struct diag *why)
{
	struct relay relay = {.region = region->id, .node = {.name = name}};
	enum err e;

	if (region->id == 0 || region->id > REGION_ID_MAX)
		return diag_set(why, ERR_MALFORMED, "a region has a number from 1 to %d (900 to 999 by custom)", REGION_ID_MAX);
	if ((e = hostname_check(name, why)) || (e = hostname_check(region->code, why)))
		return e;
	secret_mint(SECRET_RELAY, secret);
	memcpy(relay.prefix, secret->prefix, sizeof relay.prefix);
	memcpy(relay.hash, secret->hash, sizeof relay.hash);
	regions_insert(tx, region);
	*row = relays_insert(tx, &relay);
	act_audit(tx, actor, "relay.create", 0, act_detail(tx, "name", name));
	return ERR_NONE;
}

void act_relay_delete(struct tx *tx, const struct actor *actor, uint64_t id)
{
	relays_delete(tx, id);
	act_audit(tx, actor, "relay.delete", id, NULL);
}
