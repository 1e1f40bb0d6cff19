#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Prefix", "prefix", NULL, 16, 0},
	{"Expires", "expiration", ctl_text_time, 0, 0},
	{"Created", "createdAt", ctl_text_time, 0, 2},
	{"Last used", "lastSeen", ctl_text_time, 0, 1},
	{0},
};

static const struct ctl_flag create_flags[] = {
	{"expiration", 'e', false, CTL_WHEN, "WHEN", "90d", "good for that duration, or until that time"},
	{"scopes", 's', false, CTL_LIST, "SCOPES", NULL,
	 "what it may do (nodes, users, authkeys, apikeys, settings, audits, operator; NAME:read to look only; usually all)"},
	{"description", 'd', false, CTL_TEXT, "TEXT", NULL, "what it is for"},
	{0},
};

/* {"apiKey": TEXT, "key": {...}} */
static const json_t *create_own(struct ctl *c)
{
	const char *description = ctl_flags_text(&c->flags, "description");
	json_t *scopes = ctl_flags_list(&c->flags, "scopes");

	if (!json_array_size(scopes))
		json_array_append_new(scopes, json_string("all"));
	return ctl_call(c, "POST", "/api/fleetscale/v1/keys",
			json_pack("{s:s, s:s, s:o}", "expiration", ctl_flags_when(&c->flags, "expiration", c->arena), "description",
				  description ? description : "", "scopes", scopes));
}

static void apikeys_create(struct ctl *c)
{
	bool is_own = ctl_flags_given(&c->flags, "scopes") || ctl_flags_given(&c->flags, "description");
	const json_t *answer, *key;

	if (is_own)
		answer = create_own(c);
	else
		answer = ctl_call(c, "POST", "/api/v1/apikey", json_pack("{s:s}", "expiration", ctl_flags_when(&c->flags, "expiration", c->arena)));
	key = json_object_get(answer, "apiKey");
	ctl_show_text(c, key, key);
}

static void apikeys_list(struct ctl *c)
{
	ctl_show_list(c, json_object_get(ctl_call(c, "GET", "/api/v1/apikey", NULL), "apiKeys"), columns);
}

static const struct ctl_flag one_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "ID", NULL, "which key"},
	{"prefix", 'p', false, CTL_TEXT, "PREFIX", NULL, "which key"},
	{0},
};

/* Exactly one of id and prefix, the first word being an id. */
static bool find_one(struct ctl *c, const char **id, const char **prefix)
{
	*prefix = ctl_flags_text(&c->flags, "prefix");
	*id = *prefix && !ctl_flags_given(&c->flags, "id") && !c->arg_count ? NULL : ctl_subject_id(c, "id");
	if (*prefix && *id)
		ctl_misuse(c, "name either --id or --prefix");
	return !c->status;
}

static void apikeys_expire(struct ctl *c)
{
	const char *id, *prefix;

	if (find_one(c, &id, &prefix))
		ctl_show_done(c, ctl_call(c, "POST", "/api/v1/apikey/expire", json_pack("{s:s}", id ? "id" : "prefix", id ? id : prefix)),
			      "API key %s is good for nothing any more.", id ? id : prefix);
}

/* The API wants a prefix in the path. */
static const char *prefix_of_id(struct ctl *c, const char *id)
{
	const json_t *answer = ctl_call(c, "GET", "/api/v1/apikey", NULL), *key;
	size_t i;

	json_array_foreach(json_object_get(answer, "apiKeys"), i, key)
	{
		const char *known = json_string_value(json_object_get(key, "id"));

		if (known && strcmp(known, id) == 0)
			return json_string_value(json_object_get(key, "prefix"));
	}
	if (answer)
		ctl_fail(c, "there is no API key %s: see `fleetscale apikeys list`", id);
	return NULL;
}

static void apikeys_delete(struct ctl *c)
{
	const char *id, *prefix;

	if (!find_one(c, &id, &prefix))
		return;
	if (id)
		prefix = prefix_of_id(c, id);
	if (prefix)
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/v1/apikey/%s", prefix), NULL), "API key %s is removed.", prefix);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", NULL, 0, 0, "Make an API key and print it, this once", create_flags, apikeys_create},
	{"list", "ls show", NULL, 0, 0, "Show the API keys, without their secrets", NULL, apikeys_list},
	{"expire", "revoke exp e", "[ID]", 0, 1, "End an API key", one_flags, apikeys_expire},
	{"delete", "remove del", "[ID]", 0, 1, "Remove an API key", one_flags, apikeys_delete},
	{0},
};

const struct ctl_noun ctl_noun_apikeys = {"apikeys", "apikey api", "The keys of programs that administer: a tailnet's with --tailnet, else the operator's",
					  verbs};

/* --- with all that they have ----------------------------------------------------------------------------------------------------------------- */

static const struct ctl_column own_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Prefix", "prefix", NULL, 12, 0},
	{"Scopes", "scopes", ctl_text_list, 10, 0},
	{"Expires", "expiration", ctl_text_time, 0, 0},
	{"Revoked", "revokedAt", ctl_text_time, 0, 1},
	{"Created", "createdAt", ctl_text_time, 0, 3},
	{"Last used", "lastUsed", ctl_text_time, 0, 2},
	{"Description", "description", NULL, 10, 4},
	{0},
};

static void keys_create(struct ctl *c)
{
	const json_t *answer = create_own(c);

	ctl_show_text(c, json_object_get(answer, "apiKey"), answer);
}

static void keys_list(struct ctl *c)
{
	ctl_show_list(c, ctl_call_list(c, "/api/fleetscale/v1/keys", "keys", 0), own_columns);
}

static const struct ctl_flag id_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "ID", NULL, "which key"},
	{0},
};

static void keys_delete(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id)
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/fleetscale/v1/keys/%s", id), NULL), "API key %s is removed.", id);
}

static const struct ctl_verb key_verbs[] = {
	{"create", "c new", NULL, 0, 0, "Make an API key and print it, this once", create_flags, keys_create},
	{"list", "ls show", NULL, 0, 0, "Show the API keys with scopes and descriptions", NULL, keys_list},
	{"delete", "del rm", "[ID]", 0, 1, "Remove an API key", id_flags, keys_delete},
	{0},
};

const struct ctl_noun ctl_noun_keys = {"keys", "key", "API keys with scopes and descriptions, as our own API has them", key_verbs};
