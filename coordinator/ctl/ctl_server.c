#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_profile.h"
#include "ctl_show.h"

/* Silent when all is well, as scripts like it. */
static void health(struct ctl *c)
{
	const json_t *answer = ctl_call(c, "GET", "/api/v1/health", NULL);

	if (!answer)
		return;
	if (!json_is_true(json_object_get(answer, "databaseConnectivity")))
		ctl_fail(c, "the coordinator does not reach its database");
	else if (c->form != CTL_TABLE)
		ctl_show_one(c, answer, (const struct ctl_column[]){{0}});
}

static void version(struct ctl *c)
{
	const json_t *answer = ctl_keep(c, json_pack("{s:s}", "version", FLEETSCALE_VERSION));

	if (c->form == CTL_TABLE)
		fprintf(c->out, "fleetscale %s\n", FLEETSCALE_VERSION);
	else
		ctl_show_one(c, answer, (const struct ctl_column[]){{0}});
}

/* What would be asked, and as whom; never a secret. */
static void dumpconfig(struct ctl *c)
{
	const struct ctl_where *w = ctl_where(c);
	const char *path = ctl_profile_path(c);

	if (!w)
		return;
	ctl_show_any(c, ctl_keep(c, json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:b, s:b, s:f, s:s?}", "server", ctl_where_name(c, w), "from", w->from, "profile",
					      w->profile, "tailnet", w->tailnet, "caFile", w->ca_file, "insecure", w->insecure, "hasKey", w->key != NULL,
					      "timeoutSeconds", (double)w->timeout_ms / 1000, "profiles", path)));
}

static const struct ctl_verb health_verbs[] = {
	{"", NULL, NULL, 0, 0, "Ask whether the coordinator answers and reaches its database; silent when it does", NULL, health}, {0}};
static const struct ctl_verb dumpconfig_verbs[] = {
	{"", NULL, NULL, 0, 0, "Print which server this command would ask, as whom, and what says so", NULL, dumpconfig}, {0}};
static const struct ctl_verb version_verbs[] = {{"", NULL, NULL, 0, 0, "Print this program's version", NULL, version}, {0}};

const struct ctl_noun ctl_noun_health = {"health", NULL, "Whether the coordinator answers and reaches its database", health_verbs};
const struct ctl_noun ctl_noun_version = {"version", NULL, "This program's version", version_verbs};
const struct ctl_noun ctl_noun_dumpconfig = {"dumpConfig", "dumpconfig", "What this command knows about where to ask", dumpconfig_verbs};
