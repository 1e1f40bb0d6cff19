/* GET /register/{id}: what wants to join, until when, and how it is let in; then what became of it. GET /auth/{id}: the same of a sign-in that an SSH rule
 * asks for. For browsers without scripts.
 * Not letting in (act_login.h, act_sshcheck.h). Who knows the id may look; all that is shown came from the client itself, escaped. */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "exchange.h"

void serve_login_page(struct exchange *x);
void serve_check_page(struct exchange *x);

#endif
