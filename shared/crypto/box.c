#include "box.h"

#include <sodium.h>

enum err box_seal(const struct private_key *from, const uint8_t to[static KEY_LEN], struct bytes plain, struct buffer *out)
{
	if (plain.len > SIZE_MAX - BOX_OVERHEAD)
		return ERR_TOO_BIG;
	uint8_t *at = buffer_reserve(out, plain.len + BOX_OVERHEAD);
	if (!at)
		return ERR_TOO_BIG;
	random_fill(at, BOX_NONCE_LEN);
	if (crypto_box_easy(at + BOX_NONCE_LEN, plain.at, plain.len, at, to, from->raw))
		return ERR_CRYPTO;
	buffer_filled(out, plain.len + BOX_OVERHEAD);
	return ERR_NONE;
}

enum err box_open(const struct private_key *to, const uint8_t from[static KEY_LEN], struct bytes sealed, struct buffer *out)
{
	uint8_t none;
	if (sealed.len < BOX_OVERHEAD)
		return ERR_MALFORMED;
	size_t len = sealed.len - BOX_OVERHEAD;
	uint8_t *at = len ? buffer_reserve(out, len) : &none;
	if (!at)
		return ERR_TOO_BIG;
	if (crypto_box_open_easy(at, sealed.at + BOX_NONCE_LEN, sealed.len - BOX_NONCE_LEN, sealed.at, from, to->raw))
		return ERR_CRYPTO;
	if (len)
		buffer_filled(out, len);
	return ERR_NONE;
}
