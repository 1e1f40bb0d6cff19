/* A packet filter in the form of the corpus. The value returned is the caller's.
 * Not the wire (mapper/filterjson.h). */
#ifndef ANSWER_FILTER_H
#define ANSWER_FILTER_H

#include <jansson.h>

#include "filter.h"

json_t *answer_filter(struct filter filter);

#endif
