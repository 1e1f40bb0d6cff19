#include "peerconn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "box.h"
#include "straight.h"

enum { PATIENCE_S = 10, HEAD_MAX = 4096, READ_AT_ONCE = 65536, IN_CAP = 2 << 20, OUT_CAP = 2 << 20 };

SSL_CTX *peerconn_tls(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) || !SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256"))
		abort();
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/* Many records in one read: the load side shall cost little. */
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_default_read_buffer_len(c, READ_AT_ONCE);
	SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
	return c;
}

/* ---- bytes ---- */

/* Bytes taken, 0: would block, -1: the stream is broken or at its end. */
static ssize_t put(struct peerconn *c, const void *at, size_t len)
{
	ssize_t n;

	if (!c->ssl) {
		n = send(c->fd, at, len, MSG_NOSIGNAL);
		return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
	}
	ERR_clear_error();
	n = SSL_write(c->ssl, at, (int)len);
	return n > 0 ? n : SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t take(struct peerconn *c, void *at, size_t len)
{
	ssize_t n;
	int why;

	if (!c->ssl) {
		n = recv(c->fd, at, len, 0);
		return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
	}
	ERR_clear_error();
	n = SSL_read(c->ssl, at, (int)len);
	if (n > 0)
		return n;
	why = SSL_get_error(c->ssl, (int)n);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static bool put_all(struct peerconn *c, const void *at, size_t len)
{
	for (const char *p = at; len;) {
		ssize_t n = put(c, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool take_all(struct peerconn *c, void *at, size_t len)
{
	for (char *p = at; len;) {
		ssize_t n = take(c, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* ---- handshake ---- */

static bool dial(struct peerconn *c, struct endpoint at)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int one = 1;

	c->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return c->fd >= 0 && !setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) &&
	       !setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) && !setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) &&
	       !connect(c->fd, (struct sockaddr *)&sa, len);
}

static bool secure(struct peerconn *c, const char *host, SSL_CTX *tls)
{
	c->ssl = SSL_new(tls);
	return c->ssl && SSL_set_fd(c->ssl, c->fd) && SSL_set_tlsext_host_name(c->ssl, host) && SSL_connect(c->ssl) == 1;
}

static bool upgrade(struct peerconn *c, const char *host)
{
	char request[512], head[HEAD_MAX];
	size_t len = 0;
	int n = snprintf(request, sizeof request,
			 "GET /derp HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n", host);

	if (n < 0 || (size_t)n >= sizeof request || !put_all(c, request, (size_t)n))
		return false;
	do
		if (len == sizeof head || !take_all(c, head + len, 1))
			return false;
	while (++len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0);
	return len > 12 && !memcmp(head, "HTTP/1.1 101", 12);
}

/* The payload of the next frame, which must be of that type. */
static bool expect(struct peerconn *c, enum derpframe_type type, uint8_t *payload, size_t room, size_t *len)
{
	uint8_t head[DERPFRAME_HEADER_LEN];
	struct derpframe_header h;

	if (!take_all(c, head, sizeof head) || derpframe_decode(bytes_of(head, sizeof head), &h) || h.type != type || h.len > room)
		return false;
	*len = h.len;
	return take_all(c, payload, h.len);
}

static bool introduce(struct peerconn *c)
{
	uint8_t payload[1024], head[DERPFRAME_HEADER_LEN];
	struct buffer info, plain;
	struct public_key own;
	size_t len;
	bool good;

	if (!expect(c, DERPFRAME_SERVER_KEY, payload, sizeof payload, &len) || len < 8 + KEY_LEN)
		return false;
	key_mint(&c->secret, &own);
	memcpy(c->key.raw, own.raw, KEY_LEN);
	buffer_init(&info, 1024);
	buffer_init(&plain, 1024);
	good = !buffer_add(&info, bytes_of(own.raw, KEY_LEN)) && !box_seal(&c->secret, payload + 8, bytes_text("{\"version\":2,\"CanAckPings\":true}"), &info);
	derpframe_encode(head, DERPFRAME_CLIENT_INFO, (uint32_t)info.len);
	uint8_t relay[KEY_LEN];
	memcpy(relay, payload + 8, KEY_LEN);
	good = good && put_all(c, head, sizeof head) && put_all(c, info.at, info.len) && expect(c, DERPFRAME_SERVER_INFO, payload, sizeof payload, &len) &&
	       !box_open(&c->secret, relay, bytes_of(payload, len), &plain);
	buffer_clear(&info);
	buffer_clear(&plain);
	return good;
}

static struct peerconn *fresh(enum derpframe_type hears)
{
	struct peerconn *c = x_zalloc(sizeof *c);

	*c = (struct peerconn){.fd = -1, .per_write = 1, .hears = hears};
	buffer_init(&c->in, IN_CAP);
	buffer_init(&c->out, OUT_CAP);
	return c;
}

struct peerconn *peerconn_open(struct endpoint at, const char *host, SSL_CTX *tls)
{
	struct peerconn *c = fresh(DERPFRAME_RECV_PACKET);
	const char *what = "connect";
	bool good;

	good = dial(c, at);
	if (good && tls)
		good = secure(c, host, tls), what = "TLS";
	if (good)
		good = upgrade(c, host), what = "upgrade";
	if (good)
		good = introduce(c), what = "handshake";
	if (good && fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0)
		return c;
	fprintf(stderr, "relayload: %s failed: %s\n", what, strerror(errno));
	peerconn_close(&c);
	return NULL;
}

bool peerconn_join(struct peerconn *ends[2])
{
	int fds[2];

	if (!straight_connect(fds))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		ends[i] = fresh(DERPFRAME_SEND_PACKET);
		ends[i]->fd = fds[i];
		if (fcntl(fds[i], F_SETFL, O_NONBLOCK))
			abort();
	}
	return true;
}

void peerconn_close(struct peerconn **at)
{
	struct peerconn *c = *at;

	*at = NULL;
	if (!c)
		return;
	SSL_free(c->ssl);
	if (c->fd >= 0)
		close(c->fd);
	buffer_clear(&c->in);
	buffer_clear(&c->out);
	free(c);
}

/* ---- frames ---- */

bool peerconn_send(struct peerconn *c, const struct node_key *to, struct bytes packet)
{
	size_t len = DERPFRAME_HEADER_LEN + KEY_LEN + packet.len;
	uint8_t *at;

	c->frame_len = len;
	if (c->broken || c->out.len >= PEERCONN_WAITING * len)
		return false;
	at = buffer_reserve(&c->out, len);
	derpframe_encode(at, DERPFRAME_SEND_PACKET, (uint32_t)(KEY_LEN + packet.len));
	memcpy(at + DERPFRAME_HEADER_LEN, to->raw, KEY_LEN);
	memcpy(at + DERPFRAME_HEADER_LEN + KEY_LEN, packet.at, packet.len);
	buffer_filled(&c->out, len);
	return true;
}

void peerconn_flush(struct peerconn *c)
{
	c->blocked = false;
	while (c->out.len && !c->broken) {
		/* What a blocked write has begun ends at a frame's end again. */
		size_t begun = c->out.len % c->frame_len, most = (begun ? begun : c->frame_len) + (c->per_write - 1) * c->frame_len;
		ssize_t n = put(c, c->out.at, c->out.len < most ? c->out.len : most);
		if (n < 0)
			c->broken = true;
		if (n <= 0) {
			c->blocked = true;
			return;
		}
		buffer_consume(&c->out, (size_t)n);
	}
}

static void show(struct peerconn *c, struct bytes *rest, void (*on_packet)(void *context, struct bytes packet), void *context)
{
	struct derpframe_header h;

	while (!derpframe_decode(*rest, &h) && rest->len >= DERPFRAME_HEADER_LEN + (size_t)h.len) {
		if (h.type == c->hears && h.len >= KEY_LEN)
			on_packet(context, bytes_of(rest->at + DERPFRAME_RECV_HEADER_LEN, h.len - KEY_LEN));
		*rest = bytes_skip(*rest, DERPFRAME_HEADER_LEN + h.len);
	}
	if (rest->len >= DERPFRAME_HEADER_LEN && h.len > IN_CAP / 2)
		c->broken = true;
}

bool peerconn_read(struct peerconn *c, unsigned rounds, void (*on_packet)(void *context, struct bytes packet), void *context)
{
	static uint8_t scratch[READ_AT_ONCE];

	for (unsigned i = 0; i < rounds && !c->broken; i++) {
		ssize_t n = take(c, scratch, sizeof scratch);
		struct bytes rest;
		if (n < 0)
			c->broken = true;
		if (n <= 0)
			return false;
		rest = bytes_of(scratch, (size_t)n);
		if (c->in.len) {
			if (buffer_add(&c->in, rest))
				abort();
			rest = buffer_bytes(&c->in);
			show(c, &rest, on_packet, context);
			buffer_consume(&c->in, c->in.len - rest.len);
		} else {
			show(c, &rest, on_packet, context);
			if (rest.len && buffer_add(&c->in, rest))
				abort();
		}
	}
	return !c->broken;
}
