/* What a client shows its user about its own node: messages, or lines of Health for clients that know no messages. Pure.
 * Not what others see of it. Two keepers of one tailnet say the same at the same time.
 * Source: docs/protocol/map.md (tailscale tailcfg DisplayMessage). */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "jsonw.h"
#include "node.h"
#include "tailnet.h"

enum message {
	MESSAGE_SUSPENDED = 1 << 0,
	MESSAGE_APPROVAL = 1 << 1, /* waits for an administrator */
	MESSAGE_EXPIRED = 1 << 2,
	MESSAGE_EXPIRING = 1 << 3,
	MESSAGE_ROUTES = 1 << 4, /* it offers routes that nobody approved */
	MESSAGE_NOTICE = 1 << 5  /* of the tailnet's administrators */
};

/* The messages of a node now, ored. lifetime_ms: of the tailnet's keys, 0: for ever. */
unsigned messages_of(const struct node *node, bool suspended, bool has_notice, int64_t lifetime_ms, struct wall now);
/* When time alone changes them next; WALL_ZERO: never. */
struct wall messages_due(const struct node *node, int64_t lifetime_ms, struct wall now);

/* "DisplayMessages" that takes back whatever was told before, or "Health". first: on a new stream, where nothing need be taken back: no messages are no bytes. */
void messages_write(struct jsonw *w, unsigned messages, struct bytes notice, bool as_health, bool first);

#endif
