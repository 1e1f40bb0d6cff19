#include <malloc.h>
#include <stdlib.h>

#include "chunk.h"
#include "madeup.h"
#include "price.h"

static size_t heap(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

/* Memory of a tailnet: rows of its own, slots, rows of visibility, ring. */
static void price_memory(struct price *p, size_t nodes)
{
	struct madeup m;
	madeup_new(&m, nodes, 65536);
	struct arena *keep = m.arena;
	size_t before = heap();
	views_clear(&m.views);
	snapshot_free(&m.snapshot);
	price_add(p, "memory, bytes per node", nodes, 1, 0, (double)(before - heap()) / (double)nodes);
	arena_free(&keep);
}

static void price_size(struct price *p, size_t nodes)
{
	struct madeup m;
	size_t at = 0;
	PRICE(p, "census into an empty snapshot", nodes, 20, 0, (madeup_new(&m, nodes, 65536), madeup_free(&m)));
	madeup_new(&m, nodes, 65536);
	struct census census = {.tailnet = m.tailnet, .users = m.users, .user_count = m.user_count, .nodes = m.rows, .node_count = nodes};
	PRICE(p, "census that moves nothing", nodes, 100, 0, snapshot_load(m.snapshot, &census, (struct wall){1800000000000000000}));
	PRICE(p, "one node moves (endpoints)", nodes, 10000, 0,
	      (madeup_move(&m, at), madeup_hand_over(&m, at, 1, CHANGE_NODE_ENDPOINTS), at = (at + 1) % nodes));
	PRICE(p, "100 nodes move in one reading", nodes, 1000, 0, {
		for (size_t i = 0; i < 100; i++)
			madeup_move(&m, i);
		madeup_hand_over(&m, 0, 100, CHANGE_NODE_ENDPOINTS);
	});
	madeup_free(&m);
	price_memory(p, nodes);
}

int main(void)
{
	struct price p = {.bench = "snapshot"};
	for (size_t nodes = 100; nodes <= 10000; nodes *= 10)
		price_size(&p, nodes);
	price_print(&p);
	return 0;
}
