/* Frames of the DERP protocol, version 2, as a relay reads and writes them: headers, the handshake's contents, length rules.
 * Not the connection (derp/client.h) and no routing.
 * Plain values over borrowed bytes. Source: docs/protocol/derp.md (tailscale derp/derp.go, derp/derpserver). */
#ifndef DERPFRAME_H
#define DERPFRAME_H

#include "addr.h"
#include "buffer.h"
#include "key.h"

enum {
	DERPFRAME_HEADER_LEN = 5,     /* type, then the payload's length in big endian */
	DERPFRAME_PACKET_MAX = 65536, /* of one relayed packet, without keys */
	DERPFRAME_INFO_LEAST = KEY_LEN + 24,
	DERPFRAME_INFO_MAX = 262144, /* of a ClientInfo frame */
	DERPFRAME_SERVER_KEY_LEN = DERPFRAME_HEADER_LEN + 8 + KEY_LEN,
	DERPFRAME_RECV_HEADER_LEN = DERPFRAME_HEADER_LEN + KEY_LEN,
	DERPFRAME_PING_LEN = 8,
	DERPFRAME_PONG_LEN = DERPFRAME_HEADER_LEN + DERPFRAME_PING_LEN,
	DERPFRAME_PRESENT_LEN = DERPFRAME_HEADER_LEN + KEY_LEN + 16 + 2 + 1,
	DERPFRAME_FORWARD_HEADER_LEN = DERPFRAME_HEADER_LEN + 2 * KEY_LEN,
	DERPFRAME_RESTARTING_LEN = DERPFRAME_HEADER_LEN + 8,
	DERPFRAME_PEER_GONE_LEN = DERPFRAME_HEADER_LEN + KEY_LEN + 1
};

enum derpframe_type {
	DERPFRAME_SERVER_KEY = 0x01,
	DERPFRAME_CLIENT_INFO = 0x02,
	DERPFRAME_SERVER_INFO = 0x03,
	DERPFRAME_SEND_PACKET = 0x04,
	DERPFRAME_RECV_PACKET = 0x05,
	DERPFRAME_KEEP_ALIVE = 0x06,
	DERPFRAME_NOTE_PREFERRED = 0x07,
	DERPFRAME_PEER_GONE = 0x08,
	DERPFRAME_PEER_PRESENT = 0x09,
	DERPFRAME_FORWARD_PACKET = 0x0a,
	DERPFRAME_WATCH_CONNS = 0x10,
	DERPFRAME_CLOSE_PEER = 0x11,
	DERPFRAME_PING = 0x12,
	DERPFRAME_PONG = 0x13,
	DERPFRAME_HEALTH = 0x14,
	DERPFRAME_RESTARTING = 0x15
};

enum derpframe_gone { DERPFRAME_GONE_DISCONNECTED = 0x00, DERPFRAME_GONE_NOT_HERE = 0x01 };

struct derpframe_header {
	uint8_t type; /* enum derpframe_type, or a value that we do not know */
	uint32_t len; /* of the payload */
};

/* ERR_AGAIN when fewer than five bytes are there. */
MUST_USE enum err derpframe_decode(struct bytes in, struct derpframe_header *header);
void derpframe_encode(uint8_t out[static DERPFRAME_HEADER_LEN], enum derpframe_type type, uint32_t len);

/* What a relay thinks of a frame from a client that has logged in: ERR_NONE to handle it; ERR_UNSUPPORTED to skip its payload, however long (an unknown
 * type, or one that says nothing here: a late ClientInfo, a Pong); ERR_MALFORMED when its length breaks its rule, ERR_DENIED when it needs a mesh key:
 * both end the connection. */
MUST_USE enum err derpframe_check(struct derpframe_header header);

/* Whether a payload is peer discovery, which travels in a queue of its own. */
bool derpframe_is_disco(struct bytes payload);

void derpframe_encode_server_key(uint8_t out[static DERPFRAME_SERVER_KEY_LEN], const struct public_key *relay);
/* The head of a RecvPacket frame; `len` bytes of packet follow it. */
void derpframe_encode_recv(uint8_t out[static DERPFRAME_RECV_HEADER_LEN], const struct node_key *source, uint32_t len);
void derpframe_encode_pong(uint8_t out[static DERPFRAME_PONG_LEN], const uint8_t ping[static DERPFRAME_PING_LEN]);
void derpframe_encode_peer_gone(uint8_t out[static DERPFRAME_PEER_GONE_LEN], const struct node_key *peer, enum derpframe_gone reason);
void derpframe_encode_restarting(uint8_t out[static DERPFRAME_RESTARTING_LEN], uint32_t reconnect_ms, uint32_t try_for_ms);
enum { DERPFRAME_IS_REGULAR = 1, DERPFRAME_IS_MESH_PEER = 2, DERPFRAME_IS_PROBER = 4, DERPFRAME_IS_NOT_IDEAL = 8 };
/* peer: zeroes when its family is IP_NONE. */
void derpframe_encode_peer_present(uint8_t out[static DERPFRAME_PRESENT_LEN], const struct node_key *key, struct endpoint peer, uint8_t flags);
/* What a watcher is told: who is there (`present`) and who is not. False: another frame, or too short. What older relays do not say behind the key is not looked at. */
bool derpframe_decode_news(uint8_t type, struct bytes payload, struct node_key *key, bool *present);
/* The head of a ForwardPacket; `len` bytes of packet follow it. */
void derpframe_encode_forward(uint8_t out[static DERPFRAME_FORWARD_HEADER_LEN], const struct node_key *source, const struct node_key *to, uint32_t len);
/* Appends a whole ClientInfo frame of a relay that dials a sibling. */
MUST_USE enum err derpframe_encode_mesh_info(const struct private_key *relay, const struct public_key *self, const struct node_key *sibling,
					     const uint8_t mesh_key[static KEY_LEN], struct buffer *out);
/* Of a prober: a client like others that says so. */
MUST_USE enum err derpframe_encode_prober_info(const struct private_key *prober, const struct public_key *self, const struct node_key *relay,
					       struct buffer *out);
/* Appends a whole ServerInfo frame, sealed to `client`. */
MUST_USE enum err derpframe_encode_server_info(const struct private_key *relay, const struct node_key *client, struct buffer *out);
/* The same with a limit on what the client sends, which keeps to it by itself; rate 0: none, and none any more. May be sent again at any time. A burst in which the
 * largest packet has no room is told as one in which it has: the client would drop it for ever. */
MUST_USE enum err derpframe_encode_server_limits(const struct private_key *relay, const struct node_key *client, uint64_t per_second, uint64_t burst,
						 struct buffer *out);

struct derpframe_client_info {
	struct node_key key; /* proven by the box */
	int64_t version;
	bool can_ack_pings, is_prober;
	bool has_mesh_key;
	uint8_t mesh_key[KEY_LEN];
};

/* Opens the payload of a ClientInfo frame. ERR_MALFORMED: length, key or JSON; ERR_CRYPTO: the box is not for us or not by that key. */
MUST_USE enum err derpframe_decode_client_info(struct bytes payload, const struct private_key *relay, struct derpframe_client_info *info);
/* The JSON inside: names in any case, unknown members ignored, known ones of a wrong type refused. Leaves `key` alone. */
MUST_USE enum err derpframe_parse_client_info(struct bytes json, struct derpframe_client_info *info);

#endif
