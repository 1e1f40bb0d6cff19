#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

static const char *text_region(struct arena *arena, const json_t *relay)
{
	const char *code = json_string_value(json_object_get(relay, "regionCode"));

	return arena_format(arena, "%lld %s", (long long)json_integer_value(json_object_get(relay, "regionId")), code ? code : "");
}

static const char *text_address(struct arena *arena, const json_t *relay)
{
	const char *host = json_string_value(json_object_get(relay, "hostName"));
	long long port = json_integer_value(json_object_get(relay, "derpPort"));

	if (!host || !*host)
		return "-";
	return port ? arena_format(arena, "%s:%lld", host, port) : host;
}

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "name", NULL, 10, 0},
	{"Region", NULL, text_region, 8, 0},
	{"Address", NULL, text_address, 16, 0},
	{"Version", "version", NULL, 8, 1},
	{"Last seen", "lastSeen", ctl_text_time, 0, 0},
	{"Created", "createdAt", ctl_text_time, 0, 2},
	{0},
};

static const struct ctl_flag create_flags[] = {
	{"name", 'n', false, CTL_TEXT, "NAME", NULL, "another way to say NAME"},
	{"region-id", 0, false, CTL_NUMBER, "NUMBER", "900", "its region; 900 to 999 are ours by custom"},
	{"region-code", 0, false, CTL_TEXT, "CODE", "fl", "the region's short name"},
	{"region-name", 0, false, CTL_TEXT, "TEXT", "fleet", "the region's name for people"},
	{0},
};

static void relays_create(struct ctl *c)
{
	const char *name = ctl_subject(c, "name");
	const json_t *answer;

	if (!name)
		return;
	answer = ctl_call(c, "POST", "/api/fleetscale/v1/relays",
			  json_pack("{s:s, s:s, s:s, s:s}", "name", name, "regionId", ctl_flags_text(&c->flags, "region-id"), "regionCode",
				    ctl_flags_text(&c->flags, "region-code"), "regionName", ctl_flags_text(&c->flags, "region-name")));
	ctl_show_text(c, json_object_get(answer, "token"), answer);
}

static void relays_list(struct ctl *c)
{
	ctl_show_list(c, json_object_get(ctl_call(c, "GET", "/api/fleetscale/v1/relays", NULL), "relays"), columns);
}

static const struct ctl_flag one_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "ID", NULL, "which relay"},
	{0},
};

static void relays_delete(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id && ctl_confirm(c, "Remove relay %s? Its token ends, and clients leave it.", id))
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/fleetscale/v1/relays/%s", id), NULL), "Relay %s is removed.", id);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", "NAME", 0, 1, "Make a relay and print its token, this once", create_flags, relays_create},
	{"list", "ls show", NULL, 0, 0, "Show the relays", NULL, relays_list},
	{"delete", "del rm", "[ID]", 0, 1, "Remove a relay and end its token", one_flags, relays_delete},
	{0},
};

const struct ctl_noun ctl_noun_relays = {"relays", "relay", "The DERP relays of this installation (operator)", verbs};
