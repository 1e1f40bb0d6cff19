/* The URL of this login server as a client knows it: the option server_url, else what the request says that its client dialled.
 * Not which tailnet a login belongs to. Without a trailing slash; lives in the exchange's arena or as long as the options. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "exchange.h"

/* "https://host[:port]"; empty when there is no option and the request names no host. */
struct bytes origin_of(const struct exchange *x);
/* Is it empty or http(s)://host[:port], with or without slashes at its end? ERR_MALFORMED says what it must be. */
MUST_USE enum err origin_check(const char *server_url, struct diag *why);

#endif
