#include "origin.h"

#include <stdio.h>

#include "coordinator.h"

static struct bytes without_slashes(struct bytes url)
{
	while (url.len && url.at[url.len - 1] == '/')
		url.len--;
	return url;
}

struct bytes origin_of(const struct exchange *x)
{
	const struct coordinator *c = x->program;
	struct bytes given = without_slashes(bytes_text(c->options->server_url));

	if (given.len || !x->host.len)
		return given;
	return bytes_text(arena_format(x->arena, "%s://%.*s", x->secure ? "https" : "http", BYTES_ARG(x->host)));
}

bool origin_login(const struct exchange *x, const char *what, const struct login_id *id, char url[static ORIGIN_LOGIN_MAX])
{
	struct bytes origin = origin_of(x);

	return origin.len && snprintf(url, ORIGIN_LOGIN_MAX, "%.*s/%s/%s", BYTES_ARG(origin), what, id->text) < ORIGIN_LOGIN_MAX;
}

enum err origin_check(const char *server_url, struct diag *why)
{
	struct bytes url = without_slashes(bytes_text(server_url));
	struct bytes host = bytes_starts(url, "https://") ? bytes_skip(url, 8) : bytes_starts(url, "http://") ? bytes_skip(url, 7) : BYTES_NONE;

	if (!url.len || exchange_host_ok(host))
		return ERR_NONE;
	return diag_set(why, ERR_MALFORMED, "server_url is not https://HOST or https://HOST:PORT (http is possible), without a path");
}
