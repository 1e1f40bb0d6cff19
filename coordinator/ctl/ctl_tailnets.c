#include <stdlib.h>

#include "ctl_body.h"
#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_sql.h"

#define PATH "/api/fleetscale/v1/tailnets"

static const char *text_state(struct arena *arena, const json_t *tailnet)
{
	bool frozen = json_is_true(json_object_get(tailnet, "frozen")), suspended = json_is_true(json_object_get(tailnet, "suspended"));

	(void)arena;
	if (suspended)
		return frozen ? "suspended, frozen" : "suspended";
	return frozen ? "frozen" : "open";
}

static const char *text_limit(struct arena *arena, const json_t *limit)
{
	return json_integer_value(limit) ? arena_format(arena, "%lld", (long long)json_integer_value(limit)) : "-";
}

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "name", NULL, 12, 0},
	{"Domain", "domain", NULL, 16, 0},
	{"State", NULL, text_state, 0, 0},
	{"Display name", "displayName", NULL, 12, 2},
	{"Login host", "loginHost", NULL, 12, 3},
	{"Nodes at most", "nodeLimit", text_limit, 0, 5},
	{"Users at most", "userLimit", text_limit, 0, 6},
	{"Relay rate", "relayBytesPerSecond", text_limit, 0, 8},
	{"Relay burst", "relayBurstBytes", text_limit, 0, 8},
	{"IPv4", "ipv4Range", NULL, 0, 1},
	{"IPv6", "ipv6Range", NULL, 0, 7},
	{"Created", "createdAt", ctl_text_time, 0, 4},
	{0},
};

#define CHANGES \
	{"display-name", 'd', false, CTL_TEXT, "TEXT", NULL, "the name that people read"}, \
		{"node-limit", 0, false, CTL_NUMBER, "NUMBER", NULL, "at most so many nodes; 0: any number"}, \
		{"user-limit", 0, false, CTL_NUMBER, "NUMBER", NULL, "at most so many users; 0: any number"}, \
		{"relay-rate", \
		 0, \
		 false, \
		 CTL_NUMBER, \
		 "BYTES", \
		 NULL, \
		 "bytes a second that its clients together may send through one relay; 0: as the region has it"}, \
		{"relay-burst", 0, false, CTL_NUMBER, "BYTES", NULL, "bytes at once that they may send"}, \
	{ \
		"login-host", 0, false, CTL_TEXT, "HOST", NULL, \
			"a host name of the login server that chooses this tailnet for interactive logins; \"\" for none" \
	}

static const struct ctl_flag create_flags[] = {
	{"domain", 0, false, CTL_TEXT, "DOMAIN", NULL, "MagicDNS domain (NAME.base_domain unless given)"},
	{"ipv4-range", 0, false, CTL_TEXT, "PREFIX", NULL, "where its addresses come from (100.64.0.0/10 unless given)"},
	{"ipv6-range", 0, false, CTL_TEXT, "PREFIX", NULL, "likewise (fd7a:115c:a1e0::/48 unless given)"},
	CHANGES,
	{0},
};

static const struct ctl_flag set_flags[] = {CHANGES, {0}};

/* What flags say, into a body. */
static const struct ctl_member change_members[] = {
	{"display-name", "displayName", CTL_BODY_TEXT},
	{"login-host", "loginHost", CTL_BODY_TEXT},
	{"node-limit", "nodeLimit", CTL_BODY_INT},
	{"user-limit", "userLimit", CTL_BODY_INT},
	{"relay-rate", "relayBytesPerSecond", CTL_BODY_INT},
	{"relay-burst", "relayBurstBytes", CTL_BODY_INT},
	{0},
};

static const struct ctl_member create_members[] = {
	{"domain", "domain", CTL_BODY_TEXT}, {"ipv4-range", "ipv4Range", CTL_BODY_TEXT}, {"ipv6-range", "ipv6Range", CTL_BODY_TEXT}, {0}};

static void tailnets_create(struct ctl *c)
{
	json_t *body = json_pack("{s:s}", "name", c->args[0]);

	ctl_body_put(c, body, create_members);
	ctl_body_put(c, body, change_members);
	ctl_show_one(c, json_object_get(ctl_call(c, "POST", PATH, body), "tailnet"), columns);
}

static void tailnets_list(struct ctl *c)
{
	ctl_show_list(c, ctl_call_list(c, PATH, "tailnets", 0), columns);
}

static void tailnets_get(struct ctl *c)
{
	ctl_show_one(c, json_object_get(ctl_call(c, "GET", ctl_path(c, PATH "/%s", c->args[0]), NULL), "tailnet"), columns);
}

static void change(struct ctl *c, json_t *body)
{
	ctl_show_one(c, json_object_get(ctl_call(c, "PATCH", ctl_path(c, PATH "/%s", c->args[0]), body), "tailnet"), columns);
}

static void tailnets_rename(struct ctl *c)
{
	change(c, json_pack("{s:s}", "name", c->args[1]));
}

static void tailnets_set(struct ctl *c)
{
	json_t *body = json_object();

	ctl_body_put(c, body, change_members);
	if (json_object_size(body)) {
		change(c, body);
		return;
	}
	json_decref(body);
	ctl_misuse(c, "what shall change? See `fleetscale tailnets set --help`");
}

static const struct ctl_flag state_flags[] = {
	{"database", 0, false, CTL_TEXT, "URL", NULL, "write it into PostgreSQL, without a coordinator (or \"env\": FLEETSCALE_DATABASE_URL)"},
	{0},
};

static void set_state(struct ctl *c, const char *member, bool on)
{
	const char *url = ctl_flags_text(&c->flags, "database");

	if (url)
		ctl_sql_tailnet_state(c, url, c->args[0], member, on);
	else
		change(c, json_pack("{s:b}", member, on));
}

static void tailnets_suspend(struct ctl *c)
{
	set_state(c, "suspended", true);
}

static void tailnets_resume(struct ctl *c)
{
	set_state(c, "suspended", false);
}

static void tailnets_freeze(struct ctl *c)
{
	set_state(c, "frozen", true);
}

static void tailnets_thaw(struct ctl *c)
{
	set_state(c, "frozen", false);
}

static const struct ctl_flag delete_flags[] = {
	{"confirm", 0, false, CTL_TEXT, "NAME", NULL, "its name again; else a terminal is asked for it"},
	{"with-nodes", 0, false, CTL_SWITCH, NULL, NULL, "also when it still has nodes: they are removed too"},
	{0},
};

/* Its name is to be said twice: --force alone does not delete a network. */
static void tailnets_delete(struct ctl *c)
{
	const char *name = c->args[0], *again = ctl_flags_text(&c->flags, "confirm");
	bool with_nodes = ctl_flags_on(&c->flags, "with-nodes");

	if (!again)
		again = ctl_ask(c, "This removes tailnet %s with everything in it. Its name again:", name);
	if (!again) {
		ctl_misuse(c, "this cannot be undone: say --confirm %s", name);
		return;
	}
	if (strcmp(again, name) != 0) {
		ctl_misuse(c, "\"%.60s\" is not its name: nothing was done", again);
		return;
	}
	ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, with_nodes ? PATH "/%s?confirm=%s&force=true" : PATH "/%s?confirm=%s", name, name), NULL),
		      "Tailnet %s is removed.", name);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", "NAME", 1, 1, "Make a tailnet", create_flags, tailnets_create},
	{"list", "ls show", NULL, 0, 0, "Show the tailnets", NULL, tailnets_list},
	{"get", NULL, "NAME", 1, 1, "Show one tailnet", NULL, tailnets_get},
	{"rename", "mv", "NAME NEW", 2, 2, "Give a tailnet another name; a domain that follows it changes too", NULL, tailnets_rename},
	{"set", NULL, "NAME", 1, 1, "Change display name, limits or login host", set_flags, tailnets_set},
	{"suspend", NULL, "NAME", 1, 1, "Take its nodes off the network; nothing is lost", state_flags, tailnets_suspend},
	{"resume", NULL, "NAME", 1, 1, "End a suspension", state_flags, tailnets_resume},
	{"freeze", NULL, "NAME", 1, 1, "Let nobody join any more; who is in stays", state_flags, tailnets_freeze},
	{"thaw", NULL, "NAME", 1, 1, "Let machines join again", state_flags, tailnets_thaw},
	{"delete", "del rm", "NAME", 1, 1, "Remove a tailnet that has no nodes, with everything in it", delete_flags, tailnets_delete},
	{0},
};

const struct ctl_noun ctl_noun_tailnets = {"tailnets", "tailnet", "The networks of this installation, which never see each other (operator)", verbs};
