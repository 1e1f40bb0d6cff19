/* What every client and load balancer may ask outside Noise: the server's Noise key, health, version.
 * Not the operations door (shared/daemon). Static answers, no database, but for /health. */
#ifndef SERVE_KEY_H
#define SERVE_KEY_H

#include "exchange.h"

void serve_key(struct exchange *x);     /* GET /key?v=CAPVER */
void serve_health(struct exchange *x);  /* GET /health: application/health+json */
void serve_version(struct exchange *x); /* GET /version */

#endif
