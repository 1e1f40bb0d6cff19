#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each case runs the daemon in a child process and looks at it from outside. */
struct config {
	struct daemon_options daemon;
	char *behave;
	int64_t letter;
	int64_t stiff;
};

static struct config config;
static int notes[2]; /* the child's callbacks write a letter each */
static uint16_t port;

static const struct option OWN[] = {
	{"behave", OPTION_TEXT, offsetof(struct config, behave), "", 0, 0, NULL, "How the test behaves."},
	{"letter", OPTION_INT | OPTION_LIVE, offsetof(struct config, letter), "97", 97, 122, NULL, "What workers note."},
	{"stiff", OPTION_INT, offsetof(struct config, stiff), "1", 1, 9, NULL, "Stays."},
	{0},
};
static struct metric metrics[] = {
	{.name = "test_things_total", .type = METRIC_COUNTER, .help = "Things."},
	{.name = "test_told", .type = METRIC_TOLD, .help = "Told.", .label = "name"},
	{.name = "test_told_too", .type = METRIC_TOLD, .help = "Told.", .label = "name"},
	{.name = "test_told_as_well", .type = METRIC_TOLD, .help = "Told.", .label = "name"},
	{.name = "test_told_at_last", .type = METRIC_TOLD, .help = "Told.", .label = "name"},
	{0},
};

static bool behaves(const char *how)
{
	return !strcmp(config.behave, how);
}

static void note(char letter)
{
	if (write(notes[1], &letter, 1) != 1)
		abort();
}

/* As much as can be told. */
static void tell_all(void)
{
	enum { SERIES = 16000 };
	const char *name = "a name of a length that a name may have, so that all of them together come to the cap";
	struct metric_told *told = x_alloc(SERIES * sizeof *told);
	for (unsigned i = 0; i < SERIES; i++)
		told[i] = (struct metric_told){&name, i};
	for (struct metric *m = metrics + 1; m->name; m++)
		metric_tell(m, told, SERIES);
	free(told);
}

static enum err on_start(void *context, struct diag *why)
{
	assert_ptr_equal(context, &config);
	note('s');
	if (behaves("much is told"))
		tell_all();
	return behaves("start fails") ? diag_set(why, ERR_UNAVAILABLE, "no start") : ERR_NONE;
}

static enum err on_worker(struct worker *w, struct diag *why)
{
	note('w');
	w->program = &config;
	metric_add(&metrics[0], 21);
	if (behaves("worker fails") && w->index == 1)
		return diag_set(why, ERR_UNAVAILABLE, "no worker");
	return ERR_NONE;
}

static void on_drain(struct worker *w)
{
	note('d');
	/* Twice is once. */
	if (!behaves("drain hangs") || w->index)
		daemon_drained(w);
	if (!behaves("drain hangs"))
		daemon_drained(w);
}

static void on_stop(struct worker *w)
{
	assert_ptr_equal(daemon_worker(w->index), w);
	note('x');
}

static void on_end(void *context)
{
	(void)context;
	note('e');
}

static enum err on_reload(const void *next, struct diag *why)
{
	const struct config *c = next;
	note('r');
	if (c->stiff != 1)
		abort();
	return c->letter == 'z' ? diag_set(why, ERR_MALFORMED, "not z") : ERR_NONE;
}

static atomic_bool health_ended; /* the main thread listens no more */

static void on_reloaded(struct worker *w, const void *next)
{
	const struct config *c = next;
	for (unsigned i = 0; i < 10000 && behaves("reload is slow") && w->index == 1 && !health_ended; i++)
		usleep(1000);
	w->program = (void *)next;
	note((char)c->letter);
}

static const char *not_ready(void)
{
	return behaves("unready") ? "not yet" : NULL;
}

/* A question that hangs is answered by the end. */
static void (*asked)(void *context, bool good, const char *text);
static void *asker;

static void on_health(struct loop *loop, void (*answer_it)(void *context, bool good, const char *text), void *context)
{
	assert_non_null(loop);
	if (behaves("health hangs")) {
		note('h');
		asked = answer_it;
		asker = context;
	} else {
		answer_it(context, !behaves("unhealthy"), behaves("unhealthy") ? "it hurts" : "well done");
	}
}

static void on_health_end(void)
{
	if (asked)
		asked(asker, false, "it ends");
	note('q');
	health_ended = true;
}

static const struct daemon_spec SPEC = {
	.name = "fleetscale-test",
	.options = OWN,
	.config = &config,
	.metrics = metrics,
	.on_start = on_start,
	.on_worker = on_worker,
	.on_drain = on_drain,
	.on_stop = on_stop,
	.on_end = on_end,
	.on_reload = on_reload,
	.on_reloaded = on_reloaded,
	.config_size = sizeof(struct config),
	.not_ready = not_ready,
	.on_health = on_health,
	.on_health_end = on_health_end,
};

static pid_t run(char **argv)
{
	if (pipe(notes))
		abort();
	pid_t child = fork();
	if (!child) {
		int argc = 0;
		while (argv[argc])
			argc++;
		exit(daemon_main(argc, argv, &SPEC));
	}
	close(notes[1]);
	return child;
}

static int dial(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (unsigned i = 0; i < 1000; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
			return fd;
		close(fd);
		usleep(10000);
	}
	fail_msg("nobody listens");
	return -1;
}

static char answer[1 << 16];

static const char *get(const char *path)
{
	char request[128];
	int fd = dial();
	int size = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	size_t len = 0;
	ssize_t got;
	assert_int_equal(send(fd, request, (size_t)size, 0), size);
	while ((got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += (size_t)got;
	answer[len] = 0;
	close(fd);
	return answer;
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void await_ready(void)
{
	for (unsigned i = 0; i < 1000 && !strstr(get("/readyz"), "200 OK"); i++)
		usleep(10000);
}

static void assert_ends(pid_t child, int code, const char *noted)
{
	char said[64] = "";
	size_t len = 0;
	ssize_t got;
	int status;
	while ((got = read(notes[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)got;
	close(notes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	assert_string_equal(said, noted);
}

/* Reads notes until they end so. */
static void await_notes(char *said, size_t size, const char *end)
{
	size_t len = strlen(said), want = strlen(end);
	while ((len < want || strcmp(said + len - want, end) != 0) && len < size - 1 && read(notes[0], said + len, 1) == 1)
		said[++len] = '\0';
}

static void pick_port(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	char text[64];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	port = ntohs(sa.sin_port);
	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	setenv("FLEETSCALE_LISTEN_OPERATIONS", text, 1);
	setenv("FLEETSCALE_THREADS", "2", 1);
	setenv("FLEETSCALE_LOG_LEVEL", "error", 1);
}

static pid_t run_as(const char *behave)
{
	setenv("FLEETSCALE_BEHAVE", behave, 1);
	pick_port();
	return run((char *[]){"x", NULL});
}

static void it_lives_is_ready_and_drains(void **state)
{
	(void)state;
	pid_t child = run_as("");
	await_ready();
	assert_says(get("/livez"), "HTTP/1.1 200 OK");
	assert_says(get("/readyz"), "ready\n");
	assert_says(get("/metrics"), "fleetscale_test_things_total 42\n");
	assert_says(answer, "Content-Type: text/plain; version=0.0.4");
	assert_says(get("/debug"), "\"threads\":[{\"index\":0,");
	assert_says(get("/nothing"), "HTTP/1.1 404");
	assert_says(get("/healthz"), "HTTP/1.1 200 OK");
	assert_says(answer, "\r\nwell done\n");
	kill(child, SIGTERM);
	assert_ends(child, 0, "swwddqxxe");
}

static void all_that_is_told_can_be_read(void **state)
{
	(void)state;
	pid_t child = run_as("much is told");
	await_ready();
	assert_says(get("/metrics"), "HTTP/1.1 200 OK");
	assert_says(answer, "so that all of them together come to the cap");
	kill(child, SIGTERM);
	assert_ends(child, 0, "swwddqxxe");
}

static void it_says_why_it_is_not_ready(void **state)
{
	(void)state;
	pid_t child = run_as("unready");
	for (unsigned i = 0; i < 1000 && !strstr(get("/readyz"), "not yet"); i++)
		usleep(10000);
	assert_says(get("/readyz"), "HTTP/1.1 503 Service Unavailable");
	assert_says(answer, "not ready: not yet\n");
	kill(child, SIGINT);
	assert_ends(child, 0, "swwddqxxe");
}

static void it_says_why_it_is_not_healthy(void **state)
{
	(void)state;
	pid_t child = run_as("unhealthy");
	await_ready();
	assert_says(get("/healthz"), "HTTP/1.1 503 Service Unavailable");
	assert_says(answer, "not healthy: it hurts\n");
	kill(child, SIGINT);
	assert_ends(child, 0, "swwddqxxe");
}

static void a_question_of_health_does_not_outlive_it(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	char said[16] = "";
	size_t len = 0;
	(void)state;
	pid_t child = run_as("health hangs");
	await_ready();
	int fd = dial();
	assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
	while (!strchr(said, 'h') && len < sizeof said - 1 && read(notes[0], said + len, 1) == 1)
		len++;
	kill(child, SIGINT);
	assert_ends(child, 0, "ddqxxe");
	close(fd);
}

static void a_second_signal_ends_at_once(void **state)
{
	char said[16] = "";
	(void)state;
	setenv("FLEETSCALE_DRAIN", "10m", 1);
	pid_t child = run_as("drain hangs");
	await_ready();
	kill(child, SIGTERM);
	await_notes(said, sizeof said, "swwdd");
	assert_says(get("/readyz"), "draining");
	assert_says(get("/livez"), "200 OK");
	kill(child, SIGTERM);
	assert_ends(child, 1, "qxxe");
	unsetenv("FLEETSCALE_DRAIN");
}

static void drain_time_ends(void **state)
{
	(void)state;
	setenv("FLEETSCALE_DRAIN", "1s", 1);
	pid_t child = run_as("drain hangs");
	await_ready();
	kill(child, SIGTERM);
	assert_ends(child, 0, "swwddqxxe");
	unsetenv("FLEETSCALE_DRAIN");
}

static void write_config(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void options_are_read_anew(void **state)
{
	(void)state;
	char path[] = "/tmp/daemon_test_XXXXXX", said[64] = "";
	close(mkstemp(path));
	write_config(path, "letter: 98\nstiff: 1\n");
	setenv("FLEETSCALE_BEHAVE", "", 1);
	pick_port();
	pid_t child = run((char *[]){"x", "--config", path, NULL});
	await_ready();
	await_notes(said, sizeof said, "sww");
	write_config(path, "letter: 112\nstiff: 2\n");
	kill(child, SIGHUP);
	await_notes(said, sizeof said, "rpp");
	/* Refused by the program, by the table, by the language. */
	write_config(path, "letter: 122\n");
	kill(child, SIGHUP);
	await_notes(said, sizeof said, "r");
	write_config(path, "letter: 5\n");
	kill(child, SIGHUP);
	get("/livez");
	write_config(path, "letter: [\n");
	kill(child, SIGHUP);
	get("/livez");
	write_config(path, "letter: 113\n");
	kill(child, SIGHUP);
	await_notes(said, sizeof said, "rqq");
	assert_string_equal(said, "swwrpprrqq");
	kill(child, SIGTERM);
	assert_ends(child, 0, "ddqxxe");
	unlink(path);
}

/* Asked for again while a worker has not heard of the first: the process ends meanwhile, and reads nothing. */
static void the_end_reads_nothing_anew(void **state)
{
	(void)state;
	char path[] = "/tmp/daemon_test_XXXXXX", said[64] = "";
	int status;
	close(mkstemp(path));
	write_config(path, "letter: 98\n");
	setenv("FLEETSCALE_BEHAVE", "reload is slow", 1);
	pick_port();
	pid_t child = run((char *[]){"x", "--config", path, NULL});
	await_ready();
	kill(child, SIGHUP);
	await_notes(said, sizeof said, "swwrb");
	kill(child, SIGHUP);
	kill(child, SIGTERM);
	for (unsigned i = 0; i < 1000 && !strstr(get("/readyz"), "draining"); i++)
		usleep(10000);
	kill(child, SIGTERM);
	await_notes(said, sizeof said, "e");
	close(notes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_ptr_equal(strchr(said, 'r'), strrchr(said, 'r'));
	unlink(path);
}

static void failed_starts_are_told(void **state)
{
	(void)state;
	assert_ends(run_as("start fails"), 1, "s");
	assert_ends(run_as("worker fails"), 1, "swwxxe");
}

static void wrong_use_is_two(void **state)
{
	(void)state;
	pick_port();
	assert_ends(run((char *[]){"x", "--nonsense", NULL}), 2, "");
	assert_ends(run((char *[]){"x", "--docs", "other", NULL}), 2, "");
	assert_ends(run((char *[]){"x", "--config", "/nowhere/at/all", NULL}), 2, "");
	setenv("FLEETSCALE_LOG_LEVLE", "x", 1);
	assert_ends(run((char *[]){"x", NULL}), 2, "");
	unsetenv("FLEETSCALE_LOG_LEVLE");
	assert_ends(run((char *[]){"x", "--help", NULL}), 0, "");
	assert_ends(run((char *[]){"x", "--version", NULL}), 0, "");
	assert_ends(run((char *[]){"x", "--docs", "options", NULL}), 0, "");
	assert_ends(run((char *[]){"x", "--docs", "metrics", NULL}), 0, "");
	/* A check starts, ends, and opens nothing. */
	assert_ends(run((char *[]){"x", "--check", NULL}), 0, "se");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_lives_is_ready_and_drains),
		cmocka_unit_test(all_that_is_told_can_be_read),
		cmocka_unit_test(it_says_why_it_is_not_ready),
		cmocka_unit_test(it_says_why_it_is_not_healthy),
		cmocka_unit_test(a_question_of_health_does_not_outlive_it),
		cmocka_unit_test(a_second_signal_ends_at_once),
		cmocka_unit_test(drain_time_ends),
		cmocka_unit_test(options_are_read_anew),
		cmocka_unit_test(the_end_reads_nothing_anew),
		cmocka_unit_test(failed_starts_are_told),
		cmocka_unit_test(wrong_use_is_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
