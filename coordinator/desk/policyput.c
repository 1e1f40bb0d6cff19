#include "policyput.h"

#include "approve.h"
#include "nodes.h"
#include "policies.h"

static bool is_approved(const struct node *node, struct prefix route)
{
	for (size_t i = 0; i < node->approved_count; i++)
		if (!prefix_compare(node->routes_approved[i], route))
			return true;
	return false;
}

bool policyput_approve(struct tx *tx, const struct trial *trial, const struct node *node)
{
	struct prefix *routes;
	size_t count = 0;

	if (!node->approved || !node->advertised_count || (!trial->document->route_approver_count && !trial->document->exit_approvers.count))
		return false;
	routes = ARENA_ARRAY(tx_arena(tx), struct prefix, node->advertised_count);
	for (size_t i = 0; i < node->advertised_count; i++)
		if (!is_approved(node, node->routes_advertised[i]))
			routes[count++] = node->routes_advertised[i];
	count = approve_routes(trial->document, &trial->roll, node, routes, count, routes);
	if (count)
		nodes_add_routes(tx, node->id, routes, count);
	return count > 0;
}

static void add_routes(struct tx *tx, const struct node *node, const struct trial_route *list, size_t count)
{
	struct prefix *routes = ARENA_ARRAY(tx_arena(tx), struct prefix, count);

	for (size_t i = 0; i < count; i++)
		routes[i] = list[i].route;
	nodes_add_routes(tx, node->id, routes, count);
}

/* Nodes before all else, by id, as all who take many. */
struct policyput policyput_add(struct tx *tx, const struct trial *trial, const struct census *census, const struct policy_row *row, bool unchanged)
{
	struct policyput put = {0};
	int64_t present = census->policy ? (int64_t)census->policy->version : 0;

	for (size_t i = 0, first = 0; i < trial->route_count; i++) {
		const struct node *node = trial->routes[i].node;

		if (i + 1 < trial->route_count && trial->routes[i + 1].node == node)
			continue;
		add_routes(tx, node, &trial->routes[first], i + 1 - first);
		put.approved_nodes++;
		first = i + 1;
	}
	policies_put(tx, row, unchanged ? present : POLICY_ANY_VERSION);
	put.row = policies_history(tx, 0, 1);
	return put;
}
