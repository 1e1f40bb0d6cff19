#include "ctl_call.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>

#include "buffer.h"
#include "key.h"
#include "text.h"

enum {
	ANSWER_MAX = 256 << 20, /* a list of 100,000 nodes */
	SECRET_FILE_MAX = 4096,
	CONNECT_MS = 5000,
	ANSWER_MS = 60000
};

struct server {
	const char *url;    /* without a slash at its end */
	const char *socket; /* NULL: TCP */
};

/* --- where, and as whom ---------------------------------------------------------------------------------------------------------------------- */

static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

static const char *server_url(struct ctl *c, const char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '/')
		len--;
	return arena_format(c->arena, "%s%.*s", strstr(text, "://") ? "" : "https://", (int)len, text);
}

static bool find_server(struct ctl *c, struct server *server)
{
	const char *url = ctl_flags_text(&c->flags, "server"), *socket = ctl_flags_text(&c->flags, "socket");

	if (url && socket) {
		ctl_misuse(c, "--server and --socket contradict each other: name one");
		return false;
	}
	if (!url && !socket)
		url = environment("FLEETSCALE_URL");
	if (!url && !socket)
		socket = environment("FLEETSCALE_SOCKET");
	if (!url && !socket)
		socket = CTL_SOCKET_USUAL;
	*server = url ? (struct server){.url = server_url(c, url)} : (struct server){.url = "http://localhost", .socket = socket};
	return true;
}

static const char *server_name(struct ctl *c, const struct server *server)
{
	return server->socket ? arena_format(c->arena, "unix socket %s", server->socket) : server->url;
}

const char *ctl_server_name(struct ctl *c)
{
	struct server server;

	return find_server(c, &server) ? server_name(c, &server) : NULL;
}

static const char *read_secret(struct ctl *c, const char *path)
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
		text = read_secret(c, path);
	return text;
}

static bool is_header_text(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* Header lines; false: told. */
static bool add_headers(struct ctl *c, const struct server *server, bool has_body, struct curl_slist **headers)
{
	const char *tailnet = ctl_flags_text(&c->flags, "tailnet"), *key = server->socket ? NULL : ctl_secret(c, "FLEETSCALE_API_KEY");

	if (c->status)
		return false;
	if (!server->socket && !key) {
		ctl_misuse(c, "%s wants an API key: set FLEETSCALE_API_KEY or FLEETSCALE_API_KEY_FILE", server->url);
		return false;
	}
	if (!tailnet)
		tailnet = environment("FLEETSCALE_TAILNET");
	if ((key && !is_header_text(key)) || (tailnet && !is_header_text(tailnet))) {
		ctl_misuse(c, "the API key and the tailnet's name are single lines");
		return false;
	}
	*headers = curl_slist_append(*headers, "Accept: application/json");
	*headers = curl_slist_append(*headers, has_body ? "Content-Type: application/json" : "Content-Type:");
	if (key)
		*headers = curl_slist_append(*headers, arena_format(c->arena, "Authorization: Bearer %s", key));
	if (tailnet)
		*headers = curl_slist_append(*headers, arena_format(c->arena, "Fleetscale-Tailnet: %s", tailnet));
	return true;
}

/* --- the exchange ---------------------------------------------------------------------------------------------------------------------------- */

static size_t on_bytes(char *at, size_t size, size_t count, void *context)
{
	return buffer_add(context, bytes_of(at, size * count)) ? 0 : size * count;
}

static void set_where(struct ctl *c, CURL *curl, const struct server *server, const char *path)
{
	const char *ca = ctl_flags_text(&c->flags, "ca-file");

	curl_easy_setopt(curl, CURLOPT_URL, arena_format(c->arena, "%s%s", server->url, path));
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a name may be ".." */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (server->socket) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, server->socket);
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
	}
	if (!ca)
		ca = environment("FLEETSCALE_CA_FILE");
	if (ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
}

static CURLcode run(CURL *curl, const char *method, const char *body, struct curl_slist *headers, struct buffer *out, char *error)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fleetscale/" FLEETSCALE_VERSION);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	} else if (strcmp(method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
	}
	return curl_easy_perform(curl);
}

/* --- refusals -------------------------------------------------------------------------------------------------------------------------------- */

/* The causes, joined; a cause that only repeats what was said is left out. */
static const char *problem_text(struct ctl *c, const json_t *problem)
{
	const char *text = json_string_value(json_object_get(problem, "detail")), *message;
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(problem, "errors"), i, item)
	{
		message = json_string_value(json_object_get(item, "message"));
		if (message && text && strcmp(text, message) != 0)
			text = arena_format(c->arena, "%s: %s", text, message);
		else if (message)
			text = message;
	}
	message = json_string_value(json_object_get(problem, "message"));
	return text ? text : message;
}

static void refused(struct ctl *c, const struct server *server, long status, const json_t *problem)
{
	const char *text = problem_text(c, problem);

	if (!text)
		ctl_fail(c, "%s answered %ld, and not as the admin API does: is this the admin door of a coordinator?", server_name(c, server), status);
	else if (status == 401)
		ctl_fail(c,
			 "%s: the API key is not known to %s, or has expired; mint one with `fleetscale apikeys create` (or `operator create`) through the "
			 "unix socket",
			 text, server_name(c, server));
	else
		ctl_fail(c, "%s", text);
}

static void unanswered(struct ctl *c, CURL *curl, const struct server *server, const char *reason)
{
	long number = 0;

	/* libcurl's own words are about a port where there is a socket. */
	if (server->socket && !curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number) && number)
		reason = strerror((int)number);
	ctl_fail(c, "no answer from %s (%s): is a coordinator running there? Name another with --server URL or --socket PATH", server_name(c, server), reason);
}

static const json_t *judge(struct ctl *c, const struct server *server, long status, struct buffer *out)
{
	const json_t *answer = ctl_keep(c, json_loadb((const char *)out->at, out->len, 0, NULL));

	if (status >= 200 && status < 300 && json_is_object(answer))
		return answer;
	refused(c, server, status, answer);
	return NULL;
}

static const json_t *exchange(struct ctl *c, CURL *curl, const struct server *server, const char *method, const char *path, const char *body)
{
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	const json_t *answer = NULL;
	struct buffer out;
	long status = 0;
	CURLcode code;

	buffer_init(&out, ANSWER_MAX);
	if (add_headers(c, server, body != NULL, &headers)) {
		set_where(c, curl, server, path);
		code = run(curl, method, body, headers, &out, error);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		if (code)
			unanswered(c, curl, server, *error ? error : curl_easy_strerror(code));
		else
			answer = judge(c, server, status, &out);
	}
	curl_slist_free_all(headers);
	buffer_clear(&out);
	return answer;
}

const json_t *ctl_call(struct ctl *c, const char *method, const char *path, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	CURL *curl = curl_easy_init();
	const json_t *answer = NULL;
	struct server server;

	if (!curl)
		ctl_fail(c, "libcurl does not start");
	else if (find_server(c, &server))
		answer = exchange(c, curl, &server, method, path, text);
	curl_easy_cleanup(curl);
	json_decref(body);
	free(text);
	return answer;
}

/* --- paths ----------------------------------------------------------------------------------------------------------------------------------- */

static bool is_unreserved(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte && strchr("-._~", byte));
}

static const char *percent(struct ctl *c, const char *text)
{
	char *out = arena_alloc(c->arena, strlen(text) * 3 + 1), *end = out;

	for (; *text; text++) {
		if (is_unreserved((unsigned char)*text)) {
			*end++ = *text;
			continue;
		}
		*end++ = '%';
		hex_encode(end, bytes_of(text, 1));
		end += 2;
	}
	return out;
}

const char *ctl_path(struct ctl *c, const char *format, ...)
{
	struct bytes rest = bytes_text(format);
	const char *path = "";
	va_list args;

	va_start(args, format);
	do {
		struct bytes part = bytes_split(rest, '%', &rest);

		path = arena_format(c->arena, "%s%.*s", path, BYTES_ARG(part));
		if (!rest.at)
			break;
		path = arena_format(c->arena, "%s%s", path, percent(c, va_arg(args, const char *)));
		rest = bytes_skip(rest, 1);
	} while (rest.at);
	va_end(args);
	return path;
}
