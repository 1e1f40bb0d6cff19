#include "ctl_users.h"

#include "ctl_body.h"
#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "text.h"

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Username", "name", NULL, 12, 0},
	{"Name", "displayName", NULL, 12, 3},
	{"Email", "email", NULL, 12, 2},
	{"Created", "createdAt", ctl_text_time, 0, 1},
	{0},
};

/* A name starts with a letter, so that digits are an id. */
const json_t *ctl_user_find(struct ctl *c, const char *id_or_name)
{
	uint64_t id;
	bool is_id = !text_parse_u64(bytes_text(id_or_name), INT64_MAX, &id);
	const json_t *answer = ctl_call(c, "GET", ctl_path(c, is_id ? "/api/v1/user?id=%s" : "/api/v1/user?name=%s", id_or_name), NULL);
	const json_t *user = json_array_get(json_object_get(answer, "users"), 0);

	/* Id 0 would mean all. */
	if (answer && (!user || (is_id && !id))) {
		ctl_fail(c, "there is no user %s: see `fleetscale users list`", id_or_name);
		return NULL;
	}
	return user;
}

const char *ctl_user_id(const json_t *user)
{
	const char *id = json_string_value(json_object_get(user, "id"));

	return id ? id : "";
}

const char *ctl_user_name(const json_t *user)
{
	const char *name = json_string_value(json_object_get(user, "name"));

	return name ? name : "";
}

static const struct ctl_flag create_flags[] = {
	{"display-name", 'd', false, CTL_TEXT, "TEXT", NULL, "the name that people read"},
	{"email", 'e', false, CTL_TEXT, "ADDRESS", NULL, "mail address"},
	{"picture-url", 'p', false, CTL_TEXT, "URL", NULL, "profile picture"},
	{0},
};

static const struct ctl_member create_members[] = {
	{"display-name", "displayName", CTL_BODY_TEXT}, {"email", "email", CTL_BODY_TEXT}, {"picture-url", "pictureUrl", CTL_BODY_TEXT}, {0}};

static void users_create(struct ctl *c)
{
	json_t *body = json_pack("{s:s}", "name", c->args[0]);

	ctl_body_put(c, body, create_members);
	ctl_show_one(c, json_object_get(ctl_call(c, "POST", "/api/v1/user", body), "user"), columns);
}

static const struct ctl_flag list_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "only this one"},
	{"name", 'n', false, CTL_TEXT, "NAME", NULL, "only this one"},
	{"email", 'e', false, CTL_TEXT, "ADDRESS", NULL, "only who has this address"},
	{0},
};

static void users_list(struct ctl *c)
{
	const char *id = ctl_flags_text(&c->flags, "identifier"), *name = ctl_flags_text(&c->flags, "name"), *email = ctl_flags_text(&c->flags, "email");
	const char *path = "/api/v1/user";

	if (!!id + !!name + !!email > 1) {
		ctl_misuse(c, "name one of --identifier, --name and --email");
		return;
	}
	if (id)
		path = ctl_path(c, "/api/v1/user?id=%s", id);
	else if (name)
		path = ctl_path(c, "/api/v1/user?name=%s", name);
	else if (email)
		path = ctl_path(c, "/api/v1/user?email=%s", email);
	ctl_show_list(c, json_object_get(ctl_call(c, "GET", path, NULL), "users"), columns);
}

/* The user that flags or a word name. */
static const json_t *find_named(struct ctl *c)
{
	const char *who = ctl_flags_text(&c->flags, "identifier");

	if (!who)
		who = ctl_subject(c, "name");
	return who ? ctl_user_find(c, who) : NULL;
}

static const struct ctl_flag one_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which user"},
	{"name", 'n', false, CTL_TEXT, "NAME", NULL, "which user"},
	{0},
};

static void users_destroy(struct ctl *c)
{
	const json_t *user = find_named(c);

	if (user && ctl_confirm(c, "Remove user %s (%s) and the auth keys that are theirs?", ctl_user_name(user), ctl_user_id(user)))
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/v1/user/%s", ctl_user_id(user)), NULL), "User %s is removed.", ctl_user_name(user));
}

static const struct ctl_flag rename_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which user"},
	{"name", 'n', false, CTL_TEXT, "NAME", NULL, "which user"},
	{"new-name", 'r', true, CTL_TEXT, "NAME", NULL, "the new name"},
	{0},
};

static void users_rename(struct ctl *c)
{
	const json_t *user = find_named(c);
	const char *name = ctl_flags_text(&c->flags, "new-name");

	if (user)
		ctl_show_one(c, json_object_get(ctl_call(c, "POST", ctl_path(c, "/api/v1/user/%s/rename/%s", ctl_user_id(user), name), NULL), "user"), columns);
}

static const struct ctl_column place_columns[] = {
	{"ID", "id", NULL, 0, 0}, {"Username", "name", NULL, 12, 0}, {"Role", "role", NULL, 0, 0}, {"Groups", "groups", ctl_text_list, 12, 1}, {0},
};

static const struct ctl_flag role_flags[] = {
	{"groups", 'g', false, CTL_LIST, "GROUPS", NULL, "outer groups (group:ops,group:dev), these and no others; \"\": none"},
	{0},
};

static void users_role(struct ctl *c)
{
	const json_t *user;
	json_t *body;

	if (!c->args[1] && !ctl_flags_given(&c->flags, "groups")) {
		ctl_misuse(c, "which role? See `fleetscale users role --help`");
		return;
	}
	user = ctl_user_find(c, c->args[0]);
	if (!user)
		return;
	body = json_object();
	if (c->args[1])
		json_object_set_new(body, "role", json_string(c->args[1]));
	if (ctl_flags_given(&c->flags, "groups"))
		json_object_set_new(body, "groups", ctl_flags_list(&c->flags, "groups"));
	ctl_show_one(c, json_object_get(ctl_call(c, "PATCH", ctl_path(c, "/api/fleetscale/v1/users/%s", ctl_user_id(user)), body), "user"), place_columns);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", "NAME", 1, 1, "Make a user", create_flags, users_create},
	{"list", "ls show", NULL, 0, 0, "Show the users", list_flags, users_list},
	{"rename", "mv", "[USER]", 0, 1, "Give a user another name", rename_flags, users_rename},
	{"role", NULL, "USER [ROLE]", 1, 2,
	 "Give a user a role (owner, admin, network-admin, it-admin, billing-admin, auditor, member); a new owner makes an admin of the one before", role_flags,
	 users_role},
	{"destroy", "delete", "[USER]", 0, 1, "Remove a user that has no nodes, with the user's auth keys", one_flags, users_destroy},
	{0},
};

const struct ctl_noun ctl_noun_users = {"users", "user", "The people and programs of a tailnet", verbs};
