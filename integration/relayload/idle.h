/* What an idle connection costs a relay in resident memory.
 * Not kernel memory, which comes on top for everybody.
 * Plain values. */
#ifndef IDLE_H
#define IDLE_H

#include "peerconn.h"

struct idle {
	double connected, used; /* bytes per connection: after connecting; after each has carried a packet and was left alone */
	double connect_s;       /* until all were connected */
	double server_s;        /* CPU of the server for connecting them */
};

/* `count` connections to the server `pid`; it should be fresh, but for a few that came before. */
bool idle_run(struct endpoint at, const char *host, SSL_CTX *tls, int pid, unsigned count, double settle_s, struct idle *result);

#endif
