#include "sealed.h"

#include <sodium.h>
#include <string.h>

void sealed_key_derive(struct bytes secret, const char *purpose, struct sealed_key *key)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, SEALED_KEY_LEN);
	/* The purpose ends with its NUL, so that no purpose and secret look like another pair. */
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
	crypto_generichash_update(&state, secret.at, secret.len);
	crypto_generichash_final(&state, key->raw, SEALED_KEY_LEN);
	key_wipe(&state, sizeof state);
}

enum err sealed_make(const struct sealed_key *key, struct bytes plain, struct buffer *out)
{
	uint8_t *at = plain.len > SIZE_MAX - SEALED_EXTRA ? NULL : buffer_reserve(out, plain.len + SEALED_EXTRA);

	if (!at)
		return ERR_TOO_BIG;
	random_fill(at, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(at + crypto_secretbox_NONCEBYTES, plain.at, plain.len, at, key->raw);
	buffer_filled(out, plain.len + SEALED_EXTRA);
	return ERR_NONE;
}

enum err sealed_open(const struct sealed_key *key, struct bytes sealed, struct buffer *out)
{
	uint8_t none, *at = &none;
	size_t len;

	if (sealed.len < SEALED_EXTRA)
		return ERR_CRYPTO;
	len = sealed.len - SEALED_EXTRA;
	if (len && !(at = buffer_reserve(out, len)))
		return ERR_TOO_BIG;
	if (crypto_secretbox_open_easy(at, sealed.at + crypto_secretbox_NONCEBYTES, sealed.len - crypto_secretbox_NONCEBYTES, sealed.at, key->raw))
		return ERR_CRYPTO;
	if (len)
		buffer_filled(out, len);
	return ERR_NONE;
}
