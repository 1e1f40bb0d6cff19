/* Clients that connect one after the other as fast as they can, each until it is admitted, and leave at once.
 * Not a measurement of anybody else: the clients that were there before are another process (drive.h).
 * One thread each. */
#ifndef STORM_H
#define STORM_H

#include "peerconn.h"

enum { STORM_CLIENTS_MOST = 256 };

struct storm {
	double seconds, own_s; /* own_s: on a processor */
	uint64_t admitted, refused;
};

void storm_run(struct endpoint at, const char *host, SSL_CTX *tls, unsigned clients, double seconds, struct storm *result);

#endif
