#include "ctl_doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "bus_check.h"
#include "checkup.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_where.h"
#include "pg.h"

enum { PROBE_MS = 10000, LAG_WARN_MS = 10000 };

static const char *const words[] = {[FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_FAILED] = "failed", [FINDING_SKIPPED] = "skipped"};

void doctor_note(struct doctor *d, const char *check, enum finding finding, const char *advice, const char *format, ...)
{
	char text[1024];
	va_list args;
	json_t *line;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	line = json_pack("{s:s, s:s, s:s, s:s}", "check", check, "status", words[finding], "finding", text, "advice", advice);
	if (!line)
		line = json_pack("{s:s, s:s, s:s, s:s}", "check", check, "status", words[finding], "finding", "an answer that is not UTF-8", "advice", advice);
	json_array_append_new(d->checks, line);
	if (finding != FINDING_SKIPPED && finding > d->worst)
		d->worst = finding;
}

void doctor_note_clock(struct doctor *d, const char *whose, double ahead_s)
{
	double off = fabs(ahead_s);

	if (off < 2)
		doctor_note(d, "clock", FINDING_OK, "", "%s and this machine's agree to %.1f s", whose, off);
	else
		doctor_note(d, "clock", off < 30 ? FINDING_WARNING : FINDING_FAILED,
			    "let NTP set the clocks of all machines: keys and certificates end by them", "%s is %.1f s %s this machine's", whose, off,
			    ahead_s > 0 ? "ahead of" : "behind");
}

/* --- database and Redis ---------------------------------------------------------------------------------------------------------------------- */

static double seconds_ahead(struct wall theirs, struct wall ours)
{
	return (double)(theirs.ns - ours.ns) / 1e9;
}

static void note_role(struct doctor *d, const struct checkup *found)
{
	if (found->unbound)
		doctor_note(d, "role", FINDING_WARNING, "let programs use fleetscale_coordinator and fleetscale_mapper",
			    "role %s is not bound by row-level security", found->role);
	else
		doctor_note(d, "role", FINDING_OK, "", "role %s is bound by row-level security", found->role);
	if (!found->standby)
		return;
	if (found->lag_ms < 0)
		doctor_note(d, "standby", FINDING_WARNING, "", "this is a standby, and it does not know how far behind it is");
	else
		doctor_note(d, "standby", found->lag_ms > LAG_WARN_MS ? FINDING_WARNING : FINDING_OK,
			    found->lag_ms > LAG_WARN_MS ? "look at the replication: after a failover, what is missing would be lost" : "",
			    "this is a standby, %.1f s behind; coordinators need the primary", (double)found->lag_ms / 1000);
}

static void see_schema(struct doctor *d, const char *url)
{
	struct diag why = {0};

	if (pg_check_schema(url, &why))
		doctor_note(d, "schema", FINDING_FAILED, "run `fleetscale migrate` of this release, then programs of this release", "%s", why.text);
	else
		doctor_note(d, "schema", FINDING_OK, "", "programs of this release can work with it");
}

static void see_database(struct doctor *d)
{
	const char *url = ctl_flags_text(&d->c->flags, "database");
	struct checkup found;
	struct diag why = {0};
	struct wall before;

	if (!url || strcmp(url, "env") == 0)
		url = ctl_secret(d->c, "FLEETSCALE_DATABASE_URL");
	if (!url) {
		doctor_note(d, "database", FINDING_SKIPPED, "say --database URL, or set FLEETSCALE_DATABASE_URL", "not looked at");
		return;
	}
	before = clock_wall();
	if (checkup_database(url, &found, &why)) {
		doctor_note(d, "database", FINDING_FAILED, "is PostgreSQL running, does its pg_hba.conf let this machine and role in, is the URL right?", "%s",
			    why.text);
		return;
	}
	doctor_note(d, "database", FINDING_OK, "", "PostgreSQL %s answers", found.version);
	note_role(d, &found);
	see_schema(d, url);
	doctor_note_clock(d, "the database's clock", seconds_ahead(found.now, wall_add_ms(before, (clock_wall().ns - before.ns) / 2000000)));
}

static void see_redis(struct doctor *d)
{
	const char *url = ctl_flags_text(&d->c->flags, "redis");
	char version[BUS_VERSION_MAX];
	struct diag why = {0};

	if (!url || strcmp(url, "env") == 0)
		url = ctl_secret(d->c, "FLEETSCALE_REDIS_URL");
	if (!url)
		doctor_note(d, "redis", FINDING_SKIPPED, "say --redis URL, or set FLEETSCALE_REDIS_URL", "not looked at");
	else if (bus_check(url, version, &why))
		doctor_note(d, "redis", FINDING_FAILED, "is Redis running, is the URL right, and its password?", "%s", why.text);
	else
		doctor_note(d, "redis", FINDING_OK, "", "Redis %s answers", version);
}

/* --- the report ------------------------------------------------------------------------------------------------------------------------------ */

static const char *member(const json_t *line, const char *name)
{
	return json_string_value(json_object_get(line, name));
}

static void print_lines(struct ctl *c, const json_t *checks)
{
	const json_t *line;
	size_t i;

	json_array_foreach(checks, i, line)
	{
		fprintf(c->out, "%-8s %-10s %s\n", member(line, "status"), member(line, "check"), member(line, "finding"));
		if (*member(line, "advice"))
			fprintf(c->out, "%20s%s\n", "-> ", member(line, "advice"));
	}
}

static void report(struct doctor *d)
{
	struct ctl *c = d->c;

	if (c->form == CTL_TABLE)
		print_lines(c, d->checks);
	else
		ctl_print(c, c->out, ctl_keep(c, json_pack("{s:s, s:O}", "status", words[d->worst], "checks", d->checks)));
	if (d->worst == FINDING_FAILED)
		c->status = CTL_FAILED;
}

static const struct ctl_flag flags[] = {
	{"database", 0, false, CTL_TEXT, "URL", NULL, "PostgreSQL as a coordinator has it (or \"env\"; FLEETSCALE_DATABASE_URL)"},
	{"redis", 0, false, CTL_TEXT, "URL", NULL, "Redis as a coordinator has it (or \"env\"; FLEETSCALE_REDIS_URL)"},
	{"login-server", 0, false, CTL_TEXT, "URL", NULL, "what clients have as --login-server; else what --server says"},
	{0},
};

static void doctor(struct ctl *c)
{
	struct doctor d = {.c = c, .checks = json_array(), .login_server = ctl_flags_text(&c->flags, "login-server")};
	int64_t patience = ctl_flags_span(&c->flags, "timeout");

	ctl_keep(c, d.checks);
	d.timeout_ms = patience > 0 ? patience : PROBE_MS;
	see_database(&d);
	see_redis(&d);
	if (!c->status)
		doctor_see_server(&d);
	if (!c->status)
		doctor_see_clients(&d);
	if (!c->status)
		doctor_see_relays(&d);
	if (!c->status)
		report(&d);
}

static const struct ctl_verb verbs[] = {
	{"", NULL, NULL, 0, 0,
	 "Look at database, schema, Redis, clocks, doors, names, TLS, policy, relays and what proxies do, and say what to do; exit status 1 when something "
	 "failed",
	 flags, doctor},
	{0},
};

const struct ctl_noun ctl_noun_doctor = {"doctor", NULL, "One report about everything that an installation needs", verbs};
