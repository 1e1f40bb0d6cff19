#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_nouns.h"

extern char **environ;

static const struct ctl_flag flags[] = {
	{"program", 'p', false, CTL_TEXT, "NAME", "coordinator", "whose options: coordinator, mapper or derp"},
	{"bin", 0, false, CTL_TEXT, "FOLDER", NULL, "where the programs are; else beside this one, else in PATH"},
	{0},
};

/* Programs lie together when installed, and in folders of their own where they are built. */
static const char *find_program(struct ctl *c, const char *name)
{
	const char *folder = ctl_flags_text(&c->flags, "bin"), *path;
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (folder)
		return arena_format(c->arena, "%s/fleetscale-%s", folder, name);
	self[len > 0 ? len : 0] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return arena_format(c->arena, "fleetscale-%s", name);
	*slash = 0;
	path = arena_format(c->arena, "%s/fleetscale-%s", self, name);
	if (access(path, X_OK))
		path = arena_format(c->arena, "%s/../%s/fleetscale-%s", self, name, name);
	return access(path, X_OK) ? arena_format(c->arena, "fleetscale-%s", name) : path;
}

/* Variables of this command, which a program would take for mistyped options. */
static char **environment_of_programs(struct ctl *c)
{
	static const char *const ours[] = {
		"URL=", "SOCKET=", "API_KEY=", "API_KEY_FILE=", "TAILNET=", "PROFILE=", "CLI_CONFIG=", "CA_FILE=", "TIMEOUT=", "INSECURE="};
	size_t count = 0, kept = 0;
	char **list;

	while (environ[count])
		count++;
	list = ARENA_ARRAY(c->arena, char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		bool is_ours = false;

		for (size_t k = 0; k < COUNT_OF(ours); k++)
			is_ours |= strncmp(environ[i], "FLEETSCALE_", 11) == 0 && strncmp(environ[i] + 11, ours[k], strlen(ours[k])) == 0;
		if (!is_ours)
			list[kept++] = environ[i];
	}
	return list;
}

static void told(struct ctl *c, const char *path, int status, FILE *said)
{
	char line[1024] = "";

	rewind(said);
	if (!fgets(line, sizeof line, said))
		snprintf(line, sizeof line, "%s: no word why", path);
	line[strcspn(line, "\n")] = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		ctl_fail(c, "%s", line);
}

/* The program itself knows its options: it is asked. Silent when all is well. */
static void configtest(struct ctl *c)
{
	const char *name = ctl_flags_text(&c->flags, "program"), *file = c->arg_count ? c->args[0] : ctl_flags_text(&c->flags, "config"), *path;
	char *argv[] = {NULL, (char[]){"--check"}, (char[]){"--config"}, (char *)file, NULL};
	posix_spawn_file_actions_t actions;
	FILE *said;
	int status, e;
	pid_t pid;

	if (strcmp(name, "coordinator") != 0 && strcmp(name, "mapper") != 0 && strcmp(name, "derp") != 0) {
		ctl_misuse(c, "--program is coordinator, mapper or derp, not \"%.60s\"", name);
		return;
	}
	path = find_program(c, name);
	said = tmpfile();
	if (!said) {
		ctl_fail(c, "no temporary file: %m");
		return;
	}
	argv[0] = (char *)path;
	if (!file)
		argv[2] = NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fileno(said), STDERR_FILENO);
	e = posix_spawnp(&pid, path, &actions, NULL, argv, environment_of_programs(c));
	posix_spawn_file_actions_destroy(&actions);
	if (e) {
		errno = e;
		ctl_fail(c, "%s: %m; say where the programs are with --bin", path);
	} else if (waitpid(pid, &status, 0) == pid) {
		told(c, path, status, said);
	}
	fclose(said);
}

static const struct ctl_verb verbs[] = {
	{"", NULL, "[FILE]", 0, 1,
	 "Look at a program's options (file and environment), the files that they name, database, schema and Redis; silent when it could start", flags,
	 configtest},
	{0},
};

const struct ctl_noun ctl_noun_configtest = {"configtest", NULL, "Whether a program could start with its options", verbs};
