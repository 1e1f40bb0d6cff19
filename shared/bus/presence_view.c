#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "lease.h"
#include "presence.h"
#include "presence_keys.h"
#include "presence_message.h"
#include "table.h"
#include "text.h"

enum {
	POLL_MS = 2000,
	READS_MAX = 256,                                   /* in flight */
	UNSURE_MS = 500,                                   /* a grace that ends while nothing is certain is looked at again after this */
	SETTLE_MS = PRESENCE_LEASE_MS + PRESENCE_RENEW_MS, /* a Redis younger than this may still lack holders */
	SOURCES_MAX = 4096
};

/* A holder as this view knows it. */
struct source {
	struct list link;
	char name[LEASE_NAME_MAX + 1];
	char number[LEASE_VALUE_MAX + 1]; /* of the declaration that was read; empty: to be read */
	bool sure;                        /* its lease was seen since the bus was restored */
	int64_t excused_until_ms;         /* absence of the lease means nothing before */
	uint64_t listed;                  /* number of the list that had it last */
};

struct entry {
	struct list link;
	struct source *source;
	uint64_t session;
	uint64_t stamp; /* of the read that had it last */
};

/* A node that is online: by its entries or by the grace after the last. */
struct seen {
	struct followed *followed;
	uint64_t node;
	struct list entries;
	struct timer grace;
};

struct followed {
	struct list link;
	struct list telling; /* on_known is due */
	struct presence_view *view;
	uint64_t tailnet;
	struct table *nodes;
	struct list reads;
	bool told;     /* on_known came */
	bool complete; /* every source was read since the bus was restored */
	void (*on_known)(void *context, uint64_t tailnet);
	void *context;
};

/* The hash of one source and tailnet, to be read. */
struct read {
	struct list link; /* queued or flying */
	struct list in_followed;
	struct presence_view *view;
	struct followed *followed; /* NULL: not wanted any more */
	struct source *source;
	bool flying;
	struct table *touched; /* nodes that a message told of meanwhile; NULL: none */
};

struct presence_view {
	struct bus *bus;
	struct bus_listener listener;
	int64_t grace_ms;
	void (*on_change)(void *context, uint64_t tailnet, uint64_t node);
	void *context;
	struct table *by_tailnet, *by_name;
	struct list followed, sources, queued, flying, telling;
	size_t flying_count, unsure_count;
	uint64_t stamp, lists;
	bool listing, listed; /* listed: since the bus was restored */
	bool aged;            /* the age of Redis is known */
	int64_t settled_ms;   /* every live holder has had its chance to declare itself */
	struct timer poll;
	struct defer pump, tell;
};

static void source_sure(struct presence_view *v, struct source *s, bool sure)
{
	if (s->sure == sure)
		return;
	s->sure = sure;
	if (sure)
		v->unsure_count--;
	else
		v->unsure_count++;
}

static bool certain(const struct presence_view *v)
{
	return bus_up(v->bus) && v->listed && v->aged && !v->unsure_count && clock_mono().ms >= v->settled_ms;
}

bool presence_certain(const struct presence_view *v, uint64_t tailnet)
{
	const struct followed *f = table_find_number(v->by_tailnet, tailnet);
	return f && f->complete && certain(v);
}

bool presence_online(const struct presence_view *v, uint64_t tailnet, uint64_t node)
{
	const struct followed *f = table_find_number(v->by_tailnet, tailnet);
	return f && table_find_number(f->nodes, node);
}

/* ---- entries ---- */

static void tell_change(struct followed *f, uint64_t node)
{
	if (f->told && f->view->on_change)
		f->view->on_change(f->view->context, f->tailnet, node);
}

static void entry_free(struct entry *e)
{
	list_remove(&e->link);
	free(e);
}

static void seen_free(struct seen *s)
{
	LIST_EACH(&s->entries, e, struct entry, link)
		entry_free(e);
	timer_cancel(&s->grace);
	table_remove_number(s->followed->nodes, s->node);
	free(s);
}

static void on_grace_over(void *context)
{
	struct seen *s = context;
	struct followed *f = s->followed;
	uint64_t node = s->node;
	if (!presence_certain(f->view, f->tailnet)) {
		timer_set(&s->grace, UNSURE_MS);
		return;
	}
	seen_free(s);
	tell_change(f, node);
}

static struct entry *entry_find(struct seen *s, const struct source *source)
{
	LIST_EACH(&s->entries, e, struct entry, link) {
		if (e->source == source)
			return e;
	}
	return NULL;
}

static void entry_set(struct followed *f, uint64_t node, struct source *source, uint64_t session, uint64_t stamp)
{
	struct seen *s = table_find_number(f->nodes, node);
	bool is_new = !s;
	if (is_new) {
		s = x_zalloc(sizeof(*s));
		s->followed = f;
		s->node = node;
		list_init(&s->entries);
		timer_init(&s->grace, bus_loop(f->view->bus), on_grace_over, s);
		table_put_number(f->nodes, node, s);
	}
	struct entry *e = entry_find(s, source);
	if (!e) {
		e = x_zalloc(sizeof(*e));
		e->source = source;
		list_append(&s->entries, &e->link);
	}
	e->session = session;
	e->stamp = stamp;
	timer_cancel(&s->grace);
	if (is_new)
		tell_change(f, node);
}

static void entry_remove(struct followed *f, struct seen *s, struct entry *e)
{
	entry_free(e);
	if (list_empty(&s->entries))
		timer_set(&s->grace, f->view->grace_ms);
}

/* Entries of one source that the read with this stamp did not have. `touched`: messages knew better; may be NULL. */
static void sweep(struct followed *f, const struct source *source, uint64_t stamp, const struct table *touched)
{
	struct bytes key;
	struct seen *s;
	TABLE_EACH(f->nodes, key, s) {
		struct entry *e = entry_find(s, source);
		if (e && e->stamp != stamp && !(touched && table_find_number(touched, s->node)))
			entry_remove(f, s, e);
	}
}

/* ---- reads ---- */

static void read_free(struct read *r)
{
	list_remove(&r->link);
	list_remove(&r->in_followed);
	table_free(&r->touched);
	free(r);
}

/* Not wanted any more: a flying one waits for its reply. */
static void read_leave(struct read *r)
{
	if (!r->flying) {
		read_free(r);
		return;
	}
	list_remove(&r->in_followed);
	r->followed = NULL;
}

static void check_known(struct followed *f)
{
	struct presence_view *v = f->view;
	if (!list_empty(&f->reads) || (bus_up(v->bus) && !v->listed))
		return;
	f->complete = bus_up(v->bus);
	if (f->told || list_linked(&f->telling))
		return;
	list_append(&v->telling, &f->telling);
	loop_defer(bus_loop(v->bus), &v->tell);
}

static void on_tell(void *context)
{
	struct presence_view *v = context;
	struct followed *f;
	while ((f = LIST_FIRST(&v->telling, struct followed, telling))) {
		list_remove(&f->telling);
		f->told = true;
		if (f->on_known)
			f->on_known(f->context, f->tailnet);
	}
}

static void take_hash(struct read *r, const struct redisReply *reply)
{
	uint64_t stamp = ++r->view->stamp, node, session;
	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const struct redisReply *n = reply->element[i], *s = reply->element[i + 1];
		if (n->type != REDIS_REPLY_STRING || s->type != REDIS_REPLY_STRING ||
		    text_parse_u64(bytes_of(n->str, (size_t)n->len), UINT64_MAX, &node) != ERR_NONE ||
		    text_parse_u64(bytes_of(s->str, (size_t)s->len), UINT64_MAX, &session) != ERR_NONE)
			continue;
		if (!r->touched || !table_find_number(r->touched, node))
			entry_set(r->followed, node, r->source, session, stamp);
	}
	sweep(r->followed, r->source, stamp, r->touched);
}

static void on_read(void *context, enum err e, const struct redisReply *reply)
{
	struct read *r = context;
	struct presence_view *v = r->view;
	struct followed *f = r->followed;
	v->flying_count--;
	loop_defer(bus_loop(v->bus), &v->pump);
	if (f && !e)
		take_hash(r, reply);
	else if (f)
		r->source->number[0] = 0; /* the next list has it read again */
	read_free(r);
	if (f)
		check_known(f);
}

static void on_pump(void *context)
{
	struct presence_view *v = context;
	struct read *r;
	char key[PRESENCE_KEY_MAX];
	while (v->flying_count < READS_MAX && (r = LIST_FIRST(&v->queued, struct read, link))) {
		list_remove(&r->link);
		list_append(&v->flying, &r->link);
		r->flying = true;
		v->flying_count++;
		bus_command(v->bus, on_read, r, BUS_ARGS(BYTES("HGETALL"), presence_key(key, bytes_text(r->source->name), r->followed->tailnet)));
	}
}

static void queue_read(struct followed *f, struct source *source)
{
	struct presence_view *v = f->view;
	LIST_EACH(&f->reads, r, struct read, in_followed) {
		if (r->source == source && !r->flying)
			return;
	}
	struct read *r = x_zalloc(sizeof(*r));
	r->view = v;
	r->followed = f;
	r->source = source;
	f->complete = false;
	list_append(&f->reads, &r->in_followed);
	list_append(&v->queued, &r->link);
	loop_defer(bus_loop(v->bus), &v->pump);
}

static void touch(struct followed *f, const struct source *source, uint64_t node)
{
	LIST_EACH(&f->reads, r, struct read, in_followed) {
		if (r->source != source || !r->flying)
			continue;
		if (!r->touched)
			r->touched = table_new();
		table_put_number(r->touched, node, r);
	}
}

/* ---- sources ---- */

static struct source *source_at(struct presence_view *v, struct bytes name)
{
	struct source *s = table_find(v->by_name, name);
	if (s || table_count(v->by_name) >= SOURCES_MAX)
		return s;
	s = x_zalloc(sizeof(*s));
	memcpy(s->name, name.at, name.len);
	s->sure = true;
	s->excused_until_ms = clock_mono().ms + PRESENCE_LEASE_MS;
	list_append(&v->sources, &s->link);
	table_put(v->by_name, name, s);
	return s;
}

static void source_gone(struct presence_view *v, struct source *s)
{
	LIST_EACH(&v->followed, f, struct followed, link) {
		LIST_EACH(&f->reads, r, struct read, in_followed) {
			if (r->source == s)
				read_leave(r);
		}
		sweep(f, s, UINT64_MAX, NULL);
		check_known(f);
	}
	source_sure(v, s, true);
	table_remove(v->by_name, bytes_text(s->name));
	list_remove(&s->link);
	free(s);
}

/* Its lease lives with this number: read what was not read. */
static void source_declared(struct presence_view *v, struct source *s, struct bytes number)
{
	source_sure(v, s, true);
	if (bytes_equal_text(number, s->number))
		return;
	memset(s->number, 0, sizeof(s->number));
	memcpy(s->number, number.at, number.len);
	LIST_EACH(&v->followed, f, struct followed, link)
		queue_read(f, s);
}

static void take_list(struct presence_view *v, const struct redisReply *reply)
{
	int64_t now = clock_mono().ms;
	v->listed = true;
	v->lists++;
	for (size_t i = 0; i < lease_count(reply); i++) {
		struct bytes name, number;
		if (!lease_at(reply, i, &name, &number))
			continue;
		struct source *s = source_at(v, name);
		if (!s)
			continue;
		s->listed = v->lists;
		s->excused_until_ms = 0;
		source_declared(v, s, number);
	}
	LIST_EACH(&v->sources, s, struct source, link) {
		if (s->listed != v->lists && now >= s->excused_until_ms)
			source_gone(v, s);
	}
	LIST_EACH(&v->followed, f, struct followed, link)
		check_known(f);
}

static void on_list(void *context, enum err e, const struct redisReply *reply)
{
	struct presence_view *v = context;
	v->listing = false;
	if (!e) {
		take_list(v, reply);
		return;
	}
	LIST_EACH(&v->followed, f, struct followed, link)
		check_known(f);
}

static void ask_list(struct presence_view *v)
{
	if (v->listing || !bus_up(v->bus))
		return;
	v->listing = true;
	lease_list(v->bus, &presence_lease, on_list, v);
}

static void on_poll(void *context)
{
	struct presence_view *v = context;
	ask_list(v);
	timer_set(&v->poll, POLL_MS);
}

/* A Redis that has just started has lost its data, perhaps: holders need a moment to come back. */
static void on_age(void *context, enum err e, const struct redisReply *reply)
{
	static const char field[] = "uptime_in_seconds:";
	struct presence_view *v = context;
	uint64_t seconds;
	v->aged = true;
	if (e || reply->type != REDIS_REPLY_STRING)
		return;
	const char *at = memmem(reply->str, (size_t)reply->len, field, sizeof(field) - 1);
	if (!at)
		return;
	at += sizeof(field) - 1;
	struct bytes rest = bytes_of(at, (size_t)(reply->str + reply->len - at));
	if (text_parse_u64(bytes_trim(bytes_split(rest, '\n', &rest)), SETTLE_MS / 1000, &seconds) == ERR_NONE)
		v->settled_ms = clock_mono().ms + SETTLE_MS - (int64_t)seconds * 1000;
}

static void on_restored(void *context)
{
	struct presence_view *v = context;
	v->listed = v->aged = false;
	LIST_EACH(&v->sources, s, struct source, link) {
		source_sure(v, s, false);
		s->number[0] = 0;
		s->excused_until_ms = clock_mono().ms + PRESENCE_LEASE_MS;
	}
	LIST_EACH(&v->followed, f, struct followed, link)
		f->complete = false;
	bus_command(v->bus, on_age, v, BUS_ARGS(BYTES("INFO"), BYTES("server")));
	ask_list(v);
}

/* ---- messages ---- */

static void take_pairs(struct presence_view *v, const struct presence_message *m)
{
	struct followed *f = table_find_number(v->by_tailnet, m->tailnet);
	struct source *source = f ? source_at(v, m->holder) : NULL;
	struct bytes rest = m->pairs;
	uint64_t node, session;
	while (source && presence_pair(&rest, &node, &session)) {
		touch(f, source, node);
		if (m->word == PRESENCE_TAKE) {
			entry_set(f, node, source, session, 0);
			continue;
		}
		struct seen *s = table_find_number(f->nodes, node);
		struct entry *e = s ? entry_find(s, source) : NULL;
		if (e && e->session == session)
			entry_remove(f, s, e);
	}
}

static void on_message(void *context, struct bytes text)
{
	struct presence_view *v = context;
	struct presence_message m;
	if (presence_message_parse(text, &m) != ERR_NONE)
		return;
	struct source *s;
	switch (m.word) {
	case PRESENCE_TAKE:
	case PRESENCE_DROP:
		take_pairs(v, &m);
		break;
	case PRESENCE_DECLARED:
		s = source_at(v, m.holder);
		if (!s)
			break;
		/* A list that was made before this may still come. */
		s->excused_until_ms = clock_mono().ms + PRESENCE_LEASE_MS;
		source_declared(v, s, m.number);
		break;
	case PRESENCE_GONE:
		s = table_find(v->by_name, m.holder);
		if (s)
			source_gone(v, s);
		break;
	}
}

/* ---- following ---- */

void presence_follow(struct presence_view *v, uint64_t tailnet, void (*on_known)(void *context, uint64_t tailnet), void *context)
{
	if (table_find_number(v->by_tailnet, tailnet))
		return;
	struct followed *f = x_zalloc(sizeof(*f));
	f->view = v;
	f->tailnet = tailnet;
	f->on_known = on_known;
	f->context = context;
	f->nodes = table_new();
	list_init(&f->reads);
	list_init(&f->telling);
	list_append(&v->followed, &f->link);
	table_put_number(v->by_tailnet, tailnet, f);
	if (bus_up(v->bus)) {
		LIST_EACH(&v->sources, s, struct source, link)
			queue_read(f, s);
	}
	check_known(f);
}

static void followed_free(struct followed *f)
{
	struct bytes key;
	struct seen *s;
	LIST_EACH(&f->reads, r, struct read, in_followed)
		read_leave(r);
	TABLE_EACH(f->nodes, key, s)
		seen_free(s);
	table_free(&f->nodes);
	table_remove_number(f->view->by_tailnet, f->tailnet);
	list_remove(&f->link);
	list_remove(&f->telling);
	free(f);
}

void presence_unfollow(struct presence_view *v, uint64_t tailnet)
{
	struct followed *f = table_find_number(v->by_tailnet, tailnet);
	if (f)
		followed_free(f);
}

struct presence_view *presence_view_new(struct bus *bus, int64_t grace_ms, void (*on_change)(void *context, uint64_t tailnet, uint64_t node), void *context)
{
	struct presence_view *v = x_zalloc(sizeof(*v));
	v->bus = bus;
	v->grace_ms = grace_ms;
	v->on_change = on_change;
	v->context = context;
	v->by_tailnet = table_new();
	v->by_name = table_new();
	list_init(&v->followed);
	list_init(&v->sources);
	list_init(&v->queued);
	list_init(&v->flying);
	list_init(&v->telling);
	timer_init(&v->poll, bus_loop(bus), on_poll, v);
	timer_set(&v->poll, POLL_MS);
	defer_init(&v->pump, on_pump, v);
	defer_init(&v->tell, on_tell, v);
	v->listener = (struct bus_listener){.on_message = on_message, .on_restored = on_restored, .context = v};
	bus_listen(bus, PRESENCE_CHANNEL, &v->listener);
	return v;
}

void presence_view_free(struct presence_view **at)
{
	struct presence_view *v = *at;
	*at = NULL;
	if (!v)
		return;
	bus_unlisten(v->bus, &v->listener);
	bus_forget(v->bus, v);
	LIST_EACH(&v->followed, f, struct followed, link)
		followed_free(f);
	LIST_EACH(&v->flying, r, struct read, link) {
		bus_forget(v->bus, r);
		read_free(r);
	}
	LIST_EACH(&v->sources, s, struct source, link) {
		list_remove(&s->link);
		free(s);
	}
	table_free(&v->by_tailnet);
	table_free(&v->by_name);
	timer_cancel(&v->poll);
	defer_cancel(&v->pump);
	defer_cancel(&v->tell);
	free(v);
}
