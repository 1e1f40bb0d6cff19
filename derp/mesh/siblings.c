#include "siblings.h"

#include "metrics_relay.h"
#include "shard.h"
#include "siblinglink.h"

static bool is_ours(const struct shard *s, const struct derpnode *sibling)
{
	uint64_t sum = 14695981039346656037u;
	for (const char *c = sibling->name; *c; c++)
		sum = (sum ^ (uint8_t)*c) * 1099511628211u;
	return sum % s->relay->count == s->index;
}

static struct siblinglink *find(const struct shard *s, const struct derpnode *sibling)
{
	LIST_EACH(&s->mesh.links, l, struct siblinglink, link)
		if (!l->before && l->state != LINK_LEAVING && derpnode_equal(&l->sibling, sibling))
			return l;
	return NULL;
}

void siblings_follow(struct shard *s, const struct told *told)
{
	LIST_EACH(&s->mesh.links, l, struct siblinglink, link)
		l->wanted = false;
	for (size_t i = 0; i < told->sibling_count && told->mesh_key_count; i++) {
		const struct derpnode *sibling = &told->siblings[i];
		struct siblinglink *l = find(s, sibling);
		if (!is_ours(s, sibling))
			continue;
		if (!l)
			l = siblinglink_new(s, sibling, NULL);
		l->wanted = true;
		struct siblinglink *next = siblinglink_successor(l);
		if (!next && l->state == LINK_UP && !key_equal(l->proven, told->mesh_key[0]))
			next = siblinglink_new(s, sibling, l);
		if (next)
			next->wanted = true;
		/* A sibling that has not followed when the overlap is over: nothing goes there any more, as nothing of it is taken. */
		if (l->state == LINK_UP && !told_is_mesh_key(told, l->proven) && (!next || next->state != LINK_UP))
			siblinglink_stop(l, "its key counts no more");
	}
	LIST_EACH(&s->mesh.links, l, struct siblinglink, link) {
		if (!l->wanted && l->state != LINK_LEAVING)
			siblinglink_end(l);
	}
}

void siblings_send(struct shard *s, struct packet *p)
{
	struct siblinglink *l = table_find_number(s->mesh.link_of, p->via);
	if (l && siblinglink_carries(l)) {
		siblinglink_send(l, p);
		return;
	}
	relay_count_drop(RELAY_DROP_UNKNOWN_DEST, p->disco, 1, p->len);
	packet_free(&p);
}

size_t siblings_waiting(const struct shard *s)
{
	size_t bytes = 0;
	if (s->mesh.waiting)
		LIST_EACH(&s->mesh.links, l, struct siblinglink, link)
			bytes += siblinglink_is_slow(l) ? siblinglink_waiting(l) : 0;
	return bytes;
}

void siblings_give_way(struct shard *s, size_t bytes)
{
	struct siblinglink *most = NULL;
	LIST_EACH(&s->mesh.links, l, struct siblinglink, link)
		if (siblinglink_is_slow(l) && (!most || siblinglink_waiting(l) > siblinglink_waiting(most)))
			most = l;
	size_t before = s->mesh.waiting;
	while (most && siblinglink_waiting(most) && before - s->mesh.waiting < bytes)
		siblinglink_lose_oldest(most);
}

void siblings_close(struct shard *s)
{
	LIST_EACH(&s->mesh.links, l, struct siblinglink, link)
		siblinglink_end(l);
}
