#include "change.h"

enum {
	/* A peer that shows or hides takes along everything of it. */
	COMES_OR_GOES = FACET_VISIBLE | FACET_PEER | FACET_KEY | FACET_EXPIRY | FACET_ENDPOINTS | FACET_RELAY | FACET_DISCO | FACET_ONLINE | FACET_SEEN |
			FACET_CAPVER | FACET_PROFILE | FACET_SELF | FACET_FILTER | FACET_MESSAGES
};

static const struct {
	const char *name;
	unsigned facets;
} kinds[CHANGE_COUNT] = {
	[CHANGE_NONE] = {"none", FACET_NONE},
	/* The domain is part of every name, the ranges of every filter. */
	[CHANGE_TAILNET] = {"tailnet", FACET_VISIBLE | FACET_PEER | FACET_SELF | FACET_DNS | FACET_FILTER | FACET_PROFILE | FACET_MESSAGES},
	/* A policy may name users, so a renamed one can move who sees whom. */
	[CHANGE_USER] = {"user", FACET_PROFILE | FACET_PEER | FACET_VISIBLE | FACET_FILTER},
	[CHANGE_NODE_ADDED] = {"node-added", COMES_OR_GOES},
	[CHANGE_NODE_REMOVED] = {"node-removed", COMES_OR_GOES},
	[CHANGE_NODE_KEY] = {"node-key", FACET_KEY | FACET_DISCO | FACET_EXPIRY | FACET_ENDPOINTS | FACET_SELF},
	/* Expired is a flag of the whole peer, and an expired one shows neither endpoints nor home relay. */
	[CHANGE_NODE_EXPIRY] = {"node-expiry", FACET_EXPIRY | FACET_PEER | FACET_ENDPOINTS | FACET_RELAY | FACET_SELF | FACET_FILTER | FACET_MESSAGES},
	[CHANGE_NODE_NAME] = {"node-name", FACET_PEER | FACET_SELF | FACET_DNS},
	[CHANGE_NODE_OWNER] = {"node-owner", FACET_VISIBLE | FACET_PEER | FACET_PROFILE | FACET_EXPIRY | FACET_SELF | FACET_FILTER},
	[CHANGE_NODE_ROUTES] = {"node-routes", FACET_VISIBLE | FACET_PEER | FACET_SELF | FACET_FILTER | FACET_MESSAGES},
	[CHANGE_NODE_APPROVAL] = {"node-approval", COMES_OR_GOES},
	[CHANGE_NODE_HOSTINFO] = {"node-hostinfo", FACET_PEER | FACET_SELF},
	[CHANGE_NODE_ENDPOINTS] = {"node-endpoints", FACET_ENDPOINTS},
	[CHANGE_NODE_RELAY] = {"node-relay", FACET_RELAY},
	[CHANGE_NODE_DISCO] = {"node-disco", FACET_DISCO | FACET_ENDPOINTS},
	[CHANGE_NODE_SEEN] = {"node-seen", FACET_SEEN | FACET_CAPVER},
	/* A rule may ask for it. */
	[CHANGE_NODE_ATTRIBUTES] = {"node-attributes", FACET_VISIBLE | FACET_PEER | FACET_FILTER},
	[CHANGE_POLICY] = {"policy", FACET_VISIBLE | FACET_PEER | FACET_SELF | FACET_FILTER | FACET_DNS},
	[CHANGE_RELAYS] = {"relays", FACET_RELAYS},
};

unsigned change_facets(enum change_kind kind)
{
	/* A kind that a newer coordinator writes and we do not know may have moved anything. */
	return (unsigned)kind < CHANGE_COUNT ? kinds[kind].facets : FACETS_ALL;
}

const char *change_name(enum change_kind kind)
{
	return (unsigned)kind < CHANGE_COUNT ? kinds[kind].name : "unknown";
}

enum change_kind change_parse(struct bytes name)
{
	for (unsigned kind = CHANGE_NONE + 1; kind < CHANGE_COUNT; kind++)
		if (bytes_equal_text(name, kinds[kind].name))
			return (enum change_kind)kind;
	return CHANGE_NONE;
}
