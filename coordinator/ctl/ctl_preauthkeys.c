#include <stdlib.h>

#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_users.h"

static const char *text_owner(struct arena *arena, const json_t *key)
{
	const json_t *tags = json_object_get(key, "tags");

	return json_array_size(tags) ? ctl_text_list(arena, tags) : ctl_user_name(json_object_get(key, "user"));
}

static const char *text_used(struct arena *arena, const json_t *key)
{
	json_int_t most = json_integer_value(json_object_get(key, "usesMost"));

	if (most)
		return arena_format(arena, "%lld of %lld", (long long)json_integer_value(json_object_get(key, "uses")), (long long)most);
	return json_is_true(json_object_get(key, "used")) ? "yes" : "no";
}

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Key", "key", NULL, 16, 0},
	{"Owner", NULL, text_owner, 10, 0},
	{"Reusable", "reusable", ctl_text_yes, 0, 2},
	{"Ephemeral", "ephemeral", ctl_text_yes, 0, 3},
	{"Preapproved", "preapproved", ctl_text_yes, 0, 5},
	{"Used", NULL, text_used, 0, 1},
	{"Expires", "expiration", ctl_text_time, 0, 0},
	{"Created", "createdAt", ctl_text_time, 0, 4},
	{"Description", "description", NULL, 10, 6},
	{0},
};

static const struct ctl_flag create_flags[] = {
	{"user", 'u', false, CTL_TEXT, "USER", NULL, "whose nodes it makes (name or id); needed unless there are tags"},
	{"reusable", 0, false, CTL_SWITCH, NULL, NULL, "more than one node may join with it"},
	{"ephemeral", 0, false, CTL_SWITCH, NULL, NULL, "its nodes are removed when they fall silent"},
	{"uses", 0, false, CTL_NUMBER, "N", NULL, "with --reusable: good for that many machines"},
	{"expiration", 'e', false, CTL_WHEN, "WHEN", "1h", "good for that duration, or until that time"},
	{"tags", 't', false, CTL_LIST, "TAGS", NULL, "its nodes belong to these tags (tag:a,tag:b) instead of a user"},
	{"preapproved", 0, false, CTL_SWITCH, NULL, NULL, "its nodes need no approval, where the tailnet asks for it"},
	{"description", 'd', false, CTL_TEXT, "TEXT", NULL, "what it is for"},
	{0},
};

/* headscale's API knows neither description nor pre-approval; ours has all, and tells tags as `aclTags` for those who know headscale's. */
static const json_t *create(struct ctl *c, const char *user, json_t *tags)
{
	const struct ctl_flags *f = &c->flags;
	const char *description = ctl_flags_text(f, "description");
	const char *uses = ctl_flags_text(f, "uses");
	bool preapproved = ctl_flags_on(f, "preapproved"), is_own = description || preapproved || uses;
	json_t *body = json_pack("{s:b, s:b, s:s, s:O}", "reusable", ctl_flags_on(f, "reusable"), "ephemeral", ctl_flags_on(f, "ephemeral"), "expiration",
				 ctl_flags_when(f, "expiration", c->arena), is_own ? "tags" : "aclTags", tags);
	json_t *key;

	if (!is_own) {
		json_object_set_new(body, "user", json_string(user));
		return json_object_get(ctl_call(c, "POST", "/api/v1/preauthkey", body), "preAuthKey");
	}
	if (*user)
		json_object_set_new(body, "user", json_string(user));
	if (uses)
		json_object_set_new(body, "usesMost", json_integer(strtoll(uses, NULL, 10)));
	json_object_set_new(body, "preapproved", json_boolean(preapproved));
	json_object_set_new(body, "description", json_string(description ? description : ""));
	key = json_object_get(ctl_call(c, "POST", "/api/fleetscale/v1/authkeys", body), "authKey");
	if (key)
		json_object_set(key, "aclTags", json_object_get(key, "tags"));
	return key;
}

static void preauthkeys_create(struct ctl *c)
{
	const char *who = ctl_flags_text(&c->flags, "user");
	const json_t *user = NULL, *key;
	json_t *tags = ctl_flags_list(&c->flags, "tags");

	ctl_keep(c, tags);
	if (!who && !json_array_size(tags)) {
		ctl_misuse(c, "--user USER or --tags TAGS is missing: who shall own its nodes?");
		return;
	}
	if (who && !(user = ctl_user_find(c, who)))
		return;
	key = create(c, user ? ctl_user_id(user) : "", tags);
	ctl_show_text(c, json_object_get(key, "key"), key);
}

static void preauthkeys_list(struct ctl *c)
{
	const json_t *keys = ctl_call_list(c, "/api/fleetscale/v1/authkeys", "authKeys", 0);
	json_t *key;
	size_t i;

	json_array_foreach(keys, i, key) json_object_set(key, "aclTags", json_object_get(key, "tags"));
	ctl_show_list(c, keys, columns);
}

static const struct ctl_flag one_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "ID", NULL, "which key"},
	{0},
};

static void preauthkeys_expire(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id)
		ctl_show_done(c, ctl_call(c, "POST", "/api/v1/preauthkey/expire", json_pack("{s:s}", "id", id)), "Auth key %s lets nobody in any more.", id);
}

static void preauthkeys_delete(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id)
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/v1/preauthkey?id=%s", id), NULL), "Auth key %s is removed.", id);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", NULL, 0, 0, "Make an auth key and print it, this once", create_flags, preauthkeys_create},
	{"list", "ls show", NULL, 0, 0, "Show the auth keys, without their secrets", NULL, preauthkeys_list},
	{"expire", "revoke exp e", "[ID]", 0, 1, "End an auth key; nodes that joined with it stay", one_flags, preauthkeys_expire},
	{"delete", "del rm d", "[ID]", 0, 1, "Remove an auth key; nodes that joined with it stay", one_flags, preauthkeys_delete},
	{0},
};

const struct ctl_noun ctl_noun_preauthkeys = {"preauthkeys", "preauthkey authkeys authkey pre", "The keys by which machines join", verbs};
