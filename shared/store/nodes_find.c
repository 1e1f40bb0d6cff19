#include "nodes.h"

#include <stdlib.h>

#include "rows.h"

/* The columns of a node with its owner and tailnet, and where each noun begins. */
#define PLACE ROWS_NODE ", " ROWS_USER ", " ROWS_TAILNET
enum { PLACE_USER = ROWS_NODE_COUNT, PLACE_TAILNET = PLACE_USER + ROWS_USER_COUNT };

static void read_place(struct tx *tx, unsigned statement, size_t row, unsigned first, struct arena *arena, struct nodes_place *place)
{
	place->node = ARENA_NEW(arena, struct node);
	rows_node(tx, statement, row, first, arena, place->node);
	place->tailnet = ARENA_NEW(arena, struct tailnet);
	rows_tailnet(tx, statement, row, first + PLACE_TAILNET, arena, place->tailnet);
	if (tx_null(tx, statement, row, first + PLACE_USER))
		return;
	place->user = ARENA_NEW(arena, struct user);
	rows_user(tx, statement, row, first + PLACE_USER, arena, place->user);
}

/* --- for a registration ------------------------------------------------------------------------------------------------------------------------------ */

struct register_find {
	struct arena *arena;
	struct secret secret;
	bool has_secret;
	bool asks_tags;
	unsigned nodes, key, policy, tagged; /* statements */
	nodes_known_fn on_known;
	void *context;
};

/* A node that answers several questions is one struct: admission compares pointers. */
static void share(struct nodes_place *place, const struct nodes_place *others, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (place->node && others[i].node && others[i].node->id == place->node->id)
			*place = others[i];
}

static void read_key(struct tx *tx, const struct register_find *find, struct nodes_known *k)
{
	enum { KEY_USER = ROWS_AUTHKEY_COUNT, KEY_TAILNET = KEY_USER + ROWS_USER_COUNT, KEY_UNPOLLED = KEY_TAILNET + ROWS_TAILNET_COUNT };
	struct authkey *authkey = ARENA_NEW(find->arena, struct authkey);
	if (!find->has_secret || !tx_rows(tx, find->key))
		return;
	rows_authkey(tx, find->key, 0, 0, find->arena, authkey);
	if (!secret_matches(&find->secret, authkey->hash))
		return;
	k->known.authkey = authkey;
	k->known.key_unpolled_by = tx_u64(tx, find->key, 0, KEY_UNPOLLED);
	k->key_tailnet = ARENA_NEW(find->arena, struct tailnet);
	rows_tailnet(tx, find->key, 0, KEY_TAILNET, find->arena, k->key_tailnet);
	k->known.tailnet_frozen = k->key_tailnet->frozen;
	k->known.tailnet_suspended = k->key_tailnet->suspended;
	k->known.device_approval = k->key_tailnet->device_approval;
	k->known.tailnet_name = k->key_tailnet->name;
	k->known.tailnet_domain = k->key_tailnet->domain;
	k->lifetime_ms = k->key_tailnet->key_lifetime_ms;
	if (authkey->user) {
		k->key_user = ARENA_NEW(find->arena, struct user);
		rows_user(tx, find->key, 0, KEY_USER, find->arena, k->key_user);
	}
}

static void read_nodes(struct tx *tx, const struct register_find *find, struct nodes_known *k)
{
	enum { WHAT, NODE };
	for (size_t i = 0; i < tx_rows(tx, find->nodes); i++) {
		struct bytes what = tx_text(tx, find->nodes, i, WHAT);
		struct nodes_place *place = bytes_equal_text(what, "n") ? &k->by_node_key : bytes_equal_text(what, "o") ? &k->by_old_key : &k->by_owner;
		/* Who guessed a prefix but not the secret learns nothing through it. */
		if (place == &k->by_owner && !k->known.authkey)
			continue;
		read_place(tx, find->nodes, i, NODE, find->arena, place);
		if (!k->known.authkey && place == &k->by_node_key) {
			k->lifetime_ms = place->tailnet->key_lifetime_ms;
			k->known.tailnet_frozen = place->tailnet->frozen;
			k->known.tailnet_suspended = place->tailnet->suspended;
		}
	}
	share(&k->by_old_key, &k->by_node_key, 1);
	share(&k->by_owner, &k->by_old_key, 1);
	share(&k->by_owner, &k->by_node_key, 1);
	k->known.by_node_key = k->by_node_key.node;
	k->known.by_old_key = k->by_old_key.node;
	k->known.by_owner = k->by_owner.node;
}

/* Who guessed a prefix but not the secret learns nothing. */
static void read_policy(struct tx *tx, const struct register_find *find, struct nodes_known *k)
{
	enum { NODE = 1 };
	struct nodes_place tagged = {0};
	if (!k->known.authkey)
		return;
	k->policy = tx_u64(tx, find->policy, 0, 0);
	if (find->asks_tags && tx_rows(tx, find->tagged))
		read_place(tx, find->tagged, 0, NODE, find->arena, &tagged);
	share(&tagged, &k->by_node_key, 1);
	share(&tagged, &k->by_old_key, 1);
	k->known.tagged = tagged.node;
}

static void on_register_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct register_find *find = context;
	struct nodes_known *k = e ? NULL : ARENA_NEW(find->arena, struct nodes_known);
	(void)why;
	if (k) {
		read_key(tx, find, k);
		read_nodes(tx, find, k);
		read_policy(tx, find, k);
	}
	find->on_known(find->context, e, k);
}

void nodes_find_for_register(struct pg *pg, const struct nodes_question *q, struct arena *arena, nodes_known_fn on_known, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct register_find *find = ARENA_NEW(tx_arena(tx), struct register_find);
	*find = (struct register_find){.arena = arena, .has_secret = q->secret != NULL, .asks_tags = q->asks_tags, .on_known = on_known, .context = context};
	if (q->secret)
		find->secret = *q->secret;
	tx_arg_bytea(tx, bytes_of(q->machine_key.raw, KEY_LEN));
	tx_arg_bytea(tx, bytes_of(q->node_key.raw, KEY_LEN));
	if (key_is_zero(q->old_node_key.raw))
		tx_arg_null(tx);
	else
		tx_arg_bytea(tx, bytes_of(q->old_node_key.raw, KEY_LEN));
	if (q->secret)
		tx_arg_text(tx, bytes_text(q->secret->prefix));
	else
		tx_arg_null(tx);
	find->nodes = tx_add(tx, "SELECT r.what, " PLACE " FROM fleetscale.register_nodes($1, $2, $3, $4) r, LATERAL (SELECT (r.node).*) n, "
				 "LATERAL (SELECT (r.owner).*) u, LATERAL (SELECT (r.tailnet).*) t");
	if (q->secret) {
		tx_arg_text(tx, bytes_text(q->secret->prefix));
		find->key = tx_add(tx, "SELECT " ROWS_AUTHKEY ", " ROWS_USER ", " ROWS_TAILNET ", r.unpolled FROM fleetscale.register_key($1) r, "
				       "LATERAL (SELECT (r.authkey).*) a, LATERAL (SELECT (r.owner).*) u, LATERAL (SELECT (r.tailnet).*) t");
		tx_arg_text(tx, bytes_text(q->secret->prefix));
		find->policy = tx_add(tx, "SELECT fleetscale.register_policy($1)");
	}
	if (q->secret && q->asks_tags) {
		tx_arg_bytea(tx, bytes_of(q->machine_key.raw, KEY_LEN));
		tx_arg_text(tx, bytes_text(q->secret->prefix));
		find->tagged = tx_add(tx, "SELECT r.what, " PLACE " FROM fleetscale.register_tagged($1, $2) r, LATERAL (SELECT (r.node).*) n, "
					  "LATERAL (SELECT (r.owner).*) u, LATERAL (SELECT (r.tailnet).*) t");
	}
	tx_run(tx, on_register_found, find);
}

/* --- for a map -------------------------------------------------------------------------------------------------------------------------------------------- */

struct find {
	struct arena *arena;
	bool with_epoch;
	nodes_place_fn on_found;
	void *context;
};

static void on_found(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	const struct find *find = context;
	struct nodes_place place = {0};
	(void)why;
	if (!e && tx_rows(tx, 0))
		read_place(tx, 0, 0, 0, find->arena, &place);
	find->on_found(find->context, e, &place, !e && find->with_epoch ? tx_u64(tx, 1, 0, 0) : 0);
}

void nodes_find(struct pg *pg, const struct node_key *key, bool with_epoch, struct arena *arena, nodes_place_fn found, void *context)
{
	struct tx *tx = tx_begin(pg, 0, TX_LOOKUP);
	struct find *find = ARENA_NEW(tx_arena(tx), struct find);
	*find = (struct find){.arena = arena, .with_epoch = with_epoch, .on_found = found, .context = context};
	tx_arg_bytea(tx, bytes_of(key->raw, KEY_LEN));
	tx_add(tx, "SELECT " PLACE
		   " FROM fleetscale.node_of_key($1) r, LATERAL (SELECT (r.node).*) n, LATERAL (SELECT (r.owner).*) u, LATERAL (SELECT (r.tailnet).*) t");
	if (with_epoch)
		tx_add(tx, "SELECT nextval('fleetscale.report_epochs')");
	tx_run(tx, on_found, find);
}
