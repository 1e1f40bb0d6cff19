/* Every URL of a coordinator: method, path, doors, guard, handler.
 * Not the handlers. Static data. */
#ifndef ROUTES_H
#define ROUTES_H

#include "dispatch.h"

extern const struct route coordinator_routes[];

#endif
