#include <stdio.h>

#include "bus_check.h"
#include "intake.h"
#include "key.h"
#include "pg.h"

static struct mapper_options options;
static char process_name[24];

static enum err on_start(void *config, struct diag *why)
{
	(void)config;
	snprintf(process_name, sizeof process_name, "%016llx", (unsigned long long)random_number());
	enum err e = intake_check(&options, why);
	return e ? e : pg_check_schema(options.database_url, why);
}

static enum err on_check(void *config, struct diag *why)
{
	char version[BUS_VERSION_MAX];
	struct diag cause = {0};
	enum err e = on_start(config, why);
	if (!e && (e = bus_check(options.redis_url, version, &cause)))
		diag_set(why, e, "redis.url: %.400s", cause.text);
	return e;
}

static enum err on_worker(struct worker *w, struct diag *why)
{
	struct intake *in = NULL;
	enum err e = intake_new(w, &options, process_name, why, &in);
	w->program = in;
	return e;
}

static void on_drain(struct worker *w)
{
	if (w->program)
		intake_drain(w->program);
	else
		daemon_drained(w);
}

static void on_stop(struct worker *w)
{
	struct intake *in = w->program;
	intake_free(&in);
	w->program = NULL;
}

static const char *not_ready(void)
{
	const char *trouble = pg_trouble();
	if (!trouble)
		trouble = bus_trouble();
	return trouble || intake_ready() ? trouble : "the relay map was not read yet";
}

int main(int argc, char **argv)
{
	return daemon_main(argc, argv,
			   &(struct daemon_spec){
				   .name = "fleetscale-mapper",
				   .options = mapper_option_table,
				   .config = &options,
				   .metrics = mapper_metrics,
				   .on_start = on_start,
				   .on_worker = on_worker,
				   .on_drain = on_drain,
				   .on_stop = on_stop,
				   .on_check = on_check,
				   .not_ready = not_ready,
			   });
}
