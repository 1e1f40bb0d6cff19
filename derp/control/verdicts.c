#include "verdicts.h"

#include <stdlib.h>

#include "list.h"
#include "table.h"

struct answer {
	struct list by_age;
	struct node_key key;
	bool allowed, doubted;
	int64_t at_ms;
	uint64_t doubts; /* of all, when it was said */
	struct standing standing;
};

struct verdicts {
	struct verdicts_limits limits;
	struct table *answers;
	struct list by_age[2]; /* [allowed], oldest first */
	size_t count[2];
	uint64_t doubts; /* how often all were */
};

struct verdicts *verdicts_new(const struct verdicts_limits *limits)
{
	struct verdicts *v = x_zalloc(sizeof(*v));
	v->limits = *limits;
	v->answers = table_new();
	list_init(&v->by_age[0]);
	list_init(&v->by_age[1]);
	return v;
}

void verdicts_set_times(struct verdicts *v, const struct verdicts_limits *limits)
{
	v->limits.allowed_ms = limits->allowed_ms;
	v->limits.refused_ms = limits->refused_ms;
	v->limits.grace_ms = limits->grace_ms;
}

static void end(struct verdicts *v, struct answer *a)
{
	table_remove(v->answers, bytes_of(a->key.raw, KEY_LEN));
	list_remove(&a->by_age);
	v->count[a->allowed]--;
	free(a);
}

void verdicts_free(struct verdicts **verdicts)
{
	struct verdicts *v = *verdicts;
	*verdicts = NULL;
	if (!v)
		return;
	for (unsigned i = 0; i < 2; i++) {
		LIST_EACH(&v->by_age[i], a, struct answer, by_age)
			end(v, a);
	}
	table_free(&v->answers);
	free(v);
}

static bool is_doubted(const struct verdicts *v, const struct answer *a)
{
	return a->doubted || a->doubts != v->doubts;
}

enum verdict verdicts_find(const struct verdicts *v, const struct node_key *key, struct mono now)
{
	const struct answer *a = table_find(v->answers, bytes_of(key->raw, KEY_LEN));
	if (!a)
		return VERDICT_UNKNOWN;
	int64_t age = now.ms - a->at_ms;
	if (!a->allowed)
		return age < v->limits.refused_ms && !is_doubted(v, a) ? VERDICT_REFUSED : VERDICT_UNKNOWN;
	if (age < v->limits.allowed_ms && !is_doubted(v, a))
		return VERDICT_ALLOWED;
	return age < v->limits.grace_ms ? VERDICT_STALE : VERDICT_UNKNOWN;
}

void verdicts_put(struct verdicts *v, const struct node_key *key, bool allowed, struct mono now)
{
	struct answer *a = table_find(v->answers, bytes_of(key->raw, KEY_LEN));
	if (a)
		end(v, a);
	struct answer *oldest = LIST_FIRST(&v->by_age[allowed], struct answer, by_age);
	if (oldest && v->count[allowed] >= (allowed ? v->limits.allowed_max : v->limits.refused_max))
		end(v, oldest);
	a = x_alloc(sizeof(*a));
	*a = (struct answer){.key = *key, .allowed = allowed, .at_ms = now.ms, .doubts = v->doubts};
	list_append(&v->by_age[allowed], &a->by_age);
	v->count[allowed]++;
	table_put(v->answers, bytes_of(a->key.raw, KEY_LEN), a);
}

void verdicts_set_standing(struct verdicts *v, const struct node_key *key, struct standing standing)
{
	struct answer *a = table_find(v->answers, bytes_of(key->raw, KEY_LEN));
	if (a && a->allowed)
		a->standing = standing;
}

struct standing verdicts_standing(const struct verdicts *v, const struct node_key *key)
{
	const struct answer *a = table_find(v->answers, bytes_of(key->raw, KEY_LEN));
	return a ? a->standing : (struct standing){0};
}

void verdicts_doubt(struct verdicts *v, const struct node_key *key, struct mono now)
{
	struct answer *a = table_find(v->answers, bytes_of(key->raw, KEY_LEN));
	if (!a)
		return;
	if (!a->allowed)
		end(v, a);
	else if (now.ms - a->at_ms < v->limits.allowed_ms)
		a->doubted = true;
}

void verdicts_doubt_all(struct verdicts *v)
{
	v->doubts++;
}

size_t verdicts_count(const struct verdicts *v)
{
	return v->count[0] + v->count[1];
}
