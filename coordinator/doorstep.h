/* How often one address may come: handshakes, and credentials that were refused. Answered 429 before anything is computed or asked.
 * Not who may do what (admin/guard.h, relayreg.h) and not a machine's registrations (serve_register.h). Each loop counts for itself.
 * The unix socket has no address and no limit. */
#ifndef DOORSTEP_H
#define DOORSTEP_H

#include "coordinator.h"

/* False: too many handshakes from there; answered. */
bool doorstep_handshake(struct exchange *x);
/* False: too many refused credentials from there lately; answered. */
bool doorstep_credential(struct exchange *x);
/* A credential was refused. */
void doorstep_refused(struct exchange *x);

#endif
