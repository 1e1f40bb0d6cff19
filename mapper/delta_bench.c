#include "delta.h"
#include "madeup.h"
#include "price.h"

static void compute(struct delta *d, const struct madeup *m, uint64_t version)
{
	const struct view *view = m->views.everybody;
	if (delta_compute(d, m->snapshot, view, version, view))
		__builtin_trap();
}

static void price_size(struct price *p, size_t nodes)
{
	struct madeup m;
	struct delta d;
	delta_init(&d);
	madeup_new(&m, nodes, 65536);
	uint64_t before = m.snapshot->version;
	PRICE(p, "compute, nothing moved", nodes, 100000, 0, compute(&d, &m, before));
	madeup_move(&m, 0);
	madeup_hand_over(&m, 0, 1, CHANGE_NODE_ENDPOINTS);
	PRICE(p, "compute, one endpoint move", nodes, 100000, 0, compute(&d, &m, before));
	before = m.snapshot->version;
	for (size_t i = 0; i < 100; i++)
		madeup_move(&m, i);
	madeup_hand_over(&m, 0, 100, CHANGE_NODE_ENDPOINTS);
	PRICE(p, "compute, 100 endpoint moves", nodes, 100000, 0, compute(&d, &m, before));
	before = m.snapshot->version;
	madeup_hand_over(&m, nodes / 2, 1, CHANGE_NODE_REMOVED);
	PRICE(p, "compute, one removed", nodes, 100000, 0, compute(&d, &m, before));
	before = m.snapshot->version;
	madeup_hand_over(&m, nodes / 2, 1, CHANGE_NODE_ADDED);
	PRICE(p, "compute, one joined", nodes, 100000, 0, compute(&d, &m, before));
	PRICE(p, "compute, everything (version 0)", nodes, 10000, 0, compute(&d, &m, 0));
	madeup_free(&m);
	delta_clear(&d);
}

/* Five groups of ten users, each open to itself and to nobody else; user 0 goes to and fro between the first two. */
static const char *some_policy(struct madeup *m, bool moved)
{
	char *groups = arena_text(m->arena, BYTES("")), *rules = groups;
	for (unsigned group = 0; group < MADEUP_USERS / 10; group++) {
		const char *comma = group ? "," : "";
		char *users = arena_text(m->arena, BYTES(""));
		for (unsigned user = 0; user < MADEUP_USERS; user++)
			if ((user ? user / 10 : moved) == group)
				users = arena_format(m->arena, "%s%s\"user%u@made-up.example\"", users, *users ? "," : "", user);
		groups = arena_format(m->arena, "%s%s\"group:g%u\":[%s]", groups, comma, group, users);
		rules = arena_format(m->arena, "%s%s{\"action\":\"accept\",\"src\":[\"group:g%u\"],\"dst\":[\"group:g%u:22\"]}", rules, comma, group, group);
	}
	return arena_format(m->arena, "{\"groups\":{%s},\"acls\":[%s]}", groups, rules);
}

static void look_at_all(struct madeup *m, size_t nodes)
{
	for (size_t i = 0; i < nodes; i++)
		rules_look(m->views.rules, m->snapshot, madeup_slot(m, i));
}

static void price_edit(struct price *p, size_t nodes)
{
	struct madeup m;
	struct delta d;
	bool moved = false;
	delta_init(&d);
	madeup_new(&m, nodes, 65536);
	const char *texts[] = {some_policy(&m, false), some_policy(&m, true)};
	madeup_policy(&m, texts[0]);
	if (m.views.rules->state != RULES_COMPILED)
		__builtin_trap();
	PRICE_CPU(p, "a group edited: read, follow, views", nodes, 200, 0, (moved = !moved, madeup_policy(&m, texts[moved])));
	uint64_t before = m.snapshot->version;
	uint32_t slot = madeup_slot(&m, 1);
	struct view *told = view_of(&m.views, m.snapshot, slot);
	madeup_policy(&m, texts[!moved]);
	struct view *now = view_of(&m.views, m.snapshot, slot);
	PRICE_CPU(p, "a group edited: compute", nodes, 100000, 0, {
		if (delta_compute(&d, m.snapshot, told, before, now))
			__builtin_trap();
	});
	PRICE_CPU(p, "a group edited: looks at all nodes", nodes, 1, 0, look_at_all(&m, nodes));
	bool here = true;
	uint64_t serial = m.views.rules->serial;
	PRICE_CPU(p, "a leave or a join: follow, views", nodes, 200, 0,
		  (here = !here, madeup_hand_over(&m, 1, 1, here ? CHANGE_NODE_ADDED : CHANGE_NODE_REMOVED)));
	if (!here)
		madeup_hand_over(&m, 1, 1, CHANGE_NODE_ADDED);
	if (nodes >= 2 * MADEUP_USERS && m.views.rules->serial != serial)
		__builtin_trap();
	PRICE_CPU(p, "a leave or a join: looks at all nodes", nodes, 1, 0, look_at_all(&m, nodes));
	PRICE_CPU(p, "looks at all nodes, nothing moved", nodes, 1, 0, look_at_all(&m, nodes));
	madeup_free(&m);
	delta_clear(&d);
}

int main(void)
{
	struct price p = {.bench = "delta"};
	for (size_t nodes = 100; nodes <= 10000; nodes *= 10)
		price_size(&p, nodes);
	for (size_t nodes = 100; nodes <= 10000; nodes *= 10)
		price_edit(&p, nodes);
	price_print(&p);
	return 0;
}
