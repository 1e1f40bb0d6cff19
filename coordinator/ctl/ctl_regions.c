#include <stdlib.h>

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

static void put_number(struct ctl *c, json_t *body, const char *flag, const char *member)
{
	const char *text = ctl_flags_text(&c->flags, flag);
	char *end = NULL;
	double value = text ? strtod(text, &end) : 0;

	if (!text)
		return;
	if (end == text || *end)
		ctl_misuse(c, "--%s: a number is wanted, not \"%s\"", flag, text);
	else
		json_object_set_new(body, member, json_real(value));
}

static json_t *change_of(struct ctl *c)
{
	static const struct {
		const char *flag, *member;
	} rates[] = {{"client-rate", "clientBytesPerSecond"},
		     {"client-burst", "clientBurstBytes"},
		     {"tailnet-rate", "tailnetBytesPerSecond"},
		     {"tailnet-burst", "tailnetBurstBytes"}};
	const struct ctl_flags *f = &c->flags;
	json_t *body = json_object();

	if (ctl_flags_given(f, "code"))
		json_object_set_new(body, "code", json_string(ctl_flags_text(f, "code")));
	if (ctl_flags_given(f, "name"))
		json_object_set_new(body, "name", json_string(ctl_flags_text(f, "name")));
	put_number(c, body, "latitude", "latitude");
	put_number(c, body, "longitude", "longitude");
	put_number(c, body, "score", "score");
	if (ctl_flags_given(f, "no-home"))
		json_object_set_new(body, "noMeasureNoHome", json_boolean(ctl_flags_on(f, "no-home")));
	if (ctl_flags_given(f, "tailnets"))
		json_object_set_new(body, "tailnets", ctl_flags_list(f, "tailnets"));
	for (size_t i = 0; i < COUNT_OF(rates); i++)
		if (ctl_flags_given(f, rates[i].flag))
			json_object_set_new(body, rates[i].member, json_integer(atoll(ctl_flags_text(f, rates[i].flag))));
	return body;
}

static void change(struct ctl *c, bool creates)
{
	const char *id = ctl_subject_id(c, "id");
	json_t *body = id ? change_of(c) : NULL;

	if (!body)
		return;
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
