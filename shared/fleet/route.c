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
