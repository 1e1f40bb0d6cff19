/* Whether clients may take port 80 of this relay for their captive portal checks: asked over and over as they ask, at the address that they are told.
 * Not the answer to them (routes_relay.h). A wrong yes makes clients warn of portals that are not there; a change makes those of the region connect anew, hence it needs several answers.
 * On the first shard, which owns it. Source: docs/protocol/derp.md, captive portals (tailscale net/captivedetection). */
#ifndef PORT80_H
#define PORT80_H

#include "loop.h"

struct shard;

enum { PORT80_CHALLENGE_MAX = 24, PORT80_CHANGES_AT = 3 };

struct port80 {
	struct timer next;
	void (*on_known)(struct shard *first);
	char challenge[PORT80_CHALLENGE_MAX];
	unsigned contrary; /* answers in a row that say otherwise */
	bool known, good;
};

/* One more answer; true when it is known anew. */
bool port80_judge(struct port80 *port80, bool good);

/* Calls when the first answer has come, or cannot, and later when it has changed: first->relay->port80.good. Perhaps before this returns; never when the process ends. */
void port80_watch(struct shard *first, void (*on_known)(struct shard *first));
void port80_stop(struct shard *first); /* legal when not begun */

#endif
