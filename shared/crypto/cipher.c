#include "cipher.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { BLOCK = 64, NONCE_LEN = 12 };

/* Fetching an algorithm and making a context cost more than a short record does, hence once per thread. */
struct thread_ciphers {
	EVP_MD *blake;
	EVP_MD_CTX *hash;
	EVP_CIPHER *chacha;
	EVP_CIPHER_CTX *record;
};

static _Thread_local struct thread_ciphers *mine;
static pthread_key_t thread_end;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* Only wrong arguments or a broken library make these calls fail, and going on would mean unprotected bytes. */
static void must(int done)
{
	if (done != 1)
		abort();
}

static void on_thread_end(void *at)
{
	struct thread_ciphers *gone = at;
	EVP_MD_CTX_free(gone->hash);
	EVP_MD_free(gone->blake);
	EVP_CIPHER_CTX_free(gone->record);
	EVP_CIPHER_free(gone->chacha);
	free(gone);
	mine = NULL;
}

static void prepare(void)
{
	must(pthread_key_create(&thread_end, on_thread_end) == 0);
}

static struct thread_ciphers *ciphers(void)
{
	if (mine)
		return mine;
	pthread_once(&prepared, prepare);
	struct thread_ciphers *fresh = x_zalloc(sizeof(*fresh));
	fresh->blake = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
	fresh->hash = EVP_MD_CTX_new();
	fresh->chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	fresh->record = EVP_CIPHER_CTX_new();
	must(fresh->blake && fresh->hash && fresh->chacha && fresh->record);
	must(EVP_DigestInit_ex2(fresh->hash, fresh->blake, NULL));
	must(EVP_CipherInit_ex2(fresh->record, fresh->chacha, NULL, NULL, 1, NULL));
	pthread_setspecific(thread_end, fresh);
	return mine = fresh;
}

static void hash_start(EVP_MD_CTX *hash, const uint8_t block[static BLOCK])
{
	must(EVP_DigestInit_ex2(hash, NULL, NULL));
	must(EVP_DigestUpdate(hash, block, BLOCK));
}

static void hash_more(EVP_MD_CTX *hash, struct bytes b)
{
	if (b.len)
		must(EVP_DigestUpdate(hash, b.at, b.len));
}

void cipher_hash(uint8_t out[static CIPHER_HASH_LEN], struct bytes a, struct bytes b)
{
	EVP_MD_CTX *hash = ciphers()->hash;
	must(EVP_DigestInit_ex2(hash, NULL, NULL));
	hash_more(hash, a);
	hash_more(hash, b);
	must(EVP_DigestFinal_ex(hash, out, NULL));
}

void cipher_hmac(uint8_t out[static CIPHER_HASH_LEN], const uint8_t key[static CIPHER_HASH_LEN], struct bytes a, struct bytes b)
{
	EVP_MD_CTX *hash = ciphers()->hash;
	uint8_t inner[BLOCK], outer[BLOCK], digest[CIPHER_HASH_LEN];
	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t k = i < CIPHER_HASH_LEN ? key[i] : 0;
		inner[i] = k ^ 0x36;
		outer[i] = k ^ 0x5c;
	}
	hash_start(hash, inner);
	hash_more(hash, a);
	hash_more(hash, b);
	must(EVP_DigestFinal_ex(hash, digest, NULL));
	hash_start(hash, outer);
	hash_more(hash, bytes_of(digest, sizeof(digest)));
	must(EVP_DigestFinal_ex(hash, out, NULL));
	key_wipe(inner, sizeof(inner));
	key_wipe(outer, sizeof(outer));
	key_wipe(digest, sizeof(digest));
}

void cipher_hkdf(const uint8_t salt[static CIPHER_HASH_LEN], struct bytes input, unsigned count, uint8_t out[][CIPHER_HASH_LEN])
{
	uint8_t extracted[CIPHER_HASH_LEN];
	assert(count >= 1 && count <= 3);
	cipher_hmac(extracted, salt, input, BYTES_NONE);
	for (unsigned i = 0; i < count; i++) {
		uint8_t number = (uint8_t)(i + 1);
		cipher_hmac(out[i], extracted, i ? bytes_of(out[i - 1], CIPHER_HASH_LEN) : BYTES_NONE, bytes_of(&number, 1));
	}
	key_wipe(extracted, sizeof(extracted));
}

static EVP_CIPHER_CTX *record_start(const uint8_t *key, uint64_t counter, struct bytes ad, int sealing)
{
	EVP_CIPHER_CTX *record = ciphers()->record;
	uint8_t nonce[NONCE_LEN] = {0};
	int none;
	put_be64(nonce + 4, counter);
	must(EVP_CipherInit_ex2(record, NULL, key, nonce, sealing, NULL));
	if (ad.len)
		must(EVP_CipherUpdate(record, NULL, &none, ad.at, (int)ad.len));
	return record;
}

void cipher_seal(const uint8_t key[static CIPHER_KEY_LEN], uint64_t counter, struct bytes ad, struct bytes plain, uint8_t *out)
{
	EVP_CIPHER_CTX *record = record_start(key, counter, ad, 1);
	int len = 0, none;
	if (plain.len)
		must(EVP_CipherUpdate(record, out, &len, plain.at, (int)plain.len));
	must(EVP_CipherFinal_ex(record, out + len, &none));
	must(EVP_CIPHER_CTX_ctrl(record, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_LEN, out + plain.len));
}

bool cipher_open(const uint8_t key[static CIPHER_KEY_LEN], uint64_t counter, struct bytes ad, struct bytes sealed, uint8_t *out)
{
	uint8_t tag[CIPHER_TAG_LEN], rest[CIPHER_TAG_LEN];
	int len = 0, none;
	if (sealed.len < CIPHER_TAG_LEN)
		return false;
	size_t plain = sealed.len - CIPHER_TAG_LEN;
	memcpy(tag, sealed.at + plain, sizeof(tag));
	EVP_CIPHER_CTX *record = record_start(key, counter, ad, 0);
	must(EVP_CIPHER_CTX_ctrl(record, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag));
	if (plain)
		must(EVP_CipherUpdate(record, out, &len, sealed.at, (int)plain));
	return EVP_CipherFinal_ex(record, rest, &none) == 1;
}

bool cipher_dh(uint8_t out[static KEY_LEN], const struct private_key *key, const uint8_t peer[static KEY_LEN])
{
	return !crypto_scalarmult(out, key->raw, peer);
}
