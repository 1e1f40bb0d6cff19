/* What coordinators said about keys, remembered for a while: one table of one loop, which holds the keys that live there.
 * Not the asking (verify.h) and not a clock. Bounded: admitted and refused keys have caps of their own, so that strangers cannot push out those that belong here.
 * Owned by its verify. */
#ifndef VERDICTS_H
#define VERDICTS_H

#include "clock.h"
#include "judgment.h"
#include "key.h"

enum verdict {
	VERDICT_UNKNOWN, /* ask */
	VERDICT_ALLOWED,
	VERDICT_REFUSED,
	VERDICT_STALE, /* ask; when nobody answers: it was allowed not long ago, and may stay so */
};

struct verdicts;

struct verdicts_limits {
	int64_t allowed_ms, refused_ms; /* how long an answer is good */
	int64_t grace_ms;               /* how long after an admission the key is VERDICT_STALE instead of unknown */
	size_t allowed_max, refused_max;
};

struct verdicts *verdicts_new(const struct verdicts_limits *limits);
void verdicts_free(struct verdicts **verdicts);
void verdicts_set_times(struct verdicts *verdicts, const struct verdicts_limits *limits); /* also for what is remembered; the caps stay */
enum verdict verdicts_find(const struct verdicts *verdicts, const struct node_key *key, struct mono now);
void verdicts_put(struct verdicts *verdicts, const struct node_key *key, bool allowed, struct mono now);
/* Where an allowed key belongs, until its answer is forgotten; all zero for others. */
void verdicts_set_standing(struct verdicts *verdicts, const struct node_key *key, struct standing standing);
struct standing verdicts_standing(const struct verdicts *verdicts, const struct node_key *key);
/* An admission becomes VERDICT_STALE, for its grace; a refusal is forgotten. */
void verdicts_doubt(struct verdicts *verdicts, const struct node_key *key, struct mono now);
void verdicts_doubt_all(struct verdicts *verdicts); /* so of all keys */
size_t verdicts_count(const struct verdicts *verdicts);

#endif
