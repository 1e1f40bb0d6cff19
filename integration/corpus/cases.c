#include "cases.h"

#include <stdlib.h>

#include "route.h"
#include "text.h"

static struct bytes text_of(const json_t *value)
{
	return json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value)) : BYTES_NONE;
}

static enum err read_prefixes(struct arena *arena, const json_t *list, struct prefix **out, size_t *count, struct diag *why)
{
	*count = 0;
	*out = ARENA_ARRAY(arena, struct prefix, json_array_size(list));
	if (list && !json_is_array(list) && !json_is_null(list))
		return diag_set(why, ERR_MALFORMED, "routes are a list");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (prefix_parse(text_of(json_array_get(list, i)), &(*out)[(*count)++]))
			return diag_set(why, ERR_MALFORMED, "routes are prefixes");
	return ERR_NONE;
}

static unsigned roles_of(const json_t *list)
{
	static const struct {
		const char *name;
		enum role role;
	} known[] = {{"owner", ROLE_OWNER},
		     {"admin", ROLE_ADMIN},
		     {"network-admin", ROLE_NETWORK_ADMIN},
		     {"it-admin", ROLE_IT_ADMIN},
		     {"billing-admin", ROLE_BILLING_ADMIN},
		     {"auditor", ROLE_AUDITOR}};
	unsigned roles = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		for (size_t k = 0; k < sizeof known / sizeof *known; k++)
			if (bytes_equal_text(text_of(json_array_get(list, i)), known[k].name))
				roles |= known[k].role;
	return roles;
}

static int by_id(const void *a, const void *b)
{
	const struct roll_user *x = a, *y = b;
	return (x->user->id > y->user->id) - (x->user->id < y->user->id);
}

static enum err read_users(struct arena *arena, const json_t *list, struct recorded *out, struct diag *why)
{
	size_t count = json_array_size(list);
	struct roll_user *users = ARENA_ARRAY(arena, struct roll_user, count);
	out->users = ARENA_ARRAY(arena, struct user, count);
	if (!json_is_array(list))
		return diag_set(why, ERR_MALFORMED, "users is a list");
	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(list, i);
		struct user *user = &out->users[i];
		*user = (struct user){.id = (uint64_t)json_integer_value(json_object_get(one, "id")),
				      .name = text_of(json_object_get(one, "name")),
				      .email = text_of(json_object_get(one, "email"))};
		if (!user->id || !user->name.len)
			return diag_set(why, ERR_MALFORMED, "a user has an id and a name");
		users[i] = (struct roll_user){.user = user, .roles = roles_of(json_object_get(one, "roles"))};
	}
	if (count)
		qsort(users, count, sizeof *users, by_id);
	out->roll.users = users;
	out->roll.user_count = count;
	return ERR_NONE;
}

static enum err read_node(struct arena *arena, const json_t *one, struct recorded *out, struct node *node, struct diag *why)
{
	const json_t *tags = json_object_get(one, "tags");
	struct bytes user = text_of(json_object_get(one, "user")), created = text_of(json_object_get(one, "created"));
	enum err e = read_prefixes(arena, json_object_get(one, "routable_ips"), &node->routes_advertised, &node->advertised_count, why);
	if (e || (e = read_prefixes(arena, json_object_get(one, "approved_routes"), &node->routes_approved, &node->approved_count, why)))
		return e;
	node->approved = true;
	node->created = (struct wall){INT64_MAX};
	if (ip_parse(text_of(json_object_get(one, "ipv4")), &node->ip4) || ip_parse(text_of(json_object_get(one, "ipv6")), &node->ip6) ||
	    (created.len && time_parse(created, &node->created)))
		return diag_set(why, ERR_MALFORMED, "a node has ipv4, ipv6 and perhaps a time of creation");
	node->tags = ARENA_ARRAY(arena, struct bytes, json_array_size(tags));
	for (size_t i = 0; i < json_array_size(tags); i++)
		node->tags[node->tag_count++] = text_of(json_array_get(tags, i));
	for (size_t i = 0; !node->tag_count && i < out->roll.user_count; i++)
		if (bytes_equal(out->users[i].name, user))
			node->user = out->users[i].id;
	return node->tag_count || node->user ? ERR_NONE : diag_set(why, ERR_MALFORMED, "a node has tags or a user");
}

static bool serves(const struct node *node, struct prefix route)
{
	bool advertised = false, approved = false;
	for (size_t i = 0; i < node->advertised_count; i++)
		advertised |= !prefix_compare(prefix_masked(node->routes_advertised[i]), route);
	for (size_t i = 0; i < node->approved_count; i++)
		approved |= !prefix_compare(prefix_masked(node->routes_approved[i]), route);
	return advertised && approved;
}

/* Every node is online: the primary of a route is the one of its routers that was made first. */
static void elect(struct arena *arena, struct recorded *out)
{
	size_t count = out->roll.node_count;
	struct route_router *routers = ARENA_ARRAY(arena, struct route_router, count);
	for (size_t n = 0; n < count; n++) {
		struct node *node = &out->nodes[n];
		struct prefix *routes = ARENA_ARRAY(arena, struct prefix, node->approved_count);
		size_t route_count = roll_subnet_routes(node, routes);
		node->routes_primary = ARENA_ARRAY(arena, struct prefix, route_count);
		for (size_t r = 0; r < route_count; r++) {
			size_t router_count = 0;
			for (size_t other = 0; other < count; other++)
				if (serves(&out->nodes[other], routes[r]))
					routers[router_count++] =
						(struct route_router){.node = out->nodes[other].id, .created = out->nodes[other].created, .online = true};
			if (route_elect(routers, router_count) == node->id)
				node->routes_primary[node->primary_count++] = routes[r];
		}
	}
}

static enum err read_nodes(struct arena *arena, json_t *object, struct recorded *out, struct diag *why)
{
	size_t count = json_object_size(object), slot = 0;
	struct roll_node *places = ARENA_ARRAY(arena, struct roll_node, count);
	const char *name;
	json_t *one;
	if (!json_is_object(object))
		return diag_set(why, ERR_MALFORMED, "nodes is an object");
	out->nodes = ARENA_ARRAY(arena, struct node, count);
	out->names = ARENA_ARRAY(arena, const char *, count);
	json_object_foreach(object, name, one)
	{
		out->nodes[slot].id = 1000 + slot;
		enum err e = read_node(arena, one, out, &out->nodes[slot], why);
		if (e)
			return e;
		out->names[slot] = name;
		places[slot].node = &out->nodes[slot];
		slot++;
	}
	out->roll.nodes = places;
	out->roll.node_count = count;
	elect(arena, out);
	return ERR_NONE;
}

enum err recorded_read(struct arena *arena, json_t *json, struct recorded *out, struct diag *why)
{
	const json_t *settings = json_object_get(json, "settings"), *domains = json_object_get(settings, "associated_domains");
	*out = (struct recorded){.json = json, .policy = text_of(json_object_get(json, "policy"))};
	if (!out->policy.at)
		return diag_set(why, ERR_MALFORMED, "policy is a string");
	out->domains = ARENA_ARRAY(arena, struct bytes, json_array_size(domains));
	for (size_t i = 0; i < json_array_size(domains); i++)
		out->domains[out->roll.domain_count++] = text_of(json_array_get(domains, i));
	out->roll.domains = out->domains;
	out->auto_updates = json_is_true(json_object_get(json_object_get(settings, "settings"), "devices_auto_updates_on"));
	enum err e = read_users(arena, json_object_get(json, "users"), out, why);
	return e ? e : read_nodes(arena, json_object_get(json, "nodes"), out, why);
}
