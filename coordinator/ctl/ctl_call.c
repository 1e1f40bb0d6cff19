#include "ctl_call.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>

#include "buffer.h"
#include "key.h"
#include "text.h"

enum {
	ANSWER_MAX = 256 << 20, /* a list of 100,000 nodes */
	CONNECT_MS = 5000,
	PAGES_MAX = 100000
};

/* --- as whom ---------------------------------------------------------------------------------------------------------------------------------- */

static bool is_header_text(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* Header lines; false: told. */
static bool add_headers(struct ctl *c, const struct ctl_where *w, const char *type, const char *if_match, struct curl_slist **headers)
{
	if (!w->socket && !w->key) {
		ctl_misuse(c, "%s wants an API key: set FLEETSCALE_API_KEY or FLEETSCALE_API_KEY_FILE, or add a profile with `fleetscale profiles add`",
			   w->url);
		return false;
	}
	if ((w->key && !is_header_text(w->key)) || (w->tailnet && !is_header_text(w->tailnet))) {
		ctl_misuse(c, "the API key and the tailnet's name are single lines");
		return false;
	}
	*headers = curl_slist_append(*headers, "Accept: application/json, application/hujson");
	*headers = curl_slist_append(*headers, arena_format(c->arena, "Content-Type:%s", type));
	if (w->key)
		*headers = curl_slist_append(*headers, arena_format(c->arena, "Authorization: Bearer %s", w->key));
	if (w->tailnet)
		*headers = curl_slist_append(*headers, arena_format(c->arena, "Fleetscale-Tailnet: %s", w->tailnet));
	if (if_match)
		*headers = curl_slist_append(*headers, arena_format(c->arena, "If-Match: %s", if_match));
	return true;
}

/* --- the exchange ---------------------------------------------------------------------------------------------------------------------------- */

static size_t on_bytes(char *at, size_t size, size_t count, void *context)
{
	return buffer_add(context, bytes_of(at, size * count)) ? 0 : size * count;
}

static void set_where(struct ctl *c, CURL *curl, const struct ctl_where *w, const char *path)
{
	curl_easy_setopt(curl, CURLOPT_URL, arena_format(c->arena, "%s%s", w->url, path));
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a name may be ".." */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(w->timeout_ms < CONNECT_MS ? w->timeout_ms : CONNECT_MS));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)w->timeout_ms);
	if (w->socket) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, w->socket);
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
	}
	if (w->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, w->ca_file);
	if (w->insecure) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static CURLcode run(CURL *curl, const char *method, const char *body, struct curl_slist *headers, struct buffer *out, char *error)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fleetscale/" FLEETSCALE_VERSION);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
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

static void refused(struct ctl *c, const struct ctl_where *server, long status, const json_t *problem)
{
	const char *text = problem_text(c, problem);

	if (!text)
		ctl_fail(c, "%s answered %ld, and not as the admin API does: is this the admin door of a coordinator?", ctl_where_name(c, server), status);
	else if (status == 401)
		ctl_fail(c,
			 "%s: the API key is not known to %s, or has expired; mint one with `fleetscale apikeys create` (or `operator create`) through the "
			 "unix socket",
			 text, ctl_where_name(c, server));
	else
		ctl_fail(c, "%s%s", text, status == 429 ? ": try again in a moment" : "");
}

static void unanswered(struct ctl *c, CURL *curl, const struct ctl_where *server, const char *reason)
{
	long number = 0;

	/* libcurl's own words are about a port where there is a socket. */
	if (server->socket && !curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number) && number)
		reason = strerror((int)number);
	ctl_fail(c, "no answer from %s (%s): is a coordinator running there? Name another with --server URL or --socket PATH", ctl_where_name(c, server),
		 reason);
}

/* One exchange: what goes out, and the bytes that came when it was done. */
struct talk {
	const char *method, *path, *body, *type; /* type: " application/json", "" without a body */
	struct buffer out;
	const struct ctl_where *server;
	long status;
	struct ctl_condition condition;
};

static bool is_done(const struct talk *t)
{
	return t->status >= 200 && t->status < 300;
}

static const char *etag_of(struct ctl *c, CURL *curl)
{
	struct curl_header *found;

	if (curl_easy_header(curl, "ETag", 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return NULL;
	return arena_format(c->arena, "%s", found->value);
}

/* False: told. What was refused is not: the status says so. */
static bool exchange(struct ctl *c, CURL *curl, struct talk *t)
{
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_FAILED_INIT;

	if (add_headers(c, t->server, t->type, t->condition.if_match, &headers)) {
		set_where(c, curl, t->server, t->path);
		code = run(curl, t->method, t->body, headers, &t->out, error);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &t->status);
		t->condition.etag = etag_of(c, curl);
		if (code)
			unanswered(c, curl, t->server, *error ? error : curl_easy_strerror(code));
	}
	curl_slist_free_all(headers);
	return code == CURLE_OK;
}

static bool talk(struct ctl *c, struct talk *t)
{
	CURL *curl = curl_easy_init();
	bool came = false;

	buffer_init(&t->out, ANSWER_MAX);
	t->server = ctl_where(c);
	if (!curl)
		ctl_fail(c, "libcurl does not start");
	else if (t->server)
		came = exchange(c, curl, t);
	curl_easy_cleanup(curl);
	return came;
}

const json_t *ctl_call(struct ctl *c, const char *method, const char *path, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct talk t = {.method = method, .path = path, .body = text, .type = text ? " application/json" : ""};
	const json_t *answer = NULL;

	if (talk(c, &t)) {
		answer = ctl_keep(c, json_loadb((const char *)t.out.at, t.out.len, 0, NULL));
		if (!is_done(&t) || !json_is_object(answer)) {
			refused(c, t.server, t.status, answer);
			answer = NULL;
		}
	}
	buffer_clear(&t.out);
	json_decref(body);
	free(text);
	return answer;
}

struct bytes ctl_call_text(struct ctl *c, const char *method, const char *path, const char *body)
{
	struct ctl_condition none = {0};

	return ctl_call_text_if(c, method, path, body, &none);
}

struct bytes ctl_call_text_if(struct ctl *c, const char *method, const char *path, const char *body, struct ctl_condition *condition)
{
	struct talk t = {.method = method, .path = path, .body = body, .type = body ? " application/hujson" : "", .condition = *condition};
	struct bytes answer = BYTES_NONE;

	if (talk(c, &t)) {
		if (is_done(&t))
			answer = arena_copy(c->arena, t.out.len ? buffer_bytes(&t.out) : BYTES(""));
		else
			refused(c, t.server, t.status, ctl_keep(c, json_loadb((const char *)t.out.at, t.out.len, 0, NULL)));
	}
	condition->etag = t.condition.etag;
	buffer_clear(&t.out);
	return answer;
}

/* --- lists in pages -------------------------------------------------------------------------------------------------------------------------- */

static const char *cursor_of(const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "nextCursor"));

	return text && *text ? text : NULL;
}

const json_t *ctl_call_list(struct ctl *c, const char *path, const char *member, unsigned most)
{
	const char *cursor = NULL, *query = strchr(path, '?') ? "&" : "?";
	json_t *all = json_array();

	ctl_keep(c, all);
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		size_t left = most - json_array_size(all), limit = most && left < CTL_PAGE ? left : CTL_PAGE;
		const char *rest = cursor ? ctl_path(c, "&cursor=%s", cursor) : "";
		const json_t *answer = ctl_call(c, "GET", arena_format(c->arena, "%s%slimit=%zu%s", path, query, limit, rest), NULL);

		if (!answer)
			return NULL;
		json_array_extend(all, json_object_get(answer, member));
		cursor = cursor_of(answer);
		if (!cursor || (most && json_array_size(all) >= most))
			return all;
	}
	ctl_fail(c, "the list does not end");
	return NULL;
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
