#include "capver.h"
#include "fullmap.h"
#include "madeup.h"
#include "price.h"
#include "render.h"

struct desk {
	struct madeup m;
	struct delta delta;
	struct render render;
	struct fullmap fullmap;
	struct chunk_cache *chunks;
	struct class class;
	size_t bytes, own_bytes, rounds;
};

static void must(enum err e)
{
	if (e)
		__builtin_trap();
}

static void full(struct desk *k, size_t row)
{
	const struct pieces *p = &k->fullmap.pieces;
	must(fullmap_render(&k->fullmap, k->m.snapshot, k->chunks, k->class, madeup_slot(&k->m, row), false, (struct wall){1800000000000000000}));
	k->bytes = k->own_bytes = 0;
	for (size_t i = 0; i < p->count; i++) {
		k->bytes += p->list[i].body->len;
		k->own_bytes += p->list[i].shared ? 0 : p->list[i].body->len;
	}
}

static void compute(struct desk *k, uint64_t version)
{
	must(delta_compute(&k->delta, k->m.snapshot, k->class.view, version, k->class.view));
}

static void body(struct desk *k, uint32_t viewer)
{
	struct bytes out;
	must(render_body(&k->render, viewer, &out));
	k->bytes = out.len;
}

static void start_and_body(struct desk *k)
{
	must(render_start(&k->render, k->m.snapshot, &k->delta, k->class));
	body(k, SLOT_NONE);
}

static void moves(struct desk *k, size_t count)
{
	uint64_t before = k->m.snapshot->version;
	for (size_t i = 0; i < count; i++)
		madeup_move(&k->m, i);
	madeup_hand_over(&k->m, 0, count, CHANGE_NODE_ENDPOINTS);
	compute(k, before);
}

static void price_size(struct price *p, size_t nodes)
{
	struct desk k = {0};
	size_t row = 0;
	madeup_new(&k.m, nodes, 65536);
	delta_init(&k.delta);
	render_init(&k.render);
	fullmap_init(&k.fullmap);
	k.chunks = chunk_cache_new();
	k.class = (struct class){.view = k.m.views.everybody, .band = (uint16_t)capver_band(142), .zstd = true};
	PRICE(p, "full map, chunks cold", nodes, 20, k.bytes, (chunk_cache_forget(k.chunks), full(&k, 0)));
	PRICE(p, "full map, chunks warm (bytes per peer)", nodes, 2000, (double)k.bytes / (double)(nodes - 1), (full(&k, row), row = (row + 1) % nodes));
	PRICE(p, "full map, private part", nodes, 1, k.own_bytes, full(&k, 0));
	moves(&k, 1);
	PRICE(p, "delta, one move: the body", nodes, 100000, k.bytes, start_and_body(&k));
	moves(&k, 100);
	PRICE(p, "delta, 100 moves: the body", nodes, 10000, k.bytes, start_and_body(&k));
	start_and_body(&k);
	PRICE(p, "delta, 100 moves: one mover's body", nodes, 10000, k.bytes, (body(&k, madeup_slot(&k.m, row)), row = (row + 1) % 100));
	if (nodes >= 1000) {
		moves(&k, 1000);
		PRICE(p, "delta, 1000 moves: the body", nodes, 10000, k.bytes, start_and_body(&k));
		start_and_body(&k);
		PRICE(p, "delta, 1000 moves: one mover's body", nodes, 10000, k.bytes, (body(&k, madeup_slot(&k.m, row)), row = (row + 1) % 1000));
	}
	render_clear(&k.render);
	fullmap_clear(&k.fullmap);
	delta_clear(&k.delta);
	chunk_cache_free(&k.chunks);
	madeup_free(&k.m);
}

int main(void)
{
	struct price p = {.bench = "render"};
	for (size_t nodes = 100; nodes <= 10000; nodes *= 10)
		price_size(&p, nodes);
	price_print(&p);
	return 0;
}
