#include "ctl_call.h"
#include "ctl_nouns.h"
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

static const struct ctl_verb health_verbs[] = {
	{"", NULL, NULL, 0, 0, "Ask whether the coordinator answers and reaches its database; silent when it does", NULL, health}, {0}};
static const struct ctl_verb version_verbs[] = {{"", NULL, NULL, 0, 0, "Print this program's version", NULL, version}, {0}};

const struct ctl_noun ctl_noun_health = {"health", NULL, "Whether the coordinator answers and reaches its database", health_verbs, NULL};
const struct ctl_noun ctl_noun_version = {"version", NULL, "This program's version", version_verbs, NULL};
