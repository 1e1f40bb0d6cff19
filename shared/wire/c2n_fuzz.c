#include "c2n.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct c2n_answer answer;

	if (size <= C2N_ANSWER_MAX && c2n_decode(bytes_of(data, size), arena, &answer) == ERR_NONE && answer.body.len > size)
		__builtin_trap();
	arena_free(&arena);
	return 0;
}
