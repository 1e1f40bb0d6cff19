#include "relayanswer.h"

#include "buffer.h"
#include "secret.h"
#include "text.h"

static const char purpose[] = "fleetscale relay answer 1";

enum { TEXT_MAX = sizeof purpose + 32, CAP = 8 << 20 };

static bool put(struct buffer *out, struct bytes field)
{
	uint8_t len[4];
	put_be32(len, (uint32_t)field.len);
	return !buffer_add(out, bytes_of(len, sizeof len)) && !buffer_add(out, field);
}

/* What is signed: the purpose, and the hash of all fields, each behind its length. */
static bool write_text(const struct relayanswer *a, uint8_t text[static TEXT_MAX])
{
	struct buffer all;
	uint8_t status[4];
	put_be32(status, a->status);
	buffer_init(&all, CAP);
	bool fits = put(&all, a->path) && put(&all, a->relay) && put(&all, a->nonce) && put(&all, a->question) && put(&all, bytes_of(status, sizeof status)) &&
		    put(&all, a->answer);
	memcpy(text, purpose, sizeof purpose);
	hash_bytes(buffer_bytes(&all), text + sizeof purpose);
	buffer_clear(&all);
	return fits;
}

void relayanswer_sign(const struct relayanswer *a, const uint8_t seed[static SIGN_SEED_LEN], char out[static RELAYANSWER_TEXT_MAX])
{
	uint8_t text[TEXT_MAX], signature[SIGN_LEN];
	struct sign_key key;
	*out = '\0';
	if (!write_text(a, text))
		return;
	sign_public(seed, &key);
	sign_make(seed, bytes_of(text, sizeof text), signature);
	sign_format(out, &key);
	size_t len = strlen(out);
	out[len] = ':';
	hex_encode(out + len + 1, bytes_of(signature, sizeof signature));
}

bool relayanswer_is_good(const struct relayanswer *a, struct bytes said, const struct sign_key *keys, size_t count)
{
	uint8_t text[TEXT_MAX], signature[SIGN_LEN];
	struct sign_key key;
	if (said.len < 2 * SIGN_LEN + 1 || said.at[said.len - 2 * SIGN_LEN - 1] != ':')
		return false;
	if (sign_parse(bytes_take(said, said.len - 2 * SIGN_LEN - 1), &key) ||
	    hex_decode(bytes_skip(said, said.len - 2 * SIGN_LEN), signature, sizeof signature))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!memcmp(keys[i].raw, key.raw, SIGN_KEY_LEN))
			return write_text(a, text) && sign_is_good(&key, bytes_of(text, sizeof text), signature);
	return false;
}

bool relayanswer_is_nonce(struct bytes text)
{
	uint8_t raw[RELAYANSWER_NONCE_LEN / 2];
	return text.len == RELAYANSWER_NONCE_LEN && !hex_decode(text, raw, sizeof raw);
}
