#include "relaychoice.h"

#include <stdlib.h>

#include "mem.h"

static bool has(const uint64_t *list, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == id)
			return true;
	return false;
}

static bool set_list(uint64_t **list, size_t *count, const uint64_t *wanted, size_t wanted_count)
{
	size_t len = wanted_count * sizeof **list;
	if (*count == wanted_count && (!len || !memcmp(*list, wanted, len)))
		return false;
	free(*list);
	*list = x_alloc(len + 1);
	if (len)
		memcpy(*list, wanted, len);
	*count = wanted_count;
	return true;
}

bool relaychoice_set(struct relaychoice *c, const struct settings_relays *s)
{
	bool moved = c->omit_shared != s->omit_shared;
	c->omit_shared = s->omit_shared;
	moved |= set_list(&c->fence, &c->fence_count, s->fence, s->fence_count);
	moved |= set_list(&c->omit, &c->omit_count, s->omit, s->omit_count);
	moved |= set_list(&c->no_home, &c->no_home_count, s->no_home, s->no_home_count);
	return moved;
}

void relaychoice_clear(struct relaychoice *c)
{
	free(c->fence);
	free(c->omit);
	free(c->no_home);
	*c = (struct relaychoice){0};
}

/* What is other tailnets' own is not told at all: which region it calls its home a client says itself, and no relay there admits it. */
static bool is_others(uint64_t tailnet, const struct relay_region *g)
{
	return g->tailnet_count && !has(g->tailnets, g->tailnet_count, tailnet);
}

static bool is_shown(const struct relaychoice *c, const struct relay_region *g)
{
	if (!g->tailnet_count && c->omit_shared)
		return false;
	return (!c->fence_count || has(c->fence, c->fence_count, g->id)) && !has(c->omit, c->omit_count, g->id);
}

enum err relaychoice_encode(const struct relaychoice *c, uint64_t tailnet, const struct relay_region *regions, size_t count, struct buffer *out, size_t *homes)
{
	struct relay_region *shown = x_alloc((count + 1) * sizeof *shown), *leaving = x_alloc((count + 1) * sizeof *leaving);
	size_t shown_count = 0, leaving_count = 0;
	*homes = 0;
	for (size_t i = 0; i < count; i++) {
		struct relay_region *g;
		if (!regions[i].node_count || is_others(tailnet, &regions[i]))
			continue;
		if (!is_shown(c, &regions[i])) {
			leaving[leaving_count++] = regions[i];
			continue;
		}
		g = &shown[shown_count++];
		*g = regions[i];
		g->no_measure_no_home |= has(c->no_home, c->no_home_count, g->id);
		*homes += !g->no_measure_no_home;
		if (!g->no_measure_no_home)
			continue;
		/* As it is shown until everybody has left. */
		leaving[leaving_count] = *g;
		leaving[leaving_count++].no_measure_no_home = false;
	}
	enum err e = derpmap_encode_leaving(shown, shown_count, leaving, leaving_count, out);
	free(shown);
	free(leaving);
	return e;
}
