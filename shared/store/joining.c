#include "nodes.h"

#include <stdlib.h>

#include "rows.h"
#include "sqlstate.h"
#include "txwork.h"

/* Joins of one tailnet that come at the same time share a transaction: one lock of the tailnet, one generation, one commit.
 * While a group is on its way, the next one gathers. Each join is a savepoint, so that it fails alone. */

/* PostgreSQL keeps 64 savepoints of a transaction at hand; past that each look at a row costs more. */
enum { GROUP_MAX = 32 };
/* No tailnet: the group of those that are too many, answered at the end of the turn. */
#define REFUSED UINT64_MAX

struct joining {
	struct list link;
	struct arena *arena;
	struct enrollment e;
	unsigned statement;
	struct mono since;
	nodes_changed_fn on_done;
	void *context;
};

struct group {
	struct list link; /* in pg->joins */
	struct pg *pg;
	uint64_t tailnet;
	struct list waiting, members; /* struct joining; members: of the transaction on its way */
	struct defer start;
	bool in_flight;
};

static void answer(struct joining *join, enum err e, const struct node *node, uint64_t generation, const struct diag *why)
{
	struct arena *arena = join->arena;
	join->on_done(join->context, e, node, generation, why);
	arena_free(&arena);
}

static struct joining *take(struct group *group, struct list *from)
{
	struct joining *join = LIST_FIRST(from, struct joining, link);
	if (join) {
		list_remove(&join->link);
		group->pg->join_count--;
	}
	return join;
}

static void answer_all(struct group *group, struct list *joins, enum err e, const struct diag *why)
{
	struct joining *join;
	while ((join = take(group, joins)))
		answer(join, e, NULL, 0, why);
}

static void group_free(struct group *group)
{
	defer_cancel(&group->start);
	list_remove(&group->link);
	free(group);
}

static unsigned add_statement(struct tx *tx, const struct enrollment *e)
{
	tx_arg_id(tx, e->user);
	tx_arg_texts(tx, e->tags, e->tag_count);
	tx_arg_bytea(tx, bytes_of(e->machine_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(e->node_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(e->lock_key.raw, KEY_LEN));
	tx_arg_text(tx, e->label);
	tx_arg_text(tx, e->hostinfo.len ? e->hostinfo : BYTES("{}"));
	tx_arg_u64(tx, e->capver);
	tx_arg_prefixes(tx, e->routes, e->route_count);
	tx_arg_time(tx, e->expiry);
	tx_arg_bool(tx, e->ephemeral);
	tx_arg_bool(tx, e->approved);
	tx_arg_id(tx, e->authkey);
	tx_arg_bool(tx, e->consume_key);
	tx_arg_u64(tx, e->register_method);
	tx_arg_prefixes(tx, e->pools, e->pool_count);
	return tx_add(tx, "SELECT r.code, r.sentence, r.broken, " ROWS_NODE
			  " FROM fleetscale.node_enroll($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) r, "
			  "LATERAL (SELECT (r.node).*) n");
}

static void answer_by_row(struct joining *join, struct tx *tx)
{
	enum { CODE, SENTENCE, BROKEN, NODE };
	struct arena *arena = join->arena;
	struct diag why = {.text = ""};
	if (tx_null(tx, join->statement, 0, CODE)) {
		struct node *node = ARENA_NEW(arena, struct node);
		rows_node(tx, join->statement, 0, NODE, arena, node);
		answer(join, ERR_NONE, node, tx_generation(tx), &why);
		return;
	}
	const char *broken = tx_text(tx, join->statement, 0, BROKEN).len ? arena_text(arena, tx_text(tx, join->statement, 0, BROKEN)) : NULL;
	enum err e = sqlstate_judge(arena_text(arena, tx_text(tx, join->statement, 0, CODE)), arena_text(arena, tx_text(tx, join->statement, 0, SENTENCE)),
				    broken, &why);
	answer(join, e, NULL, 0, &why);
}

static void on_committed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct group *group = context;
	struct pg *pg = group->pg;
	struct joining *join;
	while ((join = take(group, &group->members))) {
		if (e)
			answer(join, e, NULL, 0, why);
		else
			answer_by_row(join, tx);
	}
	group->in_flight = false;
	if (e == ERR_CANCELED || (e == ERR_UNAVAILABLE && !pg_stands(pg)))
		answer_all(group, &group->waiting, e, why);
	if (list_empty(&group->waiting))
		group_free(group);
	else
		loop_defer(pg->loop, &group->start);
}

/* Those that waited longer than a transaction may take: their clients have given up. */
static void drop_stale(struct group *group)
{
	struct diag why;
	diag_set(&why, ERR_UNAVAILABLE, "the database is not reachable now");
	for (;;) {
		struct joining *first = LIST_FIRST(&group->waiting, struct joining, link);
		if (!first || first->since.ms + group->pg->timeout_ms > loop_now(group->pg->loop).ms)
			return;
		answer(take(group, &group->waiting), ERR_UNAVAILABLE, NULL, 0, &why);
	}
}

/* Keys before the tailnet, as every other writer takes them; by id, so that two groups never wait for each other in a circle. */
static void add_locks(struct tx *tx, const struct list *members)
{
	uint64_t keys[GROUP_MAX];
	size_t count = 0;
	LIST_EACH(members, join, struct joining, link) {
		if (join->e.consume_key || join->e.counted_key)
			keys[count++] = join->e.authkey;
	}
	if (count) {
		tx_arg_u64s(tx, keys, count);
		tx_add(tx, "SELECT a.id FROM fleetscale.authkeys a WHERE a.id = ANY ($1) ORDER BY a.id FOR UPDATE");
	}
	tx_add(tx, "SELECT fleetscale.lock_tailnet()");
}

/* One bad text must not refuse the group. */
static bool is_storable(const struct enrollment *e)
{
	bool good = bytes_is_utf8(e->hostinfo) && bytes_is_utf8(e->label) && !(e->hostinfo.len && memchr(e->hostinfo.at, 0, e->hostinfo.len)) &&
		    !(e->label.len && memchr(e->label.at, 0, e->label.len));
	for (size_t i = 0; i < e->tag_count; i++)
		good = good && bytes_is_utf8(e->tags[i]) && !(e->tags[i].len && memchr(e->tags[i].at, 0, e->tags[i].len));
	return good;
}

static void drop_bad(struct group *group)
{
	struct list bad;
	struct diag why;
	list_init(&bad);
	LIST_EACH(&group->waiting, join, struct joining, link) {
		if (!is_storable(&join->e)) {
			list_remove(&join->link);
			list_append(&bad, &join->link);
		}
	}
	diag_set(&why, ERR_MALFORMED, "a text of the request is not UTF-8, or has a NUL in it");
	answer_all(group, &bad, ERR_MALFORMED, &why);
}

static void on_start(void *context)
{
	struct group *group = context;
	struct diag why;
	diag_set(&why, ERR_UNAVAILABLE, "too much waits for the database");
	if (group->tailnet == REFUSED)
		answer_all(group, &group->waiting, ERR_UNAVAILABLE, &why);
	drop_stale(group);
	drop_bad(group);
	if (list_empty(&group->waiting)) {
		group_free(group);
		return;
	}
	struct tx *tx = tx_begin(group->pg, group->tailnet, TX_WRITE);
	for (unsigned i = 0; i < GROUP_MAX && !list_empty(&group->waiting); i++) {
		struct joining *join = LIST_FIRST(&group->waiting, struct joining, link);
		list_remove(&join->link);
		list_append(&group->members, &join->link);
	}
	add_locks(tx, &group->members);
	LIST_EACH(&group->members, join, struct joining, link)
		join->statement = add_statement(tx, &join->e);
	group->in_flight = true;
	tx_run(tx, on_committed, group);
}

static struct group *group_of(struct pg *pg, uint64_t tailnet)
{
	LIST_EACH(&pg->joins, group, struct group, link) {
		if (group->tailnet == tailnet)
			return group;
	}
	struct group *group = x_zalloc(sizeof *group);
	group->pg = pg;
	group->tailnet = tailnet;
	list_init(&group->waiting);
	list_init(&group->members);
	defer_init(&group->start, on_start, group);
	list_append(&pg->joins, &group->link);
	return group;
}

static struct bytes *copy_texts(struct arena *arena, const struct bytes *from, size_t count)
{
	struct bytes *to = ARENA_ARRAY(arena, struct bytes, count);
	for (size_t i = 0; i < count; i++)
		to[i] = arena_copy(arena, from[i]);
	return to;
}

static struct prefix *copy_prefixes(struct arena *arena, const struct prefix *from, size_t count)
{
	struct prefix *to = ARENA_ARRAY(arena, struct prefix, count);
	if (count)
		memcpy(to, from, count * sizeof *to);
	return to;
}

void nodes_enroll(struct pg *pg, uint64_t tailnet, const struct enrollment *e, nodes_changed_fn on_done, void *context)
{
	struct arena *arena = arena_new();
	struct joining *join = ARENA_NEW(arena, struct joining);
	*join = (struct joining){.arena = arena, .e = *e, .since = loop_now(pg->loop), .on_done = on_done, .context = context};
	join->e.tags = copy_texts(arena, e->tags, e->tag_count);
	join->e.label = arena_copy(arena, e->label);
	join->e.hostinfo = arena_copy(arena, e->hostinfo);
	join->e.routes = copy_prefixes(arena, e->routes, e->route_count);
	join->e.pools = copy_prefixes(arena, e->pools, e->pool_count);
	struct group *group = group_of(pg, pg->join_count < pg->waiting_max ? tailnet : REFUSED);
	list_append(&group->waiting, &join->link);
	pg->join_count++;
	/* At the end of the turn, so that those of one turn go together. */
	if (!group->in_flight)
		loop_defer(pg->loop, &group->start);
}

void joins_free(struct pg *pg)
{
	struct diag why;
	diag_set(&why, ERR_CANCELED, "the program ends");
	for (struct list *at = pg->joins.next, *next; at != &pg->joins; at = next) {
		struct group *group = OWNER_OF(at, struct group, link);
		answer_all(group, &group->waiting, ERR_CANCELED, &why);
		next = at->next;
		group_free(group);
	}
}
