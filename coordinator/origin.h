/* The URL of this login server as a client knows it: the option server_url, else what the request says that its client dialled.
 * Not which tailnet a login belongs to. Without a trailing slash; lives in the exchange's arena or as long as the options. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "exchange.h"
#include "loginid.h"

/* "https://host[:port]"; empty when there is no option and the request names no host. */
struct bytes origin_of(const struct exchange *x);
/* Where somebody answers for it, as the client reaches us: a login at "register", a check of an SSH rule at "auth". False: neither option nor request says. */
enum { ORIGIN_LOGIN_MAX = 512 };
bool origin_login(const struct exchange *x, const char *what, const struct login_id *id, char url[static ORIGIN_LOGIN_MAX]);
/* Is it empty or http(s)://host[:port], with or without slashes at its end? ERR_MALFORMED says what it must be. */
MUST_USE enum err origin_check(const char *server_url, struct diag *why);

#endif
