/* POST /machine/register behind Noise: decode, one read, decide, act, answer.
 * Not deciding (fleet/admission.h) and not writing (act_node.h). Source: docs/protocol/registration.md. */
#ifndef SERVE_REGISTER_H
#define SERVE_REGISTER_H

#include "exchange.h"

void serve_register(struct exchange *x);

#endif
