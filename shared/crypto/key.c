#include "key.h"

#include <sodium.h>
#include <stdlib.h>

#include "text.h"

__attribute__((constructor)) static void start_sodium(void)
{
	if (sodium_init() < 0)
		abort();
}

static enum err parse(struct bytes text, const char *prefix, uint8_t raw[static KEY_LEN])
{
	if (!bytes_starts(text, prefix))
		return ERR_MALFORMED;
	return hex_decode(bytes_skip(text, strlen(prefix)), raw, KEY_LEN);
}

enum err key_parse_machine(struct bytes text, struct machine_key *key)
{
	return parse(text, "mkey:", key->raw);
}

enum err key_parse_node(struct bytes text, struct node_key *key)
{
	return parse(text, "nodekey:", key->raw);
}

enum err key_parse_disco(struct bytes text, struct disco_key *key)
{
	return parse(text, "discokey:", key->raw);
}

enum err key_parse_lock(struct bytes text, struct lock_key *key)
{
	return parse(text, bytes_starts(text, "tlpub:") ? "tlpub:" : "nlpub:", key->raw);
}

static size_t format(char out[static KEY_TEXT_MAX], const char *prefix, const uint8_t raw[static KEY_LEN])
{
	char *digits = stpcpy(out, prefix);
	hex_encode(digits, bytes_of(raw, KEY_LEN));
	return (size_t)(digits - out) + (size_t)KEY_LEN * 2;
}

size_t key_format_machine(char out[static KEY_TEXT_MAX], const struct machine_key *key)
{
	return format(out, "mkey:", key->raw);
}

size_t key_format_node(char out[static KEY_TEXT_MAX], const struct node_key *key)
{
	return format(out, "nodekey:", key->raw);
}

size_t key_format_disco(char out[static KEY_TEXT_MAX], const struct disco_key *key)
{
	return format(out, "discokey:", key->raw);
}

size_t key_format_challenge(char out[static KEY_TEXT_MAX], const struct public_key *key)
{
	return format(out, "chalpub:", key->raw);
}

const char *key_short(char out[static KEY_SHORT_MAX], const uint8_t raw[static KEY_LEN])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = get_be32(raw);
	out[0] = '[';
	for (int i = 0; i < 5; i++)
		out[1 + i] = digits[bits >> (26 - 6 * i) & 63];
	out[6] = ']';
	out[7] = 0;
	return out;
}

bool key_is_zero(const uint8_t raw[static KEY_LEN])
{
	return sodium_is_zero(raw, KEY_LEN);
}

bool key_equal(const uint8_t a[static KEY_LEN], const uint8_t b[static KEY_LEN])
{
	return !sodium_memcmp(a, b, KEY_LEN);
}

void key_wipe(void *key, size_t size)
{
	sodium_memzero(key, size);
}

void key_mint(struct private_key *key, struct public_key *public_key)
{
	random_fill(key->raw, KEY_LEN);
	key->raw[0] &= 0xf8;
	key->raw[31] = (uint8_t)((key->raw[31] & 0x7f) | 0x40);
	key_public(key, public_key);
}

void key_public(const struct private_key *key, struct public_key *public_key)
{
	if (crypto_scalarmult_base(public_key->raw, key->raw))
		abort(); /* cannot happen: the base point has no small order */
}

void random_fill(void *out, size_t len)
{
	randombytes_buf(out, len);
}

uint64_t random_number(void)
{
	uint64_t number;
	random_fill(&number, sizeof(number));
	return number;
}
