/* POST /machine/map behind Noise: lite updates, map streams, one-shot reads.
 * Not the stream itself (poll.h) and not the writing (reports.h). Source: docs/protocol/map.md. */
#ifndef SERVE_MAP_H
#define SERVE_MAP_H

#include "exchange.h"

void serve_map(struct exchange *x);

#endif
