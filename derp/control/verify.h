/* Ask a coordinator, and the judge at verify.url if there is one, whether a node key may connect: once per key at a time, answers remembered (verdicts.h).
 * Not a guard of what a client may do afterwards, and not the client: it embeds a verify_wait and cancels it when it ends.
 * One per loop, for the keys that live there. Whoever is asked must allow. When one of them does not answer: known keys stay during the grace, unknown ones by option. */
#ifndef VERIFY_H
#define VERIFY_H

#include "addr.h"
#include "coordinators.h"
#include "fetch.h"
#include "verdicts.h"

struct verify;
struct question;

struct verify_config {
	struct loop *loop;
	struct fetcher *fetcher;
	struct coordinators *coordinators;
	const char *token;
	const char *url;       /* of the judge; "": none */
	bool ask_coordinators; /* false: the judge alone */
	bool fail_open;
	struct verdicts_limits limits;
};

struct verify_wait {
	struct list link;
	void (*on_verdict)(void *context, bool allowed);
	void *context;
	bool sure; /* in on_verdict: somebody has answered */
};

struct verify *verify_new(const struct verify_config *config);
/* Whom to ask from now on, and how long answers are good; loop, fetcher, coordinators, token and how many are remembered stay. */
void verify_reload(struct verify *verify, const struct verify_config *config);
/* Before the fetcher, after the last wait was canceled. */
void verify_free(struct verify **verify);

/* VERDICT_ALLOWED or VERDICT_REFUSED when that is known now; VERDICT_UNKNOWN: on_verdict comes once, on the loop, unless canceled.
 * Too many that wait are refused at once. Wire: docs/protocol/derp.md, admission. */
enum verdict verify_ask(struct verify *verify, const struct node_key *key, struct ip source, struct verify_wait *wait);
/* Not too many wait, so far. */
bool verify_has_room(const struct verify *verify, const struct node_key *key);
/* What is remembered about the key may not be so any more: the next question is asked, one on its way once more, and what was known serves only while nobody
 * answers. */
void verify_doubt(struct verify *verify, const struct node_key *key);
void verify_doubt_all(struct verify *verify); /* so of all keys */
/* Where a key that is allowed belongs, as a coordinator said last; all zero when that is not known. */
struct standing verify_standing(const struct verify *verify, const struct node_key *key);
void verify_wait_init(struct verify_wait *wait, void (*on_verdict)(void *context, bool allowed), void *context);
void verify_cancel(struct verify_wait *wait); /* legal when it does not wait */

#endif
