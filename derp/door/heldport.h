/* A port that the relay holds from its start until its shards listen there: bound, so that it is known, but taking no connection.
 * Not what listens there (server.h, stundoor.h); those share it. Since shards share ports, another process could as well: a port on which somebody listens is refused.
 * The owner closes it. */
#ifndef HELDPORT_H
#define HELDPORT_H

#include "addr.h"

struct heldport {
	int fd;             /* -1: it is not held, or not any more */
	struct endpoint at; /* as bound; port 0: off */
};

/* text: an address and a port, 0 for any; "": off. option names it in `why`. ERR_MALFORMED; ERR_EXISTS: somebody listens there; ERR_IO. */
MUST_USE enum err heldport_open_tcp(struct heldport *port, const char *text, const char *option, struct diag *why);
MUST_USE enum err heldport_open_udp(struct heldport *port, const char *text, const char *option, struct diag *why);
/* The socket goes to who takes what comes there: the caller's; -1: it is not held. */
int heldport_take(struct heldport *port);
void heldport_close(struct heldport *port); /* legal again; `at` stays */

#endif
