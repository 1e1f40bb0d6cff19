#include "dispatch.h"

#include <stdio.h>

#include "percent.h"

enum { BODY_DEFAULT = 1 << 20 };

static const char *const METHOD_TEXT[] = {[METHOD_OTHER] = NULL, [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",    [METHOD_POST] = "POST",
					  [METHOD_PUT] = "PUT",  [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE"};

/* Does the path fit the pattern? Raw parameters are stored in the order of the pattern's {names}. */
static bool fits(const char *pattern, struct bytes path, struct bytes params[EXCHANGE_PARAMS_MAX])
{
	struct bytes wanted = bytes_text(pattern);
	size_t count = 0;
	while (wanted.at) {
		struct bytes want = bytes_split(wanted, '/', &wanted);
		if (!path.at)
			return false;
		if (bytes_equal_text(want, "{*}") && count < EXCHANGE_PARAMS_MAX) {
			params[count] = path;
			return true;
		}
		struct bytes part = bytes_split(path, '/', &path);
		if (want.len && want.at[0] == '{') {
			if (!part.len || count == EXCHANGE_PARAMS_MAX)
				return false;
			params[count++] = part;
		} else if (!bytes_equal(want, part)) {
			return false;
		}
	}
	return !path.at;
}

static bool takes(const struct route *r, enum method method)
{
	return r->method == method || (method == METHOD_HEAD && r->method == METHOD_GET);
}

/* Is the path one that some route spells out? Then no {name} of another stands for it. */
static bool has_plain(const struct route *table, enum door door, struct bytes path)
{
	for (const struct route *r = table; r->path; r++)
		if (r->doors & door && bytes_equal_text(path, r->path))
			return true;
	return false;
}

/* NULL when none fits; *allowed then has a bit for each method that the path knows. */
static const struct route *find(const struct route *table, enum door door, enum method method, struct bytes path, struct bytes params[EXCHANGE_PARAMS_MAX],
				unsigned *allowed)
{
	bool plain = has_plain(table, door, path);
	*allowed = 0;
	for (const struct route *r = table; r->path; r++) {
		struct bytes found[EXCHANGE_PARAMS_MAX] = {{0}};
		if (!(r->doors & door) || (plain && strchr(r->path, '{')) || !fits(r->path, path, found))
			continue;
		*allowed |= 1u << r->method;
		if (!takes(r, method))
			continue;
		memcpy(params, found, sizeof(found));
		return r;
	}
	return NULL;
}

void dispatch_refuse(const struct route *table, struct exchange *x, unsigned status)
{
	while (table->path)
		table++;
	x->route = NULL;
	x->refusal = status;
	if (table->handler)
		table->handler(x);
	else
		exchange_reply_text(x, status,
				    status == 404   ? "not found\n"
				    : status == 405 ? "method not allowed\n"
				    : status == 413 ? "the request body is too large\n"
						    : "the path is not well encoded\n");
}

static void refuse_method(const struct route *table, struct exchange *x, unsigned allowed)
{
	char list[64] = "";
	if (allowed & 1u << METHOD_GET)
		allowed |= 1u << METHOD_HEAD;
	for (unsigned m = METHOD_GET; m < COUNT_OF(METHOD_TEXT); m++)
		if (allowed & 1u << m)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "", METHOD_TEXT[m]);
	exchange_add_header(x, "Allow", bytes_text(list));
	dispatch_refuse(table, x, 405);
}

void dispatch(const struct route *table, struct exchange *x)
{
	unsigned allowed;
	const struct route *r = find(table, x->door, x->method, x->path, x->params, &allowed);
	if (!r && allowed) {
		refuse_method(table, x, allowed);
		return;
	}
	if (!r) {
		dispatch_refuse(table, x, 404);
		return;
	}
	for (size_t i = 0; i < EXCHANGE_PARAMS_MAX; i++) {
		if (x->params[i].at && percent_decode(x->arena, x->params[i], false, &x->params[i]) != ERR_NONE) {
			dispatch_refuse(table, x, 400);
			return;
		}
	}
	x->route = r;
	if (r->guard)
		r->guard(x);
	else
		r->handler(x);
}

void dispatch_pass(struct exchange *x)
{
	x->route->handler(x);
}

size_t dispatch_body_max(const struct route *table, enum door door, enum method method, struct bytes path)
{
	struct bytes params[EXCHANGE_PARAMS_MAX];
	unsigned allowed;
	const struct route *r = find(table, door, method, path, params, &allowed);
	return r && r->body_max ? r->body_max : BODY_DEFAULT;
}
