/* Coordinators are asked again about clients that were admitted: those of a key, all of them, and those about whom nobody could say anything. Who is refused ends.
 * Not the asking (verify.h) and not why (relaylife.h). Siblings and the relay's own probes are not asked about: they have proven what they are.
 * Embedded in its shard; on its thread. */
#ifndef RECHECK_H
#define RECHECK_H

#include "clientwalk.h"
#include "key.h"
#include "loop.h"

struct client;
struct shard;

struct recheck {
	bool unsure;            /* some clients are to be asked about when somebody answers again */
	struct clientwalk walk; /* goes while all are asked about */
	struct timer tick;
};

void recheck_open(struct shard *shard);
void recheck_close(struct shard *shard);

void recheck_key(struct shard *shard, const struct node_key *key);
/* A few at a time, so that others are served meanwhile; anew when it is called again. Of who is not here what is remembered counts no more. */
void recheck_all(struct shard *shard);
/* Nobody could say anything about it: it stays, until recheck_unsure. */
void recheck_later(struct client *client);
void recheck_unsure(struct shard *shard);

#endif
