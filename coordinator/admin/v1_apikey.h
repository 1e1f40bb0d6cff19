/* headscale API v1, API keys: JSON <-> act_apikey and store/apikeys. A tailnet's key manages its tailnet's keys; the operator manages the operator's,
 * or with the header Fleetscale-Tailnet that tailnet's. No rules of its own. */
#ifndef V1_APIKEY_H
#define V1_APIKEY_H

#include "exchange.h"

void v1_apikey_list(struct exchange *x);
void v1_apikey_create(struct exchange *x);
void v1_apikey_expire(struct exchange *x);
void v1_apikey_delete(struct exchange *x);

#endif
