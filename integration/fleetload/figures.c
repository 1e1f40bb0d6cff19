#include "figures.h"

#include <stdio.h>

void figures_add(struct figures *f, const char *scenario, unsigned nodes, const char *name, double value, const char *unit)
{
	struct figure *figure;

	if (f->count == FIGURES_MOST) {
		f->broken++;
		return;
	}
	figure = &f->list[f->count++];
	figure->nodes = nodes;
	figure->value = value;
	snprintf(figure->scenario, sizeof figure->scenario, "%s", scenario);
	snprintf(figure->name, sizeof figure->name, "%s", name);
	snprintf(figure->unit, sizeof figure->unit, "%s", unit);
}

void figures_promise(struct figures *f, const char *scenario, unsigned nodes, const char *name, double value)
{
	f->broken += value != 0;
	figures_add(f, scenario, nodes, name, value, value != 0 ? "BROKEN" : "");
}

void figures_print(const struct figures *f)
{
	printf("%-12s %7s  %-34s %14s %s\n", "scenario", "nodes", "figure", "value", "unit");
	for (size_t i = 0; i < f->count; i++)
		printf("%-12s %7u  %-34s %14.3f %s\n", f->list[i].scenario, f->list[i].nodes, f->list[i].name, f->list[i].value, f->list[i].unit);
	for (size_t i = 0; i < f->count; i++)
		printf("{\"scenario\": \"%s\", \"nodes\": %u, \"figure\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", f->list[i].scenario, f->list[i].nodes,
		       f->list[i].name, f->list[i].value, f->list[i].unit);
}
