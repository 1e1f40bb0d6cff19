#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "text.h"

static const char *text_subject(struct arena *arena, const json_t *subject)
{
	const char *id = json_string_value(subject);

	return id && strcmp(id, "0") != 0 ? arena_text(arena, bytes_text(id)) : "-";
}

static const char *text_who(struct arena *arena, const json_t *line)
{
	const char *who = json_string_value(json_object_get(line, "actor")), *credential = json_string_value(json_object_get(line, "credential"));

	return credential && *credential ? arena_format(arena, "%s:%s", who ? who : "", credential) : who ? who : "";
}

static const char *text_deed(struct arena *arena, const json_t *line)
{
	const char *deed = json_string_value(json_object_get(line, "action")), *outcome = json_string_value(json_object_get(line, "outcome"));

	return arena_format(arena, "%s%s", deed ? deed : "", outcome && strcmp(outcome, "refused") == 0 ? " (refused)" : "");
}

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"At", "at", ctl_text_time, 0, 0},
	{"Who", NULL, text_who, 12, 0},
	{"Did", NULL, text_deed, 0, 0},
	{"To", "subject", text_subject, 0, 0},
	{"Before", "before", ctl_text_json, 10, 2},
	{"After", "after", ctl_text_json, 10, 1},
	{"Detail", "detail", ctl_text_json, 10, 3},
	{0},
};

static const struct ctl_flag list_flags[] = {
	{"limit", 'n', false, CTL_NUMBER, "NUMBER", "100", "at most so many; 0: all"},
	{"installation", 0, false, CTL_SWITCH, NULL, NULL, "the installation's own: tailnets, relays, operator keys (operator)"},
	{0},
};

static void audits_list(struct ctl *c)
{
	const char *door = ctl_flags_on(&c->flags, "installation") ? "/api/fleetscale/v1/operator/audits" : "/api/fleetscale/v1/audits";
	uint64_t most = 0;

	if (text_parse_u64(bytes_text(ctl_flags_text(&c->flags, "limit")), UINT32_MAX, &most))
		ctl_misuse(c, "--limit is too large");
	else
		ctl_show_list(c, ctl_call_list(c, door, "audits", (unsigned)most), columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the latest deeds, newest first", list_flags, audits_list},
	{0},
};

const struct ctl_noun ctl_noun_audits = {"audits", "audit", "Who did what to a tailnet through the admin doors", verbs};
