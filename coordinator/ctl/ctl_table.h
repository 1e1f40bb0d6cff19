/* Text tables that fit a width: columns as wide as their cells, the widest cut first, the least important ones left out when nothing else helps.
 * Not JSON and not terminals: ctl_show.h brings both.
 * Cells are borrowed until the call returns. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdio.h>

#include "arena.h"

struct ctl_heading {
	const char *title;
	unsigned least; /* characters that it may be cut down to; 0: never cut */
	unsigned rank;  /* 0: always shown; the highest is left out first */
};

enum { CTL_COLUMNS_MAX = 24 };

/* cells[row * count + column]. Width 0: nothing is cut. Control characters and broken UTF-8 in cells are shown as `?`: a name must not steer a terminal. */
void ctl_table_print(FILE *out, unsigned width, const struct ctl_heading *headings, unsigned count, const char *const *cells, size_t rows);
/* One thing: a line per cell that is not empty. */
void ctl_table_print_one(FILE *out, const struct ctl_heading *headings, unsigned count, const char *const *cells);
/* What others said, with its lines and tabs, likewise without what steers a terminal. */
void ctl_table_print_text(FILE *out, const char *text);

#endif
