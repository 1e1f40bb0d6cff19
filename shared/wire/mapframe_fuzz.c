#include "mapframe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer out, packed;
	buffer_init(&out, 1 << 20);
	buffer_init(&packed, 1 << 20);
	enum err e = mapframe_decompress(bytes_of(data, size), 1 << 16, &out);
	if (e ? out.len != 0 : out.len > 1 << 16)
		abort();
	buffer_reset(&out);
	if (size < 1 << 16 && (mapframe_compress(bytes_of(data, size), &packed) || mapframe_decompress(buffer_bytes(&packed), size, &out) ||
			       !bytes_equal(buffer_bytes(&out), bytes_of(data, size))))
		abort();
	buffer_clear(&out);
	buffer_clear(&packed);
	return 0;
}
