/* What an ipset holds: for each address the last entry that names it decides. Private to the module.
 * Not which nodes that means (resolve.c). Time n log n over the ranges of its entries.
 * Source: docs/protocol/policy.md, section 4.8. */
#ifndef IPSET_H
#define IPSET_H

#include "resolve.h"

struct spans ipset_spans(struct resolver *r, const struct ipset *set);

#endif
