/* Header values through a trusted proxy, three lines of input: addresses, scheme, host. Whatever comes, the client is an address, and the host can stand in
 * a URL; through a stranger nothing changes. */
#include <stdlib.h>

#include "exchange.h"
#include "forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trusted proxies = {.list = {{.ip = {IP_V4, {10}}, .bits = 8}, {.ip = {IP_V6, {0xfd}}, .bits = 8}}, .count = 2}, parsed;
	struct forwarded said;
	struct bytes rest = bytes_of(data, size);
	said.addresses = bytes_split(rest, '\n', &rest);
	said.proto = bytes_split(rest, '\n', &rest);
	said.host = rest;
	struct origin origin = {.peer = {.ip = {IP_V4, {10, 0, 0, 1}}, .port = 7}, .host = BYTES("door")};
	struct origin stranger = {.peer = {.ip = {IP_V4, {9, 0, 0, 1}}, .port = 7}, .host = BYTES("door")};
	(void)forwarded_apply(&proxies, &said, &origin);
	if (origin.peer.ip.family != IP_V4 && origin.peer.ip.family != IP_V6)
		abort();
	if (!exchange_host_ok(origin.host))
		abort();
	if (!forwarded_apply(&proxies, &said, &stranger) || stranger.secure || stranger.peer.ip.byte[0] != 9 || !bytes_equal_text(stranger.host, "door"))
		abort();
	if (trusted_parse(bytes_of(data, size), &parsed, NULL) == ERR_NONE)
		for (size_t i = 0; i < parsed.count; i++)
			if (!parsed.list[i].bits)
				abort();
	return 0;
}
