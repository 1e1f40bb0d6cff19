/* A relay's client as official ones are on the wire: TCP or TLS 1.3, the upgrade, the DERP handshake, then frames both ways.
 * Not a mesh sibling, and no WebSocket. Connecting blocks, for at most ten seconds; afterwards nothing does.
 * The caller owns a connection; peerconn_close frees. Source: docs/protocol/derp.md. */
#ifndef PEERCONN_H
#define PEERCONN_H

#include <openssl/ssl.h>

#include "addr.h"
#include "derpframe.h"

enum {
	PEERCONN_WAITING = 32, /* frames that may wait for the socket: the send queue of official clients */
	PEERCONN_PACKET_MAX = 16384,
};

struct peerconn {
	int fd;
	SSL *ssl; /* NULL: plain */
	struct node_key key;
	struct private_key secret;
	struct buffer in;          /* an incomplete frame */
	struct buffer out;         /* frames that wait */
	size_t frame_len;          /* of those: all that wait are of one length */
	unsigned per_write;        /* frames given to the socket at once; official clients: 1 */
	enum derpframe_type hears; /* RecvPacket, or what the other end of peerconn_join sends */
	bool broken, blocked;
};

/* Offers TLS_AES_128_GCM_SHA256 alone, and believes any certificate. */
SSL_CTX *peerconn_tls(void);
/* `host` goes into the request; tls NULL: plain. Says why on stderr and returns NULL when the relay does not take us. */
struct peerconn *peerconn_open(struct endpoint at, const char *host, SSL_CTX *tls);
/* Two that are connected with each other by plain TCP, with no relay in between: for comparison. False, and none: no sockets. */
bool peerconn_join(struct peerconn *ends[2]);
void peerconn_close(struct peerconn **c);

/* A SendPacket frame is put among those that wait. False: too many do, it is lost. */
bool peerconn_send(struct peerconn *c, const struct node_key *to, struct bytes packet);
/* Gives the socket what it takes. */
void peerconn_flush(struct peerconn *c);
/* Reads until nothing is there, at most `rounds` reads of 64 KiB; on_packet gets the packet of each RecvPacket frame. True: there may be more. */
bool peerconn_read(struct peerconn *c, unsigned rounds, void (*on_packet)(void *context, struct bytes packet), void *context);

#endif
