/* What is said on the channel of presence, as text: "take HOLDER TAILNET NODE:SESSION ...", "drop" likewise, "declared HOLDER NUMBER", "gone HOLDER".
 * Not who says it when (presence.c). Decoding borrows from the input.
 * Plain values. */
#ifndef PRESENCE_MESSAGE_H
#define PRESENCE_MESSAGE_H

#include "buffer.h"

enum presence_word { PRESENCE_TAKE, PRESENCE_DROP, PRESENCE_DECLARED, PRESENCE_GONE };

struct presence_message {
	enum presence_word word;
	struct bytes holder;
	uint64_t tailnet;    /* take, drop */
	struct bytes pairs;  /* take, drop: walk with presence_pair */
	struct bytes number; /* declared */
};

MUST_USE enum err presence_message_parse(struct bytes text, struct presence_message *message);
/* The next node and its session; false at the end or where it is malformed. */
bool presence_pair(struct bytes *rest, uint64_t *node, uint64_t *session);

#endif
