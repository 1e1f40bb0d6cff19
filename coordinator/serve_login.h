/* Interactive logins as clients see them: a URL to open, then a request that is held until somebody answered, through whatever coordinator.
 * Not the answering (act_login.h) and not the page (serve_page.h). The row decides; the bus only says when to look.
 * Each exchange is answered once; what is held ends with its client. Source: docs/protocol/registration.md. */
#ifndef SERVE_LOGIN_H
#define SERVE_LOGIN_H

#include "coordinator.h"
#include "exchange.h"
#include "regmsg.h"

/* Nobody vouches for this registration: begins a login, or follows up the one that it names. `request` lives in the exchange's arena. */
void login_serve(struct exchange *x, const struct register_request *request);

#endif
