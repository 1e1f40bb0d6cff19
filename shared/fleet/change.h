/* Kinds of change (what a journal line says) and which facets of a map each kind can touch: one table.
 * Not the journal (store/journal.h) and not the ring (mapper/snapshot.h).
 * Pure values. When in doubt a kind names more facets: comparing is cheap and never wrong. */
#ifndef CHANGE_H
#define CHANGE_H

#include "bytes.h"

enum change_kind {
	CHANGE_NONE,
	CHANGE_TAILNET,    /* settings, name, domain of the tailnet */
	CHANGE_USER,       /* subject: user */
	CHANGE_NODE_ADDED, /* subject: node, here and below */
	CHANGE_NODE_REMOVED,
	CHANGE_NODE_KEY,    /* node key, lock key */
	CHANGE_NODE_EXPIRY, /* set, extended, or simply reached */
	CHANGE_NODE_NAME,
	CHANGE_NODE_OWNER, /* user or tags */
	CHANGE_NODE_ROUTES,
	CHANGE_NODE_APPROVAL,
	CHANGE_NODE_HOSTINFO,
	CHANGE_NODE_ENDPOINTS, /* soft, as the next two */
	CHANGE_NODE_RELAY,     /* home region */
	CHANGE_NODE_DISCO,
	CHANGE_NODE_SEEN,       /* last seen, capability version */
	CHANGE_NODE_ATTRIBUTES, /* what rules may ask for */
	CHANGE_POLICY,
	CHANGE_RELAYS, /* of the installation: regions and relays */
	CHANGE_COUNT
};

/* What part of a map a change can move. FACET_PEER: only the whole peer says it (name, owner, routes, host info). */
enum facet {
	FACET_NONE = 0,
	FACET_VISIBLE = 1 << 0, /* who sees whom may differ: added, removed, approved, retagged */
	FACET_PEER = 1 << 1,
	FACET_KEY = 1 << 2,
	FACET_EXPIRY = 1 << 3,
	FACET_ENDPOINTS = 1 << 4,
	FACET_RELAY = 1 << 5,
	FACET_DISCO = 1 << 6,
	FACET_ONLINE = 1 << 7,
	FACET_SEEN = 1 << 8,
	FACET_CAPVER = 1 << 9,
	FACET_PROFILE = 1 << 10, /* the owner's profile */
	FACET_SELF = 1 << 11,    /* the private part of the node itself */
	FACET_DNS = 1 << 12,
	FACET_RELAYS = 1 << 13,
	FACET_FILTER = 1 << 14,
	FACET_MESSAGES = 1 << 15, /* what the node's own client shows its user */
	FACETS_ALL = (1 << 16) - 1
};

unsigned change_facets(enum change_kind kind);
const char *change_name(enum change_kind kind);   /* "node-endpoints", as rows and logs spell it */
enum change_kind change_parse(struct bytes name); /* CHANGE_NONE when unknown */

#endif
