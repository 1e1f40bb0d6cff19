#include "problem.h"

#include <inttypes.h>

#include "dispatch.h"
#include "guard.h"

enum { PATH_SHOWN_MAX = 200, SECRET_RUN = 32 };

static const char *reason_phrase(unsigned status)
{
	static const struct {
		unsigned status;
		const char *phrase;
	} phrases[] = {{400, "Bad Request"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {409, "Conflict"},
		       {412, "Precondition Failed"},
		       {413, "Request Entity Too Large"},
		       {415, "Unsupported Media Type"},
		       {422, "Unprocessable Entity"},
		       {429, "Too Many Requests"},
		       {502, "Bad Gateway"},
		       {503, "Service Unavailable"},
		       {504, "Gateway Timeout"}};

	for (size_t i = 0; i < COUNT_OF(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Internal Server Error";
}

void admin_add_headers(struct exchange *x)
{
	exchange_add_header(x, "X-Frame-Options", BYTES("DENY"));
	exchange_add_header(x, "Content-Security-Policy", BYTES("frame-ancestors 'none'"));
	exchange_add_header(x, "X-Content-Type-Options", BYTES("nosniff"));
	exchange_add_header(x, "Referrer-Policy", BYTES("no-referrer"));
	exchange_add_header(x, "X-Request-Id", bytes_text(arena_format(x->arena, "%" PRIu64, x->id)));
}

static size_t hex_run(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && text.at[len] && strchr("0123456789abcdefABCDEF", text.at[len]))
		len++;
	return len;
}

struct bytes admin_path_shown(const struct exchange *x)
{
	struct bytes rest = bytes_take(x->path, PATH_SHOWN_MAX), shown;
	uint8_t *to = arena_alloc(x->arena, PATH_SHOWN_MAX);

	for (shown = bytes_of(to, 0); rest.len; shown.len++) {
		size_t run = hex_run(rest);

		to[shown.len] = run < SECRET_RUN ? rest.at[0] : '*';
		rest = bytes_skip(rest, run < SECRET_RUN ? 1 : run);
	}
	return shown;
}

/* What an asker whose credential was good wanted to change and may not. Not what failed (5xx), nor asking too often (429). */
static void audit_refusal(struct exchange *x, unsigned status, const char *message)
{
	static const char *const methods[] = {[METHOD_POST] = "POST", [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE"};
	const struct asker *asker = x->guard;
	struct buffer out;
	struct jsonw w;

	if (!asker || !asker->known || !x->route || x->method < METHOD_POST || status >= 500 || status == 429)
		return;
	buffer_init(&out, 64 << 10);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "path", admin_path_shown(x));
	jsonw_uint(&w, "status", status);
	jsonw_string(&w, "reason", message);
	jsonw_object_end(&w);
	if (!jsonw_end(&w))
		act_audit_refusal(x->program, &asker->actor, arena_format(x->arena, "%s %s", methods[x->method], x->route->path),
				  arena_text(x->arena, buffer_bytes(&out)));
	buffer_clear(&out);
}

enum { PROBLEM_MAX = 1 << 20 };

static void reply_causes(struct exchange *x, unsigned status, const char *detail, const char *message, const struct problem_cause *causes, size_t count)
{
	struct buffer out;
	struct jsonw w;

	buffer_init(&out, PROBLEM_MAX);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_string(&w, "title", reason_phrase(status));
	jsonw_uint(&w, "status", status);
	jsonw_string(&w, "detail", detail);
	jsonw_array(&w, "errors");
	for (size_t i = 0; i < count; i++) {
		jsonw_object(&w, NULL);
		jsonw_string(&w, "message", causes[i].message);
		if (causes[i].location)
			jsonw_string(&w, "location", causes[i].location);
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_string(&w, "message", message);
	jsonw_object_end(&w);
	admin_add_headers(x);
	audit_refusal(x, status, message);
	if (jsonw_end(&w))
		buffer_reset(&out);
	exchange_reply(x, status, "application/problem+json", buffer_bytes(&out));
	buffer_clear(&out);
}

void problem_reply(struct exchange *x, unsigned status, const char *detail, const char *message, const char *location)
{
	reply_causes(x, status, detail, message, &(struct problem_cause){message, location}, 1);
}

void problem_reply_causes(struct exchange *x, const char *detail, const char *message, const struct problem_cause *causes, size_t count)
{
	reply_causes(x, 400, detail, message, causes, count);
}

void problem_reply_err(struct exchange *x, enum err e, const char *detail, const struct diag *why)
{
	static const unsigned statuses[ERR_COUNT] = {
		[ERR_MALFORMED] = 400, [ERR_CONFLICT] = 400, [ERR_EXHAUSTED] = 400,       [ERR_TOO_BIG] = 413,     [ERR_NOT_FOUND] = 404,
		[ERR_EXISTS] = 409,    [ERR_DENIED] = 403,   [ERR_UNAUTHENTICATED] = 401, [ERR_UNAVAILABLE] = 503, [ERR_TIMEOUT] = 503,
	};

	problem_reply(x, statuses[e] ? statuses[e] : 500, detail, why && *why->text ? why->text : err_text(e), NULL);
}

void admin_reply_empty(struct exchange *x, unsigned status)
{
	admin_add_headers(x);
	exchange_reply(x, status, NULL, BYTES_NONE);
}

void admin_refuse(struct exchange *x)
{
	const char *message = x->refusal == 404   ? "there is nothing at this path"
			      : x->refusal == 405 ? "the method is not allowed here"
			      : x->refusal == 413 ? "the request body is too large"
						  : "the path is not well encoded";

	problem_reply(x, x->refusal, reason_phrase(x->refusal), message, x->refusal == 413 ? "body" : "path");
}

void admin_reply(struct exchange *x, struct bytes json)
{
	admin_add_headers(x);
	exchange_reply_json(x, 200, json);
}

enum { ANSWER_MAX = 256 << 20 }; /* a list of 100,000 nodes */

void answer_start(struct answer *a)
{
	buffer_init(&a->out, ANSWER_MAX);
	jsonw_start(&a->w, &a->out);
	jsonw_object(&a->w, NULL);
}

void answer_send(struct answer *a, struct exchange *x, const char *detail)
{
	enum err e;

	jsonw_object_end(&a->w);
	e = jsonw_end(&a->w);
	if (e)
		problem_reply_err(x, e, detail, NULL);
	else
		admin_reply(x, buffer_bytes(&a->out));
	buffer_clear(&a->out);
}
