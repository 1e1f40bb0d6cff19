#include "doorstep.h"

#include <stdio.h>

#include "log.h"
#include "problem.h"
#include "rate.h"

/* A customer of a provider owns a whole /64: its addresses are one caller. */
static struct bytes caller(const struct exchange *x)
{
	return bytes_of(x->peer.ip.byte, x->peer.ip.family == IP_V6 ? 8 : 4);
}

static bool known(const struct exchange *x)
{
	return x->peer.ip.family != IP_NONE;
}

static void turn_away(struct exchange *x, unsigned retry_s, const char *what)
{
	char retry[16], peer[ENDPOINT_TEXT_MAX];

	endpoint_format(peer, x->peer);
	log_debug(SUBJECT("door"), what, F_TEXT("peer", peer));
	snprintf(retry, sizeof retry, "%u", retry_s);
	exchange_add_header(x, "Retry-After", bytes_text(retry));
	if (x->door & DOOR_ADMIN && bytes_starts(x->path, "/api/"))
		problem_reply(x, 429, "Too Many Requests", "too many refused keys from this address", NULL);
	else
		exchange_reply_text(x, 429, "too often from this address\n");
}

bool doorstep_handshake(struct exchange *x)
{
	struct coordinator *c = x->program;
	unsigned retry_s;

	if (!known(x) || rate_take(c->handshake_rate, caller(x), clock_mono(), &retry_s))
		return true;
	turn_away(x, retry_s, "too many handshakes");
	return false;
}

bool doorstep_credential(struct exchange *x)
{
	struct coordinator *c = x->program;
	unsigned retry_s;

	if (!known(x) || rate_has(c->refusal_rate, caller(x), clock_mono(), &retry_s))
		return true;
	turn_away(x, retry_s, "too many refused credentials");
	return false;
}

void doorstep_refused(struct exchange *x)
{
	struct coordinator *c = x->program;
	unsigned retry_s;

	if (known(x))
		(void)rate_take(c->refusal_rate, caller(x), clock_mono(), &retry_s);
}
