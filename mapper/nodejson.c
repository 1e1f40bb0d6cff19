#include "nodejson.h"

#include <stdio.h>

#include "capver.h"
#include "route.h"

enum { NAME_MAX_LEN = NODE_LABEL_MAX + TAILNET_DOMAIN_MAX + 3 };

unsigned nodejson_form(unsigned features)
{
	return features & (CAPVER_HOME_DERP | CAPVER_OMIT_ALLOWED_IPS);
}

static void write_name(struct jsonw *w, struct bytes label, struct bytes domain)
{
	char name[NAME_MAX_LEN];
	int len = snprintf(name, sizeof name, "%.*s.%.*s.", BYTES_ARG(label), BYTES_ARG(domain));
	jsonw_text(w, "Name", bytes_of(name, len < NAME_MAX_LEN ? (size_t)len : NAME_MAX_LEN - 1));
}

static void write_own_addresses(struct jsonw *w, const struct node *n, bool ip4)
{
	if (n->ip4.family && ip4)
		jsonw_prefix(w, NULL, ip_prefix(n->ip4));
	if (n->ip6.family)
		jsonw_prefix(w, NULL, ip_prefix(n->ip6));
}

static void write_prefixes(struct jsonw *w, const char *name, const struct prefix *list, size_t count)
{
	jsonw_array(w, name);
	for (size_t i = 0; i < count; i++)
		jsonw_prefix(w, NULL, list[i]);
	jsonw_array_end(w);
}

/* What is shown of a node's addresses and routes. */
struct reach {
	bool ip4;
	const struct prefix *routes, *primary;
	size_t count, primary_count;
	struct prefix room[NODE_ROUTES_MAX], primary_room[NODE_ROUTES_MAX];
};

/* Without a policy: the subnet routes that it is the primary router of, and exit routes. */
static size_t open_routes(const struct node *n, struct prefix out[static NODE_ROUTES_MAX])
{
	size_t count = n->approved_count <= NODE_ROUTES_MAX ? route_served(n, out) : 0, kept = 0;
	for (size_t i = 0; i < count; i++)
		if (route_is_exit(out[i]))
			out[kept++] = out[i];
	for (size_t i = 0; i < n->primary_count && kept < NODE_ROUTES_MAX; i++)
		out[kept++] = n->routes_primary[i];
	return kept;
}

static size_t subnets_of(const struct prefix *routes, size_t count, struct prefix out[static NODE_ROUTES_MAX])
{
	size_t kept = 0;
	for (size_t i = 0; i < count && kept < NODE_ROUTES_MAX; i++)
		if (!route_is_exit(routes[i]))
			out[kept++] = routes[i];
	return kept;
}

static void reach_as_peer(struct reach *r, const struct node *n, const struct view *view, uint32_t slot)
{
	const struct sight_router *router = view->open ? NULL : view_router(view, slot);
	r->ip4 = view_shows_ip4(view, slot);
	r->count = r->primary_count = 0;
	if (view->open && n->approved_count) {
		r->count = open_routes(n, r->room);
		r->routes = r->room;
		r->primary = n->routes_primary;
		r->primary_count = r->count ? n->primary_count : 0;
	} else if (router) {
		r->routes = router->routes;
		r->count = router->count;
		r->primary = r->primary_room;
		r->primary_count = subnets_of(router->routes, router->count, r->primary_room);
	}
}

/* All that it serves, elected or not. */
static void reach_as_self(struct reach *r, const struct node *n, const struct rules *rules, uint32_t slot)
{
	r->ip4 = !bitset_has(&rules->no_ip4, slot);
	r->count = n->approved_count && n->approved_count <= NODE_ROUTES_MAX ? route_served(n, r->room) : 0;
	r->routes = r->room;
	r->primary = n->routes_primary;
	r->primary_count = r->count ? n->primary_count : 0;
}

static void write_addresses(struct jsonw *w, const struct node *n, const struct reach *reach, unsigned features)
{
	jsonw_array(w, "Addresses");
	write_own_addresses(w, n, reach->ip4);
	jsonw_array_end(w);
	if (!reach->count && features & CAPVER_OMIT_ALLOWED_IPS)
		return;
	jsonw_array(w, "AllowedIPs");
	write_own_addresses(w, n, reach->ip4);
	for (size_t i = 0; i < reach->count; i++)
		jsonw_prefix(w, NULL, reach->routes[i]);
	jsonw_array_end(w);
	if (reach->primary_count)
		write_prefixes(w, "PrimaryRoutes", reach->primary, reach->primary_count);
}

static void write_endpoints(struct jsonw *w, const struct node *n, bool expired)
{
	char text[ENDPOINT_TEXT_MAX];
	jsonw_array(w, "Endpoints");
	for (size_t i = 0; !expired && i < n->endpoint_count; i++) {
		size_t len = endpoint_format(text, n->endpoints[i]);
		jsonw_text(w, NULL, bytes_of(text, len));
	}
	jsonw_array_end(w);
}

static void write_relay(struct jsonw *w, const struct node *n, unsigned features)
{
	char text[32];
	if (!n->home_relay)
		return;
	if (features & CAPVER_HOME_DERP) {
		jsonw_uint(w, "HomeDERP", n->home_relay);
		return;
	}
	snprintf(text, sizeof text, "127.3.3.40:%u", n->home_relay);
	jsonw_string(w, "DERP", text);
}

static void write_disco(struct jsonw *w, const struct node *n)
{
	char text[KEY_TEXT_MAX];
	if (!key_is_zero(n->disco_key.raw))
		jsonw_text(w, "DiscoKey", bytes_of(text, key_format_disco(text, &n->disco_key)));
}

static void write_node_key(struct jsonw *w, const struct node *n)
{
	char text[KEY_TEXT_MAX];
	jsonw_text(w, "Key", bytes_of(text, key_format_node(text, &n->node_key)));
}

static void write_identity(struct jsonw *w, const struct node *n, struct bytes domain)
{
	char text[KEY_TEXT_MAX];
	jsonw_uint(w, "ID", n->id);
	jsonw_uint_text(w, "StableID", n->id);
	write_name(w, n->label, domain);
	jsonw_uint(w, "User", node_wire_user(n));
	write_node_key(w, n);
	jsonw_text(w, "Machine", bytes_of(text, key_format_machine(text, &n->machine_key)));
	write_disco(w, n);
}

/* What a peer and the node itself are told alike. */
static void write_common(struct jsonw *w, const struct snapshot *s, const struct node *n, const struct reach *reach, unsigned features)
{
	write_addresses(w, n, reach, features);
	jsonw_raw(w, "Hostinfo", n->hostinfo);
	if (!wall_is_zero(n->created))
		jsonw_time(w, "Created", n->created);
	if (n->capver)
		jsonw_uint(w, "Cap", n->capver);
	if (n->tag_count) {
		jsonw_array(w, "Tags");
		for (size_t i = 0; i < n->tag_count; i++)
			jsonw_text(w, NULL, n->tags[i]);
		jsonw_array_end(w);
	}
	if (snapshot_admits(s, n))
		jsonw_bool(w, "MachineAuthorized", true);
}

/* Online is always given: a client that never had a value does not take one later (docs/protocol/map.md). */
static void write_presence(struct jsonw *w, const struct seat *seat)
{
	jsonw_bool(w, "Online", seat->online);
	if (!seat->online && !wall_is_zero(seat->node->last_seen))
		jsonw_time(w, "LastSeen", seat->node->last_seen);
}

/* With the routes of both families: clients offer no other. */
static bool shows_exit_node(const struct reach *reach)
{
	bool v4 = false, v6 = false;
	for (size_t i = 0; i < reach->count; i++) {
		v4 = v4 || (route_is_exit(reach->routes[i]) && reach->routes[i].ip.family == IP_V4);
		v6 = v6 || (route_is_exit(reach->routes[i]) && reach->routes[i].ip.family == IP_V6);
	}
	return v4 && v6;
}

void nodejson_peer(struct jsonw *w, const char *name, const struct snapshot *s, const struct view *view, uint32_t slot, unsigned features)
{
	const struct seat *seat = &s->seats[slot];
	const struct node *n = seat->node;
	struct reach reach;
	reach_as_peer(&reach, n, view, slot);
	if (seat->expired)
		reach.count = reach.primary_count = 0;
	jsonw_object(w, name);
	write_identity(w, n, s->domain);
	if (!wall_is_zero(n->expiry))
		jsonw_time(w, "KeyExpiry", n->expiry);
	if (seat->expired)
		jsonw_bool(w, "Expired", true);
	/* Also when empty: in a changed peer that a client turns into a patch, absent would keep the old ones. */
	write_endpoints(w, n, seat->expired);
	if (!seat->expired)
		write_relay(w, n, features);
	write_common(w, s, n, &reach, features);
	if (shows_exit_node(&reach))
		jsonw_raw(w, "CapMap", BYTES("{\"suggest-exit-node\":[]}"));
	write_presence(w, seat);
	jsonw_object_end(w);
}

/* What a node may and shall do, as its tailnet's settings and its policy say. */
static void write_capabilities(struct jsonw *w, const struct snapshot *s, struct rules *rules, uint32_t slot)
{
	/* Those that the settings give, whatever the policy says of them. */
	const char *has[7] = {"default-auto-update"};
	size_t count = 1;
	const struct features *f = &s->features;
	jsonw_object(w, "CapMap");
	if (f->file_sharing) {
		jsonw_raw(w, has[count++] = "https://tailscale.com/cap/file-sharing", BYTES("[]"));
	}
	if (f->ssh) {
		jsonw_raw(w, has[count++] = "https://tailscale.com/cap/ssh", BYTES("[]"));
	}
	jsonw_raw(w, "default-auto-update", f->auto_update ? BYTES("[true]") : BYTES("[false]"));
	if (f->random_client_port) {
		jsonw_raw(w, has[count++] = "randomize-client-port", BYTES("[]"));
	}
	if (f->key_lifetime_ms) {
		jsonw_array(w, has[count++] = "tailnet.maxKeyDuration");
		jsonw_int(w, NULL, f->key_lifetime_ms / 1000);
		jsonw_array_end(w);
	}
	if (s->display_name.len) {
		jsonw_array(w, has[count++] = "tailnet-display-name");
		jsonw_text(w, NULL, s->display_name);
		jsonw_array_end(w);
	}
	rules_write_caps(rules, w, s, slot, has);
	jsonw_object_end(w);
}

void nodejson_self(struct jsonw *w, const char *name, const struct snapshot *s, struct rules *rules, uint32_t slot, unsigned features)
{
	const struct node *n = s->seats[slot].node;
	struct reach reach;
	reach_as_self(&reach, n, rules, slot);
	jsonw_object(w, name);
	write_identity(w, n, s->domain);
	if (!wall_is_zero(n->expiry))
		jsonw_time(w, "KeyExpiry", n->expiry);
	write_relay(w, n, features);
	write_common(w, s, n, &reach, features);
	write_capabilities(w, s, rules, slot);
	if (features & CAPVER_STABLE_TAILNET)
		jsonw_uint_text(w, "StableTailnetID", s->id);
	jsonw_object_end(w);
}

void nodejson_farewell(struct jsonw *w, const char *name, const struct node *n, struct bytes domain)
{
	jsonw_object(w, name);
	write_identity(w, n, domain);
	jsonw_time(w, "KeyExpiry", (struct wall){1000000000}); /* a second after 1970: the zero time would mean never */
	jsonw_array(w, "Addresses");
	write_own_addresses(w, n, true);
	jsonw_array_end(w);
	jsonw_bool(w, "MachineAuthorized", true);
	jsonw_object_end(w);
}

static void patch_start(struct jsonw *w, const struct node *n)
{
	jsonw_object(w, NULL);
	jsonw_uint(w, "NodeID", n->id);
}

static void write_patch_presence(struct jsonw *w, const struct seat *seat, unsigned facets)
{
	if (facets & FACET_ONLINE)
		jsonw_bool(w, "Online", seat->online);
	if (!seat->online && !wall_is_zero(seat->node->last_seen))
		jsonw_time(w, "LastSeen", seat->node->last_seen);
}

void nodejson_patch(struct jsonw *w, const struct snapshot *s, uint32_t slot, unsigned facets)
{
	const struct seat *seat = &s->seats[slot];
	const struct node *n = seat->node;
	char text[KEY_TEXT_MAX];
	bool presence = facets & FACET_ONLINE || (facets & FACET_SEEN && !seat->online);
	bool relay = facets & FACET_RELAY && n->home_relay && !seat->expired, capver = facets & FACET_CAPVER && n->capver;
	bool disco = facets & FACET_DISCO && !key_is_zero(n->disco_key.raw);
	/* Some clients discard a whole patch that has both a disco key and a last seen that is not newer (docs/protocol/map.md): two patches then. */
	bool apart = disco && !seat->online;
	if (facets & (FACET_KEY | FACET_EXPIRY | FACET_ENDPOINTS) || relay || capver || disco) {
		patch_start(w, n);
		if (relay)
			jsonw_uint(w, "DERPRegion", n->home_relay);
		if (capver)
			jsonw_uint(w, "Cap", n->capver);
		if (facets & FACET_ENDPOINTS)
			write_endpoints(w, n, seat->expired);
		if (facets & FACET_KEY)
			jsonw_text(w, "Key", bytes_of(text, key_format_node(text, &n->node_key)));
		if (disco)
			write_disco(w, n);
		if (facets & FACET_EXPIRY)
			jsonw_time(w, "KeyExpiry", n->expiry);
		if (presence && !apart) {
			write_patch_presence(w, seat, facets);
			presence = false;
		}
		jsonw_object_end(w);
	}
	if (presence) {
		patch_start(w, n);
		write_patch_presence(w, seat, facets);
		jsonw_object_end(w);
	}
}

static void write_profile(struct jsonw *w, uint64_t id, struct bytes login_name, struct bytes display_name, struct bytes picture_url)
{
	jsonw_object(w, NULL);
	jsonw_uint(w, "ID", id);
	jsonw_text(w, "LoginName", login_name);
	jsonw_text(w, "DisplayName", display_name);
	if (picture_url.len)
		jsonw_text(w, "ProfilePicURL", picture_url);
	jsonw_object_end(w);
}

void nodejson_profile(struct jsonw *w, const struct snapshot *s, uint64_t wire_user)
{
	const struct profile *profile = snapshot_user(s, wire_user);
	if (profile)
		write_profile(w, wire_user, profile->login_name, profile->display_name, profile->picture_url);
	else
		write_profile(w, wire_user, BYTES("tagged-devices"), BYTES("Tagged Devices"), BYTES_NONE);
}
