#include "delta.h"
#include "madeup.h"
#include "price.h"

static void compute(struct delta *d, const struct madeup *m, uint64_t version)
{
	const struct view *view = &m->views.of[VIEW_EVERYBODY];
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

int main(void)
{
	struct price p = {.bench = "delta"};
	for (size_t nodes = 100; nodes <= 10000; nodes *= 10)
		price_size(&p, nodes);
	price_print(&p);
	return 0;
}
