/* Figures of a run: gathered as rows, printed as a table and then as one JSON line per row.
 * Not a judge: broken promises are rows like others, and counted here only so that the exit status can tell.
 * A plain value; texts are copied. */
#ifndef FIGURES_H
#define FIGURES_H

#include <stddef.h>

enum { FIGURES_MOST = 256, FIGURES_TEXT = 48 };

struct figure {
	char scenario[FIGURES_TEXT], name[FIGURES_TEXT], unit[FIGURES_TEXT];
	unsigned nodes;
	double value;
};

struct figures {
	struct figure list[FIGURES_MOST];
	size_t count;
	unsigned broken;
};

/* Past FIGURES_MOST the figure is dropped and counts as broken. */
void figures_add(struct figures *r, const char *scenario, unsigned nodes, const char *name, double value, const char *unit);
/* The same for what must be zero. */
void figures_promise(struct figures *r, const char *scenario, unsigned nodes, const char *name, double value);
void figures_print(const struct figures *r);

#endif
