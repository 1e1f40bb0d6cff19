#include "sshjudge.h"

#include "log.h"
#include "nodes.h"
#include "sshrule.h"
#include "tailnets.h"
#include "trial.h"
#include "turns.h"
#include "users.h"

/* A policy of up to INLINE_MAX bytes needs no thread; WAITING_MAX: of a tailnet, fewer than people may wait with theirs. */
enum { OPEN_MAX = 64, INLINE_MAX = 64 << 10, WAITING_MAX = 8, RECORDERS_MOST = SSHRULE_RECORDERS_MAX };

static const char not_permitted[] = "the policy does not permit it";

/* Lives in the caller's arena. */
struct judge {
	struct coordinator *c;
	struct arena *arena;
	uint64_t tailnet;
	const struct sshquestion *question;
	sshjudge_fn on_judged;
	void *context;
	unsigned whole, nodes, policy, users, signin, check; /* statements */
	struct census census;
	struct document *document;
	const struct ssh_rule *rule; /* that decides; NULL: none */
	struct turn turn;
	void (*run)(void *context);
	void (*on_done)(struct judge *j);
	struct sshjudge_found found;
};

static void judged(struct judge *j, enum err e)
{
	if (e != ERR_CANCELED)
		j->c->checks_open--;
	j->on_judged(j->context, e, e ? NULL : &j->found);
}

static void refuse(struct judge *j, const char *why)
{
	j->found.refusal = why;
	judged(j, ERR_NONE);
}

static void on_worked(void *context)
{
	struct judge *j = context;

	turn_leave(&j->turn);
	j->on_done(j);
}

static void on_turn(void *context, enum err e, const struct diag *why)
{
	struct judge *j = context;

	(void)why;
	if (e)
		judged(j, e);
	else
		turn_work(&j->turn, j->run, on_worked);
}

static void work(struct judge *j, void (*run)(void *context), void (*on_done)(struct judge *j))
{
	size_t size = j->census.policy->text.len;

	j->run = run;
	j->on_done = on_done;
	if (size > INLINE_MAX) {
		turn_take(&j->turn, j->c->loop, j->tailnet, WAITING_MAX, size, on_turn, j);
		return;
	}
	run(j);
	on_done(j);
}

/* --- who records ------------------------------------------------------------------------------------------------------------------------------------- */

static void find_recorders(void *context)
{
	struct judge *j = context;
	struct trial trial;
	struct endpoint *recorders;
	size_t count;

	trial_call_roll(&trial, j->arena, &j->census);
	trial.policy = policy_compile(j->document, &trial.roll);
	count = sshrule_recorders(trial.policy, j->arena, j->rule, &recorders);
	trial_end(&trial);
	j->found.accept = sshaction_accept(recorders, count, j->rule->enforce_recorder);
}

static void on_recorders(struct judge *j)
{
	judged(j, ERR_NONE);
}

static void on_tagged(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct judge *j = context;

	(void)why;
	if (e) {
		judged(j, e);
		return;
	}
	j->census.node_count = nodes_read(tx, j->nodes, j->arena, &j->census.nodes);
	work(j, find_recorders, on_recorders);
}

static void read_recorders(struct judge *j)
{
	struct bytes *tags = ARENA_ARRAY(j->arena, struct bytes, j->rule->recorders.count);
	struct tx *tx = tx_begin(j->c->pg, j->tailnet, TX_READ);
	size_t count = 0;

	for (size_t i = 0; i < j->rule->recorders.count; i++)
		if (j->rule->recorders.list[i].kind == ALIAS_TAG)
			tags[count++] = j->document->tags[j->rule->recorders.list[i].index].name;
	j->nodes = nodes_tagged(tx, tags, count, RECORDERS_MOST);
	tx_run(tx, on_tagged, j);
}

/* --- which rule --------------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t slot_of(const struct judge *j, uint64_t node)
{
	for (size_t i = 0; i < j->census.node_count; i++)
		if (j->census.nodes[i].id == node)
			return (uint32_t)i;
	return UINT32_MAX;
}

/* Source and destination alone: no rule about them asks for a third node. An outer group that neither user is in counts as one without users. */
static void find_rule(void *context)
{
	struct judge *j = context;
	const struct node *source = j->found.source;
	const struct sshrule *rule;
	struct trial trial;
	struct sshrules rules;

	trial_call_roll(&trial, j->arena, &j->census);
	if (document_read_stored(j->arena, j->census.policy->text, &trial.around, &j->document, &trial.lapses, NULL))
		return;
	trial.policy = policy_compile(j->document, &trial.roll);
	rules = sshrules_of(trial.policy, j->arena, slot_of(j, j->found.destination->id));
	rule = sshrules_judge(&rules, source->ip4.family ? source->ip4 : source->ip6, j->question->local_user);
	j->rule = rule ? rule->rule : NULL;
	trial_end(&trial);
}

static void on_rule(struct judge *j)
{
	if (!j->rule) {
		refuse(j, not_permitted);
		return;
	}
	j->found.check = j->rule->check;
	j->found.period_ms = j->rule->check_period_ms;
	if (j->rule->recorders.count) {
		read_recorders(j);
		return;
	}
	j->found.accept = sshaction_accept(NULL, 0, j->rule->enforce_recorder);
	judged(j, ERR_NONE);
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------------------------- */

/* NULL: nothing speaks against it so far. */
static const char *standing(const struct judge *j, const struct tailnets_whole *whole)
{
	struct wall now = clock_wall();

	if (!j->found.source || !j->found.source->approved || node_is_expired(j->found.source, now))
		return "no such source in this network";
	if (!j->found.destination || !j->found.destination->approved || node_is_expired(j->found.destination, now))
		return "no such destination in this network";
	if (whole->tailnet.suspended)
		return "this network is suspended";
	if (!whole->settings.ssh)
		return "SSH is switched off in this network";
	return j->census.policy ? NULL : not_permitted;
}

static void read_nodes(struct judge *j, struct tx *tx)
{
	uint32_t source, destination;

	j->census.node_count = nodes_read(tx, j->nodes, j->arena, &j->census.nodes);
	source = slot_of(j, j->question->source);
	destination = slot_of(j, j->question->destination);
	j->found.source = source == UINT32_MAX ? NULL : &j->census.nodes[source];
	j->found.destination = destination == UINT32_MAX ? NULL : &j->census.nodes[destination];
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct judge *j = context;
	struct tailnets_whole whole;
	struct sshchecks_found *followed;
	const char *refusal;

	(void)why;
	if (e || !tailnets_read_whole(tx, j->whole, j->arena, &whole)) {
		judged(j, e ? e : ERR_NOT_FOUND);
		return;
	}
	j->census.tailnet = whole.tailnet;
	read_nodes(j, tx);
	if (!policies_read(tx, j->policy, j->arena, &j->census.policy))
		j->census.policy = NULL;
	j->census.user_count = users_read(tx, j->users, j->arena, &j->census.users);
	j->found.signin_age_ms = sshchecks_read_signin(tx, j->signin);
	if (j->question->follows && sshchecks_read(tx, j->check, j->arena, &followed))
		j->found.followed = followed;
	refusal = standing(j, &whole);
	if (refusal)
		refuse(j, refusal);
	else
		work(j, find_rule, on_rule);
}

static void on_full(void *context)
{
	struct judge *j = context;

	j->on_judged(j->context, ERR_EXHAUSTED, NULL);
}

void sshjudge(struct coordinator *c, uint64_t tailnet, const struct sshquestion *question, struct arena *arena, sshjudge_fn on_judged, void *context)
{
	const uint64_t nodes[] = {question->source, question->destination};
	struct judge *j = ARENA_NEW(arena, struct judge);
	struct tx *tx;

	*j = (struct judge){.c = c, .arena = arena, .tailnet = tailnet, .question = question, .on_judged = on_judged, .context = context};
	if (c->checks_open >= OPEN_MAX) {
		loop_post(c->loop, on_full, j);
		return;
	}
	c->checks_open++;
	tx = tx_begin(c->pg, tailnet, TX_READ);
	j->whole = tailnets_get_whole(tx);
	j->nodes = nodes_some(tx, nodes, COUNT_OF(nodes));
	j->policy = policies_newest(tx);
	j->users = users_of_nodes(tx, nodes, COUNT_OF(nodes));
	j->signin = sshchecks_signin(tx, question->source);
	if (question->follows)
		j->check = sshchecks_get(tx, question->id.hash);
	tx_run(tx, on_read, j);
}
