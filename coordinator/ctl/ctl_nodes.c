#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_users.h"

static const char *text_owner(struct arena *arena, const json_t *node)
{
	const json_t *tags = json_object_get(node, "tags");

	return json_array_size(tags) ? ctl_text_list(arena, tags) : ctl_user_name(json_object_get(node, "user"));
}

static const char *text_state(struct arena *arena, const json_t *node)
{
	(void)arena;
	if (ctl_time_passed(json_object_get(node, "expiry")))
		return "expired";
	return json_is_true(json_object_get(node, "online")) ? "online" : "offline";
}

static const struct ctl_column list_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "givenName", NULL, 10, 0},
	{"Owner", NULL, text_owner, 10, 1},
	{"Addresses", "ipAddresses", ctl_text_list, 15, 0},
	{"State", NULL, text_state, 0, 0},
	{"Last seen", "lastSeen", ctl_text_time, 0, 2},
	{"Expires", "expiry", ctl_text_time, 0, 3},
	{"Ephemeral", "preAuthKey.ephemeral", ctl_text_yes, 0, 4},
	{"Hostname", "name", NULL, 10, 5},
	{0},
};

static const struct ctl_column one_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "givenName", NULL, 0, 0},
	{"Hostname", "name", NULL, 0, 0},
	{"Owner", NULL, text_owner, 0, 0},
	{"Addresses", "ipAddresses", ctl_text_list, 0, 0},
	{"State", NULL, text_state, 0, 0},
	{"Last seen", "lastSeen", ctl_text_time, 0, 0},
	{"Expires", "expiry", ctl_text_time, 0, 0},
	{"Created", "createdAt", ctl_text_time, 0, 0},
	{"Ephemeral", "preAuthKey.ephemeral", ctl_text_yes, 0, 0},
	{"Routes available", "availableRoutes", ctl_text_list, 0, 0},
	{"Routes approved", "approvedRoutes", ctl_text_list, 0, 0},
	{"Routes served", "subnetRoutes", ctl_text_list, 0, 0},
	{"Machine key", "machineKey", NULL, 0, 0},
	{"Node key", "nodeKey", NULL, 0, 0},
	{0},
};

static const struct ctl_column route_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "givenName", NULL, 10, 0},
	{"Approved", "approvedRoutes", ctl_text_list, 16, 0},
	{"Available", "availableRoutes", ctl_text_list, 16, 0},
	{"Serving", "subnetRoutes", ctl_text_list, 16, 0},
	{0},
};

static void show_node(struct ctl *c, const json_t *answer)
{
	ctl_show_one(c, json_object_get(answer, "node"), one_columns);
}

static const struct ctl_flag list_flags[] = {
	{"user", 'u', false, CTL_TEXT, "USER", NULL, "only nodes of this user (name or id)"},
	{0},
};

static void nodes_list(struct ctl *c)
{
	const char *who = ctl_flags_text(&c->flags, "user"), *path = "/api/v1/node";

	if (who) {
		const json_t *user = ctl_user_find(c, who);

		if (!user)
			return;
		path = ctl_path(c, "/api/v1/node?user=%s", ctl_user_name(user));
	}
	ctl_show_list(c, json_object_get(ctl_call(c, "GET", path, NULL), "nodes"), list_columns);
}

static const struct ctl_flag one_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which node"},
	{0},
};

static void nodes_get(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier");

	if (id)
		show_node(c, ctl_call(c, "GET", ctl_path(c, "/api/v1/node/%s", id), NULL));
}

static void nodes_delete(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier");

	if (id && ctl_confirm(c, "Remove node %s?", id))
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/v1/node/%s", id), NULL), "Node %s is removed.", id);
}

static const struct ctl_flag expire_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which node"},
	{"expiry", 'e', false, CTL_WHEN, "WHEN", NULL, "at that time or after that duration, instead of now"},
	{"disable", 'd', false, CTL_SWITCH, NULL, NULL, "never"},
	{0},
};

static void nodes_expire(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier"), *when = ctl_flags_when(&c->flags, "expiry", c->arena);
	bool never = ctl_flags_on(&c->flags, "disable");
	json_t *body = NULL;

	if (!id)
		return;
	if (when && never) {
		ctl_misuse(c, "--expiry and --disable contradict each other");
		return;
	}
	if (never)
		body = json_pack("{s:b}", "disableExpiry", 1);
	else if (when)
		body = json_pack("{s:s}", "expiry", when);
	show_node(c, ctl_call(c, "POST", ctl_path(c, "/api/v1/node/%s/expire", id), body));
}

static const struct ctl_flag required_flags[] = {
	{"identifier", 'i', true, CTL_NUMBER, "ID", NULL, "which node"},
	{0},
};

static void nodes_rename(struct ctl *c)
{
	show_node(c, ctl_call(c, "POST", ctl_path(c, "/api/v1/node/%s/rename/%s", ctl_flags_text(&c->flags, "identifier"), c->args[0]), NULL));
}

static const struct ctl_flag tag_flags[] = {
	{"identifier", 'i', true, CTL_NUMBER, "ID", NULL, "which node"},
	{"tags", 't', true, CTL_LIST, "TAGS", NULL, "tag:a,tag:b: all the tags that it shall have; its user is taken off it"},
	{0},
};

static void nodes_tag(struct ctl *c)
{
	json_t *body = json_pack("{s:o}", "tags", ctl_flags_list(&c->flags, "tags"));

	show_node(c, ctl_call(c, "POST", ctl_path(c, "/api/v1/node/%s/tags", ctl_flags_text(&c->flags, "identifier")), body));
}

static const struct ctl_flag approve_flags[] = {
	{"identifier", 'i', true, CTL_NUMBER, "ID", NULL, "which node"},
	{"routes", 'r', true, CTL_LIST, "PREFIXES", NULL, "10.0.0.0/8,::/0: all that shall be approved; \"\" for none"},
	{0},
};

static void nodes_approve_routes(struct ctl *c)
{
	json_t *body = json_pack("{s:o}", "routes", ctl_flags_list(&c->flags, "routes"));

	show_node(c, ctl_call(c, "POST", ctl_path(c, "/api/v1/node/%s/approve_routes", ctl_flags_text(&c->flags, "identifier")), body));
}

static bool has_routes(const json_t *node)
{
	return json_array_size(json_object_get(node, "availableRoutes")) || json_array_size(json_object_get(node, "approvedRoutes"));
}

static void nodes_list_routes(struct ctl *c)
{
	const char *id = ctl_flags_text(&c->flags, "identifier"), *node_id;
	const json_t *answer = ctl_call(c, "GET", "/api/v1/node", NULL);
	json_t *some = json_array(), *node;
	bool found = false;
	size_t i;

	ctl_keep(c, some);
	json_array_foreach(json_object_get(answer, "nodes"), i, node)
	{
		node_id = json_string_value(json_object_get(node, "id"));
		if (id && (!node_id || strcmp(id, node_id) != 0))
			continue;
		found = true;
		if (has_routes(node))
			json_array_append(some, node);
	}
	if (answer && id && !found)
		ctl_fail(c, "there is no node %s: see `fleetscale nodes list`", id);
	else if (answer)
		ctl_show_list(c, some, route_columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the nodes", list_flags, nodes_list},
	{"get", NULL, "[ID]", 0, 1, "Show one node whole", one_flags, nodes_get},
	{"rename", NULL, "NAME", 1, 1, "Give a node another name", required_flags, nodes_rename},
	{"tag", "tags t", NULL, 0, 0, "Set a node's tags", tag_flags, nodes_tag},
	{"expire", "logout exp e", "[ID]", 0, 1, "End a node's key, so that it must log in again", expire_flags, nodes_expire},
	{"delete", "del", "[ID]", 0, 1, "Remove a node", one_flags, nodes_delete},
	{"list-routes", "lsr routes", NULL, 0, 0, "Show the nodes that offer routes", one_flags, nodes_list_routes},
	{"approve-routes", NULL, NULL, 0, 0, "Set which of a node's routes may be used", approve_flags, nodes_approve_routes},
	{0},
};

const struct ctl_noun ctl_noun_nodes = {"nodes", "node", "The machines of a tailnet", verbs, NULL};
