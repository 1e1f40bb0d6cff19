/* The duty of electing primary routers: who is online and answers serves a route; looked at again and again by the first worker of each coordinator.
 * Not the rule (fleet/route.h) and not the rows (store/primaries.h), which judge when two coordinators decide at once.
 * The worker owns it. docs/routes.md. */
#ifndef ROUTERS_H
#define ROUTERS_H

#include "coordinator.h"

struct routers;

struct routers *routers_new(struct coordinator *c);
void routers_free(struct routers **routers); /* accepts NULL */

#endif
