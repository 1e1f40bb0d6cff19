/* Keys and secrets as texts from outside. */
#include <stdlib.h>

#include "secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct secret secret;
	for (enum secret_kind kind = SECRET_AUTH; kind <= SECRET_RELAY; kind++) {
		if (secret_parse(kind, text, &secret) == ERR_NONE && !bytes_equal_text(text, secret.text))
			abort();
	}
	struct node_key node;
	struct lock_key lock;
	char out[KEY_TEXT_MAX];
	if (key_parse_node(text, &node) == ERR_NONE && key_format_node(out, &node) != size)
		abort();
	if (key_parse_lock(text, &lock) == ERR_NONE && size != 70)
		abort();
	return 0;
}
