#include "autoapprove.h"

#include "act.h"
#include "log.h"
#include "nodes.h"
#include "policyput.h"
#include "tailnets.h"
#include "turns.h"
#include "users.h"

enum { OPEN_MAX = 64, INLINE_MAX = 64 << 10 };

struct approval {
	struct coordinator *c;
	struct arena *arena;
	uint64_t tailnet;
	struct node *nodes;
	size_t node_count;
	struct census census;
	struct trial trial;
	struct turn turn;
	unsigned rows, users; /* statements */
};

static void end(struct approval *a, enum err e)
{
	struct arena *arena = a->arena;

	if (e && e != ERR_CANCELED)
		log_warning(TAILNET(a->tailnet), "routes are not approved by the policy", F_ERR(e));
	if (e != ERR_CANCELED)
		a->c->approvals_open--;
	arena_free(&arena);
}

static void on_approved(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	(void)tx, (void)why;
	end(context, e);
}

static void put_routes(struct approval *a)
{
	struct tx *tx;

	if (!a->trial.route_count) {
		end(a, ERR_NONE);
		return;
	}
	tx = tx_begin(a->c->pg, a->tailnet, TX_WRITE);
	policyput_routes(tx, &a->trial);
	act_commit(a->c, tx, on_approved, a);
}

/* What is not understood any more approves nothing. */
static void find(void *context)
{
	struct approval *a = context;

	if (trial_find_routes(&a->trial, a->arena, &a->census, a->nodes, a->node_count))
		a->trial.route_count = 0;
}

static void on_found(void *context)
{
	struct approval *a = context;

	turn_leave(&a->turn);
	put_routes(a);
}

static void on_turn(void *context, enum err e, const struct diag *why)
{
	struct approval *a = context;

	(void)why;
	if (e)
		end(a, e);
	else
		turn_work(&a->turn, find, on_found);
}

/* Small ones need no thread. */
static void approve(struct approval *a)
{
	size_t size = a->census.policy->text.len;

	if (size > INLINE_MAX) {
		turn_take(&a->turn, a->c->loop, a->tailnet, TURNS_WAITING_OF_TAILNET + OPEN_MAX, size, on_turn, a);
		return;
	}
	find(a);
	put_routes(a);
}

static void on_users(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct approval *a = context;
	struct tailnet *tailnets;

	(void)why;
	if (e || !tailnets_read(tx, a->rows, a->arena, &tailnets)) {
		end(a, e);
		return;
	}
	a->census.tailnet = tailnets[0];
	a->census.user_count = users_read(tx, a->users, a->arena, &a->census.users);
	approve(a);
}

static void on_policy(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct approval *a = context;
	struct tx *next;

	(void)why;
	if (e || !policies_read(tx, a->rows, a->arena, &a->census.policy)) {
		end(a, e);
		return;
	}
	next = tx_begin(a->c->pg, a->tailnet, TX_READ);
	a->rows = tailnets_get(next);
	a->users = users_list(next);
	tx_run(next, on_users, a);
}

static void on_nodes(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct approval *a = context;
	struct tx *next;

	(void)why;
	if (!e)
		a->node_count = nodes_read(tx, a->rows, a->arena, &a->nodes);
	if (!a->node_count) {
		end(a, e);
		return;
	}
	next = tx_begin(a->c->pg, a->tailnet, TX_READ);
	a->rows = policies_newest(next);
	tx_run(next, on_policy, a);
}

void autoapprove_nodes(struct coordinator *c, uint64_t tailnet, const uint64_t *nodes, size_t count)
{
	struct arena *arena;
	struct approval *a;
	struct tx *tx;

	if (!count)
		return;
	if (c->approvals_open >= OPEN_MAX) {
		log_warning(TAILNET(tailnet), "routes are not approved by the policy", F_TEXT("why", "too many at once"));
		return;
	}
	c->approvals_open++;
	arena = arena_new();
	a = ARENA_NEW(arena, struct approval);
	*a = (struct approval){.c = c, .arena = arena, .tailnet = tailnet};
	tx = tx_begin(c->pg, tailnet, TX_READ);
	a->rows = nodes_advertising(tx, nodes, count);
	tx_run(tx, on_nodes, a);
}
