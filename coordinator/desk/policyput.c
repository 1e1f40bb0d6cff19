#include "policyput.h"

#include "nodes.h"
#include "policies.h"

static void add_routes(struct tx *tx, const struct node *node, const struct trial_route *list, size_t count)
{
	struct prefix *routes = ARENA_ARRAY(tx_arena(tx), struct prefix, count);

	for (size_t i = 0; i < count; i++)
		routes[i] = list[i].route;
	nodes_add_routes(tx, node->id, routes, count);
}

size_t policyput_routes(struct tx *tx, const struct trial *trial)
{
	size_t nodes = 0;

	for (size_t i = 0, first = 0; i < trial->route_count; i++) {
		const struct node *node = trial->routes[i].node;

		if (i + 1 < trial->route_count && trial->routes[i + 1].node == node)
			continue;
		add_routes(tx, node, &trial->routes[first], i + 1 - first);
		nodes++;
		first = i + 1;
	}
	return nodes;
}

/* Nodes before all else, by id, as all who take many. */
struct policyput policyput_add(struct tx *tx, const struct trial *trial, const struct census *census, const struct policy_row *row, bool unchanged)
{
	struct policyput put = {0};
	int64_t present = census->policy ? (int64_t)census->policy->version : 0;

	put.approved_nodes = policyput_routes(tx, trial);
	policies_put(tx, row, unchanged ? present : POLICY_ANY_VERSION);
	put.row = policies_history(tx, 0, 1);
	return put;
}
