#include "daemon.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon_door.h"
#include "log.h"

enum { EXIT_CLEAN = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2, TEXT_MAX = 4 << 20, BEAT_MS = 1000 };

extern char **environ;

static const char *const LEVELS[] = {"debug", "info", "warning", "error", NULL};
static const char *const FORMATS[] = {"text", "json", NULL};

static const struct option OPTIONS[] = {
	{"listen.operations", OPTION_LISTEN, offsetof(struct daemon_options, listen_operations), "", 0, 0, NULL,
	 "Door of operations: /livez /readyz /healthz /metrics /debug; empty: off."},
	{"log.level", OPTION_CHOICE, offsetof(struct daemon_options, log_level), "info", 0, 0, LEVELS, "Least level of log lines."},
	{"log.format", OPTION_CHOICE, offsetof(struct daemon_options, log_format), "text", 0, 0, FORMATS, "Form of log lines on standard error."},
	{"threads", OPTION_INT, offsetof(struct daemon_options, threads), "0", 0, 256, NULL, "Worker threads; 0: one per core."},
	{"drain", OPTION_DURATION, offsetof(struct daemon_options, drain_ms), "10s", 0, 600000, NULL,
	 "After SIGTERM, conversations have so long to end; a second signal ends at once."},
	{0},
};

struct beat {
	_Atomic int64_t seen_ms; /* when the worker's loop last ran a message */
	bool drained;            /* main thread only */
};

/* One process, one daemon. Everything but the atomics belongs to the main thread. */
static struct {
	const struct daemon_spec *spec;
	struct daemon_options *options;
	struct loop *loop;
	_Atomic(struct worker *) workers; /* workers read it too */
	unsigned count, drained;
	struct beat *beats;
	struct watch *signals;
	int signal_fd;
	struct timer drain, beat;
	struct daemon_door *door;
	int exit_code;
	bool running, draining;
	const struct option *tables[3]; /* what all programs have, and its own */
	const char *file;
	/* Configs read after the start; NULL: the one that it started with. `before` lives while workers may look at it. */
	struct {
		void *now, *before;
		unsigned pending; /* workers that have not been told */
		bool again;
	} reload;
	_Atomic(const char *) start_failed;
	char start_reason[DIAG_TEXT_MAX];
	struct mono begun;
} d;

static struct worker *as_worker(unsigned i)
{
	return &d.workers[i];
}

/* ---- options read anew ---- */

static void config_free(void **config)
{
	if (!*config)
		return;
	options_clear(d.tables, *config);
	free(*config);
	*config = NULL;
}

static void reload(void);

static void on_worker_reloaded(void *context)
{
	(void)context;
	if (--d.reload.pending)
		return;
	/* All of them know the one in force: nobody has the one before. */
	log_info(SUBJECT("daemon"), "options read anew");
	config_free(&d.reload.before);
	if (!d.reload.again || !d.running)
		return;
	d.reload.again = false;
	reload();
}

static void on_reload_worker(void *context)
{
	struct worker *w = context;
	d.spec->on_reloaded(w, d.reload.now);
	loop_post(d.loop, on_worker_reloaded, NULL);
}

static void on_not_live(void *context, const char *name)
{
	(void)context;
	log_warning(SUBJECT("daemon"), "this option needs a restart, and stays as it was", F_TEXT("option", name));
}

static void reload(void)
{
	struct diag why = {0};
	const void *now = d.reload.now ? d.reload.now : d.spec->config;
	void *next = x_zalloc(d.spec->config_size);
	enum err e = options_read(d.tables, next, d.file, environ, &why);
	if (e == ERR_NONE) {
		options_adopt(d.tables, now, next, on_not_live, NULL);
		e = d.spec->on_reload(next, &why);
	}
	if (e != ERR_NONE) {
		log_error(SUBJECT("daemon"), "new options are refused, the old ones stay", F_TEXT("reason", why.text), F_UINT("line", why.line));
		config_free(&next);
		return;
	}
	d.reload.before = d.reload.now;
	d.reload.now = next;
	d.reload.pending = d.count;
	for (unsigned i = 0; i < d.count; i++)
		loop_post(d.workers[i].loop, on_reload_worker, as_worker(i));
}

static void on_hangup(void)
{
	if (!d.spec->on_reload || !d.running)
		return;
	if (d.reload.pending)
		d.reload.again = true;
	else
		reload();
}

/* ---- drain ---- */

static void leave(void)
{
	timer_cancel(&d.drain);
	loop_stop(d.loop);
}

static void on_too_slow(void *context)
{
	(void)context;
	log_warning(SUBJECT("daemon"), "drain time is over", F_UINT("drained", d.drained), F_UINT("threads", d.count));
	leave();
}

static void on_drained(void *context)
{
	uintptr_t i = (uintptr_t)context;
	/* A second word, or one that comes when the workers have gone. */
	if (!d.running || !d.draining || d.beats[i].drained)
		return;
	d.beats[i].drained = true;
	if (++d.drained == d.count)
		leave();
}

void daemon_drained(struct worker *w)
{
	loop_post(d.loop, on_drained, (void *)(uintptr_t)w->index);
}

static void on_drain_worker(void *context)
{
	struct worker *w = context;
	if (d.spec->on_drain)
		d.spec->on_drain(w);
	else
		daemon_drained(w);
}

static void drain(void)
{
	if (d.draining || !d.running)
		return;
	d.draining = true;
	log_info(SUBJECT("daemon"), "draining", F_INT("at_most_ms", d.options->drain_ms));
	timer_set(&d.drain, d.options->drain_ms);
	for (unsigned i = 0; i < d.count; i++)
		loop_post(d.workers[i].loop, on_drain_worker, as_worker(i));
	if (!d.count)
		leave();
}

static void on_signal(void *context, unsigned ready)
{
	struct signalfd_siginfo info;
	(void)context, (void)ready;
	while (read(d.signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			on_hangup(); /* certificates are looked at anyway */
			continue;
		}
		if (!d.draining) {
			drain();
			continue;
		}
		log_warning(SUBJECT("daemon"), "second signal, ending at once", F_UINT("signal", info.ssi_signo));
		d.exit_code = EXIT_FAILED;
		leave();
	}
}

/* ---- what the operations door asks ---- */

const char *daemon_not_ready(void)
{
	if (d.draining)
		return "draining";
	if (!d.running)
		return "starting";
	return d.spec->not_ready ? d.spec->not_ready() : NULL;
}

void daemon_ask_health(struct loop *loop, void (*answer)(void *context, bool good, const char *text), void *context)
{
	const char *reason = d.running && d.spec->on_health ? NULL : daemon_not_ready();
	if (d.running && d.spec->on_health)
		d.spec->on_health(loop, answer, context);
	else
		answer(context, !reason, reason ? reason : "ready");
}

static void on_beat_worker(void *context)
{
	struct beat *b = context;
	atomic_store_explicit(&b->seen_ms, clock_mono().ms, memory_order_relaxed);
}

static void on_beat(void *context)
{
	(void)context;
	for (unsigned i = 0; i < d.count; i++)
		loop_post(d.workers[i].loop, on_beat_worker, &d.beats[i]);
	timer_set(&d.beat, BEAT_MS);
}

enum err daemon_describe(struct buffer *out)
{
	int64_t now = clock_mono().ms;
	const char *reason = daemon_not_ready();
	enum err e = buffer_format(out, "{\"program\":\"%s\",\"version\":\"%s\",\"pid\":%d,\"up_ms\":%lld,\"ready\":%s,\"threads\":[", d.spec->name,
				   FLEETSCALE_VERSION, (int)getpid(), (long long)(now - d.begun.ms), reason ? "false" : "true");
	for (unsigned i = 0; i < d.count && d.running && e == ERR_NONE; i++)
		e = buffer_format(out, "%s{\"index\":%u,\"silent_ms\":%lld,\"drained\":%s}", i ? "," : "", i,
				  (long long)(now - atomic_load_explicit(&d.beats[i].seen_ms, memory_order_relaxed)), d.beats[i].drained ? "true" : "false");
	return e == ERR_NONE ? buffer_add_text(out, "]}\n") : e;
}

/* ---- start and stop ---- */

unsigned daemon_worker_count(void)
{
	return d.count;
}

struct worker *daemon_worker(unsigned index)
{
	return as_worker(index);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static unsigned core_count(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	int count = CPU_COUNT(&set);
	return count > 0 ? (unsigned)count : 1;
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_worker(struct worker *w)
{
	struct diag why = {0};
	d.workers = w - w->index;
	enum err e = d.spec->on_worker ? d.spec->on_worker(w, &why) : ERR_NONE;
	atomic_store(&d.beats[w->index].seen_ms, clock_mono().ms);
	if (e == ERR_NONE)
		return;
	pthread_mutex_lock(&start_lock);
	if (!d.start_failed) {
		snprintf(d.start_reason, sizeof(d.start_reason), "%s", *why.text ? why.text : err_text(e));
		d.start_failed = d.start_reason;
	}
	pthread_mutex_unlock(&start_lock);
}

static void on_stop_worker(void *context)
{
	struct worker *w = context;
	if (d.spec->on_stop)
		d.spec->on_stop(w);
	loop_stop(w->loop);
}

static void begin_loop(const sigset_t *set)
{
	d.loop = loop_new();
	d.begun = clock_mono();
	timer_init(&d.drain, d.loop, on_too_slow, NULL);
	timer_init(&d.beat, d.loop, on_beat, NULL);
	d.signal_fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (d.signal_fd < 0)
		abort();
	d.signals = watch_open(d.loop, d.signal_fd, on_signal, NULL);
	watch_want(d.signals, WATCH_READ);
}

static void end_loop(void)
{
	timer_cancel(&d.beat);
	timer_cancel(&d.drain);
	daemon_door_close(&d.door);
	watch_close(&d.signals);
	close(d.signal_fd);
	loop_free(&d.loop);
}

/* Workers run from here until they have all stopped. */
static int run_workers(void)
{
	d.count = d.options->threads ? (unsigned)d.options->threads : core_count();
	d.beats = x_zalloc(sizeof(*d.beats) * d.count);
	struct worker *workers = worker_start(d.count, on_worker, NULL);
	if (d.start_failed) {
		log_error(SUBJECT("daemon"), "cannot start", F_TEXT("reason", d.start_failed));
		d.exit_code = EXIT_FAILED;
	} else {
		d.running = true;
		log_info(SUBJECT("daemon"), "started", F_TEXT("program", d.spec->name), F_TEXT("version", FLEETSCALE_VERSION), F_UINT("threads", d.count));
		on_beat(NULL);
		loop_run(d.loop);
		d.running = false;
		if (d.spec->on_health_end)
			d.spec->on_health_end();
	}
	timer_cancel(&d.beat);
	for (unsigned i = 0; i < d.count; i++)
		loop_post(d.workers[i].loop, on_stop_worker, as_worker(i));
	worker_join(&workers, d.count);
	d.workers = NULL;
	free(d.beats);
	return d.exit_code;
}

static int run(const struct daemon_spec *spec, struct diag *why)
{
	sigset_t set;
	block_signals(&set);
	raise_descriptor_limit();
	if (spec->on_start && spec->on_start(spec->config, why) != ERR_NONE) {
		log_error(SUBJECT("daemon"), "cannot start", F_TEXT("reason", why->text));
		return EXIT_FAILED;
	}
	begin_loop(&set);
	int code = EXIT_FAILED;
	d.door = daemon_door_open(d.loop, d.options->listen_operations, why);
	if (d.door)
		code = run_workers();
	else
		log_error(SUBJECT("daemon"), "cannot start", F_TEXT("reason", why->text));
	if (spec->on_end)
		spec->on_end(spec->config);
	config_free(&d.reload.before);
	config_free(&d.reload.now);
	end_loop();
	log_info(SUBJECT("daemon"), "ended", F_INT("code", code));
	return code;
}

/* Silent when all is well. */
static int check(const struct daemon_spec *spec)
{
	struct diag why = {0};
	enum err (*judge)(void *config, struct diag *diag) = spec->on_check ? spec->on_check : spec->on_start;
	enum err e = judge ? judge(spec->config, &why) : ERR_NONE;
	if (spec->on_end && !spec->on_check)
		spec->on_end(spec->config);
	if (e != ERR_NONE)
		fprintf(stderr, "%s: %s\n", spec->name, *why.text ? why.text : err_text(e));
	return e == ERR_NONE ? EXIT_CLEAN : EXIT_FAILED;
}

/* ---- command line ---- */

struct arguments {
	const char *file;
	bool check;
};

static int print(enum err e, struct buffer *out)
{
	if (e == ERR_NONE)
		fwrite(out->at, 1, out->len, stdout);
	buffer_clear(out);
	return e == ERR_NONE && !fflush(stdout) ? EXIT_CLEAN : EXIT_FAILED;
}

static int print_docs(const struct daemon_spec *spec, const struct option *const *tables, const char *what)
{
	struct buffer out;
	buffer_init(&out, TEXT_MAX);
	if (what && !strcmp(what, "options"))
		return print(options_write_docs(tables, spec->name, &out), &out);
	if (what && !strcmp(what, "metrics"))
		return print(metric_write_docs(&out), &out);
	fprintf(stderr, "%s: --docs takes options or metrics\n", spec->name);
	return EXIT_WRONG_USE;
}

static int print_help(const struct daemon_spec *spec, const struct option *const *tables)
{
	struct buffer out;
	buffer_init(&out, TEXT_MAX);
	return print(options_write_help(tables, spec->name, &out), &out);
}

/* -1: go on. */
static int read_arguments(int argc, char **argv, const struct daemon_spec *spec, const struct option *const *tables, struct arguments *a)
{
	for (int i = 1; i < argc && argv[i]; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help(spec, tables);
		if (!strcmp(argv[i], "--version"))
			return printf("%s %s\n", spec->name, FLEETSCALE_VERSION) > 0 ? EXIT_CLEAN : EXIT_FAILED;
		if (!strcmp(argv[i], "--docs"))
			return print_docs(spec, tables, next);
		if (!strncmp(argv[i], "--config=", 9)) {
			a->file = argv[i] + 9;
		} else if (!strcmp(argv[i], "--config") && next) {
			a->file = next;
			i++;
		} else if (!strcmp(argv[i], "--check")) {
			a->check = true;
		} else {
			fprintf(stderr, "%s: unknown argument %s, see --help\n", spec->name, argv[i]);
			return EXIT_WRONG_USE;
		}
	}
	return -1;
}

static void complain(const struct daemon_spec *spec, const char *file, const struct diag *why)
{
	if (why->line)
		fprintf(stderr, "%s: %s:%u:%u: %s\n", spec->name, file ? file : getenv("FLEETSCALE_CONFIG"), why->line, why->column, why->text);
	else
		fprintf(stderr, "%s: %s\n", spec->name, why->text);
}

int daemon_main(int argc, char **argv, const struct daemon_spec *spec)
{
	struct arguments a = {0};
	struct diag why = {0};
	d.spec = spec;
	d.tables[0] = OPTIONS;
	d.tables[1] = spec->options;
	d.options = spec->config;
	if (spec->metrics)
		metric_register(spec->metrics);
	int code = read_arguments(argc, argv, spec, d.tables, &a);
	if (code >= 0)
		return code;
	if (options_read(d.tables, spec->config, a.file, environ, &why) == ERR_NONE) {
		log_setup(spec->name, (enum log_level)d.options->log_level, (enum log_format)d.options->log_format);
		d.file = a.file;
		code = a.check ? check(spec) : run(spec, &why);
	} else {
		complain(spec, a.file, &why);
		code = EXIT_WRONG_USE;
	}
	options_clear(d.tables, spec->config);
	return code;
}
