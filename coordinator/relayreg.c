#include "relayreg.h"

#include <jansson.h>

#include "act.h"
#include "dispatch.h"
#include "doorstep.h"
#include "jsonw.h"
#include "log.h"
#include "nodes.h"
#include "relays.h"
#include "secret.h"

enum { LEASE_SECONDS = 15, HOST_MAX = 253, PORT_MAX = 65535 };

static void refuse(struct exchange *x, unsigned status, const char *reason)
{
	struct buffer out;
	struct jsonw w;

	log_info(SUBJECT("relay"), "request refused", F_TEXT("reason", reason), F_UINT("id", x->id));
	if (status == 401)
		doorstep_refused(x);
	buffer_init(&out, 4096);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_string(&w, "error", reason);
	jsonw_object_end(&w);
	exchange_reply_json(x, jsonw_end(&w) ? 500 : status, buffer_bytes(&out));
	buffer_clear(&out);
}

struct guard_task {
	struct exchange *x;
	struct secret secret;
};

static void on_relay(void *context, enum err e, const struct relay *relay)
{
	struct guard_task *t = context;

	if (e) {
		refuse(t->x, 503, "the database cannot be asked now");
	} else if (!relay || !secret_matches(&t->secret, relay->hash)) {
		refuse(t->x, 401, "this relay token is not known");
	} else if (!wall_is_zero(relay->revoked)) {
		refuse(t->x, 403, "this relay token was revoked");
	} else {
		t->x->guard = (void *)relay;
		dispatch_pass(t->x);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

void relayreg_guard(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct bytes header = exchange_header(x, "authorization");
	struct guard_task *t = ARENA_NEW(x->arena, struct guard_task);

	if (!doorstep_credential(x))
		return;
	t->x = x;
	if (!bytes_starts(header, "Bearer ") || secret_parse(SECRET_RELAY, bytes_skip(header, 7), &t->secret)) {
		refuse(x, 401, "this door wants a relay token: Authorization: Bearer hskey-relay-...");
		return;
	}
	relays_find(c->pg, bytes_text(t->secret.prefix), x->arena, on_relay, t);
}

/* --- announce -------------------------------------------------------------------------------------------------------------------------------- */

struct announce_task {
	struct exchange *x;
	struct relay relay;
};

static struct bytes member_text(struct exchange *x, const json_t *body, const char *name, size_t max, struct diag *why)
{
	const json_t *value = json_object_get(body, name);
	struct bytes text;

	if (!value || json_is_null(value))
		return BYTES("");
	text = bytes_of(json_string_value(value), json_string_length(value));
	if (!json_is_string(value) || text.len > max) {
		diag_set(why, ERR_MALFORMED, "%s must be a text of at most %zu bytes", name, max);
		return BYTES("");
	}
	return arena_copy(x->arena, text);
}

static int64_t member_int(const json_t *body, const char *name, int64_t least, int64_t most, struct diag *why)
{
	const json_t *value = json_object_get(body, name);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most) {
		diag_set(why, ERR_MALFORMED, "%s must be a number from %lld to %lld", name, (long long)least, (long long)most);
		return 0;
	}
	return json_integer_value(value);
}

static void check_address(const char *name, struct bytes text, enum ip_family family, struct diag *why)
{
	struct ip ip;

	if (!text.len || bytes_equal_text(text, "none"))
		return;
	if (ip_parse(text, &ip) || ip.family != family)
		diag_set(why, ERR_MALFORMED, "%s must be an address of that family, \"none\" or empty", name);
}

/* A name, an address or a certificate's fingerprint: clients get it as it is. */
static void check_host(const char *name, struct bytes text, struct diag *why)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
			diag_set(why, ERR_MALFORMED, "%s must be a name or an address", name);
}

static void announce_decode(struct announce_task *t, const json_t *body, struct diag *why)
{
	const struct coordinator *c = t->x->program;
	struct relay_node *node = &t->relay.node;

	node->host_name = member_text(t->x, body, "HostName", HOST_MAX, why);
	node->cert_name = member_text(t->x, body, "CertName", HOST_MAX, why);
	node->ipv4 = member_text(t->x, body, "IPv4", IP_TEXT_MAX, why);
	node->ipv6 = member_text(t->x, body, "IPv6", IP_TEXT_MAX, why);
	node->relay_port = (unsigned)member_int(body, "DERPPort", 0, PORT_MAX, why);
	node->stun_port = (int)member_int(body, "STUNPort", -1, PORT_MAX, why);
	node->insecure_for_tests = c->options->relay_insecure_for_tests && json_is_true(json_object_get(body, "InsecureForTests"));
	node->can_port80 = json_is_true(json_object_get(body, "CanPort80"));
	t->relay.version = member_text(t->x, body, "Version", 64, why);
	check_address("IPv4", node->ipv4, IP_V4, why);
	check_address("IPv6", node->ipv6, IP_V6, why);
	if (!node->host_name.len)
		diag_set(why, ERR_MALFORMED, "HostName is missing");
	check_host("HostName", node->host_name, why);
	check_host("CertName", node->cert_name, why);
	if (json_is_true(json_object_get(body, "InsecureForTests")) && !c->options->relay_insecure_for_tests)
		diag_set(why, ERR_DENIED, "this server does not let relays go without a certificate that clients check (relay.insecure_for_tests)");
}

static void on_announced(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct announce_task *t = context;
	const struct relay *relay = t->x->guard;
	struct buffer out;
	struct jsonw w;

	if (e) {
		refuse(t->x, e == ERR_NOT_FOUND ? 403 : 503, why->text);
		return;
	}
	if (tx_generation(tx))
		log_info(((struct subject){.kind = "relay", .id = relay->id}), "relay map changed", F_BYTES("name", relay->node.name),
			 F_BYTES("host", t->relay.node.host_name));
	buffer_init(&out, 4096);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "RegionID", relay->region);
	jsonw_text(&w, "Name", relay->node.name);
	jsonw_uint(&w, "LeaseSeconds", LEASE_SECONDS);
	jsonw_object_end(&w);
	exchange_reply_json(t->x, jsonw_end(&w) ? 500 : 200, buffer_bytes(&out));
	buffer_clear(&out);
}

static json_t *body_object(struct exchange *x)
{
	json_t *body = json_loadb((const char *)x->body.at, x->body.len, 0, NULL);

	if (json_is_object(body))
		return body;
	json_decref(body);
	return NULL;
}

void serve_relay_announce(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct announce_task *t = ARENA_NEW(x->arena, struct announce_task);
	const struct relay *known = x->guard;
	json_t *body = body_object(x);
	struct diag why = {0};
	struct tx *tx;

	if (!body) {
		refuse(x, 400, "the body is not a JSON object");
		return;
	}
	t->x = x;
	t->relay = *known;
	announce_decode(t, body, &why);
	json_decref(body);
	if (*why.text) {
		refuse(x, 400, why.text);
		return;
	}
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	relays_announce(tx, &t->relay);
	act_commit(c, tx, on_announced, t);
}

/* --- verify ---------------------------------------------------------------------------------------------------------------------------------- */

static void on_verified(void *context, enum err e, bool allowed)
{
	struct exchange *x = context;

	if (e)
		refuse(x, 503, "the database cannot be asked now");
	else
		exchange_reply_json(x, 200, allowed ? BYTES("{\"Allow\":true}") : BYTES("{\"Allow\":false}"));
}

void serve_relay_verify(struct exchange *x)
{
	struct coordinator *c = x->program;
	json_t *body = body_object(x);
	const json_t *text = json_object_get(body, "NodePublic");
	struct node_key key;
	enum err e = key_parse_node(bytes_of(json_string_value(text), json_string_length(text)), &key);

	json_decref(body);
	if (e)
		refuse(x, 400, "NodePublic is not a node key");
	else
		nodes_verify(c->pg, &key, on_verified, x);
}
