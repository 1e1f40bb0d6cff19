#include "sweep.h"

#include <stdlib.h>

#include "act.h"
#include "attributes.h"
#include "duty.h"
#include "log.h"
#include "nodes.h"
#include "online.h"
#include "prune.h"

enum {
	BATCH_MAX = 500,    /* nodes per look and transaction: the next look takes the rest */
	LOOK_MAX = 1 << 16, /* a look that found mostly nodes that are online after all looks further next time */
	PRUNE_EVERY_MS = 60000,
	JOURNAL_AGE_MS = 24 * 3600 * 1000,
	JOURNAL_LINES = 100000,
	AUDITS_MOST = 20000,                /* at a time */
	LOGINS_KEPT_MS = 3600 * 1000,       /* so long their pages tell what became of them */
	SIGNINS_KEPT_MS = 168 * 3600 * 1000 /* no SSH rule remembers longer */
};

/* Outlives its owner while answers are out: `c` is NULL then. */
struct sweep {
	struct coordinator *c;
	struct timer look, prune;
	unsigned out;         /* answers to come */
	unsigned silent_most; /* of the look for silent nodes */
	size_t silent_gone;   /* of its answer */
};

static void sweep_answered(struct sweep *s)
{
	s->out--;
	if (!s->c && !s->out)
		free(s);
}

struct chore {
	struct sweep *sweep;
	const char *event;
	uint64_t tailnet;
	size_t count;
};

static void on_chore(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct chore *chore = context;

	if (e && e != ERR_AGAIN && e != ERR_CANCELED)
		log_warning(TAILNET(chore->tailnet), chore->event, F_ERR(e), F_TEXT("reason", why->text));
	else if (!e && tx_generation(tx))
		log_info(TAILNET(chore->tailnet), chore->event, F_UINT("nodes", chore->count));
	sweep_answered(chore->sweep);
	free(chore);
}

static void chore_commit(struct sweep *s, struct tx *tx, const char *event, uint64_t tailnet, size_t count)
{
	struct chore *chore = x_alloc(sizeof *chore);

	*chore = (struct chore){s, event, tailnet, count};
	s->out++;
	act_commit(s->c, tx, on_chore, chore);
}

/* Calls `each` with the nodes of one tailnet after the other. */
static void due_by_tailnet(struct sweep *s, const struct nodes_due *due, size_t count,
			   void (*each)(struct sweep *s, uint64_t tailnet, const uint64_t *nodes, size_t count))
{
	uint64_t nodes[BATCH_MAX];
	size_t filled = 0;

	for (size_t i = 0; i < count; i++) {
		nodes[filled++] = due[i].node;
		if (filled < BATCH_MAX && i + 1 < count && due[i + 1].tailnet == due[i].tailnet)
			continue;
		each(s, due[i].tailnet, nodes, filled);
		filled = 0;
	}
}

static void tell_expired(struct sweep *s, uint64_t tailnet, const uint64_t *nodes, size_t count)
{
	struct tx *tx = tx_begin(s->c->pg, tailnet, TX_WRITE);

	duty_take(tx, DUTY_EXPIRY);
	nodes_tell_expired(tx, nodes, count, clock_wall());
	chore_commit(s, tx, "node keys expired", tailnet, count);
}

static void on_expired(void *context, enum err e, const struct nodes_due *due, size_t count)
{
	struct sweep *s = context;

	if (s->c && !e)
		due_by_tailnet(s, due, count, tell_expired);
	sweep_answered(s);
}

static void end_attributes(struct sweep *s, uint64_t tailnet, const uint64_t *nodes, size_t count)
{
	struct tx *tx = tx_begin(s->c->pg, tailnet, TX_WRITE);

	duty_take(tx, DUTY_ATTRIBUTES);
	attributes_end(tx, nodes, count, clock_wall());
	chore_commit(s, tx, "attributes ended", tailnet, count);
}

static void on_attributes_ended(void *context, enum err e, const struct nodes_due *due, size_t count)
{
	struct sweep *s = context;

	if (s->c && !e)
		due_by_tailnet(s, due, count, end_attributes);
	sweep_answered(s);
}

/* Silent by its row, but is it gone? Only presence that is certain may say so: while Redis is away nobody is deleted. */
static void delete_silent(struct sweep *s, uint64_t tailnet, const uint64_t *nodes, size_t count)
{
	uint64_t gone[BATCH_MAX];
	size_t gone_count = 0;
	struct tx *tx;

	online_follow(s->c->online, tailnet, NULL, NULL);
	if (!presence_certain(s->c->view, tailnet))
		return;
	for (size_t i = 0; i < count; i++)
		if (!presence_online(s->c->view, tailnet, nodes[i]))
			gone[gone_count++] = nodes[i];
	if (!gone_count)
		return;
	s->silent_gone += gone_count;
	tx = tx_begin(s->c->pg, tailnet, TX_WRITE);
	duty_take(tx, DUTY_EPHEMERAL);
	nodes_delete_silent(tx, gone, gone_count, wall_add_ms(clock_wall(), -s->c->options->ephemeral_inactivity_ms));
	chore_commit(s, tx, "silent ephemeral nodes removed", tailnet, gone_count);
}

/* Silent rows of nodes that are online come first in each look: they must not hide those behind them. */
unsigned sweep_next_most(unsigned most, size_t found, size_t gone)
{
	if (found < most || gone * 2 >= found)
		return BATCH_MAX;
	return most < LOOK_MAX ? most * 2 : LOOK_MAX;
}

static void on_silent(void *context, enum err e, const struct nodes_due *due, size_t count)
{
	struct sweep *s = context;

	if (s->c && !e) {
		s->silent_gone = 0;
		due_by_tailnet(s, due, count, delete_silent);
		s->silent_most = sweep_next_most(s->silent_most, count, s->silent_gone);
	}
	sweep_answered(s);
}

struct pruning {
	struct sweep *sweep;
	struct subject subject;
	const char *event;
};

static void on_pruned(void *context, enum err e, uint64_t removed)
{
	struct pruning *pruning = context;

	if (!e && removed)
		log_info(pruning->subject, pruning->event, F_UINT("rows", removed));
	sweep_answered(pruning->sweep);
	free(pruning);
}

static struct pruning *pruning_new(struct sweep *s, struct subject subject, const char *event)
{
	struct pruning *pruning = x_alloc(sizeof *pruning);

	*pruning = (struct pruning){s, subject, event};
	s->out++;
	return pruning;
}

/* Spread over processes: not all look in the same millisecond. */
static void set_soon(struct timer *timer, int64_t ms)
{
	timer_set(timer, ms - ms / 8 + (int64_t)(random_number() % (uint64_t)(ms / 4 + 1)));
}

static void on_look(void *context)
{
	struct sweep *s = context;
	struct wall now = clock_wall();

	if (!s->out) {
		s->out += 3;
		nodes_find_expired(s->c->pg, now, BATCH_MAX, on_expired, s);
		attributes_find_ended(s->c->pg, now, BATCH_MAX, on_attributes_ended, s);
		nodes_find_silent(s->c->pg, wall_add_ms(now, -s->c->options->ephemeral_inactivity_ms), s->silent_most, on_silent, s);
	}
	set_soon(&s->look, s->c->options->sweep_ms);
}

static void on_prune(void *context)
{
	struct sweep *s = context;

	prune_journal(s->c->pg, JOURNAL_AGE_MS, JOURNAL_LINES, on_pruned, pruning_new(s, SUBJECT("journal"), "journal pruned"));
	prune_logins(s->c->pg, LOGINS_KEPT_MS, on_pruned, pruning_new(s, SUBJECT("login"), "old logins removed"));
	prune_sshchecks(s->c->pg, LOGINS_KEPT_MS, SIGNINS_KEPT_MS, on_pruned, pruning_new(s, SUBJECT("sshcheck"), "old checks removed"));
	if (s->c->options->audits_kept_ms)
		prune_audits(s->c->pg, s->c->options->audits_kept_ms, AUDITS_MOST, on_pruned, pruning_new(s, SUBJECT("audits"), "old audits removed"));
	set_soon(&s->prune, PRUNE_EVERY_MS);
}

struct sweep *sweep_new(struct coordinator *c)
{
	struct sweep *s = x_zalloc(sizeof *s);

	s->c = c;
	s->silent_most = BATCH_MAX;
	timer_init(&s->look, c->loop, on_look, s);
	timer_init(&s->prune, c->loop, on_prune, s);
	set_soon(&s->look, c->options->sweep_ms);
	set_soon(&s->prune, PRUNE_EVERY_MS);
	return s;
}

void sweep_free(struct sweep **sweep)
{
	struct sweep *s = *sweep;

	if (!s)
		return;
	*sweep = NULL;
	timer_cancel(&s->look);
	timer_cancel(&s->prune);
	s->c = NULL;
	if (!s->out)
		free(s);
}
