#include "charter.h"

#include <stdio.h>
#include <stdlib.h>

#include "approve.h"
#include "attrs.h"
#include "log.h"
#include "policies.h"
#include "table.h"
#include "tailnets.h"
#include "trial.h"
#include "users.h"
#include "worker.h"

enum {
	KEPT_MAX = 64,             /* documents */
	KEPT_BYTES_MAX = 64 << 20, /* of all together */
	PLAIN_MAX = 1 << 16,       /* tailnets whose policy is known to have no pools */
	TAGS_TEXT_MAX = 200        /* of those that a sentence names */
};

/* One document that was read. */
struct kept {
	uint64_t tailnet, version, used; /* used: when last, by count of questions */
	struct arena *arena;
	const struct document *document;
	bool pools; /* it gives some */
};

struct charters {
	struct kept kept[KEPT_MAX];
	size_t count, bytes;
	uint64_t questions;
	struct table *plain; /* tailnet -> version of its policy without pools, as a pointer that points nowhere; never more than PLAIN_MAX */
	struct list loads;   /* struct load */
};

/* One document that is being read, and who waits for it. */
struct load {
	struct list link;
	struct list waiting;   /* struct question */
	struct charters *home; /* NULL: it went meanwhile */
	struct coordinator *c;
	struct kept made;
	struct bytes text;
	struct trial trial;
	unsigned policies, tailnets, users; /* statements */
	enum err e;
	struct diag why;
};

struct question {
	struct list link;
	struct coordinator *c;
	struct arena *arena;
	uint64_t tailnet, user;
	unsigned policies, tailnets, users; /* statements */
	struct charter charter;
	charter_fn on_read;
	void *context;
};

struct charters *charters_new(void)
{
	struct charters *charters = x_zalloc(sizeof *charters);

	charters->plain = table_new();
	list_init(&charters->loads);
	return charters;
}

static void question_end(struct question *q, enum err e)
{
	struct arena *arena = q->arena;

	q->on_read(q->context, e, e ? NULL : &q->charter);
	arena_free(&arena);
}

static void load_answer(struct load *load, enum err e)
{
	struct question *q;

	while ((q = LIST_FIRST(&load->waiting, struct question, link))) {
		list_remove(&q->link);
		q->charter.document = load->made.document;
		question_end(q, e);
	}
}

void charters_free(struct charters **charters)
{
	struct charters *home = *charters;

	if (!home)
		return;
	*charters = NULL;
	LIST_EACH(&home->loads, load, struct load, link) {
		list_remove(&load->link);
		load->home = NULL;
		load_answer(load, ERR_CANCELED);
	}
	for (size_t i = 0; i < home->count; i++)
		arena_free(&home->kept[i].arena);
	table_free(&home->plain);
	free(home);
}

/* --- what is kept ---------------------------------------------------------------------------------------------------------------------------------------- */

static struct kept *find(const struct charters *home, uint64_t tailnet, uint64_t version)
{
	for (size_t i = 0; i < home->count; i++)
		if (home->kept[i].tailnet == tailnet && home->kept[i].version == version)
			return (struct kept *)&home->kept[i];
	return NULL;
}

static void drop(struct charters *home, size_t i)
{
	home->bytes -= arena_size(home->kept[i].arena);
	arena_free(&home->kept[i].arena);
	home->kept[i] = home->kept[--home->count];
}

static size_t oldest(const struct charters *home)
{
	size_t at = 0;

	for (size_t i = 1; i < home->count; i++)
		if (home->kept[i].used < home->kept[at].used)
			at = i;
	return at;
}

/* Documents make room for each other; this little stays, so that most joins of most tailnets need not read theirs again. */
static void remember_plain(struct charters *home, const struct kept *made)
{
	if (made->pools) {
		table_remove_number(home->plain, made->tailnet);
		return;
	}
	if (table_count(home->plain) >= PLAIN_MAX) {
		table_free(&home->plain);
		home->plain = table_new();
	}
	table_put_number(home->plain, made->tailnet, (void *)(uintptr_t)made->version);
}

/* Takes the arena, or ends it. */
static void keep(struct charters *home, struct kept *made)
{
	size_t size = arena_size(made->arena);

	remember_plain(home, made);
	for (size_t i = 0; i < home->count; i++)
		if (home->kept[i].tailnet == made->tailnet) {
			drop(home, i);
			break;
		}
	if (size > KEPT_BYTES_MAX) {
		arena_free(&made->arena);
		return;
	}
	while (home->count == KEPT_MAX || home->bytes + size > KEPT_BYTES_MAX)
		drop(home, oldest(home));
	made->used = home->questions;
	home->kept[home->count++] = *made;
	home->bytes += size;
}

bool charter_lacks_pools(const struct charters *home, uint64_t tailnet, uint64_t version)
{
	return !version || (uintptr_t)table_find_number(home->plain, tailnet) == version;
}

/* --- reading one ----------------------------------------------------------------------------------------------------------------------------------------- */

static void load_end(struct load *load, enum err e)
{
	struct charters *home = load->home;
	struct arena *arena = load->made.arena;

	load_answer(load, e);
	if (home)
		list_remove(&load->link);
	if (home && !e)
		keep(home, &load->made);
	else
		arena_free(&arena);
	free(load);
}

/* On a helper thread. */
static void load_read(void *context)
{
	struct load *load = context;
	struct document *document = NULL;
	struct lapses lapses = {0};

	load->e = document_read_stored(load->made.arena, load->text, &load->trial.around, &document, &lapses, &load->why);
	if (load->e)
		return;
	load->made.document = document;
	for (size_t i = 0; i < document->node_attr_count; i++)
		load->made.pools |= document->node_attrs[i].pool_count > 0;
}

static void on_load_read(void *context)
{
	struct load *load = context;

	/* What it gives is nothing, until it is mended. */
	if (load->e)
		log_warning(TAILNET(load->made.tailnet), "the policy cannot be read: it gives joining machines nothing", F_TEXT("reason", load->why.text));
	load_end(load, ERR_NONE);
}

static void on_text(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct load *load = context;
	struct arena *arena = load->made.arena;
	struct policy_row *rows;
	struct tailnet *tailnets;
	struct census census = {0};

	(void)why;
	if (!e && (!policies_read(tx, load->policies, arena, &rows) || !tailnets_read(tx, load->tailnets, arena, &tailnets)))
		e = ERR_NOT_FOUND;
	if (e || !load->home) {
		load_end(load, e ? e : ERR_CANCELED);
		return;
	}
	census.tailnet = tailnets[0];
	census.user_count = users_read(tx, load->users, arena, &census.users);
	trial_call_roll(&load->trial, arena, &census);
	load->text = rows[0].text;
	task_run(load->c->loop, load_read, on_load_read, load);
}

static struct load *load_of(struct coordinator *c, uint64_t tailnet, uint64_t version)
{
	LIST_EACH(&c->charters->loads, load, struct load, link) {
		if (load->made.tailnet == tailnet && load->made.version == version)
			return load;
	}

	struct load *load = x_zalloc(sizeof *load);
	struct tx *tx = tx_begin(c->pg, tailnet, TX_READ);

	*load = (struct load){.home = c->charters, .c = c, .made = {.tailnet = tailnet, .version = version, .arena = arena_new()}};
	list_init(&load->waiting);
	list_append(&c->charters->loads, &load->link);
	load->policies = policies_get(tx, version);
	load->tailnets = tailnets_get(tx);
	load->users = users_list(tx);
	tx_run(tx, on_text, load);
	return load;
}

/* --- asking ---------------------------------------------------------------------------------------------------------------------------------------------- */

static void read_roll(struct question *q, struct tx *tx, const struct tailnet *tailnet)
{
	struct user *users;
	struct roll_user *known;
	size_t count = q->user ? users_read(tx, q->users, q->arena, &users) : 0;

	q->charter.roll.domains = tailnet->domains;
	q->charter.roll.domain_count = tailnet->domain_count;
	if (!count)
		return;
	known = ARENA_NEW(q->arena, struct roll_user);
	*known = (struct roll_user){&users[0], users[0].roles, users[0].groups, users[0].group_count};
	q->charter.roll.users = known;
	q->charter.roll.user_count = 1;
}

/* A group from outside that had nobody when the document was read is none that it knows. */
static bool knows_groups(const struct kept *kept, const struct roll *roll)
{
	const struct roll_user *person = roll->user_count ? &roll->users[0] : NULL;

	for (size_t i = 0; kept->document && person && i < person->group_count; i++)
		if (document_find_group(kept->document, person->groups[i]) == UINT32_MAX)
			return false;
	return true;
}

static void on_stands(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct question *q = context;
	struct policy_row *rows;
	struct tailnet *tailnets;
	struct kept *kept;

	(void)why;
	if (!e && !tailnets_read(tx, q->tailnets, q->arena, &tailnets))
		e = ERR_NOT_FOUND;
	if (!e && !q->c->charters)
		e = ERR_CANCELED;
	if (e) {
		question_end(q, e);
		return;
	}
	read_roll(q, tx, &tailnets[0]);
	q->charter.none = !policies_read(tx, q->policies, q->arena, &rows);
	kept = q->charter.none ? NULL : find(q->c->charters, q->tailnet, rows[0].version);
	if (!q->charter.none && (!kept || !knows_groups(kept, &q->charter.roll))) {
		list_append(&load_of(q->c, q->tailnet, rows[0].version)->waiting, &q->link);
		return;
	}
	if (kept) {
		kept->used = ++q->c->charters->questions;
		q->charter.document = kept->document;
	}
	question_end(q, ERR_NONE);
}

void charter_ask(struct coordinator *c, uint64_t tailnet, uint64_t user, charter_fn on_read, void *context)
{
	struct arena *arena = arena_new();
	struct question *q = ARENA_NEW(arena, struct question);
	struct tx *tx = tx_begin(c->pg, tailnet, TX_READ);

	*q = (struct question){.c = c, .arena = arena, .tailnet = tailnet, .user = user, .on_read = on_read, .context = context};
	list_init(&q->link);
	q->policies = policies_history(tx, 0, 1);
	q->tailnets = tailnets_get(tx);
	if (user)
		q->users = users_get(tx, user);
	tx_run(tx, on_stands, q);
}

/* --- what it says ---------------------------------------------------------------------------------------------------------------------------------------- */

static bool may(const void *context, uint64_t user, const struct node *carried, struct bytes tag)
{
	const struct charter *charter = context;
	const struct roll_user *person = user ? roll_user(&charter->roll, user) : NULL;
	struct diag why;

	return charter->document && approve_tag(charter->document, &charter->roll, person, carried, tag, &why) == ERR_NONE;
}

struct tag_rights charter_rights(const struct charter *charter)
{
	return (struct tag_rights){may, charter};
}

size_t charter_pools(const struct charter *charter, const struct node *node, const struct prefix **pools)
{
	*pools = NULL;
	return charter->document ? attrs_pools(charter->document, &charter->roll, node, pools) : 0;
}

enum err charter_check_tags(const struct charter *charter, const struct bytes *tags, size_t count, struct diag *why)
{
	char list[TAGS_TEXT_MAX];
	size_t len = 0;

	list[0] = 0;
	if (!charter->document)
		return ERR_NONE;
	for (size_t i = 0; i < count; i++)
		if (document_find_tag(charter->document, tags[i]) == UINT32_MAX && len + tags[i].len + 2 <= sizeof list)
			len += (size_t)sprintf(list + len, "%s%.*s", len ? " " : "", BYTES_ARG(tags[i]));
	return len ? diag_set(why, ERR_MALFORMED, "requested tags [%s] are invalid or not permitted", list) : ERR_NONE;
}
