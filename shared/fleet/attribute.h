/* Attributes of a node: which names and values it may give itself.
 * Not their rows (store/attributes.h) and not what a policy makes of them.
 * Pure. Source of the names: tailscale.com API, device posture attributes (namespace:name; letters, digits, underscore). */
#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H

#include "bytes.h"
#include "err.h"

enum { ATTRIBUTES_MAX = 64, ATTRIBUTE_KEY_MAX = 64, ATTRIBUTE_TEXT_MAX = 256 };

/* 1 to ATTRIBUTE_KEY_MAX letters, digits and _ - . :, a letter first. ERR_MALFORMED. */
MUST_USE enum err attribute_check_key(struct bytes key, struct diag *why);
/* May a node say so of itself? Namespaces that the server fills are not its own: ERR_DENIED. */
MUST_USE enum err attribute_check_owner(struct bytes key, struct diag *why);

#endif
