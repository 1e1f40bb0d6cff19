#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_command.h"
#include "ctl_profile.h"
#include "ctl_where.h"
#include "told.h"

/* Where a request would go, and as whom: dumpConfig tells. */

static char folder[32], path[96], key_path[96];

static void expect(const char *const *words, int status, const char *said)
{
	struct told told = told_by(words);

	assert_int_equal(told.status, status);
	if (said)
		assert_non_null(strstr(status ? told.err : told.out, said));
	told_clear(&told);
}

static void write_file(const char *at, const char *text, mode_t mode)
{
	int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fs-profile-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/deep/er/cli.yaml", folder);
	snprintf(key_path, sizeof key_path, "%s/key", folder);
	setenv("FLEETSCALE_CLI_CONFIG", path, 1);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void profiles_are_kept(void **state)
{
	struct stat st;

	(void)state;
	expect(WORDS("profiles", "list", "-o", "json-line"), 0, "[]\n");
	write_file(key_path, "hskey-api-file\n", 0600);
	expect(WORDS("profiles", "add", "lab", "--server", "lab.example/", "--key-file", key_path, "--tailnet", "red"), 0, "kept");
	setenv("FLEETSCALE_API_KEY", "hskey-api-stored", 1);
	expect(WORDS("profiles", "add", "home", "--url", "http://127.0.0.1:9", "--store-key"), 0, "kept");
	unsetenv("FLEETSCALE_API_KEY");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	expect(WORDS("profiles", "add", "lab", "--server", "x"), 2, "--force"); /* there already, and nobody to ask */
	expect(WORDS("profiles", "list", "-o", "json-line"), 0, "\"current\":true");
	expect(WORDS("dumpConfig", "-o", "json-line"), 0,
	       "{\"server\":\"https://lab.example\",\"from\":\"profile "
	       "lab\",\"profile\":\"lab\",\"tailnet\":\"red\",\"caFile\":null,\"insecure\":false,\"hasKey\":true");
	expect(WORDS("profiles", "use", "home"), 0, "current");
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "{\"server\":\"http://127.0.0.1:9\",\"from\":\"profile home\"");
	expect(WORDS("profiles", "use", "nobody"), 1, "profiles list");
	expect(WORDS("profiles", "remove", "home", "--force"), 0, "removed");
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "unix socket");
	expect(WORDS("dumpConfig", "--profile", "home"), 2, "profiles list");
}

static void no_list_shows_a_key(void **state)
{
	struct told told;

	(void)state;
	setenv("FLEETSCALE_API_KEY", "hskey-api-stored", 1);
	expect(WORDS("profiles", "add", "home", "--url", "http://127.0.0.1:9", "--store-key", "--use"), 0, "kept");
	unsetenv("FLEETSCALE_API_KEY");
	told = told_by(WORDS("profiles", "list", "-o", "yaml"));
	assert_null(strstr(told.out, "hskey"));
	assert_non_null(strstr(told.out, "key: stored"));
	told_clear(&told);
}

/* Flags, then environment, then profile; --profile is a flag. */
static void the_nearer_word_wins(void **state)
{
	(void)state;
	setenv("FLEETSCALE_URL", "http://127.0.0.1:7", 1);
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "{\"server\":\"http://127.0.0.1:7\",\"from\":\"FLEETSCALE_URL\"");
	expect(WORDS("dumpConfig", "-o", "json-line", "--server", "https://other"), 0, "{\"server\":\"https://other\",\"from\":\"--server\"");
	expect(WORDS("dumpConfig", "-o", "json-line", "--profile", "lab"), 0, "{\"server\":\"https://lab.example\",\"from\":\"profile lab\"");
	setenv("FLEETSCALE_TAILNET", "blue", 1);
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "\"tailnet\":\"blue\"");
	expect(WORDS("dumpConfig", "-o", "json-line", "--profile", "lab"), 0, "\"tailnet\":\"red\"");
	expect(WORDS("dumpConfig", "-o", "json-line", "--profile", "lab", "--tailnet", "green"), 0, "\"tailnet\":\"green\"");
	unsetenv("FLEETSCALE_URL");
	unsetenv("FLEETSCALE_TAILNET");
	setenv("HEADSCALE_CLI_ADDRESS", "hs.example:50443", 1);
	setenv("HEADSCALE_CLI_TIMEOUT", "7s", 1);
	setenv("HEADSCALE_CLI_INSECURE", "true", 1);
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "{\"server\":\"https://hs.example:50443\",\"from\":\"HEADSCALE_CLI_ADDRESS\"");
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "\"insecure\":true");
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "\"timeoutSeconds\":7.0");
	setenv("HEADSCALE_CLI_TIMEOUT", "soon", 1);
	expect(WORDS("dumpConfig"), 2, "HEADSCALE_CLI_TIMEOUT");
	unsetenv("HEADSCALE_CLI_ADDRESS");
	unsetenv("HEADSCALE_CLI_TIMEOUT");
	unsetenv("HEADSCALE_CLI_INSECURE");
}

/* A key of a profile goes to its own server alone. */
static void keys_stay_at_home(void **state)
{
	(void)state;
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "\"hasKey\":true");
	expect(WORDS("dumpConfig", "-o", "json-line", "--server", "https://evil.example"), 0, "\"hasKey\":false");
	expect(WORDS("dumpConfig", "-o", "json-line", "--server", "https://evil.example", "--profile", "lab"), 0, "\"hasKey\":false");
	setenv("FLEETSCALE_URL", "https://evil.example", 1);
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "\"hasKey\":false");
	setenv("FLEETSCALE_API_KEY", "hskey-api-env", 1);
	expect(WORDS("dumpConfig", "-o", "json-line"), 0, "\"hasKey\":true");
	unsetenv("FLEETSCALE_API_KEY");
	unsetenv("FLEETSCALE_URL");
}

static void open_files_are_refused(void **state)
{
	static const char stored[] = "current: a\nprofiles:\n  a:\n    server: http://127.0.0.1:1\n    key: hskey-api-x\n";

	(void)state;
	write_file(path, stored, 0640);
	expect(WORDS("users", "list"), 1, "chmod 600");
	write_file(path, "current: a\nprofiles:\n  a:\n    server: http://127.0.0.1:1\n", 0644);
	expect(WORDS("dumpConfig"), 0, "http://127.0.0.1:1");
	write_file(path, "current: a\nprofiles:\n  a:\n    server: http://127.0.0.1:1\n", 0666);
	expect(WORDS("dumpConfig"), 1, "written by others");
	/* Who names the server needs no profile. */
	expect(WORDS("dumpConfig", "--socket", "/x"), 0, "unix socket /x");
}

static void broken_files_are_named(void **state)
{
	static const char *const bad[] = {"{",
					  "profiles: [1]\n",
					  "profiles:\n  a.b:\n    server: x\n",
					  "other: 1\n",
					  "profiles:\n  a:\n    nonsense: x\n",
					  "profiles:\n  a:\n    server:\n      deep: x\n",
					  "- 1\n"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		write_file(path, bad[i], 0600);
		expect(WORDS("dumpConfig"), 1, "cli.yaml:");
	}
	write_file(path, "", 0600);
	expect(WORDS("dumpConfig"), 0, "unix socket");
}

int main(void)
{
	static const char *const names[] = {"URL", "SOCKET", "API_KEY", "API_KEY_FILE", "TAILNET", "CA_FILE", "PROFILE", "TIMEOUT", "INSECURE"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_are_kept), cmocka_unit_test(no_list_shows_a_key),    cmocka_unit_test(the_nearer_word_wins),
		cmocka_unit_test(keys_stay_at_home), cmocka_unit_test(open_files_are_refused), cmocka_unit_test(broken_files_are_named),
	};
	char name[64];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(name, sizeof name, "FLEETSCALE_%s", names[i]);
		unsetenv(name);
	}
	unsetenv("HEADSCALE_CLI_ADDRESS");
	unsetenv("HEADSCALE_CLI_API_KEY");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
