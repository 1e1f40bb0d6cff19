#include "act_attribute.h"

static enum err check(const struct attribute *a, struct diag *why)
{
	enum err e = attribute_check_key(a->key, why);

	if (!e && !bytes_starts(a->key, "custom:"))
		e = diag_set(why, ERR_MALFORMED, "an attribute that is set here begins with custom:");
	if (!e && !a->value.len)
		e = diag_set(why, ERR_MALFORMED, "value: say which, or delete the attribute");
	if (!e && wall_passed(a->expiry, clock_wall()))
		e = diag_set(why, ERR_MALFORMED, "expiry is a time that has passed");
	return e ? e : act_check_text(a->note, "comment", ATTRIBUTE_NOTE_MAX, why);
}

enum err act_attribute_give(struct tx *tx, const struct actor *actor, uint64_t node, const struct attribute *attribute, struct diag *why)
{
	enum err e = check(attribute, why);

	if (e)
		return e;
	act_audit(tx, actor, "node.set-attribute", node, act_detail(tx, arena_text(tx_arena(tx), attribute->key), attribute->value));
	attributes_give(tx, node, attribute);
	return ERR_NONE;
}

void act_attribute_drop(struct tx *tx, const struct actor *actor, uint64_t node, struct bytes key)
{
	act_audit(tx, actor, "node.delete-attribute", node, act_detail(tx, "key", key));
	attributes_drop(tx, node, key);
}
