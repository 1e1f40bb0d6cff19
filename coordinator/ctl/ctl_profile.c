#include "ctl_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "optionfile.h"
#include "yamlw.h"

enum { FILE_BYTES_MAX = 1 << 20, NAME_MAX_LEN = 60 };

const char *const ctl_profile_members[] = {"server", "socket", "key", "key_file", "tailnet", "ca_file", "insecure", NULL};

static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

const char *ctl_profile_path(struct ctl *c)
{
	const char *path = ctl_flags_text(&c->flags, "config"), *home;

	if (!path)
		path = environment("FLEETSCALE_CLI_CONFIG");
	if (path)
		return path;
	home = environment("XDG_CONFIG_HOME");
	if (home && *home == '/')
		return arena_format(c->arena, "%s/fleetscale/cli.yaml", home);
	home = environment("HOME");
	if (home)
		return arena_format(c->arena, "%s/.config/fleetscale/cli.yaml", home);
	return NULL;
}

bool ctl_profile_name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return len && !name[len] && len <= NAME_MAX_LEN;
}

static bool is_member(struct bytes name)
{
	for (const char *const *member = ctl_profile_members; *member; member++)
		if (bytes_equal_text(name, *member))
			return true;
	return false;
}

struct loading {
	json_t *file;
	struct diag *why;
};

static enum err on_pair(void *context, struct bytes name, struct bytes value)
{
	struct loading *l = context;
	struct bytes rest, section = bytes_split(name, '.', &rest), profile;
	json_t *profiles = json_object_get(l->file, "profiles"), *one;
	char text[NAME_MAX_LEN + 1];

	if (bytes_equal_text(name, "current") || bytes_equal_text(name, "profiles")) {
		if (bytes_equal_text(name, "current"))
			json_object_set_new(l->file, "current", json_stringn((const char *)value.at, value.len));
		return ERR_NONE;
	}
	profile = bytes_split(rest, '.', &rest);
	snprintf(text, sizeof text, "%.*s", BYTES_ARG(bytes_take(profile, NAME_MAX_LEN)));
	if (!bytes_equal_text(section, "profiles") || !ctl_profile_name_ok(text) || !is_member(rest))
		return diag_set(l->why, ERR_MALFORMED, "unknown name %.*s", BYTES_ARG(bytes_take(name, 200)));
	one = json_object_get(profiles, text);
	if (!one) {
		one = json_object();
		json_object_set_new(profiles, text, one);
	}
	json_object_setn_new(one, (const char *)rest.at, rest.len, json_stringn((const char *)value.at, value.len));
	return ERR_NONE;
}

static bool holds_key(const json_t *file)
{
	const char *name;
	json_t *one;

	json_object_foreach(json_object_get(file, "profiles"), name, one) if (json_object_get(one, "key")) return true;
	return false;
}

/* Who may read or write it besides its owner? */
static bool check_mode(struct ctl *c, const char *path, const struct stat *st, const json_t *file)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		ctl_fail(c, "%s belongs to somebody else: it is not used", path);
	else if (st->st_mode & 022)
		ctl_fail(c, "%s can be written by others: say `chmod 600 %s`", path, path);
	else if ((st->st_mode & 077) && holds_key(file))
		ctl_fail(c, "%s holds a key and can be read by others: say `chmod 600 %s`, and make a new key", path, path);
	return !c->status;
}

json_t *ctl_profiles_load(struct ctl *c)
{
	const char *path = ctl_profile_path(c);
	json_t *file = json_pack("{s:s, s:{}}", "current", "", "profiles");
	struct loading l = {.file = file};
	struct diag why = {0};
	struct stat st;

	ctl_keep(c, file);
	if (!path)
		return file;
	if (stat(path, &st)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return file;
		ctl_fail(c, "%s: %m", path);
		return NULL;
	}
	l.why = &why;
	if (optionfile_read(path, on_pair, &l, &why)) {
		ctl_fail(c, "%s:%u:%u: %s", path, why.line, why.column, why.text);
		return NULL;
	}
	return check_mode(c, path, &st, file) ? file : NULL;
}

static bool make_folder(struct ctl *c, const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *folder = arena_format(c->arena, "%.*s", (int)(slash - path), path);

		if (mkdir(folder, 0700) && errno != EEXIST) {
			ctl_fail(c, "%s: %m", folder);
			return false;
		}
	}
	return true;
}

static bool write_file(struct ctl *c, const char *path, struct bytes text)
{
	const char *draft = arena_format(c->arena, "%s.%d.new", path, (int)getpid());
	int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool done = fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len && !fsync(fd);

	if (fd >= 0)
		close(fd);
	if (done && !rename(draft, path))
		return true;
	ctl_fail(c, "%s: %m", draft);
	if (fd >= 0)
		unlink(draft);
	return false;
}

bool ctl_profiles_save(struct ctl *c, const json_t *file)
{
	const char *path = ctl_profile_path(c);
	struct buffer text;
	bool done = false;

	buffer_init(&text, FILE_BYTES_MAX);
	if (!path) {
		ctl_fail(c, "there is no home folder for profiles: name a file with --config");
		return false;
	}
	if (yamlw_write(file, &text))
		ctl_fail(c, "too many profiles");
	else if (make_folder(c, path))
		done = write_file(c, path, buffer_bytes(&text));
	if (text.base)
		explicit_bzero(text.base, text.room);
	buffer_clear(&text);
	return done;
}
