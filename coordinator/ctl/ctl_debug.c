#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_users.h"

static const struct ctl_flag create_flags[] = {
	{"name", 0, true, CTL_TEXT, "NAME", NULL, "its host name"},
	{"user", 'u', true, CTL_TEXT, "USER", NULL, "who shall own it (name or id)"},
	{"key", 'k', true, CTL_TEXT, "ID", NULL, "the login's id; `auth register` then lets it in"},
	{"route", 'r', false, CTL_LIST, "PREFIXES", NULL, "routes that it offers"},
	{0},
};

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "name", NULL, 0, 0},
	{"Owner", "user.name", NULL, 0, 0},
	{"Machine key", "machineKey", NULL, 0, 0},
	{"Routes available", "availableRoutes", ctl_text_list, 0, 0},
	{0},
};

static void debug_create_node(struct ctl *c)
{
	const json_t *user = ctl_user_find(c, ctl_flags_text(&c->flags, "user"));
	const json_t *answer;

	if (!user)
		return;
	answer = ctl_call(c, "POST", "/api/v1/debug/node",
			  json_pack("{s:s, s:s, s:s, s:o}", "user", ctl_user_name(user), "key", ctl_flags_text(&c->flags, "key"), "name",
				    ctl_flags_text(&c->flags, "name"), "routes", ctl_flags_list(&c->flags, "route")));
	ctl_show_one(c, json_object_get(answer, "node"), columns);
}

static const struct ctl_verb verbs[] = {
	{"create-node", NULL, NULL, 0, 0, "Begin a login of a made-up machine, for trying things out", create_flags, debug_create_node},
	{0},
};

const struct ctl_noun ctl_noun_debug = {"debug", NULL, "For trying things out", verbs};
