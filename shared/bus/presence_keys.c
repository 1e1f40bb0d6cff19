#include "presence_keys.h"

#include <stdio.h>

const struct lease_kind presence_lease = {"fs:holders", "fs:lease:", PRESENCE_CHANNEL, PRESENCE_LEASE_MS};

struct bytes presence_key(char key[static PRESENCE_KEY_MAX], struct bytes holder, uint64_t tailnet)
{
	int len = snprintf(key, PRESENCE_KEY_MAX, "fs:held:%.*s:%llu", BYTES_ARG(holder), (unsigned long long)tailnet);
	return bytes_of(key, (size_t)len);
}
