/* What postures may ask of a node: what its client reports of itself, and its attributes. Pure.
 * Not who may set an attribute (fleet/attribute.h). Results live in the arena; attributes given are borrowed.
 * Source: tailscale.com documentation, device posture: built-in attributes. */
#ifndef NODEFACTS_H
#define NODEFACTS_H

#include "arena.h"
#include "roll.h"

/* `hostinfo`: the client's Hostinfo as JSON text, whole; what it does not tell, or unreadable text, makes no fact.
 * node:os ("linux", "macos", "windows" ...), node:osVersion, node:tsVersion (without what follows a hyphen), node:tsReleaseTrack ("stable", "unstable").
 * Attributes whose name begins with "node:" are passed over: those are the client's to tell. How many. */
size_t nodefacts_of(struct arena *arena, struct bytes hostinfo, const struct roll_fact *attributes, size_t attribute_count, struct roll_fact **out);

#endif
