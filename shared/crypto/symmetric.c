#include "symmetric.h"

void symmetric_init(struct symmetric *s, struct bytes name, struct bytes prologue)
{
	memset(s, 0, sizeof(*s));
	cipher_hash(s->h, name, BYTES_NONE);
	memcpy(s->ck, s->h, sizeof(s->ck));
	symmetric_mix_hash(s, prologue);
}

void symmetric_mix_hash(struct symmetric *s, struct bytes b)
{
	cipher_hash(s->h, bytes_of(s->h, sizeof(s->h)), b);
}

void symmetric_mix_key(struct symmetric *s, struct bytes input)
{
	uint8_t out[2][CIPHER_HASH_LEN];
	cipher_hkdf(s->ck, input, 2, out);
	memcpy(s->ck, out[0], sizeof(s->ck));
	memcpy(s->key, out[1], sizeof(s->key));
	key_wipe(out, sizeof(out));
}

void symmetric_mix_key_and_hash(struct symmetric *s, struct bytes input)
{
	uint8_t out[3][CIPHER_HASH_LEN];
	cipher_hkdf(s->ck, input, 3, out);
	memcpy(s->ck, out[0], sizeof(s->ck));
	symmetric_mix_hash(s, bytes_of(out[1], sizeof(out[1])));
	memcpy(s->key, out[2], sizeof(s->key));
	key_wipe(out, sizeof(out));
}

enum err symmetric_mix_dh(struct symmetric *s, const struct private_key *key, const uint8_t peer[static KEY_LEN])
{
	uint8_t shared[KEY_LEN];
	if (!cipher_dh(shared, key, peer))
		return ERR_CRYPTO;
	symmetric_mix_key(s, bytes_of(shared, sizeof(shared)));
	key_wipe(shared, sizeof(shared));
	return ERR_NONE;
}

void symmetric_seal(struct symmetric *s, struct bytes plain, uint8_t *out)
{
	cipher_seal(s->key, 0, bytes_of(s->h, sizeof(s->h)), plain, out);
	symmetric_mix_hash(s, bytes_of(out, plain.len + CIPHER_TAG_LEN));
}

enum err symmetric_open(struct symmetric *s, struct bytes sealed, uint8_t *out)
{
	if (!cipher_open(s->key, 0, bytes_of(s->h, sizeof(s->h)), sealed, out))
		return ERR_CRYPTO;
	symmetric_mix_hash(s, sealed);
	return ERR_NONE;
}

void symmetric_split(const struct symmetric *s, uint8_t first[static CIPHER_KEY_LEN], uint8_t second[static CIPHER_KEY_LEN])
{
	uint8_t out[2][CIPHER_HASH_LEN];
	cipher_hkdf(s->ck, BYTES_NONE, 2, out);
	memcpy(first, out[0], CIPHER_KEY_LEN);
	memcpy(second, out[1], CIPHER_KEY_LEN);
	key_wipe(out, sizeof(out));
}
