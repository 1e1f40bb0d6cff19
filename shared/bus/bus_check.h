/* One question to Redis, blocking: does it answer? For the checks of programs and of people.
 * Not for loops (bus.h). Nothing is owned. */
#ifndef BUS_CHECK_H
#define BUS_CHECK_H

#include "bytes.h"
#include "err.h"

enum { BUS_VERSION_MAX = 32 };

/* At most some seconds. ERR_MALFORMED: the url is wrong. ERR_DENIED: the password is. ERR_UNAVAILABLE. `version` becomes what it says of itself, or empty. */
MUST_USE enum err bus_check(const char *url, char version[static BUS_VERSION_MAX], struct diag *why);

#endif
