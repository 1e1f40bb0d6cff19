#include "act_user.h"

/* What every peer is told of it: a profile must stay small. An address has at most 320 bytes (RFC 3696, errata). */
enum { DISPLAY_NAME_MAX = 255, EMAIL_MAX = 320, PICTURE_URL_MAX = 2048 };

enum err act_user_create(struct tx *tx, const struct actor *actor, const struct user *user, unsigned *row, struct diag *why)
{
	enum err e = user_check_name(user->name, why);

	if (!e)
		e = act_check_text(user->display_name, "displayName", DISPLAY_NAME_MAX, why);
	if (!e)
		e = act_check_text(user->email, "email", EMAIL_MAX, why);
	if (!e)
		e = act_check_text(user->picture_url, "pictureUrl", PICTURE_URL_MAX, why);
	if (e)
		return e;
	act_audit_named(tx, actor, "user.create", user->name);
	*row = users_insert(tx, user);
	return ERR_NONE;
}

enum err act_user_rename(struct tx *tx, const struct actor *actor, uint64_t id, struct bytes name, unsigned *row, struct diag *why)
{
	enum err e = user_check_name(name, why);

	if (e)
		return e;
	act_audit(tx, actor, "user.rename", id, NULL);
	*row = users_rename(tx, id, name);
	return ERR_NONE;
}

enum err act_user_place(struct tx *tx, const struct actor *actor, uint64_t id, const struct user_place *place, unsigned *row, struct diag *why)
{
	unsigned roles = ROLE_MEMBER;
	enum err e = place->role.at ? user_parse_role(place->role, &roles, why) : ERR_NONE;

	if (!e && place->has_groups)
		e = user_check_groups(place->groups, place->group_count, why);
	if (e)
		return e;
	act_audit(tx, actor, "user.update", id, NULL);
	if (place->role.at)
		users_set_role(tx, id, roles);
	if (place->has_groups)
		users_set_groups(tx, id, place->groups, place->group_count);
	*row = users_get(tx, id);
	return ERR_NONE;
}

void act_user_delete(struct tx *tx, const struct actor *actor, uint64_t id)
{
	act_audit(tx, actor, "user.delete", id, NULL);
	users_delete(tx, id);
}
