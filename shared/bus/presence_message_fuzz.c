/* What is said on the channel of presence: parts lie inside the text and keep their caps. */
#include <stdlib.h>

#include "lease.h"
#include "presence_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct bytes part, struct bytes whole)
{
	return !part.len || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct presence_message m;
	uint64_t node, session;
	size_t pairs = 0;
	if (presence_message_parse(text, &m) != ERR_NONE)
		return 0;
	if (!lease_name_is_good(m.holder) || !inside(m.holder, text) || !inside(m.number, text) || !inside(m.pairs, text) || m.number.len > LEASE_VALUE_MAX)
		abort();
	while (presence_pair(&m.pairs, &node, &session))
		pairs++;
	if (pairs > size / 4)
		abort();
	return 0;
}
