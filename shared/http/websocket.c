#include "websocket.h"

#include "secret.h"
#include "text.h"
#include "wsframe.h"

enum { KEY_MAX = 64, NONCE_LEN = 16, FIRST_MAX = 64 << 10 };

static bool offers(struct bytes list, const char *protocol)
{
	for (struct bytes rest = list; rest.at;)
		if (bytes_equal_text(bytes_trim(bytes_split(rest, ',', &rest)), protocol))
			return true;
	return false;
}

static bool key_ok(struct bytes key)
{
	struct buffer nonce;
	buffer_init(&nonce, KEY_MAX);
	bool ok = key.len && key.len <= KEY_MAX && !base64_decode(key, &nonce) && nonce.len == NONCE_LEN;
	buffer_clear(&nonce);
	return ok;
}

bool websocket_asked(struct exchange *x, const char *subprotocol)
{
	const char *missing = NULL;
	if (!bytes_equal_text(upgrade_wanted(x), "websocket"))
		missing = "GET on this path wants Upgrade: websocket\n";
	else if (!key_ok(exchange_header(x, "sec-websocket-key")))
		missing = "Sec-WebSocket-Key is missing or malformed\n";
	else if (!offers(exchange_header(x, "sec-websocket-protocol"), subprotocol))
		missing = arena_format(x->arena, "Sec-WebSocket-Protocol must offer %s\n", subprotocol);
	if (missing) {
		exchange_reply_text(x, 400, missing);
		return false;
	}
	if (bytes_equal_text(exchange_header(x, "sec-websocket-version"), "13"))
		return true;
	exchange_add_header(x, "Sec-WebSocket-Version", BYTES("13"));
	exchange_reply_text(x, 426, "Sec-WebSocket-Version 13 is spoken here\n");
	return false;
}

static void add_accept(struct exchange *x)
{
	static const char MAGIC[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t hash[20];
	struct buffer accept;
	hash_sha1(bytes_text(arena_format(x->arena, "%.*s%s", BYTES_ARG(exchange_header(x, "sec-websocket-key")), MAGIC)), hash);
	buffer_init(&accept, KEY_MAX);
	if (!base64_encode(bytes_of(hash, sizeof(hash)), &accept))
		exchange_add_header(x, "Sec-WebSocket-Accept", buffer_bytes(&accept));
	buffer_clear(&accept);
}

void websocket_take(struct exchange *x, const char *subprotocol, struct bytes first, bool last, size_t in_cap,
		    void (*on_pipe)(void *context, struct pipe *pipe), void *context)
{
	struct buffer framed;
	add_accept(x);
	exchange_add_header(x, "Sec-WebSocket-Protocol", bytes_text(subprotocol));
	buffer_init(&framed, FIRST_MAX);
	/* What is first is a handshake answer or an error frame, far below the cap. */
	if (wsframe_write(first, &framed) || (last && wsframe_write_close(WSFRAME_NORMAL, &framed)))
		buffer_reset(&framed);
	upgrade_take(x, "websocket", buffer_bytes(&framed), in_cap, on_pipe, context);
	buffer_clear(&framed);
}
