/* The endpoints behind Noise that this server does not offer: each answers what makes a client carry on.
 * Not registration and maps. One table: path -> answer; nothing is stored.
 * Source of what each answer does to a client: docs/protocol/endpoints.md. */
#ifndef SERVE_REST_H
#define SERVE_REST_H

#include "exchange.h"

void serve_rest(struct exchange *x);   /* looks its answer up by the route's path */
void serve_whoami(struct exchange *x); /* GET /machine/whoami */

#endif
