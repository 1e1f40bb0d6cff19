/* The value of an attribute as JSON text: a text, a number or a boolean.
 * Not its name (fleet/attribute.h). */
#ifndef SCALAR_H
#define SCALAR_H

#include <jansson.h>

#include "arena.h"
#include "err.h"

/* In the arena; empty for null. ERR_MALFORMED names it by `key`. */
MUST_USE enum err scalar_take(const json_t *value, const char *key, struct arena *arena, struct bytes *text, struct diag *why);

#endif
