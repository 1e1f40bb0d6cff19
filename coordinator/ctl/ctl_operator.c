#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_sql.h"

#define KEY_FLAGS(database_help) \
	{"expiration", 'e', false, CTL_WHEN, "WHEN", "90d", "good for that duration, or until that time"}, \
	{ \
		"database", 0, false, CTL_TEXT, "URL", NULL, database_help \
	}

static const struct ctl_flag create_flags[] = {KEY_FLAGS("write it into PostgreSQL, without a coordinator (or \"env\": FLEETSCALE_DATABASE_URL)"), {0}};
static const struct ctl_flag reset_flags[] = {KEY_FLAGS("the database, or \"env\" (usual): FLEETSCALE_DATABASE_URL"), {0}};

static void operator_create(struct ctl *c)
{
	const char *url = ctl_flags_text(&c->flags, "database");
	const json_t *key;

	if (url) {
		ctl_sql_operator(c, url, false);
		return;
	}
	key = json_object_get(
		ctl_call(c, "POST", "/api/fleetscale/v1/operator/keys", json_pack("{s:s}", "expiration", ctl_flags_when(&c->flags, "expiration", c->arena))),
		"apiKey");
	ctl_show_text(c, key, key);
}

static void operator_reset(struct ctl *c)
{
	const char *url = ctl_flags_text(&c->flags, "database");

	if (ctl_confirm(c, "Revoke every key of the operator and make a new one?"))
		ctl_sql_operator(c, url ? url : "env", true);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", NULL, 0, 0, "Make an API key of the operator and print it, this once", create_flags, operator_create},
	{"reset", NULL, NULL, 0, 0, "Revoke every key of the operator and print a new one, straight in the database", reset_flags, operator_reset},
	{0},
};

const struct ctl_noun ctl_noun_operator = {"operator", NULL, "Who administers the whole installation", verbs};
