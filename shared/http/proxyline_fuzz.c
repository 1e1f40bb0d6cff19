/* What comes first from a proxy: a whole header is incomplete at every byte before its end, whatever follows it changes nothing, and a known source is an
 * address. */
#include <stdlib.h>

#include "proxyline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxyline line, again;
	size_t used, part_used;
	enum err e = proxyline_decode(bytes_of(data, size), &line, &used);
	if (e == ERR_AGAIN && size >= PROXYLINE_MAX)
		abort();
	if (e != ERR_NONE)
		return 0;
	if (!used || used > size || used > PROXYLINE_MAX)
		abort();
	if (line.known && !line.source.ip.family)
		abort();
	for (size_t part = 0; part < used; part++)
		if (proxyline_decode(bytes_of(data, part), &again, &part_used) != ERR_AGAIN)
			abort();
	if (proxyline_decode(bytes_of(data, used), &again, &part_used) != ERR_NONE || part_used != used || again.known != line.known ||
	    !endpoint_equal(again.source, line.source))
		abort();
	return 0;
}
