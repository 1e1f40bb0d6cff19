#include "relaygauge.h"

#include <stdio.h>
#include <stdlib.h>

#include "relayfleet.h"
#include "relays.h"
#include "relaystate.h"
#include "tailnet.h"

/* Outlives its owner while an answer is out: `c` is NULL then. */
struct relaygauge {
	struct coordinator *c;
	struct timer look;
	unsigned relays, regions; /* statements */
	bool out;
};

static void count(struct arena *arena, const struct region *regions, size_t region_count, const struct relay *relays, size_t relay_count)
{
	struct metric_told *series = ARENA_ARRAY(arena, struct metric_told, region_count * RELAYSTATE_COUNT + 1);

	for (size_t r = 0; r < region_count; r++) {
		const struct relay_region *region = &regions[r].map;
		const char *code = arena_format(arena, "%.*s", BYTES_ARG(region->code)), *id = arena_format(arena, "%u", region->id);
		struct metric_told *here = &series[r * RELAYSTATE_COUNT];

		for (unsigned i = 0; i < RELAYSTATE_COUNT; i++) {
			const char **values = ARENA_ARRAY(arena, const char *, 3);

			values[0] = code;
			values[1] = id;
			values[2] = relaystate_label((enum relaystate)i);
			here[i] = (struct metric_told){values, 0};
		}
		for (size_t i = 0; i < relay_count; i++)
			if (relays[i].region == region->id)
				here[relaystate_of(&relays[i])].value++;
	}
	metric_tell(metric_relays, series, region_count * RELAYSTATE_COUNT);
}

static void on_read(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relaygauge *g = context;
	struct region *regions;
	struct relay *relays;

	(void)why;
	g->out = false;
	if (!g->c) {
		free(g);
		return;
	}
	/* No number is better than one of yesterday, or of some. */
	if (e) {
		metric_tell(metric_relays, NULL, 0);
		return;
	}
	size_t region_count = regions_read(tx, g->regions, tx_arena(tx), &regions);
	size_t relay_count = relays_read(tx, g->relays, tx_arena(tx), &relays);
	if (relay_count > RELAYFLEET_MAX)
		metric_tell(metric_relays, NULL, 0);
	else
		count(tx_arena(tx), regions, region_count, relays, relay_count);
}

static void on_look(void *context)
{
	struct relaygauge *g = context;

	if (!g->out) {
		struct tx *tx = tx_begin(g->c->pg, TAILNET_INSTALLATION, TX_READ);

		g->out = true;
		g->relays = relays_page(tx, 0, RELAYFLEET_MAX + 1);
		g->regions = regions_list(tx);
		tx_run(tx, on_read, g);
	}
	timer_set(&g->look, RELAYGAUGE_LOOK_MS);
}

struct relaygauge *relaygauge_new(struct coordinator *c)
{
	struct relaygauge *g = x_zalloc(sizeof *g);

	g->c = c;
	timer_init(&g->look, c->loop, on_look, g);
	timer_set(&g->look, 0);
	return g;
}

void relaygauge_free(struct relaygauge **gauge)
{
	struct relaygauge *g = *gauge;

	if (!g)
		return;
	*gauge = NULL;
	timer_cancel(&g->look);
	g->c = NULL;
	if (!g->out)
		free(g);
}
