#include "ctl_body.h"
#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

#define PATH "/api/fleetscale/v1/regions"

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Code", "code", NULL, 0, 0},
	{"Name", "name", NULL, 10, 0},
	{"Relays", "relays", NULL, 0, 0},
	{"State", "state", NULL, 0, 0},
	{"Score", "score", NULL, 0, 1},
	{"Tailnets", "tailnets", ctl_text_list, 8, 1},
	{"No home", "noMeasureNoHome", ctl_text_yes, 0, 2},
	{0},
};

static void regions_list(struct ctl *c)
{
	ctl_show_list(c, json_object_get(ctl_call(c, "GET", PATH, NULL), "regions"), columns);
}

static const struct ctl_flag set_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "NUMBER", NULL, "the region's number; 900 to 999 are ours by custom"},
	{"code", 0, false, CTL_TEXT, "CODE", NULL, "its short name"},
	{"name", 0, false, CTL_TEXT, "TEXT", NULL, "its name for people"},
	{"latitude", 0, false, CTL_TEXT, "DEGREES", NULL, "where it is, north is positive"},
	{"longitude", 0, false, CTL_TEXT, "DEGREES", NULL, "where it is, east is positive"},
	{"score", 0, false, CTL_TEXT, "FACTOR", NULL, "measured times count so many times: above 1 it is chosen less"},
	{"no-home", 0, false, CTL_SWITCH, NULL, NULL, "never measured, nobody's home"},
	{"tailnets", 0, false, CTL_LIST, "NAMES", NULL, "for these tailnets alone; \"\": for all"},
	{"client-rate", 0, false, CTL_NUMBER, "BYTES", NULL, "bytes a second that one client may send; 0: no limit"},
	{"client-burst", 0, false, CTL_NUMBER, "BYTES", NULL, "bytes at once that one client may send"},
	{"tailnet-rate", 0, false, CTL_NUMBER, "BYTES", NULL, "bytes a second that all clients of one tailnet may send through one relay; 0: no limit"},
	{"tailnet-burst", 0, false, CTL_NUMBER, "BYTES", NULL, "bytes at once that they may send"},
	{0},
};

static const struct ctl_member members[] = {
	{"code", "code", CTL_BODY_TEXT},
	{"name", "name", CTL_BODY_TEXT},
	{"latitude", "latitude", CTL_BODY_REAL},
	{"longitude", "longitude", CTL_BODY_REAL},
	{"score", "score", CTL_BODY_REAL},
	{"no-home", "noMeasureNoHome", CTL_BODY_BOOL},
	{"tailnets", "tailnets", CTL_BODY_LIST},
	{"client-rate", "clientBytesPerSecond", CTL_BODY_INT},
	{"client-burst", "clientBurstBytes", CTL_BODY_INT},
	{"tailnet-rate", "tailnetBytesPerSecond", CTL_BODY_INT},
	{"tailnet-burst", "tailnetBurstBytes", CTL_BODY_INT},
	{0},
};

static void change(struct ctl *c, bool creates)
{
	const char *id = ctl_subject_id(c, "id");
	json_t *body;

	if (!id)
		return;
	body = json_object();
	ctl_body_put(c, body, members);
	if (creates)
		json_object_set_new(body, "id", json_string(id));
	if (c->status)
		json_decref(body);
	else
		ctl_show_one(c, json_object_get(creates ? ctl_call(c, "POST", PATH, body) : ctl_call(c, "PATCH", ctl_path(c, PATH "/%s", id), body), "region"),
			     columns);
}

static void regions_create(struct ctl *c)
{
	change(c, true);
}

static void regions_set(struct ctl *c)
{
	change(c, false);
}

static const struct ctl_flag one_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "NUMBER", NULL, "which region"},
	{0},
};

static void regions_delete(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id && ctl_confirm(c, "Remove region %s? Tokens of the region end.", id))
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, PATH "/%s", id), NULL), "Region %s is removed.", id);
}

static const struct ctl_flag key_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "NUMBER", NULL, "which region"},
	{"rotate", 0, false, CTL_SWITCH, NULL, NULL, "make another; our relays learn it by themselves"},
	{"overlap", 0, false, CTL_SPAN, "DURATION", "1h", "so long the key before stays good"},
	{0},
};

static void regions_mesh_key(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id"), *path = id ? ctl_path(c, PATH "/%s/mesh-key", id) : NULL;
	const json_t *answer;

	if (!id)
		return;
	if (ctl_flags_on(&c->flags, "rotate"))
		answer = ctl_call(c, "POST", path, json_pack("{s:I}", "overlapSeconds", (json_int_t)(ctl_flags_span(&c->flags, "overlap") / 1000)));
	else
		answer = ctl_call(c, "GET", path, NULL);
	ctl_show_text(c, json_object_get(answer, "meshKey"), answer);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the regions", NULL, regions_list},
	{"create", "c new", "[NUMBER]", 0, 1, "Make a region; its relays come later", set_flags, regions_create},
	{"set", "update", "[NUMBER]", 0, 1, "Change a region; its clients reconnect when its name, place or relays change, not when its score does", set_flags,
	 regions_set},
	{"delete", "del rm", "[NUMBER]", 0, 1, "Remove a region that has no relays", one_flags, regions_delete},
	{"mesh-key", "key", "[NUMBER]", 0, 1, "Print the key by which relays of a region know each other, for those that are not ours; or rotate it", key_flags,
	 regions_mesh_key},
	{0},
};

const struct ctl_noun ctl_noun_regions = {"regions", "region", "Where the relays are (operator)", verbs};
