#include "route.h"

#include <stdlib.h>

bool route_is_exit(struct prefix prefix)
{
	return prefix.bits == 0 && prefix.ip.family != IP_NONE;
}

static int by_value(const void *a, const void *b)
{
	return prefix_compare(*(const struct prefix *)a, *(const struct prefix *)b);
}

static bool advertises(const struct node *node, struct prefix masked)
{
	for (size_t i = 0; i < node->advertised_count; i++)
		if (!prefix_compare(prefix_masked(node->routes_advertised[i]), masked))
			return true;
	return false;
}

static size_t sort_unique(struct prefix *list, size_t count)
{
	size_t kept = 0;
	qsort(list, count, sizeof *list, by_value);
	for (size_t i = 0; i < count; i++)
		if (!kept || prefix_compare(list[kept - 1], list[i]))
			list[kept++] = list[i];
	return kept;
}

/* A client offers an exit node only when it has both default routes; one alone would only draw one family's traffic. */
static size_t drop_lone_exit(struct prefix *list, size_t count)
{
	size_t exits = 0, kept = 0;
	for (size_t i = 0; i < count; i++)
		exits += route_is_exit(list[i]);
	if (exits != 1)
		return count;
	for (size_t i = 0; i < count; i++)
		if (!route_is_exit(list[i]))
			list[kept++] = list[i];
	return kept;
}

size_t route_served(const struct node *node, struct prefix *out)
{
	size_t count = 0;
	for (size_t i = 0; i < node->approved_count; i++) {
		struct prefix approved = prefix_masked(node->routes_approved[i]);
		if (advertises(node, approved))
			out[count++] = approved;
	}
	return count ? drop_lone_exit(out, sort_unique(out, count)) : 0;
}

/* Higher is better. */
static unsigned fitness(const struct route_router *router)
{
	if (!router->online)
		return 0;
	return router->unreachable ? 1 : 2;
}

static bool made_before(const struct route_router *a, const struct route_router *b)
{
	return a->created.ns != b->created.ns ? a->created.ns < b->created.ns : a->node < b->node;
}

uint64_t route_elect(const struct route_router *routers, size_t count)
{
	const struct route_router *primary = NULL, *best = NULL;
	for (size_t i = 0; i < count; i++) {
		if (routers[i].is_primary)
			primary = &routers[i];
		if (!best || fitness(&routers[i]) > fitness(best) || (fitness(&routers[i]) == fitness(best) && made_before(&routers[i], best)))
			best = &routers[i];
	}
	if (!best || !fitness(best) || (primary && fitness(primary) >= fitness(best)))
		return 0;
	return best->node;
}
