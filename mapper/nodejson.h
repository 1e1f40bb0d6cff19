/* One node as map responses say it: whole for a peer, whole for itself, as a patch; and the profile of an owner. Pure.
 * Not whole messages (render.h) and not who may see it: class.h, which tells too what a view shows of it.
 * Appends through the caller's writer; nothing is owned. Source: docs/protocol/map.md (tailscale tailcfg Node, PeerChange, UserProfile). */
#ifndef NODEJSON_H
#define NODEJSON_H

#include "class.h"
#include "jsonw.h"

/* `features`: what the reader's band understands (enum capver_feature). The slot holds a node. */
void nodejson_peer(struct jsonw *w, const char *name, const struct snapshot *s, const struct view *view, uint32_t slot, unsigned features);
void nodejson_self(struct jsonw *w, const char *name, const struct snapshot *s, struct rules *rules, uint32_t slot, unsigned features);
/* Of the features, those that make a peer's text differ: readers with equal ones share chunks. */
unsigned nodejson_form(unsigned features);
/* The facets that a patch can say; nothing is written when none of them shows. */
void nodejson_patch(struct jsonw *w, const struct snapshot *s, uint32_t slot, unsigned facets);
/* The profile that goes with a wire user id: a user's, or the one that a tagged node has for itself. */
void nodejson_profile(struct jsonw *w, const struct snapshot *s, uint64_t wire_user);
/* The node is told as gone: its own view of itself with a key that ran out long ago, so that the client says so (docs/protocol/registration.md). */
void nodejson_farewell(struct jsonw *w, const char *name, const struct node *node, struct bytes domain);

#endif
