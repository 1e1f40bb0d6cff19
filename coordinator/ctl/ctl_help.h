/* Help out of the command table: of everything, of a noun, of a verb.
 * Not words to parse. Nothing is owned. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "ctl.h"

void ctl_help(FILE *out, struct arena *arena, const struct ctl_noun *noun, const struct ctl_verb *verb); /* either may be NULL */

#endif
