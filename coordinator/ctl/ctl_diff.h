/* Two texts, line by line: what went and what came, as `diff -u` prints it.
 * Not a patch for programs: texts that differ in very many lines are told as one block.
 * Plain functions. */
#ifndef CTL_DIFF_H
#define CTL_DIFF_H

#include <stdio.h>

#include "bytes.h"

/* How many lines differ; nothing is printed when none does. */
size_t ctl_diff(FILE *out, struct bytes before, struct bytes after);

#endif
