#include "meshroutes.h"

#include <stdlib.h>

#include "list.h"
#include "mem.h"
#include "metrics_relay.h"

struct via {
	struct list link;
	struct meshlink_at at;
};

struct seat {
	struct node_key key;
	struct list vias; /* oldest first */
};

struct meshroutes {
	struct table *seats;
	size_t count, most; /* vias */
};

struct meshroutes *meshroutes_new(size_t most)
{
	struct meshroutes *r = x_zalloc(sizeof *r);
	r->most = most;
	r->seats = table_new();
	return r;
}

static void end(struct meshroutes *r, struct seat *seat)
{
	table_remove(r->seats, bytes_of(seat->key.raw, KEY_LEN));
	LIST_EACH(&seat->vias, via, struct via, link)
		free(via);
	free(seat);
}

void meshroutes_free(struct meshroutes **routes)
{
	struct meshroutes *r = *routes;
	struct bytes key;
	struct seat *seat;
	*routes = NULL;
	if (!r)
		return;
	TABLE_EACH(r->seats, key, seat)
		end(r, seat);
	table_free(&r->seats);
	free(r);
}

size_t meshroutes_count(const struct meshroutes *r)
{
	return table_count(r->seats);
}

static struct via *find(struct seat *seat, struct meshlink_at at)
{
	LIST_EACH(&seat->vias, via, struct via, link)
		if (via->at.number == at.number && via->at.shard == at.shard)
			return via;
	return NULL;
}

static unsigned how_many(struct seat *seat)
{
	unsigned count = 0;
	LIST_EACH(&seat->vias, via, struct via, link)
		count += via != NULL;
	return count;
}

static struct seat *take_seat(struct meshroutes *r, const struct node_key *key)
{
	struct seat *seat = x_alloc(sizeof *seat);
	seat->key = *key;
	list_init(&seat->vias);
	table_put(r->seats, bytes_of(key->raw, KEY_LEN), seat);
	return seat;
}

bool meshroutes_add(struct meshroutes *r, const struct node_key *key, struct meshlink_at at)
{
	struct seat *seat = table_find(r->seats, bytes_of(key->raw, KEY_LEN));
	if (seat && find(seat, at))
		return false;
	if (r->count >= r->most) {
		relay_count(RELAY_ROUTES_LEFT_OUT, 1);
		return false;
	}
	if (!seat)
		seat = take_seat(r, key);
	struct via *via = x_alloc(sizeof *via);
	via->at = at;
	list_append(&seat->vias, &via->link);
	r->count++;
	relay_count(RELAY_MULTI_CREATED, how_many(seat) == 2);
	return true;
}

static bool remove_from(struct meshroutes *r, struct seat *seat, struct meshlink_at at)
{
	struct via *via = find(seat, at);
	if (!via)
		return false;
	list_remove(&via->link);
	free(via);
	r->count--;
	relay_count(RELAY_MULTI_DELETED, how_many(seat) == 1);
	if (!list_empty(&seat->vias))
		return false;
	end(r, seat);
	return true;
}

bool meshroutes_remove(struct meshroutes *r, const struct node_key *key, struct meshlink_at at)
{
	struct seat *seat = table_find(r->seats, bytes_of(key->raw, KEY_LEN));
	relay_count(RELAY_ROUTE_STRANGE, seat && !find(seat, at));
	return seat && remove_from(r, seat, at);
}

bool meshroutes_find(const struct meshroutes *r, const struct node_key *key, struct meshlink_at *at)
{
	struct seat *seat = table_find(r->seats, bytes_of(key->raw, KEY_LEN));
	if (!seat)
		return false;
	*at = LIST_HEAD(&seat->vias, struct via, link)->at;
	return true;
}

void meshroutes_clear(struct meshroutes *r, struct meshlink_at at, void (*on_last)(void *context, const struct node_key *key), void *context)
{
	struct bytes name;
	struct seat *seat;
	TABLE_EACH(r->seats, name, seat) {
		struct node_key key = seat->key;
		if (remove_from(r, seat, at))
			on_last(context, &key);
	}
}
