/* Infos that are sealed and opened again: what went in comes out, for nobody else, and not when a byte of it has changed. */
#include <stdlib.h>

#include "box.h"
#include "derpframe.h"
#include "jsonr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RELAY, OTHER, STRANGER, WORLD };

static struct private_key secret[WORLD];
static struct public_key key[WORLD];

static struct node_key node_of(const struct public_key *public_key)
{
	struct node_key node;
	memcpy(node.raw, public_key->raw, KEY_LEN);
	return node;
}

static void must(bool it)
{
	if (!it)
		abort();
}

static struct bytes payload_of(struct bytes frame, enum derpframe_type type)
{
	struct derpframe_header h;
	must(!derpframe_decode(frame, &h) && h.type == type && h.len == frame.len - DERPFRAME_HEADER_LEN);
	return bytes_skip(frame, DERPFRAME_HEADER_LEN);
}

static void change(struct buffer *out, uint16_t where)
{
	out->at[DERPFRAME_HEADER_LEN + where % (out->len - DERPFRAME_HEADER_LEN)] ^= (uint8_t)(1 << where % 8);
}

static void server_info(uint64_t rate, uint64_t burst, uint16_t where)
{
	struct node_key to = node_of(&key[OTHER]);
	struct buffer out, plain;
	json_t *json;
	buffer_init(&out, 4096);
	buffer_init(&plain, 4096);
	must(!derpframe_encode_server_limits(&secret[RELAY], &to, rate, burst, &out));
	struct bytes payload = payload_of(buffer_bytes(&out), DERPFRAME_SERVER_INFO);
	must(!box_open(&secret[OTHER], key[RELAY].raw, payload, &plain));
	must(!jsonr_parse(buffer_bytes(&plain), 4096, &json, NULL));
	json_int_t told = json_integer_value(json_object_get(json, "TokenBucketBytesPerSecond")),
		   size = json_integer_value(json_object_get(json, "TokenBucketBytesBurst"));
	must(json_integer_value(json_object_get(json, "version")) == 2);
	must(rate ? (rate <= INT64_MAX ? (uint64_t)told == rate : told == INT64_MAX) && size >= 65573 : !told && !size);
	must(burst <= INT64_MAX && rate && burst >= 65573 ? (uint64_t)size == burst : true);
	json_decref(json);
	must(box_open(&secret[STRANGER], key[RELAY].raw, payload, &plain) == ERR_CRYPTO);
	change(&out, where);
	must(box_open(&secret[OTHER], key[RELAY].raw, payload, &plain) == ERR_CRYPTO);
	buffer_clear(&out);
	buffer_clear(&plain);
}

static void client_info(const uint8_t mesh_key[static KEY_LEN], bool prober, uint16_t where)
{
	struct node_key to = node_of(&key[RELAY]);
	struct derpframe_client_info info;
	struct buffer out;
	buffer_init(&out, 4096);
	must(!(prober ? derpframe_encode_prober_info(&secret[OTHER], &key[OTHER], &to, &out)
		      : derpframe_encode_mesh_info(&secret[OTHER], &key[OTHER], &to, mesh_key, &out)));
	struct bytes payload = payload_of(buffer_bytes(&out), DERPFRAME_CLIENT_INFO);
	must(!derpframe_decode_client_info(payload, &secret[RELAY], &info));
	must(!memcmp(info.key.raw, key[OTHER].raw, KEY_LEN) && info.is_prober == prober && info.has_mesh_key == !prober && info.version == 2);
	must(prober || !memcmp(info.mesh_key, mesh_key, KEY_LEN));
	must(derpframe_decode_client_info(payload, &secret[STRANGER], &info) == ERR_CRYPTO);
	change(&out, where);
	enum err e = derpframe_decode_client_info(payload, &secret[RELAY], &info);
	/* X25519 does not look at the highest bit (RFC 7748, 5): the one who has the secret says another name, which is nobody's. */
	if (where % payload.len == KEY_LEN - 1 && where % 8 == 7)
		must(!e && memcmp(info.key.raw, key[OTHER].raw, KEY_LEN) != 0);
	else
		must(e != ERR_NONE);
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 + KEY_LEN)
		return 0;
	for (unsigned i = 0; i < WORLD && key_is_zero(key[i].raw); i++)
		key_mint(&secret[i], &key[i]);
	uint16_t where = get_be16(data + 1);
	if (data[0] & 1)
		server_info(get_be64(data + 3), get_be64(data + 11), where);
	else
		client_info(data + 3, data[0] & 2, where);
	return 0;
}
