#include "probekeys.h"

#include <string.h>

void probekeys_mint(struct probekeys *k)
{
	for (unsigned i = 0; i < PROBEKEYS_COUNT; i++) {
		key_mint(&k->key[i].secret, &k->key[i].public);
		memcpy(k->key[i].node.raw, k->key[i].public.raw, KEY_LEN);
	}
}

void probekeys_wipe(struct probekeys *k)
{
	key_wipe(k, sizeof *k);
}

bool probekeys_has(const struct probekeys *k, const struct node_key *node)
{
	for (unsigned i = 0; i < PROBEKEYS_COUNT; i++)
		if (!memcmp(k->key[i].node.raw, node->raw, KEY_LEN))
			return true;
	return false;
}
