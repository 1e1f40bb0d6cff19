/* Keys that sign what relays are answered, as this worker read them last: read anew every few seconds, so that a new one, and the end of an old one, need no
 * restart. Not the signature (relayanswer.h) and not the rows (store/serverkeys.h). While the database does not answer those of before go on.
 * Each worker owns its signers; keys are borrowed until the loop's turn ends. */
#ifndef SIGNERS_H
#define SIGNERS_H

#include "coordinator.h"

enum { SIGNERS_LOOK_MS = 5000 };

struct signing_key;
struct signers;

/* Begins with those that were read at the start. */
struct signers *signers_new(struct coordinator *c, const struct signing_key *keys, size_t count);
void signers_free(struct signers **signers); /* accepts NULL; wipes */
/* The one that signs now; NULL: none may. */
const struct signing_key *signers_now(const struct signers *signers);
/* Those that sign, have signed and still may, or will; newest first. */
const struct signing_key *signers_all(const struct signers *signers, size_t *count);

#endif
