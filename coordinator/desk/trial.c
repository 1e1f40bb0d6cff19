#include "trial.h"

#include "afford.h"
#include "approve.h"
#include "nodefacts.h"
#include "table.h"

static void call_users(struct trial *t, const struct census *census)
{
	struct roll_user *users = ARENA_ARRAY(t->arena, struct roll_user, census->user_count);
	size_t most = 0;

	for (size_t i = 0; i < census->user_count; i++) {
		const struct user *u = &census->users[i];

		users[i] = (struct roll_user){u, u->roles, u->groups, u->group_count};
		most += u->group_count;
	}
	t->roll.users = users;
	t->roll.user_count = census->user_count;

	struct table *seen = table_new();
	struct bytes *groups = ARENA_ARRAY(t->arena, struct bytes, most);

	for (size_t i = 0; i < census->user_count; i++)
		for (size_t k = 0; k < census->users[i].group_count; k++) {
			struct bytes name = census->users[i].groups[k];

			if (table_find(seen, name))
				continue;
			table_put(seen, name, t);
			groups[t->around.group_count++] = name;
		}
	t->around.groups = groups;
	table_free(&seen);
}

static void call_nodes(struct trial *t, const struct census *census)
{
	struct roll_node *nodes = ARENA_ARRAY(t->arena, struct roll_node, census->node_count);
	struct roll_fact *told = ARENA_ARRAY(t->arena, struct roll_fact, census->fact_count);
	size_t at = 0;

	for (size_t i = 0; i < census->fact_count; i++)
		told[i] = (struct roll_fact){census->facts[i].key, census->facts[i].value};
	/* Both are sorted by node. */
	for (size_t i = 0; i < census->node_count; i++) {
		const struct node *n = &census->nodes[i];
		struct roll_fact *facts;
		size_t first;

		while (at < census->fact_count && census->facts[at].node < n->id)
			at++;
		for (first = at; at < census->fact_count && census->facts[at].node == n->id;)
			at++;
		if (!n->approved)
			continue;
		nodes[i].fact_count = nodefacts_of(t->arena, n->hostinfo, told + first, at - first, &facts);
		nodes[i].facts = facts;
		nodes[i].node = n;
	}
	t->roll.nodes = nodes;
	t->roll.node_count = census->node_count;
}

void trial_call_roll(struct trial *trial, struct arena *arena, const struct census *census)
{
	*trial = (struct trial){.arena = arena};
	call_users(trial, census);
	call_nodes(trial, census);
	trial->roll.domains = trial->around.domains = census->tailnet.domains;
	trial->roll.domain_count = trial->around.domain_count = census->tailnet.domain_count;
}

static enum err compile(struct trial *trial, unsigned times, enum err read, struct diag *why)
{
	enum err e = read ? read : afford_check(trial->document, &trial->roll, times, NULL, why);

	if (!e)
		trial->policy = policy_compile(trial->document, &trial->roll);
	return e;
}

enum err trial_compile(struct trial *trial, struct arena *arena, const struct census *census, struct bytes text, struct diag *why)
{
	enum err e;

	trial_call_roll(trial, arena, census);
	e = document_read(arena, text, &trial->around, &trial->document, why);
	/* What the service answers with 500. */
	if (e == ERR_BUG || e == ERR_NOT_FOUND)
		e = ERR_MALFORMED;
	return compile(trial, 1, e, why);
}

enum err trial_compile_stored(struct trial *trial, struct arena *arena, const struct census *census, struct diag *why)
{
	struct bytes text = census->policy ? census->policy->text : BYTES("{}");

	trial_call_roll(trial, arena, census);
	return compile(trial, AFFORD_GROWN, document_read_stored(arena, text, &trial->around, &trial->document, &trial->lapses, why), why);
}

static bool is_approved(const struct node *node, struct prefix route)
{
	for (size_t i = 0; i < node->approved_count; i++)
		if (!prefix_compare(node->routes_approved[i], route))
			return true;
	return false;
}

static void find_routes(struct trial *t)
{
	struct approvals *approvals = approvals_new(t->policy, t->arena);
	size_t most = 0;

	if (!t->document->route_approver_count && !t->document->exit_approvers.count)
		return;
	for (size_t i = 0; i < t->roll.node_count; i++)
		most += t->roll.nodes[i].node ? t->roll.nodes[i].node->advertised_count : 0;
	t->routes = ARENA_ARRAY(t->arena, struct trial_route, most);
	for (size_t i = 0; i < t->roll.node_count; i++) {
		const struct node *node = t->roll.nodes[i].node;

		for (size_t k = 0; node && k < node->advertised_count; k++)
			if (!is_approved(node, node->routes_advertised[k]) && approvals_have(approvals, (uint32_t)i, node->routes_advertised[k]))
				t->routes[t->route_count++] = (struct trial_route){node, node->routes_advertised[k]};
	}
}

enum err trial_run(struct trial *trial, struct arena *arena, const struct census *census, struct bytes text, struct diag *why)
{
	enum err e = trial_compile(trial, arena, census, text, why);

	if (!e)
		e = selftest_run(trial->policy, arena, &trial->tests, why);
	if (!e)
		find_routes(trial);
	return e;
}

enum err trial_find_routes(struct trial *trial, struct arena *arena, const struct census *census, const struct node *nodes, size_t count)
{
	struct prefix wanted[NODE_ROUTES_MAX];
	size_t most = 0;
	enum err e;

	trial_call_roll(trial, arena, census);
	e = document_read_stored(arena, census->policy->text, &trial->around, &trial->document, &trial->lapses, NULL);
	for (size_t i = 0; !e && i < count; i++)
		most += nodes[i].advertised_count;
	trial->routes = ARENA_ARRAY(arena, struct trial_route, most);
	for (size_t i = 0; !e && i < count; i++) {
		const struct node *node = &nodes[i];
		size_t open = 0;

		for (size_t k = 0; node->approved && k < node->advertised_count && open < NODE_ROUTES_MAX; k++)
			if (!is_approved(node, node->routes_advertised[k]))
				wanted[open++] = node->routes_advertised[k];
		open = approve_routes(trial->document, &trial->roll, node, wanted, open, wanted);
		for (size_t k = 0; k < open; k++)
			trial->routes[trial->route_count++] = (struct trial_route){node, wanted[k]};
	}
	return e;
}

void trial_end(struct trial *trial)
{
	if (trial->policy)
		policy_free(&trial->policy);
}

const char *trial_warning(struct arena *arena, const struct lapses *lapses)
{
	if (!lapses->count)
		return NULL;
	return arena_format(arena, "this policy would be refused today, and what is not understood counts for nothing: line %u, column %u: %s%s",
			    lapses->first.line, lapses->first.column, lapses->first.text,
			    lapses->count > 1 ? arena_format(arena, " (and %zu more)", lapses->count - 1) : "");
}
