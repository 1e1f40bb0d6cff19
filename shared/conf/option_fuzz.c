#include "optionfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err on_pair(void *context, struct bytes name, struct bytes value)
{
	size_t *sum = context;
	for (size_t i = 0; i < name.len; i++)
		*sum += name.at[i];
	for (size_t i = 0; i < value.len; i++)
		*sum += value.at[i];
	return ERR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag why;
	size_t sum = 0;
	(void)!optionfile_parse(bytes_of(data, size), on_pair, &sum, &why);
	return 0;
}
