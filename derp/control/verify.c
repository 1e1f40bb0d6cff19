#include "verify.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "answerkeys.h"
#include "judgment.h"
#include "log.h"
#include "metrics_relay.h"
#include "table.h"

enum {
	ASK_MS = 2000,   /* per coordinator: with the two that are tried below the 5 s that stock relays allow */
	ASK_AT_MOST = 2, /* coordinators asked about one key */
	URL_MS = 5000,   /* the judge, as stock relays allow it */
	WAITS_PER_KEY = 32,
	QUESTIONS_MAX = 4096, /* open at once on one loop */
};

struct verify {
	struct verify_config config;
	struct verdicts *verdicts;
	struct table *questions;
	bool ending;
};

struct question {
	struct verify *verify;
	struct node_key key;
	struct ip source;
	struct list waits;
	unsigned wait_count;
	unsigned coordinator, asked;
	struct standing standing;
	bool stale;    /* known good of old */
	bool forgiven; /* one who should have allowed it did not answer */
	bool of_judge; /* the judge is asked now */
	bool doubted;  /* what is answered now may have been so before the change */
};

struct verify *verify_new(const struct verify_config *config)
{
	struct verify *v = x_zalloc(sizeof(*v));
	v->config = *config;
	v->verdicts = verdicts_new(&config->limits);
	v->questions = table_new();
	return v;
}

void verify_reload(struct verify *v, const struct verify_config *config)
{
	v->config.url = config->url;
	v->config.ask_coordinators = config->ask_coordinators;
	v->config.fail_open = config->fail_open;
	verdicts_set_times(v->verdicts, &config->limits);
}

/* Questions on their way are answered by the fetcher as it ends, and go then; the last one takes the rest along. */
static void end_if_quiet(struct verify *v)
{
	if (!v->ending || table_count(v->questions))
		return;
	table_free(&v->questions);
	free(v);
}

void verify_free(struct verify **verify)
{
	struct verify *v = *verify;
	*verify = NULL;
	if (!v)
		return;
	v->ending = true;
	verdicts_free(&v->verdicts);
	end_if_quiet(v);
}

void verify_doubt(struct verify *v, const struct node_key *key)
{
	struct question *q = table_find(v->questions, bytes_of(key->raw, KEY_LEN));
	verdicts_doubt(v->verdicts, key, clock_mono());
	if (q)
		q->doubted = true;
}

void verify_doubt_all(struct verify *v)
{
	struct bytes key;
	struct question *q;
	verdicts_doubt_all(v->verdicts);
	TABLE_EACH(v->questions, key, q)
		q->doubted = true;
}

struct standing verify_standing(const struct verify *v, const struct node_key *key)
{
	return verdicts_standing(v->verdicts, key);
}

void verify_wait_init(struct verify_wait *w, void (*on_verdict)(void *context, bool allowed), void *context)
{
	*w = (struct verify_wait){.on_verdict = on_verdict, .context = context};
	list_init(&w->link);
}

void verify_cancel(struct verify_wait *w)
{
	list_remove(&w->link);
}

/* sure: somebody answered. */
static void tell(struct question *q, bool allowed, bool sure)
{
	struct verify *v = q->verify;
	table_remove(v->questions, bytes_of(q->key.raw, KEY_LEN));
	struct verify_wait *w;
	while ((w = LIST_FIRST(&q->waits, struct verify_wait, link))) {
		list_remove(&w->link);
		w->sure = sure;
		w->on_verdict(w->context, allowed);
	}
	free(q);
	end_if_quiet(v);
}

static void ask_judge(struct question *q);
static void ask_coordinator(struct question *q);

static void ask_first(struct question *q)
{
	q->doubted = q->of_judge = q->forgiven = false;
	q->asked = 0;
	(q->verify->config.ask_coordinators ? ask_coordinator : ask_judge)(q);
}

static void settle(struct question *q, bool allowed)
{
	if (q->doubted) {
		ask_first(q);
		return;
	}
	verdicts_put(q->verify->verdicts, &q->key, allowed, clock_mono());
	verdicts_set_standing(q->verify->verdicts, &q->key, q->standing);
	relay_count_at(RELAY_VERDICTS, allowed ? RELAY_VERDICT_ALLOWED : RELAY_VERDICT_REFUSED, 1);
	tell(q, allowed, true);
}

/* Nobody answered. Not remembered: the next one asks again. */
static void settle_alone(struct question *q)
{
	bool open = q->verify->config.fail_open;
	relay_count_at(RELAY_VERDICTS, q->stale ? RELAY_VERDICT_GRACE : open ? RELAY_VERDICT_FAIL_OPEN : RELAY_VERDICT_NO_ANSWER, 1);
	tell(q, q->stale || open, false);
}

/* Who was asked last allows it, or did not answer. */
static void go_on(struct question *q, bool answered)
{
	const struct verify_config *config = &q->verify->config;
	q->forgiven |= !answered;
	if (*config->url && !q->of_judge && (answered || q->stale || config->fail_open))
		ask_judge(q);
	else if (q->forgiven)
		settle_alone(q);
	else
		settle(q, true);
}

static void deny(struct question *q, const char *who, unsigned status)
{
	log_warning(SUBJECT("relay"), "no answer about keys", F_TEXT("asked", who), F_UINT("status", status));
	relay_count_at(RELAY_VERDICTS, RELAY_VERDICT_NO_ANSWER, 1);
	tell(q, false, true);
}

static bool ends(struct question *q)
{
	if (!q->verify->ending)
		return false;
	assert(list_empty(&q->waits));
	tell(q, false, false);
	return true;
}

static void on_judged(void *context, enum err e, unsigned status, struct bytes body)
{
	struct question *q = context;
	if (ends(q))
		return;
	enum judgment said = judgment_of_url(e, status, body);
	if (said == JUDGMENT_DENIED)
		deny(q, "verify.url", status); /* the URL itself may hold a secret */
	else if (said == JUDGMENT_REFUSED)
		settle(q, false);
	else
		go_on(q, said == JUDGMENT_ALLOWED);
}

static void on_answer(void *context, enum err e, unsigned status, struct bytes body)
{
	struct question *q = context;
	struct coordinators *c = q->verify->config.coordinators;
	if (ends(q))
		return;
	switch (judgment_of_coordinator(e, status, body)) {
	case JUDGMENT_ALLOWED:
		q->standing = judgment_standing(body);
		go_on(q, true);
		return;
	case JUDGMENT_REFUSED:
		settle(q, false);
		return;
	case JUDGMENT_DENIED:
		deny(q, c->url[q->coordinator], status);
		return;
	case JUDGMENT_NONE:
		break;
	}
	coordinators_failed(c, q->coordinator);
	q->coordinator = coordinators_next(c, q->coordinator);
	if (q->asked < c->count && q->asked < ASK_AT_MOST)
		ask_coordinator(q);
	else
		go_on(q, false);
}

static void ask(struct question *q, const struct fetch_request *request, fetch_fn on_said)
{
	struct fetch_request r = *request;
	char key[KEY_TEXT_MAX], source[IP_TEXT_MAX], body[256];
	key_format_node(key, &q->key);
	ip_format(source, q->source);
	int len = snprintf(body, sizeof body, "{\"NodePublic\":\"%s\",\"Source\":\"%s\"}", key, source);
	r.method = "POST";
	r.body = bytes_of(body, (size_t)len);
	answerkeys_fetch(q->of_judge ? NULL : q->verify->config.coordinators->keys, q->verify->config.fetcher, &r, on_said, q);
}

static void ask_judge(struct question *q)
{
	q->of_judge = true;
	ask(q, &(struct fetch_request){.url = q->verify->config.url, .content_type = "", .timeout_ms = URL_MS}, on_judged);
}

static void ask_coordinator(struct question *q)
{
	const struct verify_config *config = &q->verify->config;
	char *url = coordinators_url(config->coordinators, q->coordinator, "/relay/v1/verify");
	q->asked++;
	ask(q, &(struct fetch_request){.url = url, .bearer = config->token, .timeout_ms = ASK_MS}, on_answer);
	free(url);
}

static struct question *question_new(struct verify *v, const struct node_key *key, struct ip source)
{
	struct question *q = x_alloc(sizeof(*q));
	*q = (struct question){.verify = v, .key = *key, .source = source, .coordinator = coordinators_first(v->config.coordinators)};
	list_init(&q->waits);
	table_put(v->questions, bytes_of(key->raw, KEY_LEN), q);
	return q;
}

static bool has_room(const struct verify *v, const struct question *q)
{
	return q ? q->wait_count < WAITS_PER_KEY : table_count(v->questions) < QUESTIONS_MAX;
}

bool verify_has_room(const struct verify *v, const struct node_key *key)
{
	return has_room(v, table_find(v->questions, bytes_of(key->raw, KEY_LEN)));
}

enum verdict verify_ask(struct verify *v, const struct node_key *key, struct ip source, struct verify_wait *w)
{
	enum verdict known = verdicts_find(v->verdicts, key, clock_mono());
	if (known == VERDICT_ALLOWED || known == VERDICT_REFUSED)
		return known;
	struct question *q = table_find(v->questions, bytes_of(key->raw, KEY_LEN));
	if (!has_room(v, q)) {
		relay_count_at(RELAY_VERDICTS, RELAY_VERDICT_OVERLOAD, 1);
		return VERDICT_REFUSED;
	}
	bool first = !q;
	if (first)
		q = question_new(v, key, source);
	q->stale |= known == VERDICT_STALE;
	q->wait_count++;
	list_append(&q->waits, &w->link);
	if (first)
		ask_first(q);
	return VERDICT_UNKNOWN;
}
