#include <stdlib.h>

#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_sql.h"
#include "key.h"
#include "schema.h"

enum { PASSWORD_MAX = 1024 };

static const struct ctl_flag flags[] = {
	{"database", 0, false, CTL_TEXT, "URL", NULL, "of the role that owns the schema (FLEETSCALE_DATABASE_URL)"},
	{"base-domain", 0, false, CTL_TEXT, "DOMAIN", NULL, "a new tailnet's domain is NAME.DOMAIN (at first tailnet.internal)"},
	{"coordinator-password-file", 0, false, CTL_TEXT, "FILE", NULL, "sets that role's password to the file's first line"},
	{"mapper-password-file", 0, false, CTL_TEXT, "FILE", NULL, "likewise"},
	{0},
};

/* The first line of a file; NULL: told, or no file was named. */
static char *read_password(struct ctl *c, const char *path)
{
	FILE *file = path ? fopen(path, "re") : NULL;
	char *line = x_zalloc(PASSWORD_MAX);

	if (file && fgets(line, PASSWORD_MAX, file))
		line[strcspn(line, "\r\n")] = 0;
	if (path && !file)
		ctl_fail(c, "%s cannot be read: %m", path);
	else if (path && !*line)
		ctl_fail(c, "%s holds no password", path);
	if (file)
		fclose(file);
	if (*line)
		return line;
	free(line);
	return NULL;
}

static void on_step(void *context, const char *sentence)
{
	struct ctl *c = context;

	if (c->form == CTL_TABLE)
		fprintf(c->out, "%s\n", sentence);
}

static void forget(const char *password)
{
	if (password)
		key_wipe((char *)password, PASSWORD_MAX);
	free((char *)password);
}

static void run(struct ctl *c, const struct schema_plan *plan)
{
	struct diag why = {.text = ""};

	if (schema_migrate(plan, &why))
		ctl_fail(c, "%s", why.text);
	else
		ctl_show_done(c, ctl_keep(c, json_pack("{s:i}", "migration", (int)schema_migration_count)), "schema is at migration %zu",
			      schema_migration_count);
}

static void migrate(struct ctl *c)
{
	const char *url = ctl_flags_text(&c->flags, "database");
	struct schema_plan plan = {.base_domain = ctl_flags_text(&c->flags, "base-domain"), .on_step = on_step, .context = c};

	plan.url = ctl_sql_url(c, url ? url : "env");
	if (!c->status)
		plan.coordinator_password = read_password(c, ctl_flags_text(&c->flags, "coordinator-password-file"));
	if (!c->status)
		plan.mapper_password = read_password(c, ctl_flags_text(&c->flags, "mapper-password-file"));
	if (!c->status)
		run(c, &plan);
	forget(plan.coordinator_password);
	forget(plan.mapper_password);
}

static const struct ctl_verb verbs[] = {
	{"", NULL, NULL, 0, 0,
	 "Create or update the schema, the SQL roles, the server's keys, and at first tailnet and user `default`. May run several times and in several places "
	 "at "
	 "once",
	 flags, migrate},
	{0},
};

const struct ctl_noun ctl_noun_migrate = {"migrate", NULL, "Create or update the database: roles, schema, the server's keys, tailnet and user default", verbs};
