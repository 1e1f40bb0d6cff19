#include "v1_nodejson.h"

#include <jansson.h>
#include <stdlib.h>

#include "route.h"
#include "v1_preauthkey.h"
#include "v1_user.h"

static void write_prefixes(struct jsonw *w, const char *name, const struct prefix *prefixes, size_t count)
{
	jsonw_array(w, name);
	for (size_t i = 0; i < count; i++)
		jsonw_prefix(w, NULL, prefixes[i]);
	jsonw_array_end(w);
}

static void write_ip(struct jsonw *w, struct ip ip)
{
	char text[IP_TEXT_MAX];

	if (ip.family == IP_NONE)
		return;
	ip_format(text, ip);
	jsonw_string(w, NULL, text);
}

static void write_hostname(struct jsonw *w, struct bytes hostinfo)
{
	json_t *object = json_loadb((const char *)hostinfo.at, hostinfo.len, 0, NULL);
	const json_t *name = json_object_get(object, "Hostname");

	jsonw_text(w, "name", bytes_of(json_string_value(name), json_string_length(name)));
	json_decref(object);
}

static void write_keys(struct jsonw *w, const struct node *node)
{
	char text[KEY_TEXT_MAX];

	key_format_machine(text, &node->machine_key);
	jsonw_string(w, "machineKey", text);
	key_format_node(text, &node->node_key);
	jsonw_string(w, "nodeKey", text);
	key_format_disco(text, &node->disco_key);
	jsonw_string(w, "discoKey", text);
}

static int compare_key(const void *id, const void *key)
{
	uint64_t a = *(const uint64_t *)id, b = ((const struct authkey *)key)->id;

	return (a > b) - (a < b);
}

static void write_authkey(struct jsonw *w, const struct node *node, const struct v1_roll *roll)
{
	const struct authkey *key = roll->key_count ? bsearch(&node->authkey, roll->keys, roll->key_count, sizeof *key, compare_key) : NULL;

	v1_preauthkey_write(w, "preAuthKey", key, key ? v1_user_find(roll->users, roll->user_count, key->user) : NULL, NULL);
}

static bool is_primary(const struct node *node, struct prefix route)
{
	for (size_t i = 0; i < node->primary_count; i++)
		if (prefix_compare(node->routes_primary[i], route) == 0)
			return true;
	return false;
}

static void write_routes(struct jsonw *w, const struct node *node, enum v1_node_form form)
{
	struct prefix *served = x_alloc((node->approved_count + 1) * sizeof *served);
	size_t count = form == V1_NODE_ALONE ? 0 : route_served(node, served), kept = 0;

	for (size_t i = 0; i < count; i++)
		if (route_is_exit(served[i]) ? form == V1_NODE_LISTED : is_primary(node, served[i]))
			served[kept++] = served[i];
	write_prefixes(w, "approvedRoutes", node->routes_approved, node->approved_count);
	write_prefixes(w, "availableRoutes", node->routes_advertised, node->advertised_count);
	write_prefixes(w, "subnetRoutes", served, kept);
	free(served);
}

static void write_user(struct jsonw *w, const struct node *node, const struct v1_roll *roll, enum v1_node_form form)
{
	static const struct user tagged_devices = {
		.id = 2147455555, .name = BYTES("tagged-devices"), .display_name = BYTES("Tagged Devices"), .created = WALL_ZERO};

	if (node_is_tagged(node))
		v1_user_write(w, "user", form == V1_NODE_LISTED ? &tagged_devices : NULL);
	else
		v1_user_write(w, "user", v1_user_find(roll->users, roll->user_count, node->user));
}

void v1_node_write_members(struct jsonw *w, const struct node *node, const struct v1_roll *roll, bool online, enum v1_node_form form)
{
	static const char *const methods[] = {"REGISTER_METHOD_UNSPECIFIED", "REGISTER_METHOD_AUTH_KEY", "REGISTER_METHOD_CLI", "REGISTER_METHOD_OIDC"};

	jsonw_uint_text(w, "id", node->id);
	write_keys(w, node);
	jsonw_array(w, "ipAddresses");
	write_ip(w, node->ip4);
	write_ip(w, node->ip6);
	jsonw_array_end(w);
	write_hostname(w, node->hostinfo);
	jsonw_text(w, "givenName", node->label);
	write_user(w, node, roll, form);
	jsonw_time_or_null(w, "lastSeen", node->last_seen);
	jsonw_time_or_null(w, "expiry", node->expiry);
	jsonw_time(w, "createdAt", node->created);
	write_authkey(w, node, roll);
	jsonw_string(w, "registerMethod", methods[node->register_method < COUNT_OF(methods) ? node->register_method : 0]);
	jsonw_bool(w, "online", online);
	write_routes(w, node, form);
	jsonw_array(w, "tags");
	for (size_t i = 0; i < node->tag_count; i++)
		jsonw_text(w, NULL, node->tags[i]);
	jsonw_array_end(w);
}

void v1_node_write(struct jsonw *w, const char *name, const struct node *node, const struct v1_roll *roll, bool online, enum v1_node_form form)
{
	jsonw_object(w, name);
	v1_node_write_members(w, node, roll, online, form);
	jsonw_object_end(w);
}
