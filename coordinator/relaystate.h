/* A relay's state in one word, for people and for graphs.
 * Not what the map shows (relays.h): a summary of what its row says.
 * Nothing is owned. */
#ifndef RELAYSTATE_H
#define RELAYSTATE_H

struct relay;

enum relaystate {
	RELAYSTATE_SERVING,
	RELAYSTATE_COMING, /* it announces itself and is not in the map yet */
	RELAYSTATE_DRAINING,
	RELAYSTATE_DRAINED,
	RELAYSTATE_SILENT,
	RELAYSTATE_REVOKED,
	RELAYSTATE_LEAVING,
	RELAYSTATE_NEVER_SEEN,
	RELAYSTATE_COUNT
};

enum relaystate relaystate_of(const struct relay *relay);
const char *relaystate_text(enum relaystate state);  /* "never seen" */
const char *relaystate_label(enum relaystate state); /* "never_seen" */

#endif
