/* TLS of a link that the relay dials, over bytes: nothing here touches a socket.
 * Checks what clients of the same relay check: the chain for its certificate's name, or one pinned certificate; nothing where clients are told so.
 * The caller owns it. Source: docs/protocol/derp.md, TLS. */
#ifndef LINKTLS_H
#define LINKTLS_H

#include "buffer.h"

struct linktls;

/* cert_name: "", a name, or "sha256-raw:<hex>". NULL: no memory or no trust store. */
struct linktls *linktls_new(const char *host, const char *cert_name, bool insecure);
void linktls_free(struct linktls **tls); /* accepts NULL */
bool linktls_ready(const struct linktls *tls);
/* Takes what came, gives what it means and what must be sent. Begins the handshake when it is called first. ERR_CLOSED; ERR_CRYPTO: why says more. */
MUST_USE enum err linktls_turn(struct linktls *tls, struct buffer *came, struct buffer *plain, struct buffer *send, struct diag *why);
/* When ready. */
MUST_USE enum err linktls_seal(struct linktls *tls, struct bytes plain, struct buffer *send);

#endif
