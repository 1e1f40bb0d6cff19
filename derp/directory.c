#include "directory.h"

#include <assert.h>
#include <stdlib.h>

struct seat {
	struct node_key key;
	struct list members;
	struct member *active;
	uint64_t turn;
	unsigned count;
};

enum { RECENT = 256 };

struct directory {
	struct table *seats;
	struct seat *recent[RECENT]; /* found last, by the first byte of their keys: packets come in runs */
	size_t dup_keys, dup_members;
};

struct directory *directory_new(void)
{
	struct directory *d = x_zalloc(sizeof(*d));
	d->seats = table_new();
	return d;
}

void directory_free(struct directory **directory)
{
	struct directory *d = *directory;
	*directory = NULL;
	if (!d)
		return;
	assert(!table_count(d->seats));
	table_free(&d->seats);
	free(d);
}

struct directory_count directory_count(const struct directory *d)
{
	return (struct directory_count){.keys = table_count(d->seats), .dup_keys = d->dup_keys, .dup_members = d->dup_members};
}

static struct seat *find_seat(struct directory *d, const struct node_key *key)
{
	struct seat **recent = &d->recent[key->raw[0]];
	if (*recent && !memcmp((*recent)->key.raw, key->raw, KEY_LEN))
		return *recent;
	struct seat *s = table_find(d->seats, bytes_of(key->raw, KEY_LEN));
	if (s)
		*recent = s;
	return s;
}

static struct seat *take_seat(struct directory *d, const struct node_key *key)
{
	struct seat *s = find_seat(d, key);
	if (s)
		return s;
	s = x_zalloc(sizeof(*s));
	s->key = *key;
	list_init(&s->members);
	table_put(d->seats, bytes_of(key->raw, KEY_LEN), s);
	return s;
}

/* The second connection of a key counts as having spoken only once it did; the first and any further one count from the start. */
static void enter_history(struct directory *d, struct seat *s, struct member *m)
{
	if (s->count == 2) {
		s->active->spoke = ++s->turn;
		m->spoke = 0;
		d->dup_keys++;
		d->dup_members += 2;
	} else if (s->count > 2) {
		m->spoke = ++s->turn;
		d->dup_members++;
	} else {
		m->spoke = ++s->turn;
	}
}

unsigned directory_add(struct directory *d, const struct node_key *key, struct member *m)
{
	struct seat *s = take_seat(d, key);
	s->count++;
	m->seat = s;
	list_append(&s->members, &m->link);
	enter_history(d, s, m);
	s->active = m;
	return s->count;
}

struct member *directory_find(struct directory *d, const struct node_key *key)
{
	const struct seat *s = find_seat(d, key);
	return s ? s->active : NULL;
}

struct member *directory_first(struct directory *d, const struct node_key *key)
{
	const struct seat *s = find_seat(d, key);
	return s ? LIST_FIRST(&s->members, struct member, link) : NULL;
}

struct member *directory_after(const struct member *m)
{
	return m->link.next == &m->seat->members ? NULL : OWNER_OF(m->link.next, struct member, link);
}

void directory_spoke(struct member *m)
{
	struct seat *s = m->seat;
	if (s->count < 2)
		return;
	m->spoke = ++s->turn;
	s->active = m;
}

struct member *directory_stalest(const struct member *member)
{
	struct member *stalest = NULL;
	LIST_EACH(&member->seat->members, m, struct member, link) {
		if (m != member && (!stalest || m->spoke < stalest->spoke))
			stalest = m;
	}
	return stalest;
}

static struct member *latest(const struct seat *s)
{
	struct member *found = NULL;
	LIST_EACH(&s->members, m, struct member, link) {
		if (!found || m->spoke > found->spoke)
			found = m;
	}
	return found;
}

bool directory_remove(struct directory *d, struct member *m)
{
	struct seat *s = m->seat;
	if (!s)
		return false;
	list_remove(&m->link);
	m->seat = NULL;
	s->count--;
	if (!s->count) {
		table_remove(d->seats, bytes_of(s->key.raw, KEY_LEN));
		if (d->recent[s->key.raw[0]] == s)
			d->recent[s->key.raw[0]] = NULL;
		free(s);
		return true;
	}
	d->dup_members--;
	if (s->count == 1) {
		d->dup_members--;
		d->dup_keys--;
	}
	if (s->active == m || s->count == 1)
		s->active = latest(s);
	return false;
}
