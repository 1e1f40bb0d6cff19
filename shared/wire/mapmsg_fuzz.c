#include "mapmsg.h"

#include <stdlib.h>

#include "node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct map_request r;
	struct diag why = {0};
	enum err e = mapmsg_decode(bytes_of(data, size), arena, &r, &why);
	if (e && (e != ERR_MALFORMED && e != ERR_TOO_BIG))
		abort();
	if (e && !*why.text)
		abort();
	if (!e && (r.endpoint_count > NODE_ENDPOINTS_MAX || key_is_zero(r.node_key.raw)))
		abort();
	arena_free(&arena);
	return 0;
}
