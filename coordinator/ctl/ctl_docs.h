/* docs/cli.md out of the command table: `fleetscale --docs cli`.
 * Not --help (ctl_help.h). Nothing is owned. */
#ifndef CTL_DOCS_H
#define CTL_DOCS_H

#include "ctl.h"

void ctl_docs(FILE *out, struct arena *arena);

#endif
