#include "roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "lease.h"
#include "log.h"
#include "table.h"

enum {
	POLL_MS = 1000,
	MARKED_MS = 4000, /* longer than a lease: a dead mapper has left the roster by then */
	MEMBERS_MAX = 4096
};

/* Messages: the name of a member that came or moved, or "-" and the name of one that withdrew. */
#define CHANNEL "fs:roster"

static const struct lease_kind mappers = {"fs:mappers", "fs:mapper:", CHANNEL, ROSTER_LEASE_MS};

/* ---- mapper end ---- */

struct roster_member {
	struct bus *bus;
	struct bus_listener listener; /* only to hear of a restored bus */
	struct timer renew;
	char name[LEASE_NAME_MAX + 1], link[ENDPOINT_TEXT_MAX];
};

static void announce(void *context)
{
	struct roster_member *m = context;
	if (bus_up(m->bus))
		lease_take(m->bus, &mappers, bytes_text(m->name), bytes_text(m->link), bytes_text(m->name), NULL, NULL);
	timer_set(&m->renew, ROSTER_RENEW_MS);
}

static void on_nothing(void *context, struct bytes message)
{
	(void)context;
	(void)message;
}

struct roster_member *roster_announce(struct bus *bus, const char *member, struct endpoint link)
{
	if (!lease_name_is_good(bytes_text(member))) {
		log_error(SUBJECT("roster"), "bad name of a member", F_TEXT("name", member));
		abort();
	}
	struct roster_member *m = x_zalloc(sizeof(*m));
	m->bus = bus;
	memcpy(m->name, member, strlen(member));
	endpoint_format(m->link, link);
	m->listener = (struct bus_listener){.on_message = on_nothing, .on_restored = announce, .context = m};
	timer_init(&m->renew, bus_loop(bus), announce, m);
	bus_listen(bus, CHANNEL, &m->listener);
	return m;
}

void roster_withdraw(struct roster_member **at)
{
	struct roster_member *m = *at;
	*at = NULL;
	if (!m)
		return;
	char message[LEASE_NAME_MAX + 2];
	snprintf(message, sizeof(message), "-%s", m->name);
	if (bus_up(m->bus))
		lease_drop(m->bus, &mappers, bytes_text(m->name), bytes_text(message));
	bus_unlisten(m->bus, &m->listener);
	timer_cancel(&m->renew);
	free(m);
}

/* ---- coordinator end ---- */

struct member {
	struct list link;
	struct endpoint at;
	uint64_t hash; /* of its name */
	uint64_t seen; /* number of the list that had it last */
	int64_t marked_until_ms;
	char name[LEASE_NAME_MAX + 1];
};

struct roster {
	struct bus *bus;
	struct bus_listener listener;
	struct timer poll;
	struct table *by_name;
	struct list members;
	uint64_t lists;
	int64_t excused_until_ms; /* until here absence means that Redis lost its data */
	bool asking, ask_again;
	void (*on_change)(void *context);
	void *context;
};

/* splitmix64's finisher: every input bit moves every output bit. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* The same in every process, so not the keyed hash of tables. */
static uint64_t hash_name(struct bytes name)
{
	uint64_t h = 0xcbf29ce484222325;
	for (size_t i = 0; i < name.len; i++)
		h = (h ^ name.at[i]) * 0x100000001b3;
	return mix(h);
}

static void member_remove(struct roster *r, struct member *m)
{
	table_remove(r->by_name, bytes_text(m->name));
	list_remove(&m->link);
	free(m);
}

/* True when something is new. */
static bool member_seen(struct roster *r, struct bytes name, struct endpoint at)
{
	struct member *m = table_find(r->by_name, name);
	bool is_new = !m;
	if (is_new) {
		if (table_count(r->by_name) >= MEMBERS_MAX)
			return false;
		m = x_zalloc(sizeof(*m));
		memcpy(m->name, name.at, name.len);
		m->hash = hash_name(name);
		list_append(&r->members, &m->link);
		table_put(r->by_name, name, m);
	} else if (!endpoint_equal(m->at, at)) {
		is_new = true;
		m->marked_until_ms = 0;
	}
	m->at = at;
	m->seen = r->lists;
	return is_new;
}

static bool take_list(struct roster *r, const struct redisReply *reply)
{
	bool changed = false;
	r->lists++;
	for (size_t i = 0; i < lease_count(reply); i++) {
		struct bytes name, value;
		struct endpoint at;
		if (lease_at(reply, i, &name, &value) && endpoint_parse(value, &at) == ERR_NONE)
			changed |= member_seen(r, name, at);
	}
	if (clock_mono().ms < r->excused_until_ms)
		return changed;
	LIST_EACH(&r->members, m, struct member, link) {
		if (m->seen == r->lists)
			continue;
		changed = true;
		member_remove(r, m);
	}
	return changed;
}

static void ask(struct roster *r);

static void on_list(void *context, enum err e, const struct redisReply *reply)
{
	struct roster *r = context;
	r->asking = false;
	bool changed = !e && take_list(r, reply);
	if (r->ask_again)
		ask(r);
	if (changed && r->on_change)
		r->on_change(r->context);
}

static void ask(struct roster *r)
{
	r->ask_again = r->asking;
	if (r->asking || !bus_up(r->bus))
		return;
	r->asking = true;
	lease_list(r->bus, &mappers, on_list, r);
}

static void on_poll(void *context)
{
	struct roster *r = context;
	ask(r);
	timer_set(&r->poll, POLL_MS);
}

static void on_message(void *context, struct bytes message)
{
	struct roster *r = context;
	struct member *m = bytes_starts(message, "-") ? table_find(r->by_name, bytes_skip(message, 1)) : NULL;
	ask(r);
	if (!m)
		return;
	member_remove(r, m);
	if (r->on_change)
		r->on_change(r->context);
}

static void on_restored(void *context)
{
	struct roster *r = context;
	r->excused_until_ms = clock_mono().ms + ROSTER_LEASE_MS;
	ask(r);
}

struct roster *roster_new(struct bus *bus, void (*on_change)(void *context), void *context)
{
	struct roster *r = x_alloc(sizeof(*r));
	*r = (struct roster){.bus = bus, .on_change = on_change, .context = context};
	r->by_name = table_new();
	list_init(&r->members);
	timer_init(&r->poll, bus_loop(bus), on_poll, r);
	timer_set(&r->poll, POLL_MS);
	r->listener = (struct bus_listener){.on_message = on_message, .on_restored = on_restored, .context = r};
	bus_listen(bus, CHANNEL, &r->listener);
	return r;
}

void roster_free(struct roster **at)
{
	struct roster *r = *at;
	*at = NULL;
	if (!r)
		return;
	bus_unlisten(r->bus, &r->listener);
	bus_forget(r->bus, r);
	timer_cancel(&r->poll);
	LIST_EACH(&r->members, m, struct member, link)
		member_remove(r, m);
	table_free(&r->by_name);
	free(r);
}

static bool better(const struct member *m, const struct member *best, uint64_t tailnet)
{
	if (!best)
		return true;
	uint64_t a = mix(m->hash ^ mix(tailnet)), b = mix(best->hash ^ mix(tailnet));
	return a != b ? a > b : strcmp(m->name, best->name) > 0;
}

enum err roster_pick(const struct roster *r, uint64_t tailnet, struct endpoint *link)
{
	const struct member *best = NULL, *marked = NULL;
	int64_t now = clock_mono().ms;
	LIST_EACH(&r->members, m, struct member, link) {
		if (m->marked_until_ms > now) {
			if (better(m, marked, tailnet))
				marked = m;
		} else if (better(m, best, tailnet)) {
			best = m;
		}
	}
	if (!best)
		best = marked;
	if (!best)
		return ERR_UNAVAILABLE;
	*link = best->at;
	return ERR_NONE;
}

void roster_mark(struct roster *r, struct endpoint link)
{
	LIST_EACH(&r->members, m, struct member, link) {
		if (endpoint_equal(m->at, link))
			m->marked_until_ms = clock_mono().ms + MARKED_MS;
	}
}

size_t roster_count(const struct roster *r)
{
	return table_count(r->by_name);
}
