#include "noise.h"

#include <stdio.h>

#include "symmetric.h"

enum {
	SEALED_KEY_LEN = KEY_LEN + NOISE_TAG_LEN,
	INITIATION_BODY = 5, /* version, type, length */
	SEALED_MIN = NOISE_TAG_LEN,
	SEALED_MAX = NOISE_RECORD_MAX - NOISE_HEADER_LEN,
	PROLOGUE_MAX = 48
};

_Static_assert(NOISE_PLAIN_MAX + NOISE_TAG_LEN == SEALED_MAX, "a full record has no byte to spare");
_Static_assert(INITIATION_BODY + KEY_LEN + SEALED_KEY_LEN + NOISE_TAG_LEN == NOISE_INITIATION_LEN, "initiation");
_Static_assert(NOISE_HEADER_LEN + KEY_LEN + NOISE_TAG_LEN == NOISE_RESPONSE_LEN, "response");

static struct bytes key_bytes(const uint8_t raw[static KEY_LEN])
{
	return bytes_of(raw, KEY_LEN);
}

static void control_start(struct symmetric *s, uint16_t version, const struct public_key *server)
{
	char prologue[PROLOGUE_MAX];
	int len = snprintf(prologue, sizeof(prologue), "Tailscale Control Protocol v%u", version);
	symmetric_init(s, BYTES("Noise_IK_25519_ChaChaPoly_BLAKE2s"), bytes_of(prologue, (size_t)len));
	symmetric_mix_hash(s, key_bytes(server->raw));
}

static void put_header(uint8_t *at, uint8_t type, size_t len)
{
	at[0] = type;
	put_be16(at + 1, (uint16_t)len);
}

/* Record ciphers from the end of a handshake. */
static void finish(struct noise *noise, const struct symmetric *s, bool initiator)
{
	memset(noise, 0, sizeof(*noise));
	if (initiator)
		symmetric_split(s, noise->tx.key, noise->rx.key);
	else
		symmetric_split(s, noise->rx.key, noise->tx.key);
	memcpy(noise->hash, s->h, sizeof(noise->hash));
}

enum err noise_peek_version(struct bytes m, uint16_t *version)
{
	if (m.len != NOISE_INITIATION_LEN || m.at[2] != NOISE_TYPE_INITIATION || get_be16(m.at + 3) != NOISE_INITIATION_LEN - INITIATION_BODY)
		return ERR_MALFORMED;
	*version = get_be16(m.at);
	return ERR_NONE;
}

/* <- s, then -> e, es, s, ss: on success the machine key is proven. */
static enum err read_initiation(struct symmetric *s, const struct private_key *server, const uint8_t *body, struct machine_key *machine)
{
	const uint8_t *ephemeral = body, *sealed = body + KEY_LEN, *tag = sealed + SEALED_KEY_LEN;
	uint8_t none;
	symmetric_mix_hash(s, key_bytes(ephemeral));
	enum err e = symmetric_mix_dh(s, server, ephemeral);
	if (e == ERR_NONE)
		e = symmetric_open(s, bytes_of(sealed, SEALED_KEY_LEN), machine->raw);
	if (e == ERR_NONE)
		e = symmetric_mix_dh(s, server, machine->raw);
	return e == ERR_NONE ? symmetric_open(s, bytes_of(tag, NOISE_TAG_LEN), &none) : e;
}

/* <- e, ee, se */
static enum err write_response(struct symmetric *s, const struct private_key *ephemeral, const uint8_t *client_ephemeral, const struct machine_key *machine,
			       uint8_t *response)
{
	struct public_key own;
	key_public(ephemeral, &own);
	put_header(response, NOISE_TYPE_RESPONSE, NOISE_RESPONSE_LEN - NOISE_HEADER_LEN);
	memcpy(response + NOISE_HEADER_LEN, own.raw, KEY_LEN);
	symmetric_mix_hash(s, key_bytes(own.raw));
	enum err e = symmetric_mix_dh(s, ephemeral, client_ephemeral);
	if (e == ERR_NONE)
		e = symmetric_mix_dh(s, ephemeral, machine->raw);
	if (e == ERR_NONE)
		symmetric_seal(s, BYTES_NONE, response + NOISE_HEADER_LEN + KEY_LEN);
	return e;
}

enum err noise_accept_with(const struct private_key *server, const struct private_key *ephemeral, struct bytes initiation,
			   uint8_t response[static NOISE_RESPONSE_LEN], struct noise *noise)
{
	struct symmetric s;
	struct public_key own;
	struct machine_key machine;
	uint16_t version;
	enum err e = noise_peek_version(initiation, &version);
	if (e != ERR_NONE)
		return e;
	const uint8_t *body = initiation.at + INITIATION_BODY;
	key_public(server, &own);
	control_start(&s, version, &own);
	e = read_initiation(&s, server, body, &machine);
	if (e == ERR_NONE)
		e = write_response(&s, ephemeral, body, &machine, response);
	if (e == ERR_NONE) {
		finish(noise, &s, false);
		noise->peer = machine;
		noise->version = version;
	}
	key_wipe(&s, sizeof(s));
	return e;
}

enum err noise_accept(const struct private_key *server, struct bytes initiation, uint8_t response[static NOISE_RESPONSE_LEN], struct noise *noise)
{
	struct private_key ephemeral;
	random_fill(ephemeral.raw, sizeof(ephemeral.raw));
	enum err e = noise_accept_with(server, &ephemeral, initiation, response, noise);
	key_wipe(&ephemeral, sizeof(ephemeral));
	return e;
}

void noise_dial_start(struct noise_dial *dial, const struct private_key *machine, const struct private_key *ephemeral, const struct public_key *server,
		      uint16_t version, uint8_t initiation[static NOISE_INITIATION_LEN])
{
	struct symmetric s;
	struct public_key own;
	uint8_t *at = initiation + INITIATION_BODY;
	control_start(&s, version, server);
	put_be16(initiation, version);
	put_header(initiation + 2, NOISE_TYPE_INITIATION, NOISE_INITIATION_LEN - INITIATION_BODY);
	key_public(ephemeral, &own);
	memcpy(at, own.raw, KEY_LEN);
	symmetric_mix_hash(&s, key_bytes(own.raw));
	enum err e = symmetric_mix_dh(&s, ephemeral, server->raw);
	key_public(machine, &own);
	symmetric_seal(&s, key_bytes(own.raw), at + KEY_LEN);
	if (e == ERR_NONE)
		e = symmetric_mix_dh(&s, machine, server->raw);
	symmetric_seal(&s, BYTES_NONE, at + KEY_LEN + SEALED_KEY_LEN);
	if (e != ERR_NONE) { /* a server key of small order: no answer can be good */
		random_fill(&s, sizeof(s));
		random_fill(at, NOISE_INITIATION_LEN - INITIATION_BODY);
	}
	memcpy(dial->h, s.h, sizeof(dial->h));
	memcpy(dial->ck, s.ck, sizeof(dial->ck));
	dial->machine = *machine;
	dial->ephemeral = *ephemeral;
	dial->server = *server;
	key_wipe(&s, sizeof(s));
}

enum err noise_dial_finish(struct noise_dial *dial, struct bytes response, struct noise *noise)
{
	struct symmetric s;
	uint8_t none;
	if (response.len != NOISE_RESPONSE_LEN || response.at[0] != NOISE_TYPE_RESPONSE || get_be16(response.at + 1) != NOISE_RESPONSE_LEN - NOISE_HEADER_LEN)
		return ERR_MALFORMED;
	const uint8_t *ephemeral = response.at + NOISE_HEADER_LEN;
	memcpy(s.h, dial->h, sizeof(s.h));
	memcpy(s.ck, dial->ck, sizeof(s.ck));
	symmetric_mix_hash(&s, key_bytes(ephemeral));
	enum err e = symmetric_mix_dh(&s, &dial->ephemeral, ephemeral);
	if (e == ERR_NONE)
		e = symmetric_mix_dh(&s, &dial->machine, ephemeral);
	if (e == ERR_NONE)
		e = symmetric_open(&s, bytes_of(ephemeral + KEY_LEN, NOISE_TAG_LEN), &none);
	if (e == ERR_NONE)
		finish(noise, &s, true);
	key_wipe(&s, sizeof(s));
	key_wipe(dial, sizeof(*dial));
	return e;
}

enum err noise_error_frame(const char *text, struct buffer *out)
{
	struct bytes said = bytes_text(text);
	if (said.len > UINT16_MAX)
		return ERR_TOO_BIG;
	uint8_t *at = buffer_reserve(out, NOISE_HEADER_LEN + said.len);
	if (!at)
		return ERR_TOO_BIG;
	put_header(at, NOISE_TYPE_ERROR, said.len);
	if (said.len)
		memcpy(at + NOISE_HEADER_LEN, said.at, said.len);
	buffer_filled(out, NOISE_HEADER_LEN + said.len);
	return ERR_NONE;
}

enum err noise_seal(struct noise_cipher *tx, struct bytes plain, struct buffer *out)
{
	size_t records = plain.len / NOISE_PLAIN_MAX + (plain.len % NOISE_PLAIN_MAX != 0);
	size_t overhead = records * (NOISE_HEADER_LEN + NOISE_TAG_LEN);
	if (records > UINT64_MAX - tx->counter)
		return ERR_EXHAUSTED;
	if (!records)
		return ERR_NONE;
	uint8_t *at = plain.len <= SIZE_MAX - overhead ? buffer_reserve(out, plain.len + overhead) : NULL;
	if (!at)
		return ERR_TOO_BIG;
	buffer_filled(out, plain.len + overhead);
	while (plain.len) {
		struct bytes part = bytes_take(plain, NOISE_PLAIN_MAX);
		put_header(at, NOISE_TYPE_RECORD, part.len + NOISE_TAG_LEN);
		cipher_seal(tx->key, tx->counter++, BYTES_NONE, part, at + NOISE_HEADER_LEN);
		at += NOISE_HEADER_LEN + part.len + NOISE_TAG_LEN;
		plain = bytes_skip(plain, part.len);
	}
	return ERR_NONE;
}

enum err noise_open(struct noise_cipher *rx, struct bytes in, struct buffer *out, size_t *used)
{
	uint8_t none;
	*used = 0;
	if (in.len && in.at[0] != NOISE_TYPE_RECORD)
		return ERR_MALFORMED;
	if (in.len < NOISE_HEADER_LEN)
		return ERR_AGAIN;
	size_t len = get_be16(in.at + 1);
	if (len < SEALED_MIN || len > SEALED_MAX)
		return ERR_MALFORMED;
	if (in.len < NOISE_HEADER_LEN + len)
		return ERR_AGAIN;
	if (rx->counter == UINT64_MAX)
		return ERR_EXHAUSTED;
	size_t plain = len - NOISE_TAG_LEN;
	uint8_t *at = plain ? buffer_reserve(out, plain) : &none;
	if (!at)
		return ERR_TOO_BIG;
	if (!cipher_open(rx->key, rx->counter, BYTES_NONE, bytes_of(in.at + NOISE_HEADER_LEN, len), at))
		return ERR_CRYPTO;
	rx->counter++;
	if (plain)
		buffer_filled(out, plain);
	*used = NOISE_HEADER_LEN + len;
	return ERR_NONE;
}

void noise_wipe(struct noise *noise)
{
	key_wipe(noise, sizeof(*noise));
}

/* -> psk, e */
static void psk_begin(struct symmetric *s, struct bytes secret, struct bytes prologue, const uint8_t *ephemeral)
{
	uint8_t psk[CIPHER_HASH_LEN];
	cipher_hash(psk, BYTES("fleetscale link psk"), secret);
	symmetric_init(s, BYTES("Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s"), prologue);
	symmetric_mix_key_and_hash(s, bytes_of(psk, sizeof(psk)));
	symmetric_mix_hash(s, key_bytes(ephemeral));
	symmetric_mix_key(s, key_bytes(ephemeral));
	key_wipe(psk, sizeof(psk));
}

/* <- e, ee */
static enum err psk_answer(struct symmetric *s, const uint8_t *answering, const struct private_key *own, const uint8_t *peer)
{
	symmetric_mix_hash(s, key_bytes(answering));
	symmetric_mix_key(s, key_bytes(answering));
	return symmetric_mix_dh(s, own, peer);
}

void noise_psk_start_with(struct noise_psk *psk, struct bytes secret, struct bytes prologue, const struct private_key *ephemeral,
			  uint8_t message[static NOISE_PSK_MESSAGE_LEN])
{
	struct symmetric s;
	struct public_key own;
	key_public(ephemeral, &own);
	memcpy(message, own.raw, KEY_LEN);
	psk_begin(&s, secret, prologue, own.raw);
	symmetric_seal(&s, BYTES_NONE, message + KEY_LEN);
	memcpy(psk->h, s.h, sizeof(psk->h));
	memcpy(psk->ck, s.ck, sizeof(psk->ck));
	memcpy(psk->key, s.key, sizeof(psk->key));
	psk->ephemeral = *ephemeral;
	key_wipe(&s, sizeof(s));
}

void noise_psk_start(struct noise_psk *psk, struct bytes secret, struct bytes prologue, uint8_t message[static NOISE_PSK_MESSAGE_LEN])
{
	struct private_key ephemeral;
	random_fill(ephemeral.raw, sizeof(ephemeral.raw));
	noise_psk_start_with(psk, secret, prologue, &ephemeral, message);
	key_wipe(&ephemeral, sizeof(ephemeral));
}

enum err noise_psk_accept_with(struct bytes secret, struct bytes prologue, const struct private_key *ephemeral, struct bytes message,
			       uint8_t answer[static NOISE_PSK_MESSAGE_LEN], struct noise *noise)
{
	struct symmetric s;
	struct public_key own;
	uint8_t none;
	if (message.len != NOISE_PSK_MESSAGE_LEN)
		return ERR_MALFORMED;
	key_public(ephemeral, &own);
	psk_begin(&s, secret, prologue, message.at);
	enum err e = symmetric_open(&s, bytes_of(message.at + KEY_LEN, NOISE_TAG_LEN), &none);
	if (e == ERR_NONE)
		e = psk_answer(&s, own.raw, ephemeral, message.at);
	if (e == ERR_NONE) {
		memcpy(answer, own.raw, KEY_LEN);
		symmetric_seal(&s, BYTES_NONE, answer + KEY_LEN);
		finish(noise, &s, false);
	}
	key_wipe(&s, sizeof(s));
	return e;
}

enum err noise_psk_accept(struct bytes secret, struct bytes prologue, struct bytes message, uint8_t answer[static NOISE_PSK_MESSAGE_LEN], struct noise *noise)
{
	struct private_key ephemeral;
	random_fill(ephemeral.raw, sizeof(ephemeral.raw));
	enum err e = noise_psk_accept_with(secret, prologue, &ephemeral, message, answer, noise);
	key_wipe(&ephemeral, sizeof(ephemeral));
	return e;
}

enum err noise_psk_finish(struct noise_psk *psk, struct bytes answer, struct noise *noise)
{
	struct symmetric s;
	uint8_t none;
	if (answer.len != NOISE_PSK_MESSAGE_LEN)
		return ERR_MALFORMED;
	memcpy(s.h, psk->h, sizeof(s.h));
	memcpy(s.ck, psk->ck, sizeof(s.ck));
	enum err e = psk_answer(&s, answer.at, &psk->ephemeral, answer.at);
	if (e == ERR_NONE)
		e = symmetric_open(&s, bytes_of(answer.at + KEY_LEN, NOISE_TAG_LEN), &none);
	if (e == ERR_NONE)
		finish(noise, &s, true);
	key_wipe(&s, sizeof(s));
	key_wipe(psk, sizeof(*psk));
	return e;
}
