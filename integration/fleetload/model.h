/* What one simulated client knows of its peers: every frame parsed whole, by the client's rules (docs/protocol/map.md), and compared with what is true.
 * Not a tailnet and not an oracle: the truth is given by the caller.
 * The model owns its peers; model_free accepts NULL and leaves NULL. */
#ifndef MODEL_H
#define MODEL_H

#include "addr.h"
#include "bytes.h"
#include "key.h"

struct model;

struct model *model_new(void);
void model_free(struct model **model);
/* A new stream: everything is forgotten. */
void model_forget(struct model *model);
/* One map message as text. False: not JSON, a patch for a peer that is not there, or what else would make a client err; model_fault tells. */
bool model_apply(struct model *model, struct bytes text);
const char *model_fault(const struct model *model);
size_t model_peers(const struct model *model);

/* A peer as it should be. */
struct peer_truth {
	struct public_key node_key;
	struct endpoint endpoint;
	bool online;
};
/* How many of `truth` are absent or differ, plus how many peers are known that stand not in it (*strangers of them). `why` takes the first difference. */
size_t model_compare(const struct model *model, const struct peer_truth *truth, size_t count, size_t *strangers, char why[static 128]);

#endif
