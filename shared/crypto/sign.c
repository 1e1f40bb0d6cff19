#include "sign.h"

#include <sodium.h>
#include <stdlib.h>

#include "key.h"
#include "text.h"

#define PREFIX "ed25519:"

void sign_mint(uint8_t seed[static SIGN_SEED_LEN])
{
	random_fill(seed, SIGN_SEED_LEN);
}

static void pair(const uint8_t *seed, uint8_t secret[static crypto_sign_SECRETKEYBYTES], uint8_t key[static SIGN_KEY_LEN])
{
	if (crypto_sign_seed_keypair(key, secret, seed))
		abort();
}

void sign_public(const uint8_t seed[static SIGN_SEED_LEN], struct sign_key *key)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	pair(seed, secret, key->raw);
	key_wipe(secret, sizeof secret);
}

void sign_make(const uint8_t seed[static SIGN_SEED_LEN], struct bytes text, uint8_t signature[static SIGN_LEN])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES], key[SIGN_KEY_LEN];
	pair(seed, secret, key);
	if (crypto_sign_detached(signature, NULL, text.at, text.len, secret))
		abort();
	key_wipe(secret, sizeof secret);
}

bool sign_is_good(const struct sign_key *key, struct bytes text, const uint8_t signature[static SIGN_LEN])
{
	return !crypto_sign_verify_detached(signature, text.at, text.len, key->raw);
}

enum err sign_parse(struct bytes text, struct sign_key *key)
{
	if (!bytes_starts(text, PREFIX) || hex_decode(bytes_skip(text, sizeof PREFIX - 1), key->raw, SIGN_KEY_LEN))
		return ERR_MALFORMED;
	return key_is_zero(key->raw) ? ERR_MALFORMED : ERR_NONE;
}

void sign_format(char out[static SIGN_TEXT_MAX], const struct sign_key *key)
{
	memcpy(out, PREFIX, sizeof PREFIX - 1);
	hex_encode(out + sizeof PREFIX - 1, bytes_of(key->raw, SIGN_KEY_LEN));
}
