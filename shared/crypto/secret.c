#include "secret.h"

#include <assert.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

enum { SECRET_PART_LEN = 64 };

static const char *const heads[] = {
	[SECRET_AUTH] = "hskey-auth-",
	[SECRET_API] = "hskey-api-",
	[SECRET_RELAY] = "hskey-relay-",
};

void hash_bytes(struct bytes b, uint8_t out[static 32])
{
	static const uint8_t none;
	crypto_hash_sha256(out, b.len ? b.at : &none, b.len);
}

void hash_sha1(struct bytes b, uint8_t out[static 20])
{
	static const uint8_t none;
	if (!EVP_Digest(b.len ? b.at : &none, b.len, out, NULL, EVP_sha1(), NULL))
		abort();
}

void secret_mint(enum secret_kind kind, struct secret *secret)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* 32 of them: no letter is likelier */
	uint8_t random[SECRET_PREFIX_LEN + SECRET_PART_LEN / 2];
	char hex[SECRET_PART_LEN + 1];
	memset(secret, 0, sizeof(*secret));
	random_fill(random, sizeof(random));
	for (size_t i = 0; i < SECRET_PREFIX_LEN; i++)
		secret->prefix[i] = letters[random[i] & 31];
	hex_encode(hex, bytes_of(random + SECRET_PREFIX_LEN, SECRET_PART_LEN / 2));
	int len = snprintf(secret->text, sizeof(secret->text), "%s%s-%s", heads[kind], secret->prefix, hex);
	assert(len > 0 && (size_t)len < sizeof(secret->text));
	hash_bytes(bytes_of(secret->text, (size_t)len), secret->hash);
	key_wipe(random, sizeof(random));
	key_wipe(hex, sizeof(hex));
}

/* The URL-safe base64 alphabet: what older keys of the same shape are written in. */
static bool is_part(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.at[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

enum err secret_parse(enum secret_kind kind, struct bytes text, struct secret *secret)
{
	size_t head = strlen(heads[kind]), dash = head + SECRET_PREFIX_LEN;
	if (text.len != dash + 1 + SECRET_PART_LEN || !bytes_starts(text, heads[kind]) || text.at[dash] != '-' || !is_part(bytes_skip(text, head)))
		return ERR_MALFORMED;
	memset(secret, 0, sizeof(*secret));
	memcpy(secret->text, text.at, text.len);
	memcpy(secret->prefix, text.at + head, SECRET_PREFIX_LEN);
	hash_bytes(text, secret->hash);
	return ERR_NONE;
}

bool secret_matches(const struct secret *presented, const uint8_t stored[static SECRET_HASH_LEN])
{
	return !sodium_memcmp(presented->hash, stored, SECRET_HASH_LEN);
}
