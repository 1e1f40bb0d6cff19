/* GET /register/{id}: what wants to join, until when, and how it is let in; then what became of it. For browsers without scripts.
 * Not letting in (act_login.h). Who knows the id may look; all that is shown came from the client itself, escaped. */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "exchange.h"

void serve_login_page(struct exchange *x);

#endif
