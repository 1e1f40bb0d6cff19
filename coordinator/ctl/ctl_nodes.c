#include <stdio.h>
#include <unistd.h>

#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_table.h"
#include "ctl_users.h"
#include "text.h"

#define OWN "/api/fleetscale/v1/nodes"

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

static const char *text_approved(struct arena *arena, const json_t *approved)
{
	(void)arena;
	return json_is_false(approved) ? "waits" : "yes";
}

static const struct ctl_column list_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "givenName", NULL, 10, 0},
	{"Owner", NULL, text_owner, 10, 1},
	{"Addresses", "ipAddresses", ctl_text_list, 15, 0},
	{"State", NULL, text_state, 0, 0},
	{"Last seen", "lastSeen", ctl_text_time, 0, 2},
	{"Expires", "expiry", ctl_text_time, 0, 4},
	{"Approved", "approved", text_approved, 0, 3},
	{"Ephemeral", "ephemeral", ctl_text_yes, 0, 6},
	{"OS", "os", NULL, 6, 5},
	{"Version", "clientVersion", NULL, 7, 7},
	{"Hostname", "name", NULL, 10, 8},
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
	{"Approved", "approved", text_approved, 0, 0},
	{"Ephemeral", "ephemeral", ctl_text_yes, 0, 0},
	{"OS", "os", NULL, 0, 0},
	{"Client", "clientVersion", NULL, 0, 0},
	{"Capability", "capabilityVersion", NULL, 0, 0},
	{"Routes available", "availableRoutes", ctl_text_list, 0, 0},
	{"Routes approved", "approvedRoutes", ctl_text_list, 0, 0},
	{"Routes served", "primaryRoutes", ctl_text_list, 0, 0},
	{"Home region", "homeRegion", NULL, 0, 0},
	{"Endpoints", "endpoints", ctl_text_list, 0, 0},
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

/* Tagged nodes have no user. */
static const json_t *of_user(struct ctl *c, const json_t *nodes, const json_t *user)
{
	json_t *some = json_array(), *node;
	size_t i;

	ctl_keep(c, some);
	json_array_foreach(nodes, i, node) if (strcmp(ctl_user_id(json_object_get(node, "user")), ctl_user_id(user)) == 0) json_array_append(some, node);
	return nodes ? some : NULL;
}

/* In headscale's list they are what a node serves; our own API has another name for that. */
static void name_as_headscale(const json_t *nodes)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) if (json_is_array(json_object_get(node, "primaryRoutes")))
		json_object_set(node, "subnetRoutes", json_object_get(node, "primaryRoutes"));
}

static void nodes_list(struct ctl *c)
{
	const char *who = ctl_flags_text(&c->flags, "user");
	const json_t *user = who ? ctl_user_find(c, who) : NULL, *nodes;

	if (who && !user)
		return;
	nodes = ctl_call_list(c, OWN, "nodes", 0);
	name_as_headscale(nodes);
	ctl_show_list(c, user ? of_user(c, nodes, user) : nodes, list_columns);
}

static const struct ctl_flag one_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which node"},
	{0},
};

static void nodes_get(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier");

	if (id)
		show_node(c, ctl_call(c, "GET", ctl_path(c, OWN "/%s", id), NULL));
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
	const json_t *nodes = json_object_get(ctl_call(c, "GET", "/api/v1/node", NULL), "nodes");
	json_t *some = json_array(), *node;
	bool found = false;
	size_t i;

	ctl_keep(c, some);
	json_array_foreach(nodes, i, node)
	{
		node_id = json_string_value(json_object_get(node, "id"));
		if (id && (!node_id || strcmp(id, node_id) != 0))
			continue;
		found = true;
		if (has_routes(node))
			json_array_append(some, node);
	}
	if (nodes && id && !found)
		ctl_fail(c, "there is no node %s: see `fleetscale nodes list`", id);
	else if (nodes)
		ctl_show_list(c, some, route_columns);
}

static const struct ctl_flag register_flags[] = {
	{"user", 'u', true, CTL_TEXT, "USER", NULL, "who shall own it (name or id)"},
	{"key", 'k', true, CTL_TEXT, "ID", NULL, "the id that its login page shows"},
	{0},
};

static void nodes_register(struct ctl *c)
{
	const json_t *user = ctl_user_find(c, ctl_flags_text(&c->flags, "user"));

	if (user)
		show_node(c, ctl_call(c, "POST", ctl_path(c, "/api/v1/node/register?user=%s&key=%s", ctl_user_name(user), ctl_flags_text(&c->flags, "key")),
				      NULL));
}

static void nodes_backfill(struct ctl *c)
{
	const json_t *answer, *changes;

	if (!ctl_confirm(c, "Give every node that lacks one an address of each family?"))
		return;
	answer = ctl_call(c, "POST", "/api/v1/node/backfillips?confirmed=true", NULL);
	changes = json_object_get(answer, "changes");
	ctl_show_done(c, answer, "%zu addresses were given.", json_array_size(changes));
}

static const struct ctl_flag approval_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which node"},
	{"revoke", 0, false, CTL_SWITCH, NULL, NULL, "take the approval back: its peers are taken from it"},
	{0},
};

static void nodes_approve(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier");

	if (id)
		show_node(c, ctl_call(c, "POST", ctl_path(c, OWN "/%s/approve", id), json_pack("{s:b}", "approved", !ctl_flags_on(&c->flags, "revoke"))));
}

static const struct ctl_flag ping_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which node is asked"},
	{"type", 0, false, CTL_TEXT, "TYPE", "alive", "alive (does it answer us?), or how it pings the target: disco, TSMP, ICMP, peerapi"},
	{"target", 0, false, CTL_TEXT, "NODE", NULL, "whom it pings: id or address"},
	{"wait", 'w', false, CTL_SPAN, "DURATION", "10s", "how long an answer may take"},
	{0},
};

static const char *text_latency(struct arena *arena, const json_t *seconds)
{
	return arena_format(arena, "%.1f ms", json_number_value(seconds) * 1000);
}

static const char *text_region(struct arena *arena, const json_t *region)
{
	return json_integer_value(region) ? arena_format(arena, "%lld", (long long)json_integer_value(region)) : "";
}

static const struct ctl_column ping_columns[] = {
	{"Type", "type", NULL, 0, 0},
	{"Latency", "latencySeconds", text_latency, 0, 0},
	{"Target", "target", NULL, 0, 0},
	{"Name", "targetName", NULL, 0, 0},
	{"Endpoint", "endpoint", NULL, 0, 0},
	{"Relay region", "region", text_region, 0, 0},
	{0},
};

static void nodes_ping(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier"), *target = ctl_flags_text(&c->flags, "target"), *error;
	int64_t ms = ctl_flags_span(&c->flags, "wait");
	const json_t *ping;
	json_t *body;

	if (!id)
		return;
	body = json_pack("{s:s, s:I}", "type", ctl_flags_text(&c->flags, "type"), "timeoutSeconds", (json_int_t)(ms < 1000 ? 1 : ms / 1000));
	if (!target && c->arg_count > 1)
		target = c->args[1];
	if (target)
		json_object_set_new(body, "target", json_string(target));
	ping = json_object_get(ctl_call(c, "POST", ctl_path(c, OWN "/%s/ping", id), body), "ping");
	error = json_string_value(json_object_get(ping, "error"));
	if (error && *error)
		ctl_fail(c, "node %s says: %s", id, error);
	else
		ctl_show_one(c, ping, ping_columns);
}

static const struct ctl_flag debug_flags[] = {
	{"identifier", 'i', false, CTL_NUMBER, "ID", NULL, "which node is asked"},
	{"path", 'p', false, CTL_TEXT, "PATH", "/echo", "what is asked, such as /debug/goroutines, /debug/prefs, /sockstats"},
	{"method", 0, false, CTL_TEXT, "METHOD", NULL, "GET or POST, where the path knows both"},
	{"body", 'd', false, CTL_TEXT, "TEXT", NULL, "what is sent along"},
	{0},
};

/* As the node said it, but for a terminal: what is no text came as base64. */
static void print_body(struct ctl *c, const json_t *answer)
{
	const char *body = json_string_value(json_object_get(answer, "body")), *encoding = json_string_value(json_object_get(answer, "encoding"));
	struct buffer raw;

	if (body && isatty(fileno(c->out))) {
		ctl_table_print_text(c->out, body);
		putc('\n', c->out);
		return;
	}
	if (!body || !encoding || strcmp(encoding, "base64") != 0) {
		ctl_show_text(c, json_object_get(answer, "body"), answer);
		return;
	}
	buffer_init(&raw, strlen(body));
	if (base64_decode(bytes_text(body), &raw))
		ctl_fail(c, "the answer is not base64");
	else
		fwrite(raw.at, 1, raw.len, c->out);
	buffer_clear(&raw);
}

static void nodes_debug(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier");
	const json_t *answer;
	json_t *body = json_object();

	for (const struct ctl_flag *flag = debug_flags + 1; flag->name; flag++)
		if (ctl_flags_text(&c->flags, flag->name))
			json_object_set_new(body, flag->name, json_string(ctl_flags_text(&c->flags, flag->name)));
	if (!id) {
		json_decref(body);
		return;
	}
	answer = json_object_get(ctl_call(c, "POST", ctl_path(c, OWN "/%s/debug", id), body), "answer");
	if (answer && c->form == CTL_TABLE)
		print_body(c, answer);
	else if (answer)
		ctl_show_any(c, answer);
}

static const struct ctl_column attribute_columns[] = {
	{"Key", "key", NULL, 12, 0},
	{"Value", "value", ctl_text_json, 12, 0},
	{"Source", "source", NULL, 0, 1},
	{"Updated", "updatedAt", ctl_text_time, 0, 3},
	{"Ends", "expiry", ctl_text_time, 0, 2},
	{"Comment", "comment", NULL, 12, 4},
	{0},
};

static void nodes_attributes(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "identifier");

	if (id)
		ctl_show_list(c, ctl_call_list(c, ctl_path(c, OWN "/%s/attributes", id), "attributes", 0), attribute_columns);
}

static const struct ctl_flag set_flags[] = {
	{"identifier", 'i', true, CTL_NUMBER, "ID", NULL, "which node"},
	{"expiry", 'e', false, CTL_WHEN, "WHEN", NULL, "when it ends by itself (usually never)"},
	{"comment", 0, false, CTL_TEXT, "TEXT", NULL, "why, for people"},
	{"text", 0, false, CTL_SWITCH, NULL, NULL, "the value is a text, also when it reads as a number, true or false"},
	{0},
};

/* A number, true or false as rules compare them; else a text. */
static json_t *value_of(const char *word, bool text)
{
	json_t *value = text ? NULL : json_loads(word, JSON_DECODE_ANY, NULL);

	if (json_is_number(value) || json_is_boolean(value))
		return value;
	json_decref(value);
	return json_string(word);
}

static void nodes_set_attribute(struct ctl *c)
{
	const char *when = ctl_flags_when(&c->flags, "expiry", c->arena), *comment = ctl_flags_text(&c->flags, "comment");
	const json_t *answer;
	json_t *body = json_object();

	json_object_set_new(body, "value", value_of(c->args[1], ctl_flags_on(&c->flags, "text")));
	if (when)
		json_object_set_new(body, "expiry", json_string(when));
	if (comment)
		json_object_set_new(body, "comment", json_string(comment));
	answer = ctl_call(c, "PUT", ctl_path(c, OWN "/%s/attributes/%s", ctl_flags_text(&c->flags, "identifier"), c->args[0]), body);
	if (answer)
		ctl_show_one(c, json_object_get(answer, "attribute"), attribute_columns);
}

static void nodes_delete_attribute(struct ctl *c)
{
	const char *path = ctl_path(c, OWN "/%s/attributes/%s", ctl_flags_text(&c->flags, "identifier"), c->args[0]);

	ctl_show_done(c, ctl_call(c, "DELETE", path, NULL), "The attribute is gone.");
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the nodes", list_flags, nodes_list},
	{"get", NULL, "[ID]", 0, 1, "Show one node whole", one_flags, nodes_get},
	{"register", NULL, NULL, 0, 0, "Finish an interactive login (older way to say `auth register`)", register_flags, nodes_register},
	{"approve", NULL, "[ID]", 0, 1, "Let a node that waits for approval have its peers", approval_flags, nodes_approve},
	{"rename", NULL, "NAME", 1, 1, "Give a node another name", required_flags, nodes_rename},
	{"tag", "tags t", NULL, 0, 0, "Set a node's tags", tag_flags, nodes_tag},
	{"expire", "logout exp e", "[ID]", 0, 1, "End a node's key, so that it must log in again", expire_flags, nodes_expire},
	{"delete", "del", "[ID]", 0, 1, "Remove a node", one_flags, nodes_delete},
	{"list-routes", "lsr routes", NULL, 0, 0, "Show the nodes that offer routes", one_flags, nodes_list_routes},
	{"approve-routes", NULL, NULL, 0, 0, "Set which of a node's routes may be used", approve_flags, nodes_approve_routes},
	{"backfillips", NULL, NULL, 0, 0, "Give every node that lacks one an address of each family", NULL, nodes_backfill},
	{"ping", NULL, "[ID] [TARGET]", 0, 2, "Ask a node whether it answers, or let it ping another one", ping_flags, nodes_ping},
	{"debug", NULL, "[ID]", 0, 1, "Ask a node's client a question of support (c2n)", debug_flags, nodes_debug},
	{"attributes", "attrs", "[ID]", 0, 1, "Show the device attributes of a node: reported by its client, told by itself, set by administrators", one_flags,
	 nodes_attributes},
	{"set-attribute", NULL, "KEY VALUE", 2, 2, "Set a device attribute of a node (custom:...), for rules that ask for it", set_flags, nodes_set_attribute},
	{"delete-attribute", NULL, "KEY", 1, 1, "Delete a device attribute of a node", required_flags, nodes_delete_attribute},
	{0},
};

const struct ctl_noun ctl_noun_nodes = {"nodes", "node", "The machines of a tailnet", verbs};
