/* The doorbell: "tailnet T reached generation G". Lost, doubled or late: harmless.
 * Not the change itself. One channel for the installation. */
#ifndef NOTICE_H
#define NOTICE_H

#include "bus.h"

void notice_ring(struct bus *bus, uint64_t tailnet, uint64_t generation);

struct notice_listener;
/* on_restored may be NULL: bells may have been missed, look at everything. */
struct notice_listener *notice_listen(struct bus *bus, void (*on_bell)(void *context, uint64_t tailnet, uint64_t generation),
				      void (*on_restored)(void *context), void *context);
void notice_unlisten(struct notice_listener **listener);

#endif
