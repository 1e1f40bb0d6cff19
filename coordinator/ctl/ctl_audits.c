#include <stdlib.h>

#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

static const char *text_detail(struct arena *arena, const json_t *detail)
{
	char *dumped = json_is_null(detail) ? NULL : json_dumps(detail, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *text = arena_text(arena, bytes_text(dumped ? dumped : ""));

	free(dumped);
	return text;
}

static const char *text_subject(struct arena *arena, const json_t *subject)
{
	const char *id = json_string_value(subject);

	return id && strcmp(id, "0") != 0 ? arena_text(arena, bytes_text(id)) : "-";
}

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"At", "at", ctl_text_time, 0, 0},
	{"Who", "actor", NULL, 12, 0},
	{"Did", "action", NULL, 0, 0},
	{"To", "subject", text_subject, 0, 0},
	{"Detail", "detail", text_detail, 10, 1},
	{0},
};

static const struct ctl_flag list_flags[] = {
	{"before", 0, false, CTL_NUMBER, "ID", "0", "only lines older than this one; 0: the newest"},
	{"limit", 'n', false, CTL_NUMBER, "NUMBER", "100", "at most so many"},
	{"installation", 0, false, CTL_SWITCH, NULL, NULL, "the installation's own: tailnets, relays, operator keys (operator)"},
	{0},
};

static void audits_list(struct ctl *c)
{
	const char *door = ctl_flags_on(&c->flags, "installation") ? "/api/fleetscale/v1/operator/audits?before=%s&limit=%s"
								   : "/api/fleetscale/v1/audits?before=%s&limit=%s";
	const char *path = ctl_path(c, door, ctl_flags_text(&c->flags, "before"), ctl_flags_text(&c->flags, "limit"));

	ctl_show_list(c, json_object_get(ctl_call(c, "GET", path, NULL), "audits"), columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the latest deeds, newest first", list_flags, audits_list},
	{0},
};

const struct ctl_noun ctl_noun_audits = {"audits", "audit", "Who did what to a tailnet through the admin doors", verbs, NULL};
