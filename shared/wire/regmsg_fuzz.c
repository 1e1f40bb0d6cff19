#include "regmsg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct register_request r;
	struct diag why = {0};
	enum err e = regmsg_decode(bytes_of(data, size), arena, &r, &why);
	if (e && (e != ERR_MALFORMED && e != ERR_TOO_BIG))
		abort();
	if (e && !*why.text)
		abort();
	if (!e && key_is_zero(r.node_key.raw))
		abort();
	arena_free(&arena);
	return 0;
}
