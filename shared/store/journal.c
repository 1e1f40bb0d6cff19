#include "journal.h"

#include <stdlib.h>

#include "rows.h"

/* More lines than that cost more to apply than reading the tailnet anew. */
enum { LINES_MAX = 20000 };

struct since {
	struct arena *arena;
	uint64_t generation, stamp, tailnet;
	journal_fn on_read;
	void *context;
};

enum { STAND, LINES, NODES, USERS, TAILNET, POLICY, FACTS }; /* the statements, in order */

static void read_lines(struct tx *tx, struct arena *arena, struct journal_read *read)
{
	read->line_count = tx_rows(tx, LINES);
	read->lines = ARENA_ARRAY(arena, struct journal_line, read->line_count);
	for (size_t i = 0; i < read->line_count; i++)
		read->lines[i] = (struct journal_line){tx_u64(tx, LINES, i, 0), change_parse(tx_text(tx, LINES, i, 1)), tx_u64(tx, LINES, i, 2)};
}

static void read_rows(struct tx *tx, struct arena *arena, struct journal_read *read)
{
	read->node_count = tx_rows(tx, NODES);
	read->nodes = ARENA_ARRAY(arena, struct node, read->node_count);
	for (size_t i = 0; i < read->node_count; i++)
		rows_node(tx, NODES, i, 0, arena, &read->nodes[i]);
	read->user_count = tx_rows(tx, USERS);
	read->users = ARENA_ARRAY(arena, struct user, read->user_count);
	for (size_t i = 0; i < read->user_count; i++) {
		rows_user(tx, USERS, i, 0, arena, &read->users[i]);
		rows_groups(tx, USERS, i, ROWS_USER_COUNT, arena, &read->users[i]);
	}
	if (tx_rows(tx, TAILNET)) {
		read->tailnet = ARENA_NEW(arena, struct tailnet);
		rows_tailnet(tx, TAILNET, 0, 0, arena, read->tailnet);
		read->settings = ARENA_NEW(arena, struct settings);
		rows_settings(tx, TAILNET, 0, ROWS_TAILNET_COUNT, arena, read->settings);
	}
	if (tx_rows(tx, POLICY))
		policies_read(tx, POLICY, arena, &read->policy);
	read->fact_count = attributes_read_facts(tx, FACTS, arena, &read->facts);
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	enum { GENERATION, STAMP, STAMP_THEN };
	const struct since *since = context;
	struct journal_read *read = ARENA_NEW(since->arena, struct journal_read);
	(void)why;
	if (e) {
		since->on_read(since->context, e, NULL);
		return;
	}
	if (!tx_rows(tx, STAND)) {
		read->tailnet_gone = true;
		since->on_read(since->context, ERR_NONE, read);
		return;
	}
	read->generation = tx_u64(tx, STAND, 0, GENERATION);
	read->stamp = tx_u64(tx, STAND, 0, STAMP);
	/* Ours must stand there as we knew it: it may have been pruned, or be history that a restore undid. */
	if (read->generation < since->generation || tx_null(tx, STAND, 0, STAMP_THEN) || tx_u64(tx, STAND, 0, STAMP_THEN) != since->stamp ||
	    tx_rows(tx, LINES) > LINES_MAX) {
		since->on_read(since->context, ERR_NO_HISTORY, NULL);
		return;
	}
	read_lines(tx, since->arena, read);
	read_rows(tx, since->arena, read);
	since->on_read(since->context, ERR_NONE, read);
}

void journal_since(struct pg *pg, uint64_t tailnet, uint64_t generation, uint64_t stamp, struct arena *arena, journal_fn read, void *context)
{
	struct tx *tx = tx_begin(pg, tailnet, TX_READ);
	struct since *since = ARENA_NEW(tx_arena(tx), struct since);
	*since = (struct since){arena, generation, stamp, tailnet, read, context};
	tx_arg_u64(tx, generation);
	tx_add(tx, "SELECT generation, stamp, stamp_then FROM fleetscale.journal_stand($1)");
	tx_arg_u64(tx, generation);
	tx_arg_u64(tx, LINES_MAX + 1);
	tx_add(tx, "SELECT generation, kind, subject FROM fleetscale.journal_lines($1, $2)");
	tx_arg_u64(tx, generation);
	tx_add(tx, "SELECT " ROWS_NODE " FROM fleetscale.journal_nodes($1) n");
	tx_arg_u64(tx, generation);
	tx_add(tx, "SELECT " ROWS_USER ", " ROWS_GROUPS " FROM fleetscale.journal_users($1) u");
	tx_arg_u64(tx, generation);
	tx_add(tx, "SELECT " ROWS_TAILNET ", " ROWS_SETTINGS " FROM fleetscale.journal_tailnet($1) t");
	policies_newest_since(tx, generation);
	attributes_facts_since(tx, generation);
	tx_run(tx, on_read, since);
}

/* --- many tailnets ---------------------------------------------------------------------------------------------------------------------------------- */

struct stands {
	size_t count;
	generations_fn on_read;
	void *context;
};

static void on_stands(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct stands *stands = context;
	uint64_t *generations = ARENA_ARRAY(tx_arena(tx), uint64_t, stands->count);
	(void)why;
	for (size_t i = 0; !e && i < stands->count && i < tx_rows(tx, 0); i++)
		generations[i] = tx_u64(tx, 0, i, 0);
	stands->on_read(stands->context, e, generations, e ? 0 : stands->count);
}

void journal_generations(struct pg *pg, const uint64_t *tailnets, size_t count, generations_fn read, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct stands *stands = ARENA_NEW(tx_arena(tx), struct stands);
	*stands = (struct stands){count, read, context};
	tx_arg_u64s(tx, tailnets, count);
	tx_add(tx, "SELECT * FROM fleetscale.generations_of($1)");
	tx_run(tx, on_stands, stands);
}
