/* How a relay dials itself: through its own listener, as its clients do.
 * Not what is done there (roundtrip.h, pairprobe.h). Reads what does not move once the relay is open, hence from any thread. */
#ifndef SELF_H
#define SELF_H

#include "outward.h"

struct relay;

/* Its own certificate is not judged: whether it is this relay that answers, its key tells. `wish` borrows from `relay`. */
void self_wish(const struct relay *relay, struct outward_wish *wish);

#endif
