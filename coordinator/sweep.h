/* Changes that time makes: node keys expire, silent ephemeral nodes go, journal, logins, SSH checks and audits are pruned.
 * Not timers per node: a look each second, by whichever coordinator gets the duty; what it dies over, the next does.
 * The first worker of each coordinator owns one. */
#ifndef SWEEP_H
#define SWEEP_H

#include "coordinator.h"

struct sweep *sweep_new(struct coordinator *c);
/* How many silent nodes the next look asks for, after one that asked for `most` found so many, and `gone` of them not online. Pure. */
unsigned sweep_next_most(unsigned most, size_t found, size_t gone);
void sweep_free(struct sweep **sweep); /* accepts NULL; answers that are still out are let go */

#endif
