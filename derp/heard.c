#include "heard.h"

#include <assert.h>
#include <stdlib.h>

struct source {
	struct node_key key;
	struct list pairs;
};

struct pair {
	struct list by_source, by_hearer;
	struct source *source;
	struct hearer *hearer;
};

struct heard {
	struct table *sources, *pairs;
};

struct pair_key {
	struct node_key source;
	uint64_t hearer;
};

struct heard *heard_new(void)
{
	struct heard *h = x_zalloc(sizeof(*h));
	h->sources = table_new();
	h->pairs = table_new();
	return h;
}

void heard_free(struct heard **heard)
{
	struct heard *h = *heard;
	*heard = NULL;
	if (!h)
		return;
	assert(!table_count(h->pairs));
	table_free(&h->sources);
	table_free(&h->pairs);
	free(h);
}

void hearer_init(struct hearer *hearer, uint64_t id)
{
	*hearer = (struct hearer){.id = id};
	list_init(&hearer->sources);
}

static struct source *take_source(struct heard *h, const struct node_key *key)
{
	struct source *s = table_find(h->sources, bytes_of(key->raw, KEY_LEN));
	if (s)
		return s;
	s = x_zalloc(sizeof(*s));
	s->key = *key;
	list_init(&s->pairs);
	table_put(h->sources, bytes_of(key->raw, KEY_LEN), s);
	return s;
}

/* Without the source, which may be left without pairs. */
static void end_pair(struct heard *h, struct pair *p)
{
	struct pair_key key = {p->source->key, p->hearer->id};
	table_remove(h->pairs, bytes_of(&key, sizeof key));
	list_remove(&p->by_source);
	list_remove(&p->by_hearer);
	p->hearer->count--;
	free(p);
}

static void end_source_if_unheard(struct heard *h, struct source *s)
{
	if (!list_empty(&s->pairs))
		return;
	table_remove(h->sources, bytes_of(s->key.raw, KEY_LEN));
	free(s);
}

static void forget_oldest(struct heard *h, struct hearer *hearer)
{
	struct pair *oldest = LIST_FIRST(&hearer->sources, struct pair, by_hearer);
	struct source *s = oldest->source;
	end_pair(h, oldest);
	end_source_if_unheard(h, s);
}

void heard_note(struct heard *h, struct hearer *hearer, const struct node_key *source)
{
	if (!memcmp(hearer->last.raw, source->raw, KEY_LEN))
		return;
	hearer->last = *source;
	struct pair_key key = {*source, hearer->id};
	if (table_find(h->pairs, bytes_of(&key, sizeof key)))
		return;
	if (hearer->count >= HEARD_MAX)
		forget_oldest(h, hearer);
	struct pair *p = x_alloc(sizeof(*p));
	*p = (struct pair){.source = take_source(h, source), .hearer = hearer};
	list_append(&p->source->pairs, &p->by_source);
	list_append(&hearer->sources, &p->by_hearer);
	hearer->count++;
	table_put(h->pairs, bytes_of(&key, sizeof key), p);
}

void heard_gone(struct heard *h, const struct node_key *source, void (*on_gone)(struct hearer *hearer, const struct node_key *source))
{
	struct source *s = table_find(h->sources, bytes_of(source->raw, KEY_LEN));
	if (!s)
		return;
	/* What on_gone does may end other hearers, hence other pairs of this source: always the first, and the source out of reach before. */
	table_remove(h->sources, bytes_of(source->raw, KEY_LEN));
	struct pair *p;
	while ((p = LIST_FIRST(&s->pairs, struct pair, by_source))) {
		struct hearer *hearer = p->hearer;
		end_pair(h, p);
		if (!memcmp(hearer->last.raw, s->key.raw, KEY_LEN))
			hearer->last = (struct node_key){{0}};
		on_gone(hearer, &s->key);
	}
	free(s);
}

void heard_forget(struct heard *h, struct hearer *hearer)
{
	LIST_EACH(&hearer->sources, p, struct pair, by_hearer) {
		struct source *s = p->source;
		bool reachable = table_find(h->sources, bytes_of(s->key.raw, KEY_LEN)) == s;
		end_pair(h, p);
		if (reachable)
			end_source_if_unheard(h, s);
	}
	hearer->last = (struct node_key){{0}};
}
