#include "ctl_where.h"

#include <stdlib.h>

#include "ctl_profile.h"
#include "key.h"
#include "text.h"

enum { SECRET_FILE_MAX = 4096, ANSWER_MS = 60000 };

static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

const char *ctl_secret_file(struct ctl *c, const char *path)
{
	char content[SECRET_FILE_MAX];
	FILE *file = fopen(path, "re");
	struct bytes text;
	const char *copy;

	if (!file) {
		ctl_fail(c, "%s: %m", path);
		return NULL;
	}
	text = bytes_trim(bytes_of(content, fread(content, 1, sizeof content, file)));
	fclose(file);
	copy = text.len && text.len < sizeof content ? arena_text(c->arena, text) : NULL;
	if (!copy)
		ctl_fail(c, "%s holds no secret", path);
	key_wipe(content, sizeof content);
	return copy;
}

const char *ctl_secret(struct ctl *c, const char *name)
{
	const char *text = environment(name), *path = environment(arena_format(c->arena, "%s_FILE", name));

	if (!text && path)
		text = ctl_secret_file(c, path);
	return text;
}

/* --- pieces ---------------------------------------------------------------------------------------------------------------------------------- */

/* A bare host means https. */
static const char *server_url(struct ctl *c, const char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '/')
		len--;
	return arena_format(c->arena, "%s%.*s", strstr(text, "://") ? "" : "https://", (int)len, text);
}

static void set_server(struct ctl *c, struct ctl_where *w, const char *url, const char *socket, const char *from)
{
	w->url = url ? server_url(c, url) : "http://localhost";
	w->socket = url ? NULL : socket;
	w->from = from;
}

static const char *member(const json_t *profile, const char *name)
{
	const char *text = json_string_value(json_object_get(profile, name));

	return text && *text ? text : NULL;
}

/* The one that --profile names, or FLEETSCALE_PROFILE, or the current one; NULL: none, or told. */
static const json_t *find_profile(struct ctl *c, const char **name, bool *named)
{
	const char *flag = ctl_flags_text(&c->flags, "profile"), *variable = environment("FLEETSCALE_PROFILE");
	const json_t *file, *profile;

	*named = flag != NULL;
	/* Without a word about profiles, a server that is named leaves their file alone. */
	if (!flag && !variable && (ctl_flags_given(&c->flags, "server") || ctl_flags_given(&c->flags, "socket")))
		return NULL;
	file = ctl_profiles_load(c);
	*name = flag ? flag : variable ? variable : member(file, "current");
	if (!file || !*name)
		return NULL;
	profile = json_object_get(json_object_get(file, "profiles"), *name);
	if (!profile)
		ctl_misuse(c, "there is no profile \"%.60s\": see `fleetscale profiles list`", *name);
	return profile;
}

static void find_server(struct ctl *c, struct ctl_where *w, const json_t *profile, bool named)
{
	static const char *const urls[] = {"FLEETSCALE_URL", "HEADSCALE_CLI_ADDRESS"};
	const char *url = ctl_flags_text(&c->flags, "server"), *socket = ctl_flags_text(&c->flags, "socket");
	bool has_server = member(profile, "server") || member(profile, "socket");

	if (url && socket)
		ctl_misuse(c, "--server and --socket contradict each other: name one");
	if (url || socket) {
		set_server(c, w, url, socket, url ? "--server" : "--socket");
		return;
	}
	if (!named) {
		for (size_t i = 0; !url && i < COUNT_OF(urls); i++)
			if ((url = environment(urls[i])))
				set_server(c, w, url, NULL, urls[i]);
		if (!url && (socket = environment("FLEETSCALE_SOCKET")))
			set_server(c, w, NULL, socket, "FLEETSCALE_SOCKET");
	}
	if (url || socket)
		return;
	if (has_server) {
		set_server(c, w, member(profile, "server"), member(profile, "socket"), arena_format(c->arena, "profile %s", w->profile));
		return;
	}
	set_server(c, w, NULL, CTL_SOCKET_USUAL, "the usual place");
}

static const char *profile_key(struct ctl *c, const json_t *profile)
{
	const char *path = member(profile, "key_file");

	return path ? ctl_secret_file(c, path) : member(profile, "key");
}

/* A profile's key is for its server alone. */
static void find_key(struct ctl *c, struct ctl_where *w, const json_t *profile, bool named)
{
	bool own = profile && bytes_starts(bytes_text(w->from), "profile ");

	if (w->socket)
		return;
	if (own && named)
		w->key = profile_key(c, profile);
	if (!w->key && !c->status)
		w->key = ctl_secret(c, "FLEETSCALE_API_KEY");
	if (!w->key && !c->status)
		w->key = environment("HEADSCALE_CLI_API_KEY");
	if (!w->key && !c->status && own)
		w->key = profile_key(c, profile);
}

static void find_rest(struct ctl *c, struct ctl_where *w, const json_t *profile, bool named)
{
	static const struct {
		const char *flag, *variable, *member;
		size_t at;
	} texts[] = {{"tailnet", "FLEETSCALE_TAILNET", "tailnet", offsetof(struct ctl_where, tailnet)},
		     {"ca-file", "FLEETSCALE_CA_FILE", "ca_file", offsetof(struct ctl_where, ca_file)}};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const char *of_profile = member(profile, texts[i].member), *text = ctl_flags_text(&c->flags, texts[i].flag);

		if (!text && named)
			text = of_profile;
		if (!text)
			text = environment(texts[i].variable);
		*(const char **)((char *)w + texts[i].at) = text ? text : of_profile;
	}
}

static bool is_true(const char *text)
{
	return text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

static void find_manner(struct ctl *c, struct ctl_where *w, const json_t *profile)
{
	static const char *const patience[] = {"FLEETSCALE_TIMEOUT", "HEADSCALE_CLI_TIMEOUT"};

	w->timeout_ms = ctl_flags_span(&c->flags, "timeout");
	for (size_t i = 0; w->timeout_ms < 0 && i < COUNT_OF(patience); i++) {
		const char *text = environment(patience[i]);

		if (text && duration_parse(bytes_text(text), &w->timeout_ms))
			ctl_misuse(c, "%s wants a duration, such as 5s", patience[i]);
	}
	if (w->timeout_ms < 0)
		w->timeout_ms = ANSWER_MS;
	w->insecure = ctl_flags_on(&c->flags, "insecure") || is_true(environment("FLEETSCALE_INSECURE")) || is_true(environment("HEADSCALE_CLI_INSECURE")) ||
		      is_true(member(profile, "insecure"));
}

const struct ctl_where *ctl_where(struct ctl *c)
{
	struct ctl_where *w;
	const json_t *profile;
	bool named;

	if (c->where)
		return c->where;
	w = ARENA_NEW(c->arena, struct ctl_where);
	profile = find_profile(c, &w->profile, &named);
	if (!profile)
		w->profile = NULL;
	if (!c->status)
		find_server(c, w, profile, named);
	if (!c->status)
		find_key(c, w, profile, named);
	if (!c->status)
		find_rest(c, w, profile, named);
	if (!c->status)
		find_manner(c, w, profile);
	if (!c->status)
		c->where = w;
	return c->where;
}

const char *ctl_where_name(struct ctl *c, const struct ctl_where *where)
{
	return where->socket ? arena_format(c->arena, "unix socket %s", where->socket) : where->url;
}
