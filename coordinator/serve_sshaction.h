/* GET /machine/ssh/action/{source}/to/{destination}: what becomes of an SSH connection, asked by its destination inside Noise.
 * Accepted, rejected, or: sign in there, and ask again here; that second question is held until somebody answered, through whatever coordinator.
 * Not which rule (sshjudge.h) and not the answering (act_sshcheck.h). Source: docs/protocol/ssh.md. */
#ifndef SERVE_SSHACTION_H
#define SERVE_SSHACTION_H

#include "exchange.h"

void serve_sshaction(struct exchange *x);

#endif
