#include "option.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct config {
	char *clients, *base_url, *password;
	int64_t level, drain_ms, threads, body_max;
	bool tls;
};

static const char *const LEVELS[] = {"debug", "info", "warning", "error", NULL};

static const struct option COMMON[] = {
	{"log.level", OPTION_CHOICE, offsetof(struct config, level), "info", 0, 0, LEVELS, "Least level of log lines."},
	{"threads", OPTION_INT, offsetof(struct config, threads), "0", 0, 256, NULL, "Worker threads; 0: one per core."},
	{"drain", OPTION_DURATION, offsetof(struct config, drain_ms), "10s", 100, 600000, NULL, "Longest drain."},
	{0},
};
static const struct option OWN[] = {
	{"listen.clients", OPTION_LISTEN, offsetof(struct config, clients), "", 0, 0, NULL, "Door of clients."},
	{"base_url", OPTION_TEXT, offsetof(struct config, base_url), NULL, 0, 0, NULL, "URL that clients use."},
	{"database.password", OPTION_SECRET, offsetof(struct config, password), "", 0, 0, NULL, "Password."},
	{"body_max", OPTION_SIZE | OPTION_LIVE, offsetof(struct config, body_max), "1MiB", 1024, 1 << 30, NULL, "Largest body."},
	{"tls", OPTION_BOOL, offsetof(struct config, tls), "false", 0, 0, NULL, "TLS."},
	{0},
};
static const struct option *const TABLES[] = {COMMON, OWN, NULL};

static struct config config;
static struct diag why;
static char path[] = "/tmp/option_test.XXXXXX", secret_path[] = "/tmp/option_test.XXXXXX";

static void write_file(char *at, const char *text)
{
	FILE *f = fopen(at, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static enum err read_text(const char *text, char *const *environment)
{
	options_clear(TABLES, &config);
	config = (struct config){0};
	why = (struct diag){0};
	if (text)
		write_file(path, text);
	return options_read(TABLES, &config, text ? path : NULL, environment, &why);
}

static void defaults_file_and_environment_override_each_other(void **state)
{
	(void)state;
	char *environment[] = {"HOME=/", "FLEETSCALE_TAILNET=x", "FLEETSCALE_DRAIN=1m30s", "FLEETSCALE_LISTEN_CLIENTS=[::1]:443", NULL};
	assert_int_equal(read_text("base_url: https://a.example\nlog:\n  level: error\nlisten:\n  clients: 127.0.0.1:80\n"
				   "drain: 20s\nbody_max: 64KiB\ntls: yes\n",
				   environment),
			 ERR_NONE);
	assert_string_equal(config.base_url, "https://a.example");
	assert_string_equal(config.clients, "[::1]:443");
	assert_string_equal(config.password, "");
	assert_int_equal(config.level, 3);
	assert_int_equal(config.drain_ms, 90000);
	assert_int_equal(config.threads, 0);
	assert_int_equal(config.body_max, 65536);
	assert_true(config.tls);
}

static void the_file_may_be_named_by_the_environment(void **state)
{
	(void)state;
	char variable[128], *environment[] = {variable, NULL};
	write_file(path, "base_url: x\nlog.level: debug\n");
	snprintf(variable, sizeof(variable), "FLEETSCALE_CONFIG=%s", path);
	assert_int_equal(read_text(NULL, environment), ERR_NONE);
	assert_int_equal(config.level, 0);
}

static void secrets_come_from_files_without_their_newline(void **state)
{
	(void)state;
	char variable[128], text[256], *environment[] = {variable, NULL}, *none[] = {NULL};
	write_file(secret_path, "hush\n");
	snprintf(variable, sizeof(variable), "FLEETSCALE_DATABASE_PASSWORD_FILE=%s", secret_path);
	assert_int_equal(read_text("base_url: x\ndatabase: {password: old}\n", environment), ERR_NONE);
	assert_string_equal(config.password, "hush");
	snprintf(text, sizeof(text), "base_url: x\ndatabase:\n  password_file: %s\n", secret_path);
	assert_int_equal(read_text(text, none), ERR_NONE);
	assert_string_equal(config.password, "hush");
	assert_int_equal(read_text("base_url: x\ndatabase:\n  password_file: /nowhere/at/all\n", none), ERR_MALFORMED);
	assert_non_null(strstr(why.text, "/nowhere/at/all"));
	assert_int_equal(read_text("base_url: x\ndatabase: {password: a, password_file: b}\n", none), ERR_MALFORMED);
	assert_non_null(strstr(why.text, "twice"));
}

static void mistakes_are_named_with_their_place(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned line, column;
	} CASES[] = {
		{"base_url: x\nlog:\n  levle: info\n", "did you mean log.level?", 3, 3},
		{"base_url: x\nzzzzzzzzzzzzzz: 1\n", "unknown option zzzzzzzzzzzzzz", 2, 1},
		{"base_url: x\nlog: {level: loud}\n", "log.level must be one of: debug, info, warning, error", 2, 7},
		{"base_url: x\nthreads: 257\n", "threads must be between 0 and 256", 2, 1},
		{"base_url: x\nthreads: -1\n", "threads must be", 2, 1},
		{"base_url: x\nthreads: two\n", "a whole number", 2, 1},
		{"base_url: x\ndrain: 10\n", "a duration", 2, 1},
		{"base_url: x\ndrain: 1ms\n", "between 100ms and 10m", 2, 1},
		{"base_url: x\nbody_max: 1kb\n", "a size", 2, 1},
		{"base_url: x\nbody_max: 1\n", "between 1KiB and 1024MiB", 2, 1},
		{"base_url: x\ntls: maybe\n", "true or false", 2, 1},
		{"base_url: x\nlisten: {clients: here}\n", "address:port", 2, 10},
		{"base_url: x\nbase_url: y\n", "twice", 2, 1},
		{"base_url: [x, y]\n", "not a list", 1, 1},
		{"- base_url\n", "name: value", 1, 1},
		{"base_url: x\n---\nbase_url: y\n", "one document", 3, 1},
		{"a: {a: {a: {a: {a: 1}}}}\n", "too deep", 1, 13},
		{"base_url: \"x\\0y\"\n", "NUL", 1, 1},
		{"base_url: 'x\n", "", 0, 0},
		{"tls: true\n", "base_url is required (in the file, or as FLEETSCALE_BASE_URL)", 0, 0},
		{"", "base_url is required", 0, 0},
	};
	char *none[] = {NULL};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(CASES); i++) {
		assert_int_not_equal(read_text(CASES[i].text, none), ERR_NONE);
		if (!strstr(why.text, CASES[i].says))
			fail_msg("case %zu says: %s", i, why.text);
		if (CASES[i].line && (why.line != CASES[i].line || why.column != CASES[i].column))
			fail_msg("case %zu stands at %u:%u: %s", i, why.line, why.column, why.text);
	}
}

static void unknown_variables_are_errors(void **state)
{
	char *environment[] = {"FLEETSCALE_BASE_URL=x", "FLEETSCALE_LOG_LEVLE=info", NULL};
	(void)state;
	assert_int_equal(read_text(NULL, environment), ERR_MALFORMED);
	assert_non_null(strstr(why.text, "did you mean FLEETSCALE_LOG_LEVEL?"));
	assert_int_equal(why.line, 0);
}

static void missing_files_are_errors(void **state)
{
	(void)state;
	assert_int_equal(options_read(TABLES, &config, "/nowhere/at/all.yaml", NULL, &why), ERR_MALFORMED);
	assert_non_null(strstr(why.text, "/nowhere/at/all.yaml"));
}

static void docs_name_every_option_and_no_secret(void **state)
{
	(void)state;
	struct buffer out;
	buffer_init(&out, 1 << 16);
	assert_int_equal(options_write_docs(TABLES, "fleetscale-x", &out), ERR_NONE);
	assert_int_equal(options_write_help(TABLES, "fleetscale-x", &out), ERR_NONE);
	assert_int_equal(buffer_add_byte(&out, 0), ERR_NONE);
	const char *text = (const char *)out.at;
	assert_non_null(strstr(text, "| `log.level` | `FLEETSCALE_LOG_LEVEL` | debug, info, warning, error | `info` | Least level of log lines. |"));
	assert_non_null(strstr(text, "`FLEETSCALE_DATABASE_PASSWORD`, `..._FILE`"));
	assert_non_null(strstr(text, "| `drain` | `FLEETSCALE_DRAIN` | duration, 100ms to 10m | `10s` |"));
	assert_non_null(strstr(text, "base_url: text (required)"));
	assert_non_null(strstr(text, "| `1MiB` | Largest body. Read anew at SIGHUP. |"));
	assert_non_null(strstr(text, "      Largest body. Read anew at SIGHUP.\n"));
	buffer_clear(&out);
}

static void on_changed(void *context, const char *name)
{
	char *names = context;
	snprintf(names + strlen(names), 256 - strlen(names), "%s ", name);
}

static void only_live_ones_change(void **state)
{
	(void)state;
	struct config next = {0};
	char names[256] = "";
	char *before[] = {"FLEETSCALE_BASE_URL=a", "FLEETSCALE_DATABASE_PASSWORD=old", NULL};
	char *after[] = {
		"FLEETSCALE_BASE_URL=b", "FLEETSCALE_TLS=true", "FLEETSCALE_THREADS=3", "FLEETSCALE_BODY_MAX=2MiB", "FLEETSCALE_DATABASE_PASSWORD=old", NULL};
	assert_int_equal(read_text(NULL, before), ERR_NONE);
	assert_int_equal(options_read(TABLES, &next, NULL, after, &why), ERR_NONE);
	options_adopt(TABLES, &config, &next, on_changed, names);
	assert_string_equal(names, "threads base_url tls ");
	assert_string_equal(next.base_url, "a");
	assert_string_equal(next.password, "old");
	assert_true(!next.tls && !next.threads && next.body_max == 2 << 20);
	options_clear(TABLES, &next);
}

static int begin(void **state)
{
	(void)state;
	close(mkstemp(path));
	close(mkstemp(secret_path));
	return 0;
}

static int finish(void **state)
{
	(void)state;
	options_clear(TABLES, &config);
	unlink(path);
	unlink(secret_path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_file_and_environment_override_each_other),
		cmocka_unit_test(the_file_may_be_named_by_the_environment),
		cmocka_unit_test(secrets_come_from_files_without_their_newline),
		cmocka_unit_test(mistakes_are_named_with_their_place),
		cmocka_unit_test(unknown_variables_are_errors),
		cmocka_unit_test(missing_files_are_errors),
		cmocka_unit_test(docs_name_every_option_and_no_secret),
		cmocka_unit_test(only_live_ones_change),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
