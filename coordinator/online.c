#include "online.h"

#include <stdlib.h>

#include "list.h"
#include "table.h"

struct waiting {
	struct list link;
	void (*on_known)(void *context, enum err e);
	void *context;
};

struct tailnet_online {
	bool known;
	struct list waiting;
};

struct online {
	struct presence_view *view;
	struct table *tailnets;
};

struct online *online_new(struct presence_view *view)
{
	struct online *online = x_alloc(sizeof *online);

	*online = (struct online){view, table_new()};
	return online;
}

static void answer_all(struct tailnet_online *t, enum err e)
{
	struct waiting *w;

	while ((w = LIST_FIRST(&t->waiting, struct waiting, link))) {
		list_remove(&w->link);
		w->on_known(w->context, e);
		free(w);
	}
}

void online_free(struct online **at)
{
	struct online *online = *at;
	struct tailnet_online *t;
	struct bytes key;

	*at = NULL;
	if (!online)
		return;
	TABLE_EACH(online->tailnets, key, t) {
		answer_all(t, ERR_CANCELED);
		free(t);
	}
	table_free(&online->tailnets);
	free(online);
}

static void on_read(void *context, uint64_t tailnet)
{
	struct tailnet_online *t = context;

	(void)tailnet;
	t->known = true;
	answer_all(t, ERR_NONE);
}

void online_follow(struct online *online, uint64_t tailnet, void (*on_known)(void *context, enum err e), void *context)
{
	struct tailnet_online *t = table_find_number(online->tailnets, tailnet);
	struct waiting *w;

	if (!t) {
		t = x_zalloc(sizeof *t);
		list_init(&t->waiting);
		table_put_number(online->tailnets, tailnet, t);
		presence_follow(online->view, tailnet, on_read, t);
	}
	if (!on_known)
		return;
	if (t->known) {
		on_known(context, ERR_NONE);
		return;
	}
	w = x_alloc(sizeof *w);
	*w = (struct waiting){.on_known = on_known, .context = context};
	list_append(&t->waiting, &w->link);
}
