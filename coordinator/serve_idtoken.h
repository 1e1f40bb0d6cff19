/* POST /machine/id-token behind Noise, and what verifiers of such tokens ask in the open.
 * Not what a token says (idtoken.h). Private keys are read for each token and not kept; the public ones are kept for a minute.
 * Source: docs/protocol/identity.md. */
#ifndef SERVE_IDTOKEN_H
#define SERVE_IDTOKEN_H

#include "exchange.h"

void serve_idtoken(struct exchange *x);
void serve_jwks(struct exchange *x);          /* GET /.well-known/jwks.json */
void serve_configuration(struct exchange *x); /* GET /.well-known/openid-configuration */

#endif
