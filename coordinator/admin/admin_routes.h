/* The admin doors' part of the route table (coordinator/routes.c).
 * Source: docs/protocol/admin.md. */
#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "guard.h"
#include "openapi.h"
#include "own.h"
#include "own_ask.h"
#include "own_attributes.h"
#include "own_joining.h"
#include "own_policy.h"
#include "own_relays.h"
#include "own_users.h"
#include "own_whoami.h"
#include "policy_text.h"
#include "v1_apikey.h"
#include "v1_auth.h"
#include "v1_node.h"
#include "v1_policy.h"
#include "v1_preauthkey.h"
#include "v1_user.h"

#define ADMIN_DOORS (DOOR_ADMIN | DOOR_SOCKET)

#define ADMIN_ROUTES \
	{METHOD_GET, "/api/v1/openapi.json", ADMIN_DOORS, NULL, openapi_serve, 0}, {METHOD_GET, "/api/v1/openapi.yaml", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/v1/openapi-3.0.json", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/v1/openapi-3.0.yaml", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/v1/docs", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/openapi.json", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/openapi.yaml", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/docs", ADMIN_DOORS, NULL, openapi_serve, 0}, \
		{METHOD_GET, "/api/v1/health", ADMIN_DOORS, guard_any, v1_health, 0}, \
		{METHOD_GET, "/api/v1/user", ADMIN_DOORS, guard_users_read, v1_user_list, 0}, \
		{METHOD_POST, "/api/v1/user", ADMIN_DOORS, guard_users, v1_user_create, 0}, \
		{METHOD_DELETE, "/api/v1/user/{id}", ADMIN_DOORS, guard_users, v1_user_delete, 0}, \
		{METHOD_POST, "/api/v1/user/{oldId}/rename/{newName}", ADMIN_DOORS, guard_users, v1_user_rename, 0}, \
		{METHOD_GET, "/api/v1/node", ADMIN_DOORS, guard_nodes_read, v1_node_list, 0}, \
		{METHOD_POST, "/api/v1/node/register", ADMIN_DOORS, guard_nodes, v1_node_register, 0}, \
		{METHOD_POST, "/api/v1/node/backfillips", ADMIN_DOORS, guard_nodes, v1_node_backfill_ips, 0}, \
		{METHOD_POST, "/api/v1/debug/node", ADMIN_DOORS, guard_nodes, v1_debug_node, 0}, \
		{METHOD_POST, "/api/v1/auth/approve", ADMIN_DOORS, guard_nodes, v1_auth_approve, 0}, \
		{METHOD_POST, "/api/v1/auth/reject", ADMIN_DOORS, guard_nodes, v1_auth_reject, 0}, \
		{METHOD_POST, "/api/v1/auth/register", ADMIN_DOORS, guard_nodes, v1_auth_register, 0}, \
		{METHOD_GET, "/api/v1/node/{nodeId}", ADMIN_DOORS, guard_nodes_read, v1_node_get, 0}, \
		{METHOD_DELETE, "/api/v1/node/{nodeId}", ADMIN_DOORS, guard_nodes, v1_node_delete, 0}, \
		{METHOD_POST, "/api/v1/node/{nodeId}/expire", ADMIN_DOORS, guard_nodes, v1_node_expire, 0}, \
		{METHOD_POST, "/api/v1/node/{nodeId}/rename/{newName}", ADMIN_DOORS, guard_nodes, v1_node_rename, 0}, \
		{METHOD_POST, "/api/v1/node/{nodeId}/tags", ADMIN_DOORS, guard_nodes, v1_node_tags, 0}, \
		{METHOD_POST, "/api/v1/node/{nodeId}/approve_routes", ADMIN_DOORS, guard_nodes, v1_node_approve_routes, 0}, \
		{METHOD_GET, "/api/v1/preauthkey", ADMIN_DOORS, guard_authkeys_read, v1_preauthkey_list, 0}, \
		{METHOD_POST, "/api/v1/preauthkey", ADMIN_DOORS, guard_authkeys, v1_preauthkey_create, 0}, \
		{METHOD_POST, "/api/v1/preauthkey/expire", ADMIN_DOORS, guard_authkeys, v1_preauthkey_expire, 0}, \
		{METHOD_DELETE, "/api/v1/preauthkey", ADMIN_DOORS, guard_authkeys, v1_preauthkey_delete, 0}, \
		{METHOD_GET, "/api/v1/apikey", ADMIN_DOORS, guard_apikeys_read, v1_apikey_list, 0}, \
		{METHOD_POST, "/api/v1/apikey", ADMIN_DOORS, guard_apikeys, v1_apikey_create, 0}, \
		{METHOD_POST, "/api/v1/apikey/expire", ADMIN_DOORS, guard_apikeys, v1_apikey_expire, 0}, \
		{METHOD_DELETE, "/api/v1/apikey/{prefix}", ADMIN_DOORS, guard_apikeys, v1_apikey_delete, 0}, \
		{METHOD_GET, "/api/v1/policy", ADMIN_DOORS, guard_policy_read, v1_policy_get, 0}, \
		{METHOD_PUT, "/api/v1/policy", ADMIN_DOORS, guard_policy, v1_policy_set, POLICY_JSON_MAX}, \
		{METHOD_POST, "/api/v1/policy/check", ADMIN_DOORS, guard_policy_read, v1_policy_check, POLICY_JSON_MAX}, \
		{METHOD_GET, "/api/fleetscale/v1/policy", ADMIN_DOORS, guard_policy_read, own_policy_get, 0}, \
		{METHOD_PUT, "/api/fleetscale/v1/policy", ADMIN_DOORS, guard_policy, own_policy_put, POLICY_BODY_MAX}, \
		{METHOD_POST, "/api/fleetscale/v1/policy/check", ADMIN_DOORS, guard_policy_read, own_policy_check, POLICY_BODY_MAX}, \
		{METHOD_POST, "/api/fleetscale/v1/policy/test", ADMIN_DOORS, guard_policy_read, own_policy_test, POLICY_BODY_MAX}, \
		{METHOD_POST, "/api/fleetscale/v1/policy/preview", ADMIN_DOORS, guard_policy_read, own_policy_preview, POLICY_BODY_MAX}, \
		{METHOD_POST, "/api/fleetscale/v1/policy/explain", ADMIN_DOORS, guard_policy_read, own_policy_explain, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/policy/rollback", ADMIN_DOORS, guard_policy, own_policy_rollback, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/policy/history", ADMIN_DOORS, guard_policy_read, own_policy_history, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/policy/history/{version}", ADMIN_DOORS, guard_policy_read, own_policy_version, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/users", ADMIN_DOORS, guard_users_read, own_users_list, 0}, \
		{METHOD_PATCH, "/api/fleetscale/v1/users/{id}", ADMIN_DOORS, guard_users, own_users_update, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/tailnets", ADMIN_DOORS, guard_operator_read, own_tailnets_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/tailnets", ADMIN_DOORS, guard_operator, own_tailnets_create, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/tailnets/{name}", ADMIN_DOORS, guard_operator_read, own_tailnets_get, 0}, \
		{METHOD_PATCH, "/api/fleetscale/v1/tailnets/{name}", ADMIN_DOORS, guard_operator, own_tailnets_update, 0}, \
		{METHOD_DELETE, "/api/fleetscale/v1/tailnets/{name}", ADMIN_DOORS, guard_operator, own_tailnets_delete, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/settings", ADMIN_DOORS, guard_settings_read, own_settings_get, 0}, \
		{METHOD_PATCH, "/api/fleetscale/v1/settings", ADMIN_DOORS, guard_settings, own_settings_update, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/nodes/{id}/approve", ADMIN_DOORS, guard_nodes, own_node_approve, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/authkeys", ADMIN_DOORS, guard_authkeys_read, own_authkeys_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/authkeys", ADMIN_DOORS, guard_authkeys, own_authkeys_create, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/logins", ADMIN_DOORS, guard_nodes_read, own_logins_list, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/ssh-checks", ADMIN_DOORS, guard_nodes_read, own_sshchecks_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/nodes/{id}/ping", ADMIN_DOORS, guard_nodes, own_node_ping, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/nodes/{id}/debug", ADMIN_DOORS, guard_nodes, own_node_debug, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/nodes/{id}/attributes", ADMIN_DOORS, guard_nodes_read, own_attributes_list, 0}, \
		{METHOD_PUT, "/api/fleetscale/v1/nodes/{id}/attributes/{key}", ADMIN_DOORS, guard_nodes, own_attributes_set, 0}, \
		{METHOD_DELETE, "/api/fleetscale/v1/nodes/{id}/attributes/{key}", ADMIN_DOORS, guard_nodes, own_attributes_delete, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/nodes", ADMIN_DOORS, guard_nodes_read, own_nodes_list, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/nodes/{id}", ADMIN_DOORS, guard_nodes_read, own_nodes_get, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/keys", ADMIN_DOORS, guard_apikeys_read, own_keys_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/keys", ADMIN_DOORS, guard_apikeys, own_keys_create, 0}, \
		{METHOD_DELETE, "/api/fleetscale/v1/keys/{id}", ADMIN_DOORS, guard_apikeys, own_keys_delete, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/relays", ADMIN_DOORS, guard_operator_read, own_relays_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/relays", ADMIN_DOORS, guard_operator, own_relays_create, 0}, \
		{METHOD_DELETE, "/api/fleetscale/v1/relays/{id}", ADMIN_DOORS, guard_operator, own_relays_delete, 0}, \
		{METHOD_PATCH, "/api/fleetscale/v1/relays/{id}", ADMIN_DOORS, guard_operator, own_relays_update, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/relay-probes", ADMIN_DOORS, guard_operator_read, own_relay_probes_list, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/relay-key", ADMIN_DOORS, guard_operator_read, own_relay_key_get, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/relay-tokens", ADMIN_DOORS, guard_operator_read, own_relay_tokens_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/relay-tokens", ADMIN_DOORS, guard_operator, own_relay_tokens_create, 0}, \
		{METHOD_DELETE, "/api/fleetscale/v1/relay-tokens/{id}", ADMIN_DOORS, guard_operator, own_relay_tokens_delete, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/regions", ADMIN_DOORS, guard_operator_read, own_regions_list, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/regions", ADMIN_DOORS, guard_operator, own_regions_create, 0}, \
		{METHOD_PATCH, "/api/fleetscale/v1/regions/{id}", ADMIN_DOORS, guard_operator, own_regions_update, 0}, \
		{METHOD_DELETE, "/api/fleetscale/v1/regions/{id}", ADMIN_DOORS, guard_operator, own_regions_delete, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/regions/{id}/mesh-key", ADMIN_DOORS, guard_operator, own_mesh_key_get, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/regions/{id}/mesh-key", ADMIN_DOORS, guard_operator, own_mesh_key_rotate, 0}, \
		{METHOD_POST, "/api/fleetscale/v1/operator/keys", ADMIN_DOORS, guard_operator, own_operator_create, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/operator/audits", ADMIN_DOORS, guard_operator_read, own_operator_audits_list, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/whoami", ADMIN_DOORS, guard_any, own_whoami, 0}, \
		{METHOD_GET, "/api/fleetscale/v1/audits", ADMIN_DOORS, guard_audits_read, own_audits_list, 0},

#endif
