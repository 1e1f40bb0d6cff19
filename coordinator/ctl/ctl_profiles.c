#include <stdlib.h>

#include "ctl_nouns.h"
#include "ctl_profile.h"
#include "ctl_show.h"
#include "ctl_where.h"

static const char *text_current(struct arena *arena, const json_t *current)
{
	(void)arena;
	return json_is_true(current) ? "*" : "";
}

static const char *text_server(struct arena *arena, const json_t *profile)
{
	const char *url = json_string_value(json_object_get(profile, "server")), *socket = json_string_value(json_object_get(profile, "socket"));

	return url ? url : socket ? arena_format(arena, "unix socket %s", socket) : "-";
}

static const struct ctl_column columns[] = {
	{"", "current", text_current, 0, 0}, {"Name", "name", NULL, 10, 0}, {"Server", NULL, text_server, 16, 0},
	{"Tailnet", "tailnet", NULL, 8, 1},  {"Key", "key", NULL, 10, 0},   {0},
};

/* Where a key is, never the key. */
static json_t *shown_profile(const char *name, const json_t *profile, const char *current)
{
	const json_t *path = json_object_get(profile, "key_file");
	json_t *shown = json_pack("{s:s, s:b}", "name", name, "current", strcmp(name, current) == 0);

	for (const char *const *member = ctl_profile_members; *member; member++)
		if (json_object_get(profile, *member) && strcmp(*member, "key") != 0)
			json_object_set(shown, *member, json_object_get(profile, *member));
	json_object_set_new(shown, "key", json_string(path ? json_string_value(path) : json_object_get(profile, "key") ? "stored" : ""));
	return shown;
}

static void profiles_list(struct ctl *c)
{
	json_t *file = ctl_profiles_load(c), *shown = json_array(), *profile;
	const char *name;

	ctl_keep(c, shown);
	json_object_foreach(json_object_get(file, "profiles"), name, profile)
		json_array_append_new(shown, shown_profile(name, profile, json_string_value(json_object_get(file, "current"))));
	if (file)
		ctl_show_list(c, shown, columns);
}

static const struct ctl_flag add_flags[] = {
	{"url", 0, false, CTL_TEXT, "URL", NULL, "the server; --server does as well"},
	{"key-file", 0, false, CTL_TEXT, "FILE", NULL, "the file that holds the API key, read at each use"},
	{"store-key", 0, false, CTL_SWITCH, NULL, NULL, "keep the key of FLEETSCALE_API_KEY (or _FILE) in the file of profiles, or ask for it"},
	{"use", 0, false, CTL_SWITCH, NULL, NULL, "make it the current one; the first one is so by itself"},
	{0},
};

static void put(json_t *profile, const char *member, const char *text)
{
	if (text && *text)
		json_object_set_new(profile, member, json_string(text));
}

/* From another folder a relative path would be another file. */
static const char *whole_path(struct ctl *c, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL;
	const char *text = real ? arena_text(c->arena, bytes_text(real)) : NULL;

	if (path && !real)
		ctl_fail(c, "%s: %m", path);
	free(real);
	return text;
}

static json_t *read_profile(struct ctl *c)
{
	const struct ctl_flags *f = &c->flags;
	const char *url = ctl_flags_text(f, "url"), *socket = ctl_flags_text(f, "socket");
	const char *key_file = whole_path(c, ctl_flags_text(f, "key-file")), *ca_file = whole_path(c, ctl_flags_text(f, "ca-file"));
	json_t *profile = json_object();

	ctl_keep(c, profile);
	url = url ? url : ctl_flags_text(f, "server");
	if (!url == !socket)
		ctl_misuse(c, "name the server: --server URL or --socket PATH");
	else if (key_file && ctl_flags_on(f, "store-key"))
		ctl_misuse(c, "--key-file and --store-key contradict each other: name one");
	put(profile, "server", url);
	put(profile, "socket", socket);
	put(profile, "key_file", key_file);
	put(profile, "ca_file", ca_file);
	put(profile, "tailnet", ctl_flags_text(f, "tailnet"));
	put(profile, "insecure", ctl_flags_on(f, "insecure") ? "true" : NULL);
	if (!c->status && ctl_flags_on(f, "store-key")) {
		const char *key = ctl_secret(c, "FLEETSCALE_API_KEY");

		key = key || c->status ? key : ctl_ask(c, "The API key of %s:", url);
		if (!key && !c->status)
			ctl_misuse(c, "set FLEETSCALE_API_KEY or FLEETSCALE_API_KEY_FILE: a key is not taken from the command line");
		put(profile, "key", key);
	}
	return c->status ? NULL : profile;
}

static void profiles_add(struct ctl *c)
{
	json_t *file = ctl_profiles_load(c), *profile;
	const char *name = c->args[0];

	if (!file)
		return;
	if (!ctl_profile_name_ok(name)) {
		ctl_misuse(c, "a profile's name has letters, digits, - and _, and at most 60 of them");
		return;
	}
	if (json_object_get(json_object_get(file, "profiles"), name) && !ctl_confirm(c, "Profile %s is there already. Replace it?", name))
		return;
	profile = read_profile(c);
	if (!profile)
		return;
	json_object_set(json_object_get(file, "profiles"), name, profile);
	if (ctl_flags_on(&c->flags, "use") || json_object_size(json_object_get(file, "profiles")) == 1)
		json_object_set_new(file, "current", json_string(name));
	if (ctl_profiles_save(c, file))
		ctl_show_done(c, ctl_keep(c, shown_profile(name, profile, json_string_value(json_object_get(file, "current")))), "Profile %s is kept in %s.",
			      name, ctl_profile_path(c));
}

/* The file, when it knows the profile that the first word names; NULL: told. */
static json_t *load_with(struct ctl *c)
{
	json_t *file = ctl_profiles_load(c);

	if (!file || json_object_get(json_object_get(file, "profiles"), c->args[0]))
		return file;
	ctl_fail(c, "there is no profile \"%.60s\": see `fleetscale profiles list`", c->args[0]);
	return NULL;
}

static void profiles_remove(struct ctl *c)
{
	json_t *file = load_with(c);

	if (!file || !ctl_confirm(c, "Remove profile %s?", c->args[0]))
		return;
	json_object_del(json_object_get(file, "profiles"), c->args[0]);
	if (strcmp(json_string_value(json_object_get(file, "current")), c->args[0]) == 0)
		json_object_set_new(file, "current", json_string(""));
	if (ctl_profiles_save(c, file))
		ctl_show_done(c, ctl_keep(c, json_object()), "Profile %s is removed.", c->args[0]);
}

static void profiles_use(struct ctl *c)
{
	json_t *file = load_with(c);

	if (!file)
		return;
	json_object_set_new(file, "current", json_string(c->args[0]));
	if (ctl_profiles_save(c, file))
		ctl_show_done(c, ctl_keep(c, json_pack("{s:s}", "current", c->args[0])), "Profile %s is the current one.", c->args[0]);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the profiles, without their keys", NULL, profiles_list},
	{"add", "set", "NAME", 1, 1, "Keep a server (--server or --socket, with --tailnet, --ca-file, --insecure) under a name", add_flags, profiles_add},
	{"use", NULL, "NAME", 1, 1, "Make a profile the current one", NULL, profiles_use},
	{"remove", "rm delete", "NAME", 1, 1, "Forget a profile", NULL, profiles_remove},
	{0},
};

const struct ctl_noun ctl_noun_profiles = {"profiles", "profile", "Servers by name, in a file of this user", verbs};
