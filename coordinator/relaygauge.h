/* How many relays of each region are in which state, for monitoring: read from the stores now and then, shown as the gauge `relays`.
 * Not what moves them (relayfleet.h). Every coordinator shows all of them, so that one that is scraped suffices.
 * The first worker of each coordinator owns a relaygauge. */
#ifndef RELAYGAUGE_H
#define RELAYGAUGE_H

#include "coordinator.h"

enum { RELAYGAUGE_LOOK_MS = 10000 };

struct relaygauge *relaygauge_new(struct coordinator *c);
void relaygauge_free(struct relaygauge **gauge); /* accepts NULL */

#endif
