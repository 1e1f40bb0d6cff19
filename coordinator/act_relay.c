#include "act_relay.h"

#include <math.h>

#include "hostname.h"

enum { REGION_NAME_MAX = 255, SCORE_MAX = 1000000 };

static const uint64_t rate_max = UINT64_C(9007199254740991); /* what JSON numbers hold */

static enum err check_place(double latitude, double longitude, struct diag *why)
{
	if (latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180)
		return diag_set(why, ERR_MALFORMED, "latitude goes from -90 to 90, longitude from -180 to 180");
	return ERR_NONE;
}

static enum err check_id(unsigned id, struct diag *why)
{
	if (id == 0 || id > RELAY_REGION_ID_MAX)
		return diag_set(why, ERR_MALFORMED, "a region has a number from 1 to %d (900 to 999 by custom)", RELAY_REGION_ID_MAX);
	return ERR_NONE;
}

enum err act_relay_create(struct tx *tx, const struct actor *actor, const struct relay_region *region, const struct relay *relay, struct secret *secret,
			  unsigned *row, struct diag *why)
{
	struct relay made = *relay;
	enum err e;

	made.region = region->id;
	if ((e = check_id(region->id, why)) || (e = hostname_check(relay->node.name, why)) || (region->code.len && (e = hostname_check(region->code, why))) ||
	    (e = act_check_text(region->name, "regionName", REGION_NAME_MAX, why)) || (e = check_place(region->latitude, region->longitude, why)) ||
	    (relay->by_hand && (e = relaynode_check(&relay->node, why))))
		return e;
	secret_mint(SECRET_RELAY, secret);
	act_audit_named(tx, actor, "relay.create", relay->node.name);
	if (region->code.len) {
		act_audit(tx, actor, "region.create", region->id, NULL);
		regions_insert(tx, region);
	}
	*row = relays_insert(tx, &made, secret);
	return ERR_NONE;
}

void act_relay_delete(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "relay.delete", id, NULL);
	relays_remove(tx, id);
}

void act_relay_wish(struct tx *tx, const struct actor *actor, uint64_t id, bool drain)
{
	act_audit(tx, actor, drain ? "relay.drain" : "relay.serve", id, NULL);
	relays_wish(tx, id, drain);
}

static enum err check_change(const struct region_change *c, struct diag *why)
{
	enum err e;

	if ((c->code.at && (e = hostname_check(c->code, why))) || (e = act_check_text(c->name, "name", REGION_NAME_MAX, why)) ||
	    (e = check_place(c->latitude, c->longitude, why)))
		return e;
	if (!isnan(c->score) && !(c->score >= 0.001 && c->score <= SCORE_MAX))
		return diag_set(why, ERR_MALFORMED, "score goes from 0.001 to %d", SCORE_MAX);
	if ((c->set_rate && c->client_rate > rate_max) || (c->set_burst && c->client_burst > rate_max) || (c->set_tailnet_rate && c->tailnet_rate > rate_max) ||
	    (c->set_tailnet_burst && c->tailnet_burst > rate_max))
		return diag_set(why, ERR_MALFORMED, "a limit is too large");
	return ERR_NONE;
}

enum err act_region_create(struct tx *tx, const struct actor *actor, const struct region_change *change, struct diag *why)
{
	enum err e = check_id(change->id, why);

	if (!e && !change->code.at)
		e = diag_set(why, ERR_MALFORMED, "code is missing");
	if (!e)
		e = check_change(change, why);
	if (e)
		return e;
	act_audit(tx, actor, "region.create", change->id, NULL);
	regions_create(tx, change);
	return ERR_NONE;
}

enum err act_region_update(struct tx *tx, const struct actor *actor, const struct region_change *change, struct diag *why)
{
	enum err e = check_change(change, why);

	if (e)
		return e;
	act_audit(tx, actor, "region.update", change->id, NULL);
	regions_update(tx, change);
	return ERR_NONE;
}

void act_region_delete(struct tx *tx, const struct actor *actor, unsigned id)
{
	act_audit(tx, actor, "region.delete", id, NULL);
	regions_delete(tx, id);
}

void act_region_rotate(struct tx *tx, const struct actor *actor, unsigned id, const uint8_t *key, int64_t overlap_ms)
{
	act_audit(tx, actor, "region.rotate", id, NULL);
	regions_rotate(tx, id, key, overlap_ms);
}

enum err act_relay_token_create(struct tx *tx, const struct actor *actor, const struct relay_token *token, struct secret *secret, unsigned *row,
				struct diag *why)
{
	enum err e = act_check_text(token->description, "description", REGION_NAME_MAX, why);

	if (!e && !token->relay == !token->region)
		e = diag_set(why, ERR_MALFORMED, "a token is for a relay or for a region: give one of relayId and regionId");
	if (e)
		return e;
	secret_mint(SECRET_RELAY, secret);
	act_audit_named(tx, actor, "relaytoken.create", bytes_text(secret->prefix));
	*row = relay_tokens_insert(tx, token, secret);
	return ERR_NONE;
}

void act_relay_token_revoke(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "relaytoken.revoke", id, NULL);
	relay_tokens_revoke(tx, id);
}
