#include "derpframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses: a run of frames as a relay walks over them, a ClientInfo payload, or the JSON inside one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct bytes in = bytes_of(data + 1, size - 1);
	struct derpframe_client_info info = {0};
	struct private_key relay;
	memset(relay.raw, 0x11, sizeof relay.raw);
	struct derpframe_header header;
	switch (data[0] % 3) {
	case 0:
		while (!derpframe_decode(in, &header)) {
			in = bytes_skip(in, DERPFRAME_HEADER_LEN);
			enum err e = derpframe_check(header);
			if (e && e != ERR_UNSUPPORTED)
				break;
			if (header.len >= KEY_LEN && in.len >= header.len)
				(void)!derpframe_is_disco(bytes_take(bytes_skip(in, KEY_LEN), header.len - KEY_LEN));
			in = bytes_skip(in, header.len);
		}
		break;
	case 1:
		(void)!derpframe_decode_client_info(in, &relay, &info);
		break;
	default:
		(void)!derpframe_parse_client_info(in, &info);
	}
	return 0;
}
