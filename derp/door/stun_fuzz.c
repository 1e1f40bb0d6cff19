#include <stdlib.h>

#include "stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t id[STUN_ID_LEN], out[STUN_ANSWER_MAX];
	if (stun_decode(bytes_of(data, size), id))
		return 0;
	struct endpoint from = {.ip = {.family = size & 4 ? IP_V6 : IP_V4}, .port = (uint16_t)size};
	if (stun_encode(out, id, from) > sizeof out)
		abort();
	return 0;
}
