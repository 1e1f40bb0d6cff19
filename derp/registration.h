/* This relay as coordinators know it: what it says about itself, and who hears their answers.
 * Not the saying, over and over (announce.h), and not what follows from an answer (relaylife.h, prober.h).
 * On the first shard. It begins once the doors are open, when it is known whether port 80 can be told, and tells metrics which relay this is. */
#ifndef REGISTRATION_H
#define REGISTRATION_H

struct shard;

void registration_begin(struct shard *first);
void registration_end(struct shard *first); /* legal when not begun */

#endif
