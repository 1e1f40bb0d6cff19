/* The floor of the kernel: what `send` and `recv` of the same bytes cost with no relay in between, one thread at both ends of a loopback connection.
 * Not a relay and no cipher.
 * Plain values. */
#ifndef STRAIGHT_H
#define STRAIGHT_H

#include <stdbool.h>

/* The two ends of a fresh loopback connection, blocking and without delay. */
bool straight_connect(int ends[2]);
/* CPU microseconds per packet: `batch` frames of `size` bytes of payload in one send, and then one recv. 0: no sockets. */
double straight_us(unsigned size, unsigned batch);

#endif
