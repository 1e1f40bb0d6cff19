#include <stdlib.h>

#include "stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t id[STUN_ID_LEN] = {0}, out[STUN_ANSWER_MAX];
	/* As an answer to the request that it would be one to. */
	if (size >= 20)
		memcpy(id, data + 8, STUN_ID_LEN);
	if (stun_is_answer(bytes_of(data, size), id) && size < 32)
		abort();
	if (stun_decode(bytes_of(data, size), id))
		return 0;
	struct endpoint from = {.ip = {.family = size & 4 ? IP_V6 : IP_V4}, .port = (uint16_t)size};
	if (stun_encode(out, id, from) > sizeof out)
		abort();
	return 0;
}
