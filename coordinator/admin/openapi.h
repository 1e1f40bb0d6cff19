/* The OpenAPI documents of both admin APIs and a page for people, served without a credential: what they tell is public.
 * Not their content: openapi-v1.json and openapi-fleetscale.json beside this file, compared with the route table by openapi_test.c.
 * Forms are made once for the process. */
#ifndef OPENAPI_H
#define OPENAPI_H

#include "exchange.h"

/* By the route's path: openapi.json, openapi.yaml, openapi-3.0.json, openapi-3.0.yaml, docs. */
void openapi_serve(struct exchange *x);

/* The sources, embedded. */
extern const char openapi_v1_source[], openapi_fleetscale_source[];

#endif
