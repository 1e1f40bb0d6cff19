/* Equality of a recorded case and an answer, as the README of the cases has it. Pure.
 * Not how the answer came about (answer.h). Values stay the caller's. */
#ifndef COMPARE_H
#define COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { DIFFERENCE_MAX = 2048 };

/* Whether the answer is what the case asserts; else the first difference. */
bool compare_case(const json_t *recorded, const json_t *answer, char difference[static DIFFERENCE_MAX]);

#endif
