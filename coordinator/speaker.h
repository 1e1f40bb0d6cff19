/* The node for which a request inside Noise speaks: the body's NodeKey, when this machine has that node.
 * Not for registration and maps, which have rules of their own. Refusals are answered here, as plain text: the client shows it to its user.
 * What is found lives in the exchange's arena. Source: docs/protocol/identity.md. */
#ifndef SPEAKER_H
#define SPEAKER_H

#include "exchange.h"
#include "jsonr.h"
#include "nodes.h"

/* x->body held against `shape`, which must have NodeKey. NULL: 400 or 413 was answered; else the caller's to decref. */
MUST_USE json_t *speaker_read(struct exchange *x, const struct jsonr_member *shape, struct node_key *key);
/* Calls back once, later, unless it answered: 404 (not of this machine, whoever has it), 429 (requests.per_minute), 503. */
typedef void (*speaker_fn)(void *context, const struct nodes_place *place);
void speaker_find(struct exchange *x, const struct node_key *key, speaker_fn on_place, void *context);
/* Approved, not expired, its tailnet not suspended; else 403 was answered. */
MUST_USE bool speaker_in_good_standing(struct exchange *x, const struct nodes_place *place);
/* A refusal with its log line. */
void speaker_refuse(struct exchange *x, unsigned status, const char *sentence);
/* The same for what a write or a read said. */
void speaker_fail(struct exchange *x, enum err e, const struct diag *why);

#endif
