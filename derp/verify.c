#include "verify.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "jsonr.h"
#include "log.h"
#include "metrics_relay.h"
#include "table.h"

enum {
	ASK_MS = 2000,   /* per coordinator: with the two that are tried below the 5 s that stock relays allow */
	ASK_AT_MOST = 2, /* coordinators asked about one key */
	WAITS_PER_KEY = 32,
	QUESTIONS_MAX = 4096, /* open at once on one loop */
	ANSWER_MAX = 4096,
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
	bool stale; /* known good of old */
};

struct verify *verify_new(const struct verify_config *config)
{
	struct verify *v = x_zalloc(sizeof(*v));
	v->config = *config;
	v->verdicts = verdicts_new(&config->limits);
	v->questions = table_new();
	return v;
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
	verdicts_doubt(v->verdicts, key, clock_mono());
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

static void tell(struct question *q, bool allowed)
{
	struct verify *v = q->verify;
	table_remove(v->questions, bytes_of(q->key.raw, KEY_LEN));
	struct verify_wait *w;
	while ((w = LIST_FIRST(&q->waits, struct verify_wait, link))) {
		list_remove(&w->link);
		w->on_verdict(w->context, allowed);
	}
	free(q);
	end_if_quiet(v);
}

static void settle(struct question *q, bool allowed)
{
	verdicts_put(q->verify->verdicts, &q->key, allowed, clock_mono());
	relay_count_at(RELAY_VERDICTS, allowed ? RELAY_VERDICT_ALLOWED : RELAY_VERDICT_REFUSED, 1);
	tell(q, allowed);
}

static void settle_alone(struct question *q)
{
	bool open = q->verify->config.fail_open;
	relay_count_at(RELAY_VERDICTS, q->stale ? RELAY_VERDICT_GRACE : open ? RELAY_VERDICT_FAIL_OPEN : RELAY_VERDICT_NO_ANSWER, 1);
	tell(q, q->stale || open);
}

enum outcome { OUTCOME_NO_ANSWER, OUTCOME_DENIED, OUTCOME_REFUSED, OUTCOME_ALLOWED };

/* Only 200 is an answer about the key. That our token is not good is an answer too, but not one about the key: nobody is admitted on it, nothing is remembered. */
static enum outcome judge(enum err e, unsigned status, struct bytes body)
{
	if (e || status >= 500 || status == 429 || status == 404)
		return OUTCOME_NO_ANSWER;
	if (status != 200)
		return OUTCOME_DENIED;
	json_t *answer;
	if (jsonr_parse(body, ANSWER_MAX, &answer, NULL))
		return OUTCOME_REFUSED;
	bool allow = json_is_true(json_object_get(answer, "Allow"));
	json_decref(answer);
	return allow ? OUTCOME_ALLOWED : OUTCOME_REFUSED;
}

static void ask(struct question *q);

static void on_answer(void *context, enum err e, unsigned status, struct bytes body)
{
	struct question *q = context;
	struct verify *v = q->verify;
	if (v->ending) {
		assert(list_empty(&q->waits));
		tell(q, false);
		return;
	}
	switch (judge(e, status, body)) {
	case OUTCOME_ALLOWED:
		settle(q, true);
		return;
	case OUTCOME_REFUSED:
		settle(q, false);
		return;
	case OUTCOME_DENIED:
		log_warning(SUBJECT("relay"), "coordinator refuses to answer about keys", F_TEXT("coordinator", v->config.coordinators->url[q->coordinator]),
			    F_UINT("status", status));
		relay_count_at(RELAY_VERDICTS, RELAY_VERDICT_NO_ANSWER, 1);
		tell(q, false);
		return;
	case OUTCOME_NO_ANSWER:
		break;
	}
	coordinators_failed(v->config.coordinators, q->coordinator);
	q->coordinator = coordinators_next(v->config.coordinators, q->coordinator);
	if (q->asked < v->config.coordinators->count && q->asked < ASK_AT_MOST)
		ask(q);
	else
		settle_alone(q);
}

static void ask(struct question *q)
{
	struct verify *v = q->verify;
	char key[KEY_TEXT_MAX], source[IP_TEXT_MAX], body[256];
	key_format_node(key, &q->key);
	ip_format(source, q->source);
	int len = snprintf(body, sizeof body, "{\"NodePublic\":\"%s\",\"Source\":\"%s\"}", key, source);
	char *url = coordinators_url(v->config.coordinators, q->coordinator, "/relay/v1/verify");
	q->asked++;
	const struct fetch_request request = {
		.method = "POST", .url = url, .bearer = v->config.token, .body = bytes_of(body, (size_t)len), .timeout_ms = ASK_MS};
	fetch_start(v->config.fetcher, &request, on_answer, q);
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

enum verdict verify_ask(struct verify *v, const struct node_key *key, struct ip source, struct verify_wait *w)
{
	enum verdict known = verdicts_find(v->verdicts, key, clock_mono());
	if (known == VERDICT_ALLOWED || known == VERDICT_REFUSED)
		return known;
	struct question *q = table_find(v->questions, bytes_of(key->raw, KEY_LEN));
	if (q ? q->wait_count >= WAITS_PER_KEY : table_count(v->questions) >= QUESTIONS_MAX) {
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
		ask(q);
	return VERDICT_UNKNOWN;
}
