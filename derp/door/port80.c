#include "port80.h"

#include <stdio.h>

#include "log.h"
#include "shard.h"

enum { ASK_MS = 60000, PATIENCE_MS = 2000 };

static void ask(void *context);

/* Clients ask only addresses that they were told. */
static bool is_asked(const struct relay *r)
{
	struct ip ip;
	return r->plain_port.at.port && !ip_parse(bytes_text(r->options->relay_ipv4), &ip) && ip.family == IP_V4;
}

bool port80_judge(struct port80 *p, bool good)
{
	p->contrary = p->known && good != p->good ? p->contrary + 1 : 0;
	if (p->known && p->contrary < PORT80_CHANGES_AT)
		return false;
	p->known = true;
	p->good = good;
	p->contrary = 0;
	return true;
}

static void conclude(struct shard *s, bool good)
{
	struct port80 *p = &s->relay->port80;
	const char *ip = s->relay->options->relay_ipv4;
	if (!port80_judge(p, good))
		return;
	if (good)
		log_info(SUBJECT("relay"), "port 80 answers captive portal checks", F_TEXT("ip", ip));
	else
		log_warning(SUBJECT("relay"), "port 80 does not answer captive portal checks: clients are not told of it", F_TEXT("ip", ip));
	p->on_known(s);
}

static void on_answer(void *context, enum err e, unsigned status, struct bytes body)
{
	struct shard *s = context;
	struct port80 *p = &s->relay->port80;
	char wanted[PORT80_CHALLENGE_MAX + 16];
	const char *said = e ? NULL : fetch_header(s->fetcher, "X-Tailscale-Response");
	(void)body;
	if (s->closing)
		return;
	timer_set(&p->next, ASK_MS);
	snprintf(wanted, sizeof wanted, "response %s", p->challenge);
	/* Doors that are shut say nothing about port 80; but what is not known yet holds up the announcement. */
	if (!s->life.ending && (!s->life.leaving || !p->known))
		conclude(s, status == 204 && said && !strcmp(said, wanted));
}

static void ask(void *context)
{
	struct shard *s = context;
	struct port80 *p = &s->relay->port80;
	char url[64], header[64];
	snprintf(p->challenge, sizeof p->challenge, "ts_%016llx", (unsigned long long)random_number());
	snprintf(url, sizeof url, "http://%s/generate_204", s->relay->options->relay_ipv4);
	snprintf(header, sizeof header, "X-Tailscale-Challenge: %s", p->challenge);
	const struct fetch_request request = {.method = "GET", .url = url, .header = header, .timeout_ms = PATIENCE_MS};
	fetch_start(s->fetcher, &request, on_answer, s);
}

void port80_watch(struct shard *first, void (*on_known)(struct shard *first))
{
	struct port80 *p = &first->relay->port80;
	p->on_known = on_known;
	timer_init(&p->next, first->loop, ask, first);
	if (is_asked(first->relay))
		ask(first);
	else
		on_known(first);
}

void port80_stop(struct shard *first)
{
	struct port80 *p = &first->relay->port80;
	if (p->on_known)
		timer_cancel(&p->next);
}
