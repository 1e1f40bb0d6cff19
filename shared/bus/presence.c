#include "presence.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "key.h"
#include "lease.h"
#include "log.h"
#include "presence_keys.h"
#include "presence_message.h"
#include "table.h"

enum {
	CHUNK = 128,         /* nodes written by one command */
	FLIGHTS_MAX = 256,   /* commands in flight: a storm is written in few of them, and others want the bus too */
	RETRY_MS = 200,      /* after a command that Redis refused */
	REFRESH_CHUNK = 100, /* keys whose expiry one command moves */
	REFRESH_SHARE = 15   /* of all tailnets at each renewal: each key every half minute */
};

/* Writes nodes, says so (unless the message is empty), keeps the key from expiring. "1" first empties the hash. */
static const char take_script[] = "if ARGV[1]=='1' then redis.call('DEL',KEYS[1]) end "
				  "if #ARGV>4 then redis.call('HSET',KEYS[1],unpack(ARGV,5)) redis.call('EXPIRE',KEYS[1],ARGV[2]) end "
				  "if ARGV[4]~='' then redis.call('PUBLISH',ARGV[3],ARGV[4]) end "
				  "return 1";
/* Removes by equality and says what was removed. */
static const char drop_script[] = "local said=ARGV[2] "
				  "for i=3,#ARGV,2 do "
				  "if redis.call('HGET',KEYS[1],ARGV[i])==ARGV[i+1] then "
				  "redis.call('HDEL',KEYS[1],ARGV[i]) said=said..' '..ARGV[i]..':'..ARGV[i+1] end end "
				  "if said~=ARGV[2] then redis.call('PUBLISH',ARGV[1],said) end "
				  "return 1";
/* Moves the expiry of keys; the reply is the list of those that are gone. */
static const char refresh_script[] = "local gone={} "
				     "for i,key in ipairs(KEYS) do "
				     "if redis.call('EXPIRE',key,ARGV[1])==0 then gone[#gone+1]=i end end "
				     "return gone";

/* One node of a tailnet. It leaves the table when its removal is written. */
struct held {
	struct list dirty; /* in its tailnet: to be written */
	uint64_t node, session;
	bool present;
	bool ring;     /* others were not told of this session yet */
	bool echoed;   /* our own message came back: what others say later on the channel is newer */
	bool replaced; /* on_replaced was called */
};

struct holding {
	struct list link; /* all, least recently refreshed first */
	struct list dirty_link;
	uint64_t tailnet;
	struct table *nodes;
	struct list dirty;
	bool reset;      /* the next write empties the hash first */
	bool undeclared; /* must be written before the lease */
};

/* A command under way, so that what failed is written again. */
struct flight {
	struct list link;
	struct presence *presence;
	uint64_t tailnet;
	bool reset;
	size_t count;
	struct {
		uint64_t node, session;
	} told[CHUNK];
};

struct refresh {
	struct list link;
	struct presence *presence;
	size_t count;
	uint64_t tailnet[REFRESH_CHUNK];
};

struct replaced {
	struct list link;
	uint64_t tailnet, node, session;
};

struct presence {
	struct bus *bus;
	struct bus_listener listener;
	char holder[LEASE_NAME_MAX + 1];
	void (*on_replaced)(void *context, uint64_t tailnet, uint64_t node, uint64_t session);
	void *context;
	struct table *by_tailnet;
	struct list holdings, dirty, flights, refreshes, replaced;
	size_t flight_count, undeclared_count;
	bool declaring;
	struct timer renew, retry;
	struct defer flush, telling;
};

/* ---- what is held ---- */

static struct holding *holding_at(struct presence *p, uint64_t tailnet)
{
	struct holding *h = table_find_number(p->by_tailnet, tailnet);
	if (h)
		return h;
	h = x_zalloc(sizeof(*h));
	h->tailnet = tailnet;
	h->nodes = table_new();
	list_init(&h->dirty);
	list_init(&h->dirty_link);
	list_append(&p->holdings, &h->link);
	table_put_number(p->by_tailnet, tailnet, h);
	return h;
}

static void holding_free(struct presence *p, struct holding *h)
{
	struct bytes key;
	struct held *held;
	TABLE_EACH(h->nodes, key, held)
		free(held);
	table_free(&h->nodes);
	if (h->undeclared)
		p->undeclared_count--;
	list_remove(&h->link);
	list_remove(&h->dirty_link);
	table_remove_number(p->by_tailnet, h->tailnet);
	free(h);
}

static void held_free(struct holding *h, struct held *held)
{
	table_remove_number(h->nodes, held->node);
	list_remove(&held->dirty);
	free(held);
}

static void holding_dirty(struct presence *p, struct holding *h)
{
	if (!list_linked(&h->dirty_link))
		list_append(&p->dirty, &h->dirty_link);
	loop_defer(bus_loop(p->bus), &p->flush);
}

static void held_dirty(struct presence *p, struct holding *h, struct held *held)
{
	if (!list_linked(&held->dirty))
		list_append(&h->dirty, &held->dirty);
	holding_dirty(p, h);
}

static struct held *find_held(const struct presence *p, uint64_t tailnet, uint64_t node)
{
	struct holding *h = table_find_number(p->by_tailnet, tailnet);
	return h ? table_find_number(h->nodes, node) : NULL;
}

static void tell_replaced(struct presence *p, uint64_t tailnet, uint64_t node, uint64_t session)
{
	struct replaced *r = x_alloc(sizeof(*r));
	*r = (struct replaced){.tailnet = tailnet, .node = node, .session = session};
	list_append(&p->replaced, &r->link);
	loop_defer(bus_loop(p->bus), &p->telling);
}

static void on_telling(void *context)
{
	struct presence *p = context;
	struct replaced *r;
	while ((r = LIST_FIRST(&p->replaced, struct replaced, link))) {
		struct replaced told = *r;
		list_remove(&r->link);
		free(r);
		if (p->on_replaced)
			p->on_replaced(p->context, told.tailnet, told.node, told.session);
	}
}

void presence_take(struct presence *p, uint64_t tailnet, uint64_t node, uint64_t session)
{
	struct holding *h = holding_at(p, tailnet);
	struct held *held = table_find_number(h->nodes, node);
	if (!held) {
		held = x_zalloc(sizeof(*held));
		held->node = node;
		list_init(&held->dirty);
		table_put_number(h->nodes, node, held);
	} else if (held->present && held->session == session) {
		return;
	} else if (held->present && !held->replaced) {
		tell_replaced(p, tailnet, node, held->session);
	}
	held->session = session;
	held->present = held->ring = true;
	held->echoed = held->replaced = false;
	held_dirty(p, h, held);
}

void presence_drop(struct presence *p, uint64_t tailnet, uint64_t node, uint64_t session)
{
	struct held *held = find_held(p, tailnet, node);
	if (!held || !held->present || held->session != session)
		return;
	held->present = false;
	held_dirty(p, table_find_number(p->by_tailnet, tailnet), held);
}

/* ---- writing ---- */

/* Arguments of one command: numbers are written into the text, which has room for the longest. */
struct words {
	struct bytes argv[2 * CHUNK + 10];
	size_t argc, used;
	char text[2 * CHUNK * 21];
	struct buffer message;
};

static void add_word(struct words *w, struct bytes b)
{
	w->argv[w->argc++] = b;
}

static struct bytes add_number(struct words *w, uint64_t number)
{
	char *at = w->text + w->used;
	int len = snprintf(at, sizeof(w->text) - w->used, "%llu", (unsigned long long)number);
	w->used += (size_t)len;
	add_word(w, bytes_of(at, (size_t)len));
	return bytes_of(at, (size_t)len);
}

static void say(struct words *w, const char *format, ...) PRINTF(2, 3);
static void say(struct words *w, const char *format, ...)
{
	char text[LEASE_NAME_MAX + 64];
	va_list list;
	va_start(list, format);
	int len = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (buffer_add(&w->message, bytes_of(text, (size_t)len)) != ERR_NONE)
		abort();
}

static void on_written(void *context, enum err e, const struct redisReply *reply)
{
	struct flight *f = context;
	struct presence *p = f->presence;
	(void)reply;
	if (e == ERR_CANCELED) {
		list_remove(&f->link);
		free(f);
		return;
	}
	struct holding *h = table_find_number(p->by_tailnet, f->tailnet);
	for (size_t i = 0; h && i < f->count; i++) {
		struct held *held = table_find_number(h->nodes, f->told[i].node);
		if (!held || held->session != f->told[i].session)
			continue;
		if (e)
			held_dirty(p, h, held);
		else if (held->present)
			held->ring = false;
		else if (!list_linked(&held->dirty))
			held_free(h, held);
	}
	if (h && e) {
		h->reset |= f->reset;
		if (!timer_is_set(&p->retry))
			timer_set(&p->retry, RETRY_MS);
	}
	if (h && !table_count(h->nodes) && !h->reset)
		holding_free(p, h);
	list_remove(&f->link);
	free(f);
	p->flight_count--;
	if (!e)
		loop_defer(bus_loop(p->bus), &p->flush);
}

static struct flight *flight_new(struct presence *p, struct holding *h)
{
	struct flight *f = x_alloc(sizeof(*f));
	f->presence = p;
	f->tailnet = h->tailnet;
	f->reset = false;
	f->count = 0;
	list_append(&p->flights, &f->link);
	p->flight_count++;
	return f;
}

static void note(struct flight *f, struct held *held)
{
	list_remove(&held->dirty);
	f->told[f->count].node = held->node;
	f->told[f->count++].session = held->session;
}

static void begin_words(struct words *w, struct presence *p, const struct holding *h, char key[static PRESENCE_KEY_MAX], const char *script)
{
	w->argc = w->used = 0;
	buffer_init(&w->message, 64 << 10);
	add_word(w, BYTES("EVAL"));
	add_word(w, bytes_text(script));
	add_word(w, BYTES("1"));
	add_word(w, presence_key(key, bytes_text(p->holder), h->tailnet));
}

/* Up to CHUNK nodes that are here. */
static void write_takes(struct presence *p, struct holding *h)
{
	struct words w;
	char key[PRESENCE_KEY_MAX], expiry[24];
	struct flight *f = flight_new(p, h);
	snprintf(expiry, sizeof(expiry), "%d", PRESENCE_HELD_EXPIRY_S);
	begin_words(&w, p, h, key, take_script);
	add_word(&w, h->reset ? BYTES("1") : BYTES("0"));
	add_word(&w, bytes_text(expiry));
	add_word(&w, BYTES(PRESENCE_CHANNEL));
	size_t message_at = w.argc++;
	f->reset = h->reset;
	h->reset = false;
	LIST_EACH(&h->dirty, held, struct held, dirty) {
		if (f->count == CHUNK)
			break;
		if (!held->present)
			continue;
		if (held->ring) {
			if (!w.message.len)
				say(&w, "take %s %llu", p->holder, (unsigned long long)h->tailnet);
			say(&w, " %llu:%llu", (unsigned long long)held->node, (unsigned long long)held->session);
		}
		add_number(&w, held->node);
		add_number(&w, held->session);
		note(f, held);
	}
	w.argv[message_at] = buffer_bytes(&w.message);
	bus_command(p->bus, on_written, f, w.argc, w.argv);
	buffer_clear(&w.message);
}

/* Up to CHUNK nodes that went. */
static void write_drops(struct presence *p, struct holding *h)
{
	struct words w;
	char key[PRESENCE_KEY_MAX];
	struct flight *f = flight_new(p, h);
	begin_words(&w, p, h, key, drop_script);
	say(&w, "drop %s %llu", p->holder, (unsigned long long)h->tailnet);
	add_word(&w, BYTES(PRESENCE_CHANNEL));
	add_word(&w, buffer_bytes(&w.message));
	LIST_EACH(&h->dirty, held, struct held, dirty) {
		if (f->count == CHUNK)
			break;
		if (held->present)
			continue;
		add_number(&w, held->node);
		add_number(&w, held->session);
		note(f, held);
	}
	bus_command(p->bus, on_written, f, w.argc, w.argv);
	buffer_clear(&w.message);
}

static bool any_present(const struct holding *h)
{
	LIST_EACH(&h->dirty, held, struct held, dirty) {
		if (held->present)
			return true;
	}
	return false;
}

static void on_declared(void *context, enum err e, const struct redisReply *reply)
{
	struct presence *p = context;
	(void)reply;
	/* A bus that broke declares anew when it is back. */
	if (e && bus_up(p->bus)) {
		p->declaring = true;
		timer_set(&p->retry, RETRY_MS);
	}
}

/* All hashes are on their way in front of this: who sees the lease can read them. */
static void finish_declaring(struct presence *p)
{
	char number[24], message[LEASE_NAME_MAX + 64];
	p->declaring = false;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)random_number());
	snprintf(message, sizeof(message), "declared %s %s", p->holder, number);
	lease_take(p->bus, &presence_lease, bytes_text(p->holder), bytes_text(number), bytes_text(message), on_declared, p);
}

static void on_flush(void *context)
{
	struct presence *p = context;
	struct holding *h;
	if (!bus_up(p->bus) || timer_is_set(&p->retry))
		return;
	while (p->flight_count < FLIGHTS_MAX && (h = LIST_FIRST(&p->dirty, struct holding, dirty_link))) {
		if (h->reset || any_present(h))
			write_takes(p, h);
		else if (!list_empty(&h->dirty))
			write_drops(p, h);
		if (!list_empty(&h->dirty))
			continue;
		list_remove(&h->dirty_link);
		if (h->undeclared)
			p->undeclared_count--;
		h->undeclared = false;
	}
	if (p->declaring && !p->undeclared_count)
		finish_declaring(p);
}

/* ---- declaring ---- */

/* The hash is written anew as a whole: removals that were still to be written are done by that. */
static void redeclare_holding(struct presence *p, struct holding *h)
{
	struct bytes key;
	struct held *held;
	TABLE_EACH(h->nodes, key, held) {
		if (held->present)
			held_dirty(p, h, held);
		else
			held_free(h, held);
	}
	h->reset = true;
	if (!h->undeclared)
		p->undeclared_count++;
	h->undeclared = true;
	holding_dirty(p, h);
}

static void declare(struct presence *p)
{
	p->declaring = true;
	LIST_EACH(&p->holdings, h, struct holding, link)
		redeclare_holding(p, h);
	loop_defer(bus_loop(p->bus), &p->flush);
}

static void on_restored(void *context)
{
	struct presence *p = context;
	/* Messages were lost: what was said before does not come back. */
	LIST_EACH(&p->holdings, h, struct holding, link) {
		struct bytes key;
		struct held *held;
		TABLE_EACH(h->nodes, key, held)
			held->echoed |= !held->ring;
	}
	timer_cancel(&p->retry);
	declare(p);
	timer_set(&p->renew, PRESENCE_RENEW_MS);
}

static void on_retry(void *context)
{
	struct presence *p = context;
	loop_defer(bus_loop(p->bus), &p->flush);
}

/* ---- renewing ---- */

static void on_renewed(void *context, enum err e, const struct redisReply *reply)
{
	struct presence *p = context;
	if (!e && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0 && !p->declaring) {
		log_warning(SUBJECT("presence"), "lease was lost, declaring again", F_TEXT("holder", p->holder));
		declare(p);
	}
}

static void on_refreshed(void *context, enum err e, const struct redisReply *reply)
{
	struct refresh *r = context;
	struct presence *p = r->presence;
	bool busy = e || p->declaring;
	for (size_t i = 0; !busy && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
		long long at = reply->element[i]->integer;
		struct holding *h = at > 0 && (size_t)at <= r->count ? table_find_number(p->by_tailnet, r->tailnet[at - 1]) : NULL;
		if (!h)
			continue;
		redeclare_holding(p, h);
		p->declaring = true;
	}
	list_remove(&r->link);
	free(r);
}

/* The keys of the tailnets that were refreshed longest ago. */
static void refresh_some(struct presence *p, size_t count)
{
	char expiry[24], number[24], keys[REFRESH_CHUNK][PRESENCE_KEY_MAX];
	struct bytes argv[REFRESH_CHUNK + 4];
	struct refresh *r = x_alloc(sizeof(*r));
	*r = (struct refresh){.presence = p};
	list_append(&p->refreshes, &r->link);
	for (; r->count < count; r->count++) {
		struct holding *h = LIST_FIRST(&p->holdings, struct holding, link);
		list_remove(&h->link);
		list_append(&p->holdings, &h->link);
		r->tailnet[r->count] = h->tailnet;
		argv[3 + r->count] = presence_key(keys[r->count], bytes_text(p->holder), h->tailnet);
	}
	snprintf(number, sizeof(number), "%zu", count);
	snprintf(expiry, sizeof(expiry), "%d", PRESENCE_HELD_EXPIRY_S);
	argv[0] = BYTES("EVAL");
	argv[1] = BYTES(refresh_script);
	argv[2] = bytes_text(number);
	argv[3 + count] = bytes_text(expiry);
	bus_command(p->bus, on_refreshed, r, 4 + count, argv);
}

static void on_renew(void *context)
{
	struct presence *p = context;
	timer_set(&p->renew, PRESENCE_RENEW_MS);
	if (!bus_up(p->bus) || p->declaring)
		return;
	lease_renew(p->bus, &presence_lease, bytes_text(p->holder), on_renewed, p);
	size_t left = table_count(p->by_tailnet), share = left / REFRESH_SHARE + 1;
	for (left = share < left ? share : left; left;) {
		size_t now = left < REFRESH_CHUNK ? left : REFRESH_CHUNK;
		refresh_some(p, now);
		left -= now;
	}
}

/* ---- hearing others ---- */

static void on_message(void *context, struct bytes text)
{
	struct presence *p = context;
	struct presence_message m;
	uint64_t node, session;
	if (presence_message_parse(text, &m) != ERR_NONE || m.word != PRESENCE_TAKE)
		return;
	bool own = bytes_equal_text(m.holder, p->holder);
	while (presence_pair(&m.pairs, &node, &session)) {
		struct held *held = find_held(p, m.tailnet, node);
		if (!held || !held->present)
			continue;
		if (own) {
			held->echoed |= held->session == session;
		} else if (held->echoed && !held->replaced) {
			held->replaced = true;
			tell_replaced(p, m.tailnet, node, held->session);
		}
	}
}

/* ---- beginning and end ---- */

struct presence *presence_new(struct bus *bus, const char *holder, void (*on_replaced)(void *context, uint64_t tailnet, uint64_t node, uint64_t session),
			      void *context)
{
	if (!lease_name_is_good(bytes_text(holder))) {
		log_error(SUBJECT("presence"), "bad name of a holder", F_TEXT("name", holder));
		abort();
	}
	struct presence *p = x_zalloc(sizeof(*p));
	p->bus = bus;
	memcpy(p->holder, holder, strlen(holder));
	p->on_replaced = on_replaced;
	p->context = context;
	p->by_tailnet = table_new();
	list_init(&p->holdings);
	list_init(&p->dirty);
	list_init(&p->flights);
	list_init(&p->refreshes);
	list_init(&p->replaced);
	timer_init(&p->renew, bus_loop(bus), on_renew, p);
	timer_init(&p->retry, bus_loop(bus), on_retry, p);
	defer_init(&p->flush, on_flush, p);
	defer_init(&p->telling, on_telling, p);
	p->listener = (struct bus_listener){.on_message = on_message, .on_restored = on_restored, .context = p};
	bus_listen(bus, PRESENCE_CHANNEL, &p->listener);
	return p;
}

static void say_goodbye(struct presence *p)
{
	char keys[REFRESH_CHUNK][PRESENCE_KEY_MAX], message[LEASE_NAME_MAX + 8];
	struct bytes argv[REFRESH_CHUNK + 1] = {BYTES("DEL")};
	size_t count = 0;
	LIST_EACH(&p->holdings, h, struct holding, link) {
		argv[1 + count] = presence_key(keys[count], bytes_text(p->holder), h->tailnet);
		if (++count < REFRESH_CHUNK && h->link.next != &p->holdings)
			continue;
		bus_command(p->bus, NULL, NULL, 1 + count, argv);
		count = 0;
	}
	snprintf(message, sizeof(message), "gone %s", p->holder);
	lease_drop(p->bus, &presence_lease, bytes_text(p->holder), bytes_text(message));
}

void presence_free(struct presence **at)
{
	struct presence *p = *at;
	*at = NULL;
	if (!p)
		return;
	if (bus_up(p->bus))
		say_goodbye(p);
	bus_unlisten(p->bus, &p->listener);
	bus_forget(p->bus, p);
	LIST_EACH(&p->flights, f, struct flight, link) {
		bus_forget(p->bus, f);
		free(f);
	}
	LIST_EACH(&p->refreshes, r, struct refresh, link) {
		bus_forget(p->bus, r);
		free(r);
	}
	LIST_EACH(&p->replaced, r, struct replaced, link)
		free(r);
	LIST_EACH(&p->holdings, h, struct holding, link)
		holding_free(p, h);
	table_free(&p->by_tailnet);
	timer_cancel(&p->renew);
	timer_cancel(&p->retry);
	defer_cancel(&p->flush);
	defer_cancel(&p->telling);
	free(p);
}
