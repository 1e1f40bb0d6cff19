#include "stun.h"

enum {
	HEADER_LEN = 20,
	BINDING_REQUEST = 0x0001,
	BINDING_SUCCESS = 0x0101,
	ATTR_SOFTWARE = 0x8022,
	ATTR_FINGERPRINT = 0x8028,
	ATTR_MAPPED_ADDRESS = 0x0001,
	ATTR_XOR_MAPPED_ADDRESS = 0x0020,
	FINGERPRINT_LEN = 8, /* with its attribute header */
};

static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

#define FINGERPRINT_XOR UINT32_C(0x5354554e)

/* CRC-32 of IEEE 802.3. Requests are 40 bytes long: bit by bit is quick enough. */
static uint32_t crc32_of(struct bytes b)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < b.len; i++) {
		crc ^= b.at[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

/* One attribute off the front; false when it is cut short. */
static bool next_attribute(struct bytes *rest, uint16_t *type, struct bytes *value)
{
	if (rest->len < 4)
		return false;
	size_t len = get_be16(rest->at + 2), padded = (len + 3) & ~(size_t)3;
	if (rest->len - 4 < padded)
		return false;
	*type = get_be16(rest->at);
	*value = bytes_of(rest->at + 4, len);
	*rest = bytes_of(rest->at + 4 + padded, rest->len - 4 - padded);
	return true;
}

enum err stun_decode(struct bytes datagram, uint8_t id[static STUN_ID_LEN])
{
	if (datagram.len < HEADER_LEN || datagram.at[0] & 0xc0 || memcmp(datagram.at + 4, cookie, sizeof cookie) != 0 ||
	    get_be16(datagram.at) != BINDING_REQUEST)
		return ERR_UNSUPPORTED;
	bool ours = false;
	uint16_t last = 0;
	struct bytes rest = bytes_skip(datagram, HEADER_LEN), value = BYTES_NONE;
	while (rest.len) {
		if (!next_attribute(&rest, &last, &value))
			return ERR_MALFORMED;
		ours |= last == ATTR_SOFTWARE && bytes_equal_text(value, "tailnode");
	}
	if (!ours)
		return ERR_UNSUPPORTED;
	if (last != ATTR_FINGERPRINT || value.len != 4)
		return ERR_MALFORMED;
	if (get_be32(value.at) != (crc32_of(bytes_take(datagram, datagram.len - FINGERPRINT_LEN)) ^ FINGERPRINT_XOR))
		return ERR_MALFORMED;
	memcpy(id, datagram.at + 8, STUN_ID_LEN);
	return ERR_NONE;
}

void stun_encode_request(uint8_t out[static STUN_REQUEST_LEN], const uint8_t id[static STUN_ID_LEN])
{
	static const char software[] = "tailnode";
	put_be16(out, BINDING_REQUEST);
	put_be16(out + 2, STUN_REQUEST_LEN - HEADER_LEN);
	memcpy(out + 4, cookie, sizeof cookie);
	memcpy(out + 8, id, STUN_ID_LEN);
	put_be16(out + 20, ATTR_SOFTWARE);
	put_be16(out + 22, sizeof software - 1);
	memcpy(out + 24, software, sizeof software - 1);
	put_be16(out + 32, ATTR_FINGERPRINT);
	put_be16(out + 34, 4);
	put_be32(out + 36, crc32_of(bytes_of(out, STUN_REQUEST_LEN - FINGERPRINT_LEN)) ^ FINGERPRINT_XOR);
}

bool stun_is_answer(struct bytes datagram, const uint8_t id[static STUN_ID_LEN])
{
	uint16_t type = 0;
	struct bytes rest = bytes_skip(datagram, HEADER_LEN), value = BYTES_NONE;
	if (datagram.len < HEADER_LEN || get_be16(datagram.at) != BINDING_SUCCESS || memcmp(datagram.at + 4, cookie, sizeof cookie) != 0 ||
	    memcmp(datagram.at + 8, id, STUN_ID_LEN) != 0)
		return false;
	while (rest.len && next_attribute(&rest, &type, &value))
		if (type == ATTR_XOR_MAPPED_ADDRESS || type == ATTR_MAPPED_ADDRESS)
			return value.len >= 8;
	return false;
}

size_t stun_encode(uint8_t out[static STUN_ANSWER_MAX], const uint8_t id[static STUN_ID_LEN], struct endpoint from)
{
	static const uint8_t v4_in_v6[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *address = from.ip.byte;
	size_t len = from.ip.family == IP_V6 ? 16 : 4;
	if (len == 16 && !memcmp(address, v4_in_v6, sizeof v4_in_v6)) {
		address += sizeof v4_in_v6;
		len = 4;
	}
	put_be16(out, BINDING_SUCCESS);
	put_be16(out + 2, (uint16_t)(8 + len));
	memcpy(out + 4, cookie, sizeof cookie);
	memcpy(out + 8, id, STUN_ID_LEN);
	put_be16(out + 20, ATTR_XOR_MAPPED_ADDRESS);
	put_be16(out + 22, (uint16_t)(4 + len));
	out[24] = 0;
	out[25] = len == 16 ? 2 : 1;
	put_be16(out + 26, from.port ^ get_be16(cookie));
	/* Cookie and id stand one behind the other, just as they are to be mixed in. */
	for (size_t i = 0; i < len; i++)
		out[28 + i] = address[i] ^ out[4 + i];
	return 28 + len;
}
