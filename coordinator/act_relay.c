#include "act_relay.h"

#include "hostname.h"

enum { REGION_NAME_MAX = 255 };

enum err act_relay_create(struct tx *tx, const struct actor *actor, const struct relay_region *region, struct bytes name, struct secret *secret, unsigned *row,
			  struct diag *why)
{
	struct relay relay = {.region = region->id, .node = {.name = name}};
	enum err e;

	if (region->id == 0 || region->id > REGION_ID_MAX)
		return diag_set(why, ERR_MALFORMED, "a region has a number from 1 to %d (900 to 999 by custom)", REGION_ID_MAX);
	if ((e = hostname_check(name, why)) || (e = hostname_check(region->code, why)) ||
	    (e = act_check_text(region->name, "regionName", REGION_NAME_MAX, why)))
		return e;
	if (!(region->latitude >= -90 && region->latitude <= 90) || !(region->longitude >= -180 && region->longitude <= 180))
		return diag_set(why, ERR_MALFORMED, "latitude goes from -90 to 90, longitude from -180 to 180");
	secret_mint(SECRET_RELAY, secret);
	memcpy(relay.prefix, secret->prefix, sizeof relay.prefix);
	memcpy(relay.hash, secret->hash, sizeof relay.hash);
	act_audit_named(tx, actor, "relay.create", name);
	regions_insert(tx, region);
	*row = relays_insert(tx, &relay);
	return ERR_NONE;
}

void act_relay_delete(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "relay.delete", id, NULL);
	relays_delete(tx, id);
}
