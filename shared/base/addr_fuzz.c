/* Addresses as texts from outside: what is read must be written as a text that reads the same. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "addr.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The C library is laxer nowhere and stricter nowhere for what both understand. */
static void agree_with_libc(struct bytes text, struct ip ip)
{
	char copy[IP_TEXT_MAX] = {0};
	uint8_t want[16] = {0};
	must(text.len < sizeof(copy));
	memcpy(copy, text.at, text.len);
	must(inet_pton(ip.family == IP_V4 ? AF_INET : AF_INET6, copy, want) == 1 && !memcmp(want, ip.byte, 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct ip ip, ip_again;
	struct prefix prefix, prefix_again;
	struct endpoint endpoint, endpoint_again;
	char out[ENDPOINT_TEXT_MAX];
	if (ip_parse(text, &ip) == ERR_NONE) {
		must(ip_parse(bytes_of(out, ip_format(out, ip)), &ip_again) == ERR_NONE && ip_equal(ip, ip_again));
		agree_with_libc(text, ip);
	}
	if (prefix_parse(text, &prefix) == ERR_NONE) {
		must(prefix_parse(bytes_of(out, prefix_format(out, prefix)), &prefix_again) == ERR_NONE);
		must(!prefix_compare(prefix, prefix_again) && prefix_has(prefix_masked(prefix), prefix.ip));
	}
	if (endpoint_parse(text, &endpoint) == ERR_NONE)
		must(endpoint_parse(bytes_of(out, endpoint_format(out, endpoint)), &endpoint_again) == ERR_NONE && endpoint_equal(endpoint, endpoint_again));
	return 0;
}
