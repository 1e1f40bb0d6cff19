/* The floor that deliveries are measured by: seal a record of 230 bytes and send it, over many TCP connections on loopback in turn.
 * Not a server: no framing, no waiting.
 * Owns its sockets while it runs. */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdbool.h>

/* CPU of one delivery in microseconds; the best of `rounds`. False: sockets are lacking (see ulimit -n). */
bool floor_measure(unsigned connections, unsigned rounds, double *us);

#endif
