#include "ctl_policy_sql.h"

#include <stdlib.h>

#include "audits.h"
#include "bus.h"
#include "ctl_show.h"
#include "ctl_sql.h"
#include "ctl_where.h"
#include "log.h"
#include "notice.h"
#include "policyput.h"
#include "tailnets.h"
#include "text.h"

enum { PATIENCE_MS = 60000, TURN_MS = 100, BELL_TURNS = 20, SENTENCES_MAX = 80 };

/* One run: its loop, and the answer that is waited for. */
struct direct {
	struct ctl *c;
	struct loop *loop;
	struct pg *pg;
	bool done;
	enum err e;
	struct diag why;
	unsigned row, role; /* statements */
	struct tailnet *tailnet;
	struct bytes writer; /* the SQL role */
	const struct census *census;
	struct policy_row *rows;
	size_t row_count;
	uint64_t generation;
	struct trial trial;
};

static void answered(struct direct *d, enum err e, const struct diag *why)
{
	d->done = true;
	d->e = e;
	if (e && why)
		d->why = *why;
}

/* The callback comes within PATIENCE_MS. */
static enum err wait_answer(struct direct *d)
{
	for (d->done = false; !d->done;)
		loop_turn(d->loop, TURN_MS);
	return d->e;
}

/* --- where ------------------------------------------------------------------------------------------------------------------------------------------------ */

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct direct *d = context;

	if (!e && tailnets_read(tx, d->row, d->c->arena, &d->tailnet))
		d->writer = arena_copy(d->c->arena, audits_read_session(tx, d->role));
	else if (!e)
		d->tailnet = NULL;
	answered(d, e, why);
}

/* False: told. */
static bool find_tailnet(struct direct *d)
{
	const struct ctl_where *where = ctl_where(d->c);
	const char *name = where && where->tailnet ? where->tailnet : "default";
	struct tx *tx;

	if (!where)
		return false;
	tx = tx_begin(d->pg, 0, TX_READ);
	d->row = tailnets_find(tx, bytes_text(name));
	d->role = audits_session(tx);
	tx_run(tx, on_found, d);
	if (wait_answer(d))
		ctl_fail(d->c, "the database: %s", *d->why.text ? d->why.text : err_text(d->e));
	else if (!d->tailnet)
		ctl_fail(d->c, "there is no tailnet \"%s\"", name);
	return !d->e && d->tailnet;
}

static bool begin(struct direct *d, struct ctl *c)
{
	const char *named = ctl_flags_text(&c->flags, "database"), *url = ctl_sql_url(c, named ? named : "env");

	*d = (struct direct){.c = c};
	if (!url)
		return false;
	if (pg_check_schema(url, &d->why)) {
		ctl_fail(c, "the database: %s", d->why.text);
		return false;
	}
	log_setup("fleetscale", LOG_ERROR, LOG_TEXT); /* what fails is told as an answer */
	d->loop = loop_new();
	d->pg = pg_new(d->loop, &(struct pg_config){.url = url, .writer = true, .connections = 2, .waiting_max = 16, .timeout_ms = PATIENCE_MS});
	return find_tailnet(d);
}

static void end(struct direct *d)
{
	pg_free(&d->pg);
	loop_free(&d->loop);
}

/* --- what ------------------------------------------------------------------------------------------------------------------------------------------------- */

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct direct *d = context;

	if (!e)
		d->row_count = policies_read(tx, d->row, d->c->arena, &d->rows);
	answered(d, e, why);
}

static void print_policy(struct direct *d)
{
	const char *version = ctl_flags_text(&d->c->flags, "version");
	struct tx *tx = tx_begin(d->pg, d->tailnet->id, TX_READ);
	uint64_t number = 0;

	if (version && text_parse_u64(bytes_text(version), INT64_MAX, &number))
		number = 0;
	d->row = version ? policies_get(tx, number) : policies_newest(tx);
	tx_run(tx, on_read, d);
	if (wait_answer(d))
		ctl_fail(d->c, "reading the policy: %s", *d->why.text ? d->why.text : err_text(d->e));
	else if (!d->row_count)
		ctl_fail(d->c, version ? "there is no such version" : "this tailnet has no policy: all its nodes reach each other");
	else
		fwrite(d->rows[0].text.at, 1, d->rows[0].text.len, d->c->out);
}

void ctl_policy_sql_get(struct ctl *c)
{
	struct direct d;

	if (begin(&d, c))
		print_policy(&d);
	end(&d);
}

static void on_census(void *context, enum err e, const struct census *census)
{
	struct direct *d = context;

	d->census = census;
	answered(d, e, NULL);
}

static const char *failures_text(struct direct *d)
{
	const struct selftest *tests = &d->trial.tests;
	const char *text = "";

	for (size_t i = 0; i < tests->failure_count && i < SENTENCES_MAX; i++)
		for (size_t k = 0; k < tests->failures[i].error_count && k < SENTENCES_MAX; k++)
			text = arena_format(d->c->arena, "%s: %.*s: %.*s", text, BYTES_ARG(tests->failures[i].user), BYTES_ARG(tests->failures[i].errors[k]));
	return text;
}

/* False: told. */
static bool try_text(struct direct *d, const char *text)
{
	struct ctl *c = d->c;
	enum err e;

	census_take(d->pg, d->tailnet->id, c->arena, on_census, d);
	if (wait_answer(d)) {
		ctl_fail(c, "reading the tailnet: %s", err_text(d->e));
		return false;
	}
	e = trial_run(&d->trial, c->arena, d->census, bytes_text(text), &d->why);
	if (e && d->why.line)
		ctl_fail(c, "line %u, column %u: %s%s", d->why.line, d->why.column, d->why.text, failures_text(d));
	else if (e)
		ctl_fail(c, "%s%s", *d->why.text ? d->why.text : err_text(e), failures_text(d));
	return !e;
}

void ctl_policy_sql_check(struct ctl *c, const char *text)
{
	struct direct d;

	if (begin(&d, c) && try_text(&d, text))
		ctl_show_done(c, ctl_keep(c, json_pack("{s:I}", "testsRun", (json_int_t)d.trial.tests.ran)), "Policy is valid");
	trial_end(&d.trial);
	end(&d);
}

static void on_written(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct direct *d = context;

	if (!e) {
		d->row_count = policies_read(tx, d->row, d->c->arena, &d->rows);
		d->generation = tx_generation(tx);
	}
	answered(d, e, why);
}

/* Who follows would hear of it within its `recheck` anyway. */
static void ring(struct direct *d)
{
	const char *url = getenv("FLEETSCALE_REDIS_URL");
	struct diag why = {0};
	struct bus *bus = url ? bus_new(d->loop, url, &why) : NULL;

	for (unsigned i = 0; bus && !bus_up(bus) && i < BELL_TURNS; i++)
		loop_turn(d->loop, TURN_MS);
	if (bus && bus_up(bus))
		notice_ring(bus, d->tailnet->id, d->generation);
	bus_free(&bus);
}

static void write_text(struct direct *d, struct policy_row *row, bool unchanged)
{
	struct tx *tx = tx_begin(d->pg, d->tailnet->id, TX_WRITE);
	struct policyput put;

	audits_open(tx, &(struct audit){.actor = BYTES("sql"), .credential = d->writer, .action = BYTES("policy.update")});
	put = policyput_add(tx, &d->trial, d->census, row, unchanged);
	d->row = put.row;
	tx_run(tx, on_written, d);
	if (wait_answer(d)) {
		ctl_fail(d->c, "changing the policy: %s",
			 d->e == ERR_CONFLICT ? "the policy was changed since: read it again"
			 : *d->why.text       ? d->why.text
					      : err_text(d->e));
		return;
	}
	ring(d);
	ctl_show_done(d->c,
		      ctl_keep(d->c, json_pack("{s:s, s:I}", "version",
					       arena_format(d->c->arena, "%llu", (unsigned long long)(d->row_count ? d->rows[0].version : 0)), "nodesApproved",
					       (json_int_t)put.approved_nodes)),
		      "Policy updated.");
}

/* False: told. */
static bool is_in_force(struct direct *d, const char *if_version)
{
	uint64_t wanted = 0, present = d->census->policy ? d->census->policy->version : 0;

	if (!if_version || (!text_parse_u64(bytes_text(if_version), INT64_MAX, &wanted) && wanted == present))
		return true;
	ctl_fail(d->c, "changing the policy: the policy was changed since: read it again");
	return false;
}

void ctl_policy_sql_set(struct ctl *c, const char *text, const char *note, const char *if_version)
{
	struct policy_row row = {.text = bytes_text(text), .note = bytes_text(note)};
	struct direct d;

	if (row.note.len > POLICY_NOTE_MAX) {
		ctl_misuse(c, "--note has more than %d bytes", POLICY_NOTE_MAX);
		return;
	}
	if (begin(&d, c) && try_text(&d, text) && is_in_force(&d, if_version)) {
		row.author = bytes_text(arena_format(c->arena, "sql %.*s", BYTES_ARG(d.writer)));
		write_text(&d, &row, if_version != NULL);
	}
	trial_end(&d.trial);
	end(&d);
}
