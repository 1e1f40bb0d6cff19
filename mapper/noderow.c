#include "noderow.h"

#include <stdlib.h>

struct bytes noderow_text(uint8_t **at, struct bytes text)
{
	struct bytes copy = {*at, text.len};
	if (text.len)
		memcpy(*at, text.at, text.len);
	*at += text.len;
	return copy;
}

static void *array(uint8_t **at, const void *from, size_t count, size_t size)
{
	return count ? (void *)noderow_text(at, bytes_of(from, count * size)).at : NULL;
}

struct node *noderow_pack(const struct node *row)
{
	size_t size = sizeof *row + row->tag_count * sizeof *row->tags + row->endpoint_count * sizeof *row->endpoints +
		      (row->advertised_count + row->approved_count + row->primary_count) * sizeof *row->routes_approved + row->label.len + row->hostinfo.len;
	for (size_t i = 0; i < row->tag_count; i++)
		size += row->tags[i].len;
	struct node *packed = x_alloc(size);
	uint8_t *at = (uint8_t *)(packed + 1);
	*packed = *row;
	/* Strictest alignment first. */
	packed->tags = array(&at, row->tags, row->tag_count, sizeof *row->tags);
	packed->endpoints = array(&at, row->endpoints, row->endpoint_count, sizeof *row->endpoints);
	packed->routes_advertised = array(&at, row->routes_advertised, row->advertised_count, sizeof *row->routes_advertised);
	packed->routes_approved = array(&at, row->routes_approved, row->approved_count, sizeof *row->routes_approved);
	packed->routes_primary = array(&at, row->routes_primary, row->primary_count, sizeof *row->routes_primary);
	packed->label = noderow_text(&at, row->label);
	packed->hostinfo = noderow_text(&at, row->hostinfo);
	for (size_t i = 0; i < row->tag_count; i++)
		packed->tags[i] = noderow_text(&at, row->tags[i]);
	return packed;
}

static bool same_tags(const struct node *a, const struct node *b)
{
	if (a->tag_count != b->tag_count)
		return false;
	for (size_t i = 0; i < a->tag_count; i++)
		if (!bytes_equal(a->tags[i], b->tags[i]))
			return false;
	return true;
}

static bool same_prefixes(const struct prefix *a, size_t a_count, const struct prefix *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (prefix_compare(a[i], b[i]))
			return false;
	return true;
}

static bool same_endpoints(const struct node *a, const struct node *b)
{
	if (a->endpoint_count != b->endpoint_count)
		return false;
	for (size_t i = 0; i < a->endpoint_count; i++)
		if (!endpoint_equal(a->endpoints[i], b->endpoints[i]))
			return false;
	return true;
}

static bool same_routes(const struct node *a, const struct node *b)
{
	return same_prefixes(a->routes_advertised, a->advertised_count, b->routes_advertised, b->advertised_count) &&
	       same_prefixes(a->routes_approved, a->approved_count, b->routes_approved, b->approved_count) &&
	       same_prefixes(a->routes_primary, a->primary_count, b->routes_primary, b->primary_count);
}

bool noderow_same_roll(const struct node *a, const struct node *b)
{
	return a->approved == b->approved && a->user == b->user && same_tags(a, b) && same_routes(a, b) && ip_equal(a->ip4, b->ip4) &&
	       ip_equal(a->ip6, b->ip6) && a->created.ns == b->created.ns;
}

/* What only the whole peer can say, and what the node itself is told too. */
static bool same_identity(const struct node *a, const struct node *b)
{
	return bytes_equal(a->label, b->label) && bytes_equal(a->hostinfo, b->hostinfo) && same_routes(a, b) && ip_equal(a->ip4, b->ip4) &&
	       ip_equal(a->ip6, b->ip6) && key_equal(a->machine_key.raw, b->machine_key.raw) && a->created.ns == b->created.ns;
}

/* A patch cannot take a disco key or a home relay away; and a peer that was first shown without a disco key is ignored by its viewers until it
 * comes whole again (docs/protocol/map.md). */
static bool only_whole(const struct node *old, const struct node *now)
{
	return key_is_zero(old->disco_key.raw) != key_is_zero(now->disco_key.raw) || (old->home_relay && !now->home_relay);
}

unsigned noderow_facets(const struct node *old, bool was_expired, const struct node *now, bool is_expired, bool online)
{
	unsigned facets = 0;
	if (old->approved != now->approved)
		facets |= change_facets(CHANGE_NODE_APPROVAL);
	if (old->user != now->user || !same_tags(old, now))
		facets |= change_facets(CHANGE_NODE_OWNER);
	if (!same_identity(old, now))
		facets |= FACET_PEER | FACET_SELF;
	if (was_expired != is_expired)
		facets |= change_facets(CHANGE_NODE_EXPIRY);
	if (old->expiry.ns != now->expiry.ns)
		facets |= FACET_EXPIRY | FACET_SELF;
	if (!key_equal(old->node_key.raw, now->node_key.raw))
		facets |= FACET_KEY | FACET_SELF;
	if (!key_equal(old->disco_key.raw, now->disco_key.raw))
		facets |= FACET_DISCO;
	if (only_whole(old, now))
		facets |= FACET_PEER;
	if (!same_endpoints(old, now))
		facets |= FACET_ENDPOINTS;
	if (old->home_relay != now->home_relay)
		facets |= FACET_RELAY;
	if (old->capver != now->capver)
		facets |= FACET_CAPVER;
	if (!online && old->last_seen.ns != now->last_seen.ns)
		facets |= FACET_SEEN;
	return facets;
}
