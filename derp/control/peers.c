#include "peers.h"

#include <stdlib.h>

#include "jsonr.h"
#include "mem.h"

enum { STUN_PORT = 3478 };

static bool read_peer(const json_t *object, struct peer *p)
{
	json_int_t stun = json_integer_value(json_object_get(object, "STUNPort"));
	*p = (struct peer){.id = jsonr_count(object, "ID"), .mesh = json_is_true(json_object_get(object, "Mesh"))};
	p->stun_port = stun < 0 || stun > UINT16_MAX ? -1 : stun ? (int)stun : STUN_PORT;
	return derpnode_read(object, &p->at) && p->id;
}

bool peers_read(const json_t *answer, struct peers *out)
{
	const json_t *list = json_object_get(answer, "Peers");
	size_t count = json_array_size(list);
	if (!json_is_array(list))
		return false;
	peers_clear(out);
	out->more = json_is_true(json_object_get(answer, "MorePeers"));
	out->peer = x_zalloc((PEERS_MAX + 1) * sizeof *out->peer);
	for (size_t i = 0; i < count && out->count < PEERS_MAX; i++)
		out->count += read_peer(json_array_get(list, i), &out->peer[out->count]);
	return true;
}

void peers_clear(struct peers *p)
{
	free(p->peer);
	*p = (struct peers){0};
}
