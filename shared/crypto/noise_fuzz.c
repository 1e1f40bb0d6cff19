/* Initiations, answers, link messages and records as strangers may send them. The first byte picks which. */
#include <stdlib.h>

#include "noise.h"

static struct private_key server = {{0x33}};
static struct public_key server_public;

static void attack_server(struct bytes in)
{
	uint8_t response[NOISE_RESPONSE_LEN];
	struct noise noise;
	uint16_t version;
	if (noise_peek_version(in, &version) == ERR_NONE && noise_accept(&server, in, response, &noise) == ERR_NONE)
		noise_wipe(&noise);
}

static void attack_client(struct bytes in)
{
	static const struct private_key machine = {{0x11}}, ephemeral = {{0x22}};
	uint8_t initiation[NOISE_INITIATION_LEN];
	struct noise_dial dial;
	struct noise noise;
	noise_dial_start(&dial, &machine, &ephemeral, &server_public, 113, initiation);
	if (noise_dial_finish(&dial, in, &noise) == ERR_NONE)
		abort(); /* nobody but the server can answer */
}

static void attack_link(struct bytes in)
{
	uint8_t message[NOISE_PSK_MESSAGE_LEN], answer[NOISE_PSK_MESSAGE_LEN];
	struct noise_psk psk;
	struct noise noise;
	noise_psk_start(&psk, BYTES("secret"), BYTES("fuzz"), message);
	if (noise_psk_finish(&psk, in, &noise) == ERR_NONE || noise_psk_accept(BYTES("secret"), BYTES("fuzz"), in, answer, &noise) == ERR_NONE)
		abort();
}

/* A stream of what was sealed, with bytes of the input laid over it: what opens must be what was sealed, in order. */
static void attack_records(struct bytes in)
{
	struct noise_cipher tx = {.key = {1}}, rx = tx;
	struct buffer sealed, plain;
	static const uint8_t sent[3 * NOISE_PLAIN_MAX];
	size_t used, at = 0;
	buffer_init(&sealed, 4 * NOISE_RECORD_MAX);
	buffer_init(&plain, 4 * NOISE_RECORD_MAX);
	if (noise_seal(&tx, bytes_of(sent, in.len ? in.at[0] * 47u : 0), &sealed) != ERR_NONE)
		abort();
	for (size_t i = 1; i + 2 < in.len && sealed.len; i += 3)
		sealed.at[get_be16(in.at + i) % sealed.len] ^= in.at[i + 2];
	struct bytes all = buffer_bytes(&sealed);
	while (noise_open(&rx, bytes_skip(all, at), &plain, &used) == ERR_NONE)
		at += used;
	if (plain.len > sizeof(sent) || (plain.len && memcmp(plain.at, sent, plain.len) != 0))
		abort();
	rx.counter = 0;
	if (noise_open(&rx, in, &plain, &used) != ERR_NONE && used)
		abort();
	buffer_clear(&sealed);
	buffer_clear(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const attacks[])(struct bytes) = {attack_server, attack_client, attack_link, attack_records};
	if (!size)
		return 0;
	key_public(&server, &server_public);
	attacks[data[0] % COUNT_OF(attacks)](bytes_of(data + 1, size - 1));
	return 0;
}
