#include "exchange.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "percent.h"

struct bytes exchange_header(const struct exchange *x, const char *name)
{
	return x->carrier->header(x, name);
}

struct bytes exchange_query(struct exchange *x, const char *name)
{
	struct bytes rest = x->query, value, decoded;
	while (rest.at) {
		struct bytes pair = bytes_split(rest, '&', &rest);
		struct bytes key = bytes_split(pair, '=', &value);
		if (percent_decode(x->arena, key, true, &decoded) != ERR_NONE || !bytes_equal_text(decoded, name))
			continue;
		if (percent_decode(x->arena, value.at ? value : BYTES(""), true, &decoded) != ERR_NONE)
			continue;
		return decoded;
	}
	return BYTES_NONE;
}

bool exchange_host_ok(struct bytes host)
{
	if (!host.len || host.len > EXCHANGE_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (!isalnum(host.at[i]) && !(host.at[i] && strchr("-._:[]", host.at[i])))
			return false;
	return true;
}

void exchange_add_header(struct exchange *x, const char *name, struct bytes value)
{
	assert(!x->answered);
	/* A line break would end the header for the client and begin another of a stranger's choice. */
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < 0x20 && value.at[i] != '\t')
			return;
	x->carrier->add_header(x, name, value);
}

void exchange_reply(struct exchange *x, unsigned status, const char *type, struct bytes body)
{
	assert(!x->answered && status >= 200 && status <= 599);
	x->answered = true;
	x->carrier->reply(x, status, type, body);
}

void exchange_reply_json(struct exchange *x, unsigned status, struct bytes json)
{
	exchange_reply(x, status, "application/json", json);
}

void exchange_reply_text(struct exchange *x, unsigned status, const char *text)
{
	exchange_reply(x, status, "text/plain; charset=utf-8", bytes_text(text));
}

unsigned exchange_status_of(enum err e)
{
	static const unsigned short STATUS[ERR_COUNT] = {
		[ERR_NONE] = 200,       [ERR_AGAIN] = 503,       [ERR_MALFORMED] = 400,
		[ERR_TOO_BIG] = 413,    [ERR_NOT_FOUND] = 404,   [ERR_EXISTS] = 409,
		[ERR_CONFLICT] = 409,   [ERR_DENIED] = 403,      [ERR_UNAUTHENTICATED] = 401,
		[ERR_EXHAUSTED] = 409,  [ERR_UNSUPPORTED] = 400, [ERR_CRYPTO] = 400,
		[ERR_NO_HISTORY] = 500, [ERR_UNAVAILABLE] = 503, [ERR_TIMEOUT] = 504,
		[ERR_CLOSED] = 503,     [ERR_CANCELED] = 503,    [ERR_IO] = 500,
		[ERR_BUG] = 500,
	};
	return (unsigned)e < ERR_COUNT && STATUS[e] ? STATUS[e] : 500;
}

void exchange_reply_error(struct exchange *x, enum err e, const struct diag *why)
{
	char text[DIAG_TEXT_MAX + 64];
	const char *reason = why && *why->text ? why->text : err_text(e);
	if (why && why->line)
		snprintf(text, sizeof(text), "%u:%u: %s\n", why->line, why->column, reason);
	else
		snprintf(text, sizeof(text), "%s\n", reason);
	exchange_reply_text(x, exchange_status_of(e), text);
}

void exchange_stream(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context)
{
	assert(!x->answered);
	x->answered = true;
	x->carrier->stream(x, status, type, events, context);
}

bool exchange_ready(const struct exchange *x)
{
	return x->carrier->ready(x);
}

void exchange_send(struct exchange *x, struct body *const *pieces, size_t count)
{
	x->carrier->send(x, pieces, count);
}

void exchange_end(struct exchange *x)
{
	x->carrier->end(x, false);
}

void exchange_abort(struct exchange *x)
{
	x->carrier->end(x, true);
}
