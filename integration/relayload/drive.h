/* Load on a relay by pairs of clients, and what came of it.
 * Not a judge. One thread. Closed loop: so many packets of each pair are on their way at any time. Open loop: so many per second, whatever comes back.
 * With `echo` the second of a pair sends each packet back, and times are of the round trip. */
#ifndef DRIVE_H
#define DRIVE_H

#include "peerconn.h"
#include "stats.h"

enum { DRIVE_PAIRS_MOST = 2048, DRIVE_PACKET_LEAST = 24 };

struct drive {
	struct endpoint at;
	struct endpoint second_at; /* where the second of each pair is, at a sibling; port 0: at the same relay */
	const char *host;
	SSL_CTX *tls; /* NULL: plain */
	bool direct;  /* no relay: the two of a pair are connected with each other */
	int pid;      /* of the server; 0: unknown */
	unsigned pairs, size, per_write;
	unsigned in_flight; /* closed loop */
	double rate;        /* packets per second of all pairs; 0: closed loop */
	bool echo;
	bool keen; /* looks for what came without ever sleeping, so that times are without its own waking; rests while nothing is on its way */
	double warm_s, seconds;
};

struct driven {
	double seconds, server_s, own_s;      /* of which the server, and we, were on a processor */
	uint64_t offered, delivered, refused; /* refused: never left, for 32 waited already */
	uint64_t lost;                        /* gaps seen by receivers */
	struct stats us;                      /* one way, or there and back */
};

/* False when the relay does not take us or breaks a connection. */
bool drive_run(const struct drive *d, struct driven *result);

#endif
