/* The frame of a program: options, log, metrics, workers, the operations door (/livez /readyz /healthz /metrics /debug), drain on SIGTERM, exit codes.
 * Not the program. One process has one daemon. The program's config struct starts with struct daemon_options. */
#ifndef DAEMON_H
#define DAEMON_H

#include "metric.h"
#include "option.h"
#include "worker.h"

struct daemon_options {
	char *listen_operations; /* "" = off */
	int64_t log_level, log_format;
	int64_t threads;  /* 0: one per core */
	int64_t drain_ms; /* after SIGTERM, at most so long */
};

struct daemon_spec {
	const char *name;             /* "fleetscale-mapper" */
	const struct option *options; /* the program's own table; daemon_options come before it by themselves */
	void *config;                 /* static, zeroed; begins with struct daemon_options */
	struct metric *metrics;
	/* Once, main thread, before the workers: check options, open what all share. */
	enum err (*on_start)(void *config, struct diag *why);
	/* On each worker's thread and loop, before it runs; all loops exist. w->program is the program's to set. */
	enum err (*on_worker)(struct worker *w, struct diag *why);
	/* Not ready from now on; end conversations, then call daemon_drained(w) (may be at once). */
	void (*on_drain)(struct worker *w);
	/* After all drained or the drain time passed: free everything of this worker (leak-clean). Also when on_worker failed, here or elsewhere. */
	void (*on_stop)(struct worker *w);
	void (*on_end)(void *config); /* main thread, last */
	/* At SIGHUP options are read anew; NULL: they are not. `next`: the config with what is OPTION_LIVE as it is said now, all else as it was.
	 * Main thread: may it be? */
	enum err (*on_reload)(const void *next, struct diag *why);
	/* Then on each worker's loop. `next` lives until this worker was told another one; the last one until on_end. */
	void (*on_reloaded)(struct worker *w, const void *next);
	size_t config_size; /* of all of it */
	/* For --check: all that would keep it from starting, such as options, files of listeners, schema, Redis. Opens no door, writes nothing, leaves nothing
	 * behind (on_end is not called). NULL: on_start and on_end. */
	enum err (*on_check)(void *config, struct diag *why);
	/* Why this process is not ready now, or NULL. Any thread; must be cheap. */
	const char *(*not_ready)(void);
	/* Finds out by doing it whether it does its work; `answer` comes once, on the main thread's loop, also from within: text is one line for people.
	 * on_health_end: nobody asks any more, and whoever still waits is answered now. NULL: what not_ready says. */
	void (*on_health)(struct loop *loop, void (*answer)(void *context, bool good, const char *text), void *context);
	void (*on_health_end)(void);
};

/* Runs to the end: 0 after a clean drain, 1 when something failed, 2 on wrong use. Understands --config FILE, --check, --help, --version, --docs options|metrics. */
int daemon_main(int argc, char **argv, const struct daemon_spec *spec);
void daemon_drained(struct worker *w);
unsigned daemon_worker_count(void);
struct worker *daemon_worker(unsigned index);

#endif
