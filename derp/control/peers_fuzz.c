/* Answers of coordinators: whatever they hold, the peers are within their caps, can be dialed, and stay when none are named. */
#include <stdlib.h>

#include "jsonr.h"
#include "peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peers peers = {0};
	json_t *answer = NULL;
	if (!jsonr_parse(bytes_of(data, size), 1 << 18, &answer, NULL) && json_is_object(answer)) {
		bool named = peers_read(answer, &peers);
		if (named != json_is_array(json_object_get(answer, "Peers")) || peers.count > PEERS_MAX ||
		    peers.count > json_array_size(json_object_get(answer, "Peers")))
			abort();
		for (size_t i = 0; i < peers.count; i++) {
			const struct peer *p = &peers.peer[i];
			if (!p->id || !*p->at.host || !p->at.port || p->stun_port < -1 || !p->stun_port || p->stun_port > UINT16_MAX)
				abort();
		}
		size_t count = peers.count;
		json_object_del(answer, "Peers");
		if (peers_read(answer, &peers) || peers.count != count)
			abort();
	}
	peers_clear(&peers);
	json_decref(answer);
	return 0;
}
