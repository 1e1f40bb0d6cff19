#include "clientwalk.h"

#include "clientparts.h"

void clientwalk_begin(struct shard *s, struct clientwalk *walk)
{
	walk->end = &s->in_state[CLIENT_LIVE];
	walk->next = walk->end->next;
	list_append(&s->walks, &walk->link);
}

struct client *clientwalk_next(struct clientwalk *walk)
{
	struct list *at = walk->next;
	if (at == walk->end)
		return NULL;
	walk->next = at->next;
	return OWNER_OF(at, struct client, in_state);
}

bool clientwalk_goes(const struct clientwalk *walk)
{
	return list_linked(&walk->link);
}

void clientwalk_end(struct clientwalk *walk)
{
	if (clientwalk_goes(walk))
		list_remove(&walk->link);
}

void clientwalk_leave(const struct client *c)
{
	LIST_EACH(&c->shard->walks, walk, struct clientwalk, link)
		if (walk->next == &c->in_state)
			walk->next = c->in_state.next;
}
