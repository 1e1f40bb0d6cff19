#include "routes.h"

#include "admin_routes.h"
#include "ask.h"
#include "problem.h"
#include "relayreg.h"
#include "serve_idtoken.h"
#include "serve_key.h"
#include "serve_map.h"
#include "serve_page.h"
#include "serve_register.h"
#include "serve_rest.h"
#include "serve_sshaction.h"
#include "serve_told.h"
#include "session.h"

enum { PUBLIC = DOOR_CLIENTS, NOISE = DOOR_NOISE, BOTH = DOOR_CLIENTS | DOOR_ADMIN | DOOR_SOCKET };

static void refuse(struct exchange *x)
{
	static const char *const texts[] = {"not found\n", "method not allowed\n", "the path is not well encoded\n", "the request body is too large\n"};

	if (x->door & ADMIN_DOORS && bytes_starts(x->path, "/api/"))
		admin_refuse(x);
	else
		exchange_reply_text(x, x->refusal, texts[x->refusal == 404 ? 0 : x->refusal == 405 ? 1 : x->refusal == 400 ? 2 : 3]);
}

const struct route coordinator_routes[] = {{METHOD_GET, "/key", PUBLIC, NULL, serve_key, 0},
					   {METHOD_POST, "/ts2021", PUBLIC, NULL, serve_upgrade, 0},
					   {METHOD_GET, "/ts2021", PUBLIC, NULL, serve_websocket, 0},
					   {METHOD_GET, "/.well-known/jwks.json", PUBLIC, NULL, serve_jwks, 0},
					   {METHOD_GET, "/.well-known/openid-configuration", PUBLIC, NULL, serve_configuration, 0},
					   {METHOD_GET, "/register/{id}", PUBLIC, NULL, serve_login_page, 0},
					   {METHOD_GET, "/auth/{id}", PUBLIC, NULL, serve_check_page, 0},
					   {METHOD_GET, "/health", BOTH, NULL, serve_health, 0},
					   {METHOD_GET, "/version", BOTH, NULL, serve_version, 0},
					   {METHOD_POST, "/relay/v1/announce", PUBLIC, relayreg_guard, serve_relay_announce, 64 << 10},
					   {METHOD_POST, "/relay/v1/verify", PUBLIC, relayreg_guard, serve_relay_verify, 4 << 10},
					   {METHOD_POST, "/relay/v1/verify/{token}", PUBLIC, relayreg_guard_path, serve_relay_verify, 4 << 10},

					   {METHOD_POST, "/machine/register", NOISE, NULL, serve_register, 0},
					   {METHOD_POST, "/machine/map", NOISE, NULL, serve_map, 0},
					   {METHOD_GET, "/machine/ping-response/{id}", NOISE, NULL, serve_answer, 0},
					   {METHOD_POST, "/machine/ping-response/{id}", NOISE, NULL, serve_answer, 0},
					   {METHOD_GET, "/machine/whoami", NOISE, NULL, serve_whoami, 0},
					   {METHOD_POST, "/machine/set-dns", NOISE, NULL, serve_rest, 0},
					   {METHOD_PATCH, "/machine/set-device-attr", NOISE, NULL, serve_attributes, 0},
					   {METHOD_POST, "/machine/audit-log", NOISE, NULL, serve_auditlog, 0},
					   {METHOD_POST, "/machine/id-token", NOISE, NULL, serve_idtoken, 0},
					   {METHOD_POST, "/machine/feature/query", NOISE, NULL, serve_rest, 0},
					   {METHOD_POST, "/machine/webclient/{*}", NOISE, NULL, serve_rest, 0},
					   {METHOD_GET, "/machine/ssh/action/{source}/to/{destination}", NOISE, NULL, serve_sshaction, 0},
					   {METHOD_POST, "/machine/ssh/notify", NOISE, NULL, serve_sshnotify, 0},
					   {METHOD_GET, "/machine/tka/{*}", NOISE, NULL, serve_rest, 0},
					   {METHOD_POST, "/machine/tka/{*}", NOISE, NULL, serve_rest, 0},
					   {METHOD_POST, "/machine/update-health", NOISE, NULL, serve_warning, 0},

					   ADMIN_ROUTES{.handler = refuse}};
