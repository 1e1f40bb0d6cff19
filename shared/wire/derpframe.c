#include "derpframe.h"

#include <stdio.h>

#include "box.h"
#include "jsonr.h"
#include "text.h"

static const uint8_t magic[8] = {'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91};
static const uint8_t disco_magic[6] = {'T', 'S', 0xf0, 0x9f, 0x92, 0xac};

/* Magic, sender's disco key, nonce: what is shorter cannot be disco. */
enum { DISCO_LEAST = sizeof disco_magic + KEY_LEN + BOX_NONCE_LEN };

enum err derpframe_decode(struct bytes in, struct derpframe_header *header)
{
	if (in.len < DERPFRAME_HEADER_LEN)
		return ERR_AGAIN;
	header->type = in.at[0];
	header->len = get_be32(in.at + 1);
	return ERR_NONE;
}

void derpframe_encode(uint8_t out[static DERPFRAME_HEADER_LEN], enum derpframe_type type, uint32_t len)
{
	out[0] = (uint8_t)type;
	put_be32(out + 1, len);
}

static const struct rule {
	uint8_t type;
	uint32_t least, most;
	enum err mesh; /* ERR_DENIED where only siblings of the region may say it */
} rules[] = {
	{DERPFRAME_SEND_PACKET, KEY_LEN, KEY_LEN + DERPFRAME_PACKET_MAX, ERR_NONE},
	{DERPFRAME_NOTE_PREFERRED, 1, 1, ERR_NONE},
	{DERPFRAME_PING, DERPFRAME_PING_LEN, 1000, ERR_NONE},
	{DERPFRAME_FORWARD_PACKET, 2 * KEY_LEN, 2 * KEY_LEN + DERPFRAME_PACKET_MAX, ERR_DENIED},
	{DERPFRAME_WATCH_CONNS, 0, 0, ERR_DENIED},
	{DERPFRAME_CLOSE_PEER, KEY_LEN, KEY_LEN, ERR_DENIED},
};

enum err derpframe_check(struct derpframe_header header)
{
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		if (rules[i].type != header.type)
			continue;
		if (header.len < rules[i].least || header.len > rules[i].most)
			return ERR_MALFORMED;
		return rules[i].mesh;
	}
	return ERR_UNSUPPORTED;
}

bool derpframe_is_disco(struct bytes payload)
{
	return payload.len >= DISCO_LEAST && !memcmp(payload.at, disco_magic, sizeof disco_magic);
}

void derpframe_encode_server_key(uint8_t out[static DERPFRAME_SERVER_KEY_LEN], const struct public_key *relay)
{
	derpframe_encode(out, DERPFRAME_SERVER_KEY, sizeof magic + KEY_LEN);
	memcpy(out + DERPFRAME_HEADER_LEN, magic, sizeof magic);
	memcpy(out + DERPFRAME_HEADER_LEN + sizeof magic, relay->raw, KEY_LEN);
}

void derpframe_encode_recv(uint8_t out[static DERPFRAME_RECV_HEADER_LEN], const struct node_key *source, uint32_t len)
{
	derpframe_encode(out, DERPFRAME_RECV_PACKET, KEY_LEN + len);
	memcpy(out + DERPFRAME_HEADER_LEN, source->raw, KEY_LEN);
}

void derpframe_encode_pong(uint8_t out[static DERPFRAME_PONG_LEN], const uint8_t ping[static DERPFRAME_PING_LEN])
{
	derpframe_encode(out, DERPFRAME_PONG, DERPFRAME_PING_LEN);
	memcpy(out + DERPFRAME_HEADER_LEN, ping, DERPFRAME_PING_LEN);
}

void derpframe_encode_peer_gone(uint8_t out[static DERPFRAME_PEER_GONE_LEN], const struct node_key *peer, enum derpframe_gone reason)
{
	derpframe_encode(out, DERPFRAME_PEER_GONE, KEY_LEN + 1);
	memcpy(out + DERPFRAME_HEADER_LEN, peer->raw, KEY_LEN);
	out[DERPFRAME_HEADER_LEN + KEY_LEN] = (uint8_t)reason;
}

void derpframe_encode_restarting(uint8_t out[static DERPFRAME_RESTARTING_LEN], uint32_t reconnect_ms, uint32_t try_for_ms)
{
	derpframe_encode(out, DERPFRAME_RESTARTING, 8);
	put_be32(out + DERPFRAME_HEADER_LEN, reconnect_ms);
	put_be32(out + DERPFRAME_HEADER_LEN + 4, try_for_ms);
}

void derpframe_encode_peer_present(uint8_t out[static DERPFRAME_PRESENT_LEN], const struct node_key *key, struct endpoint peer, uint8_t flags)
{
	uint8_t *at = out + DERPFRAME_HEADER_LEN + KEY_LEN;
	derpframe_encode(out, DERPFRAME_PEER_PRESENT, DERPFRAME_PRESENT_LEN - DERPFRAME_HEADER_LEN);
	memcpy(out + DERPFRAME_HEADER_LEN, key->raw, KEY_LEN);
	memset(at, 0, 18);
	if (peer.ip.family == IP_V4) {
		at[10] = at[11] = 0xff;
		memcpy(at + 12, peer.ip.byte, 4);
	} else if (peer.ip.family == IP_V6) {
		memcpy(at, peer.ip.byte, 16);
	}
	if (peer.ip.family != IP_NONE) {
		at[16] = (uint8_t)(peer.port >> 8);
		at[17] = (uint8_t)peer.port;
	}
	at[18] = flags;
}

bool derpframe_decode_news(uint8_t type, struct bytes payload, struct node_key *key, bool *present)
{
	if ((type != DERPFRAME_PEER_PRESENT && type != DERPFRAME_PEER_GONE) || payload.len < KEY_LEN)
		return false;
	memcpy(key->raw, payload.at, KEY_LEN);
	*present = type == DERPFRAME_PEER_PRESENT;
	return true;
}

void derpframe_encode_forward(uint8_t out[static DERPFRAME_FORWARD_HEADER_LEN], const struct node_key *source, const struct node_key *to, uint32_t len)
{
	derpframe_encode(out, DERPFRAME_FORWARD_PACKET, 2 * KEY_LEN + len);
	memcpy(out + DERPFRAME_HEADER_LEN, source->raw, KEY_LEN);
	memcpy(out + DERPFRAME_HEADER_LEN + KEY_LEN, to->raw, KEY_LEN);
}

static enum err seal_client_info(const struct private_key *from, const struct public_key *self, const struct node_key *relay, struct bytes json,
				 struct buffer *out)
{
	size_t before = out->len;
	uint8_t head[DERPFRAME_HEADER_LEN + KEY_LEN];
	derpframe_encode(head, DERPFRAME_CLIENT_INFO, (uint32_t)(KEY_LEN + BOX_OVERHEAD + json.len));
	memcpy(head + DERPFRAME_HEADER_LEN, self->raw, KEY_LEN);
	enum err e = buffer_add(out, bytes_of(head, sizeof head));
	if (!e)
		e = box_seal(from, relay->raw, json, out);
	if (e)
		buffer_cut(out, before);
	return e;
}

enum err derpframe_encode_mesh_info(const struct private_key *relay, const struct public_key *self, const struct node_key *sibling,
				    const uint8_t mesh_key[static KEY_LEN], struct buffer *out)
{
	char hex[2 * KEY_LEN + 1], json[160];
	hex_encode(hex, bytes_of(mesh_key, KEY_LEN));
	int len = snprintf(json, sizeof json, "{\"meshKey\":\"%s\",\"version\":2,\"CanAckPings\":false}", hex);
	enum err e = seal_client_info(relay, self, sibling, bytes_of(json, (size_t)len), out);
	key_wipe(json, sizeof json);
	key_wipe(hex, sizeof hex);
	return e;
}

enum err derpframe_encode_prober_info(const struct private_key *prober, const struct public_key *self, const struct node_key *relay, struct buffer *out)
{
	return seal_client_info(prober, self, relay, BYTES("{\"version\":2,\"CanAckPings\":true,\"IsProber\":true}"), out);
}

static enum err seal_server_info(const struct private_key *relay, const struct node_key *client, struct bytes json, struct buffer *out)
{
	size_t before = out->len;
	uint8_t header[DERPFRAME_HEADER_LEN];
	derpframe_encode(header, DERPFRAME_SERVER_INFO, (uint32_t)(BOX_OVERHEAD + json.len));
	enum err e = buffer_add(out, bytes_of(header, sizeof header));
	if (!e)
		e = box_seal(relay, client->raw, json, out);
	if (e)
		buffer_cut(out, before);
	return e;
}

enum err derpframe_encode_server_info(const struct private_key *relay, const struct node_key *client, struct buffer *out)
{
	return seal_server_info(relay, client, BYTES("{\"version\":2}"), out);
}

enum err derpframe_encode_server_limits(const struct private_key *relay, const struct node_key *client, uint64_t per_second, uint64_t burst, struct buffer *out)
{
	static const uint64_t largest = DERPFRAME_RECV_HEADER_LEN + DERPFRAME_PACKET_MAX; /* costs its sender so much */
	char json[128];
	if (!per_second)
		return derpframe_encode_server_info(relay, client, out);
	per_second = per_second > INT64_MAX ? INT64_MAX : per_second;
	burst = burst > INT64_MAX ? INT64_MAX : burst < largest ? largest : burst;
	int len = snprintf(json, sizeof json, "{\"version\":2,\"TokenBucketBytesPerSecond\":%llu,\"TokenBucketBytesBurst\":%llu}",
			   (unsigned long long)per_second, (unsigned long long)burst);
	return seal_server_info(relay, client, bytes_of(json, (size_t)len), out);
}

enum err derpframe_decode_client_info(struct bytes payload, const struct private_key *relay, struct derpframe_client_info *info)
{
	if (payload.len < DERPFRAME_INFO_LEAST || payload.len > DERPFRAME_INFO_MAX)
		return ERR_MALFORMED;
	*info = (struct derpframe_client_info){0};
	memcpy(info->key.raw, payload.at, KEY_LEN);
	if (key_is_zero(info->key.raw))
		return ERR_MALFORMED;
	struct buffer plain;
	buffer_init(&plain, DERPFRAME_INFO_MAX);
	enum err e = box_open(relay, info->key.raw, bytes_skip(payload, KEY_LEN), &plain);
	if (!e)
		e = derpframe_parse_client_info(buffer_bytes(&plain), info);
	/* A mesh key may have been in it. */
	if (plain.len)
		key_wipe(plain.at, plain.len);
	buffer_clear(&plain);
	return e;
}

enum member_kind { MEMBER_INT, MEMBER_BOOL, MEMBER_TEXT, MEMBER_MESH_KEY };

static enum err read_member(enum member_kind kind, const json_t *value, struct derpframe_client_info *info, size_t offset)
{
	void *at = (char *)info + offset;
	if (json_is_null(value))
		return kind == MEMBER_MESH_KEY ? ERR_MALFORMED : ERR_NONE;
	switch (kind) {
	case MEMBER_INT:
		if (!json_is_integer(value))
			return ERR_MALFORMED;
		memcpy(at, &(int64_t){json_integer_value(value)}, sizeof(int64_t));
		return ERR_NONE;
	case MEMBER_BOOL:
		if (!json_is_boolean(value))
			return ERR_MALFORMED;
		memcpy(at, &(bool){json_is_true(value)}, sizeof(bool));
		return ERR_NONE;
	case MEMBER_TEXT:
		return json_is_string(value) ? ERR_NONE : ERR_MALFORMED;
	case MEMBER_MESH_KEY:
		if (!json_is_string(value))
			return ERR_MALFORMED;
		info->has_mesh_key = true;
		return hex_decode(bytes_of(json_string_value(value), json_string_length(value)), info->mesh_key, KEY_LEN);
	}
	return ERR_BUG;
}

static enum err read_object(json_t *object, struct derpframe_client_info *info)
{
	static const struct {
		const char *name;
		enum member_kind kind;
		size_t offset;
	} members[] = {
		{"version", MEMBER_INT, offsetof(struct derpframe_client_info, version)},
		{"CanAckPings", MEMBER_BOOL, offsetof(struct derpframe_client_info, can_ack_pings)},
		{"IsProber", MEMBER_BOOL, offsetof(struct derpframe_client_info, is_prober)},
		{"AppName", MEMBER_TEXT, 0},
		{"meshKey", MEMBER_MESH_KEY, 0},
	};
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value)
	{
		for (size_t i = 0; i < COUNT_OF(members); i++) {
			if (!bytes_equal_nocase(bytes_text(name), members[i].name))
				continue;
			enum err e = read_member(members[i].kind, value, info, members[i].offset);
			if (e)
				return e;
		}
	}
	return ERR_NONE;
}

enum err derpframe_parse_client_info(struct bytes json, struct derpframe_client_info *info)
{
	json_t *object;
	enum err e = jsonr_parse(json, DERPFRAME_INFO_MAX, &object, NULL);
	if (e)
		return ERR_MALFORMED;
	e = json_is_object(object) ? read_object(object, info) : ERR_MALFORMED;
	json_decref(object);
	return e;
}
