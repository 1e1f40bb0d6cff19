#include "relaylife.h"

#include <stdlib.h>

#include "announce.h"
#include "daemon.h"
#include "handshake.h"
#include "log.h"
#include "shard.h"
#include "siblings.h"

enum {
	SPREAD_MS = 1500,   /* clients end at random within */
	PATIENCE_MS = 3000, /* for those that take nothing, from then on */
	LOOK_MS = 50,
};

bool relaylife_is_leaving(const struct shard *s)
{
	return s->closing || s->life.leaving;
}

static void set_leaving(struct shard *s, bool leaving)
{
	if (leaving && !s->life.leaving)
		atomic_fetch_add(&s->relay->shut, 1);
	if (!leaving && s->life.leaving)
		atomic_fetch_sub(&s->relay->shut, 1);
	s->life.leaving = leaving;
}

/* ---- going ---- */

static void drained(struct shard *s)
{
	timer_cancel(&s->life.look);
	if (s->life.ending && !s->life.said_drained)
		daemon_drained(s->worker);
	s->life.said_drained |= s->life.ending;
}

static void on_look(void *context)
{
	struct shard *s = context;
	if (table_count(s->clients) && loop_now(s->loop).ms < s->life.until.ms) {
		timer_set(&s->life.look, LOOK_MS);
		return;
	}
	if (s->life.ending)
		s->closing = true;
	client_end_all(s);
	drained(s);
}

/* Doors close, so that who dials goes elsewhere at once; then the clients, one after the other. */
static void finish(struct shard *s)
{
	if (s->life.leaving) {
		on_look(s);
		return;
	}
	log_info(SUBJECT("relay"), "doors close", F_UINT("shard", s->index), F_UINT("clients", table_count(s->clients)));
	set_leaving(s, true);
	shard_shut(s);
	handshake_end_all(s);
	client_part_all(s, SPREAD_MS);
	s->life.until = (struct mono){loop_now(s->loop).ms + SPREAD_MS + PATIENCE_MS};
	timer_set(&s->life.look, LOOK_MS);
}

static void on_finish(void *context)
{
	struct shard *s = context;
	if (!s->closing)
		finish(s);
}

static void finish_all(struct relay *r)
{
	for (unsigned i = 0; i < r->count; i++)
		loop_post(r->shard[i]->loop, on_finish, r->shard[i]);
}

static void on_too_late(void *context)
{
	struct shard *s = context;
	finish_all(s->relay);
}

/* Whether waiting any longer would help a client. */
static bool may_go(const struct shard *s)
{
	struct relay *r = s->relay;
	return !s->life.told || s->life.told->leave || atomic_load(&r->homes) <= 0;
}

void relaylife_end(struct shard *s)
{
	struct relay *r = s->relay;
	s->life.ending = true;
	atomic_store(&r->draining, true);
	if (s->life.leaving) {
		on_look(s);
		return;
	}
	if (s->index)
		return;
	r->said.draining = true;
	if (!s->announce || !atomic_load(&r->announced) || atomic_load(&r->refused)) {
		finish_all(r);
		return;
	}
	announce_hurry(s->announce);
	timer_set(&s->life.late, r->options->daemon.drain_ms > 2 * (SPREAD_MS + PATIENCE_MS) ? r->options->daemon.drain_ms - (SPREAD_MS + PATIENCE_MS)
											     : r->options->daemon.drain_ms / 2);
}

void relaylife_refused(struct shard *s)
{
	/* Nobody tells it any more when it may go. */
	bool drained = s->life.told && s->life.told->drain && atomic_load(&s->relay->homes) <= 0;
	if (s->life.ending || drained)
		finish_all(s->relay);
}

static bool has_opened(struct shard *s, enum err (*open)(struct shard *s, struct diag *why))
{
	struct diag why = {0};
	enum err e = open(s, &why);
	set_leaving(s, e != ERR_NONE);
	if (!e)
		return true;
	log_error(SUBJECT("relay"), "cannot open its doors", F_UINT("shard", s->index), F_TEXT("reason", why.text));
	shard_shut(s); /* until the next answer */
	return false;
}

void relaylife_welcome(struct shard *s)
{
	if (!s->closing && !s->life.leaving && !s->life.ending)
		(void)has_opened(s, shard_welcome);
}

static void resume(struct shard *s)
{
	if (!s->life.leaving || s->life.ending || s->closing || !has_opened(s, shard_listen))
		return;
	timer_cancel(&s->life.look);
	log_info(SUBJECT("relay"), "doors open again", F_UINT("shard", s->index));
}

/* ---- what was told ---- */

static void recheck(struct shard *s, const struct told *told)
{
	recheck_unsure(s);
	for (size_t i = 0; i < told->recheck_count; i++)
		if (relay_home(s->relay, &told->rechecks[i]) == s->index)
			recheck_key(s, &told->rechecks[i]);
	if (told->recheck_all)
		recheck_all(s);
}

struct telling {
	struct shard *to;
	struct told *told;
};

static void on_told(void *context)
{
	struct telling *t = context;
	struct shard *s = t->to;
	if (!s->closing) {
		told_drop(&s->life.told);
		s->life.told = told_take(t->told);
		recheck(s, t->told);
		client_check_siblings(s);
		siblings_follow(s, t->told);
		if (!t->told->drain)
			resume(s);
	}
	told_drop(&t->told);
	free(t);
}

void relaylife_heard(struct shard *first, const json_t *answer)
{
	struct relay *r = first->relay;
	struct told *told = told_new(answer);
	bool away = first->life.heard.ms && loop_now(first->loop).ms - first->life.heard.ms > RECHECKS_KEPT_MS;
	told->recheck_all |= away;
	if (told->held_back && !(first->life.told && first->life.told->held_back))
		log_warning(SUBJECT("relay"), "it changes too often how it is reached: clients are told what it said before");
	first->life.heard = loop_now(first->loop);
	r->said.rechecks_from = told->rechecks_from;
	rates_told(&r->rates, told->client);
	purses_told(r->purses, told->tailnet, first->life.heard);
	for (unsigned i = 0; i < r->count; i++) {
		struct telling *t = x_alloc(sizeof *t);
		*t = (struct telling){r->shard[i], told_take(told)};
		loop_post(r->shard[i]->loop, on_told, t);
	}
	if (!first->life.ending)
		atomic_store(&r->draining, told->drain);
	told_drop(&first->life.told);
	first->life.told = told;
	/* An answer from before we said that we drain says nothing about it. */
	if ((first->life.ending || told->drain) && announce_is_current(first->announce) && may_go(first))
		finish_all(r);
}

void relaylife_close(struct shard *s)
{
	timer_cancel(&s->life.look);
	timer_cancel(&s->life.late);
	told_drop(&s->life.told);
}

void relaylife_open(struct shard *s)
{
	timer_init(&s->life.look, s->loop, on_look, s);
	timer_init(&s->life.late, s->loop, on_too_late, s);
}
