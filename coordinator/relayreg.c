#include "relayreg.h"

#include <jansson.h>

#include "act.h"
#include "dispatch.h"
#include "doorstep.h"
#include "hostname.h"
#include "jsonr.h"
#include "jsonw.h"
#include "log.h"
#include "probereport.h"
#include "relayanswer.h"
#include "relayfleet.h"
#include "relays.h"
#include "secret.h"
#include "serverkeys.h"
#include "signers.h"
#include "tailnet.h"
#include "text.h"

/* Signed for a relay that asks by a nonce: so that it knows who answers, and what. */
static void sign(struct exchange *x, unsigned status, struct bytes answer)
{
	const struct coordinator *c = x->program;
	const struct signing_key *signer = signers_now(c->signers);
	struct bytes nonce = exchange_header(x, "fleetscale-nonce"), bearer = exchange_header(x, "authorization");
	char signature[RELAYANSWER_TEXT_MAX];
	struct secret token;

	if (!signer || !relayanswer_is_nonce(nonce) || !bytes_starts(bearer, "Bearer ") || secret_parse(SECRET_RELAY, bytes_skip(bearer, 7), &token))
		return;
	relayanswer_sign(&(struct relayanswer){.path = x->path,
					       .relay = bytes_of(token.hash, sizeof token.hash),
					       .nonce = nonce,
					       .question = x->body,
					       .status = status,
					       .answer = answer},
			 signer->seed, signature);
	key_wipe(&token, sizeof token);
	exchange_add_header(x, RELAYANSWER_SIGNATURE, bytes_text(signature));
}

static void reply(struct exchange *x, unsigned status, struct bytes answer)
{
	sign(x, status, answer);
	exchange_reply_json(x, status, answer);
}

/* Both doors have the guard in common. */
static void count(const struct exchange *x, enum relayreg_result result)
{
	metric_add_at(x->route->handler == serve_relay_announce ? metric_announcements : metric_verifications, result, 1);
}

static unsigned status_of(enum relayreg_result result)
{
	return result == RELAYREG_UNKNOWN_TOKEN ? 401 : result == RELAYREG_MALFORMED ? 400 : result == RELAYREG_UNAVAILABLE ? 503 : 403;
}

static void refuse(struct exchange *x, enum relayreg_result result, const char *reason)
{
	struct buffer out;
	struct jsonw w;

	log_info(SUBJECT("relay"), "request refused", F_TEXT("reason", reason), F_UINT("id", x->id));
	count(x, result);
	if (result == RELAYREG_UNKNOWN_TOKEN)
		doorstep_refused(x);
	buffer_init(&out, 4096);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_string(&w, "error", reason);
	jsonw_object_end(&w);
	reply(x, jsonw_end(&w) ? 500 : status_of(result), buffer_bytes(&out));
	buffer_clear(&out);
}

struct guard_task {
	struct exchange *x;
	struct secret secret;
};

static void on_token(void *context, enum err e, const struct relay_token *token)
{
	struct guard_task *t = context;

	if (e) {
		refuse(t->x, RELAYREG_UNAVAILABLE, "the database cannot be asked now");
	} else if (!token || !secret_matches(&t->secret, token->hash)) {
		refuse(t->x, RELAYREG_UNKNOWN_TOKEN, "this relay token is not known");
	} else if (!wall_is_zero(token->revoked)) {
		refuse(t->x, RELAYREG_REVOKED_TOKEN, "this relay token was revoked");
	} else {
		t->x->guard = (void *)token;
		dispatch_pass(t->x);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

static void guard(struct exchange *x, struct bytes text, const char *wanted)
{
	struct coordinator *c = x->program;
	struct guard_task *t = ARENA_NEW(x->arena, struct guard_task);

	if (!doorstep_credential(x)) {
		count(x, RELAYREG_THROTTLED);
		return;
	}
	t->x = x;
	if (secret_parse(SECRET_RELAY, text, &t->secret)) {
		refuse(x, RELAYREG_UNKNOWN_TOKEN, wanted);
		return;
	}
	relay_tokens_find(c->pg, bytes_text(t->secret.prefix), x->arena, on_token, t);
}

void relayreg_guard(struct exchange *x)
{
	struct bytes header = exchange_header(x, "authorization");

	guard(x, bytes_starts(header, "Bearer ") ? bytes_skip(header, 7) : BYTES(""), "this door wants a relay token: Authorization: Bearer hskey-relay-...");
}

void relayreg_guard_path(struct exchange *x)
{
	guard(x, x->params[0], "this door wants a relay token at the end of its path");
}

/* --- announce -------------------------------------------------------------------------------------------------------------------------------- */

struct announce_task {
	struct exchange *x;
	struct relay relay;
	uint64_t homes, known;
	unsigned told, siblings, keys, rechecks, peers;
	struct probereport probes;
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

static void announce_decode(struct announce_task *t, const json_t *body, struct diag *why)
{
	const struct coordinator *c = t->x->program;
	struct relay_node *node = &t->relay.node;

	node->name = member_text(t->x, body, "Name", RELAY_HOST_MAX, why);
	node->host_name = member_text(t->x, body, "HostName", RELAY_HOST_MAX, why);
	node->cert_name = member_text(t->x, body, "CertName", RELAY_HOST_MAX, why);
	node->ipv4 = member_text(t->x, body, "IPv4", IP_TEXT_MAX, why);
	node->ipv6 = member_text(t->x, body, "IPv6", IP_TEXT_MAX, why);
	node->relay_port = (unsigned)member_int(body, "DERPPort", 0, RELAY_PORT_MAX, why);
	node->stun_port = (int)member_int(body, "STUNPort", -1, RELAY_PORT_MAX, why);
	node->insecure_for_tests = c->options->relay_insecure_for_tests && json_is_true(json_object_get(body, "InsecureForTests"));
	node->can_port80 = json_is_true(json_object_get(body, "CanPort80"));
	t->relay.version = member_text(t->x, body, "Version", 64, why);
	t->relay.instance = member_text(t->x, body, "Instance", 64, why);
	t->relay.draining = json_is_true(json_object_get(body, "Draining"));
	t->homes = (uint64_t)member_int(body, "Homes", 0, INT32_MAX, why);
	t->known = (uint64_t)member_int(body, "RechecksFrom", 0, INT64_MAX, why);
	probereport_decode(body, t->x->arena, &t->probes, why);
	if (*why->text || relaynode_check(node, why))
		return;
	if (node->name.len && hostname_check(node->name, &(struct diag){0}))
		diag_set(why, ERR_MALFORMED, "Name must be a label of lower-case letters, digits and hyphens");
	if (json_is_true(json_object_get(body, "InsecureForTests")) && !c->options->relay_insecure_for_tests)
		diag_set(why, ERR_DENIED, "this server does not let relays go without a certificate that clients check (relay.insecure_for_tests)");
}

static void write_siblings(struct jsonw *w, const struct announce_task *t, struct tx *tx, const struct relay_told *told)
{
	struct relay *siblings, *peers;
	size_t count = relays_read(tx, t->siblings, t->x->arena, &siblings);
	bool in_mesh = false;

	jsonw_array(w, "Siblings");
	for (size_t i = 0; told->mesh && i < count; i++) {
		if (siblings[i].id == told->id) {
			in_mesh = true;
			continue;
		}
		jsonw_object(w, NULL);
		derpmap_write_node(w, &siblings[i].node, 0);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	if (!t->probes.wants_peers)
		return;
	count = relays_read(tx, t->peers, t->x->arena, &peers);
	probereport_write_peers(w, peers, count, told->id, told->region.id, in_mesh);
}

static void write_keys(struct jsonw *w, const struct announce_task *t, struct tx *tx, const struct relay_told *told)
{
	struct region_keys keys;

	regions_read_keys(tx, t->keys, t->x->arena, &keys);
	jsonw_text(w, "MeshKey", told->mesh ? keys.key : BYTES(""));
	jsonw_text(w, "MeshKeyBefore", told->mesh ? keys.before : BYTES(""));
}

/* Those that sign now, have signed, or will: a relay that believes one of them believes all. */
static void write_signing(struct jsonw *w, const struct coordinator *c)
{
	size_t count;
	const struct signing_key *keys = signers_all(c->signers, &count);

	jsonw_array(w, "AnswerKeys");
	for (size_t i = 0; i < count; i++) {
		char text[SIGN_TEXT_MAX];

		sign_format(text, &keys[i].key);
		jsonw_string(w, NULL, text);
	}
	jsonw_array_end(w);
}

static void write_rechecks(struct jsonw *w, const struct announce_task *t, struct tx *tx)
{
	struct bytes *keys;
	uint64_t stands;
	size_t count;
	bool all = relay_rechecks_read(tx, t->rechecks, t->x->arena, &stands, &keys, &count);

	jsonw_uint(w, "RechecksFrom", stands);
	jsonw_bool(w, "RecheckAll", !all);
	jsonw_array(w, "Rechecks");
	for (size_t i = 0; all && i < count; i++)
		jsonw_text(w, NULL, keys[i]);
	jsonw_array_end(w);
}

/* Source of the members: docs/protocol/derp.md, registration. */
static void answer_announce(const struct announce_task *t, struct tx *tx, const struct relay_told *told)
{
	struct buffer out;
	struct jsonw w;

	buffer_init(&out, 1 << 20);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "RegionID", told->region.id);
	jsonw_text(&w, "RegionCode", told->region.code);
	jsonw_text(&w, "Name", told->name);
	jsonw_uint(&w, "LeaseSeconds", RELAYFLEET_LEASE_SECONDS);
	jsonw_bool(&w, "Drain", told->drain);
	jsonw_bool(&w, "Shown", told->shown);
	jsonw_bool(&w, "HeldBack", told->held_back);
	jsonw_uint(&w, "Stage", told->stage);
	jsonw_bool(&w, "SiblingsServe", told->siblings_serve);
	jsonw_bool(&w, "OthersServe", told->others_serve);
	jsonw_uint(&w, "ClientBytesPerSecond", told->client_rate);
	jsonw_uint(&w, "ClientBurstBytes", told->client_burst);
	jsonw_uint(&w, "TailnetBytesPerSecond", told->tailnet_rate);
	jsonw_uint(&w, "TailnetBurstBytes", told->tailnet_burst);
	write_siblings(&w, t, tx, told);
	write_keys(&w, t, tx, told);
	write_rechecks(&w, t, tx);
	write_signing(&w, t->x->program);
	jsonw_object_end(&w);
	reply(t->x, jsonw_end(&w) ? 500 : 200, buffer_bytes(&out));
	buffer_clear(&out);
}

static void on_announced(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct announce_task *t = context;
	struct relay_told told;

	if (!e && !relays_read_told(tx, t->told, t->x->arena, &told))
		e = ERR_NOT_FOUND;
	if (e) {
		refuse(t->x, e == ERR_NOT_FOUND || e == ERR_DENIED ? RELAYREG_REFUSED : RELAYREG_UNAVAILABLE, why->text);
		return;
	}
	relayfleet_heard(t->x->program, told.id, t->homes);
	if (tx_generation(tx))
		log_info(((struct subject){.kind = "relay", .id = told.id}), "relay map changed", F_BYTES("name", told.name),
			 F_BYTES("host", t->relay.node.host_name));
	if (told.held_back)
		log_warning(((struct subject){.kind = "relay", .id = told.id}), "it changes how it is reached too often: the map stays",
			    F_BYTES("name", told.name), F_BYTES("host", t->relay.node.host_name));
	count(t->x, RELAYREG_DONE);
	answer_announce(t, tx, &told);
}

/* NULL: why tells. */
static json_t *body_object(const struct exchange *x, struct diag *why)
{
	json_t *body = NULL;

	if (jsonr_parse(x->body, x->body.len, &body, why))
		return NULL;
	if (json_is_object(body))
		return body;
	json_decref(body);
	diag_set(why, ERR_MALFORMED, "the body is not a JSON object");
	return NULL;
}

void serve_relay_announce(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct announce_task *t = ARENA_NEW(x->arena, struct announce_task);
	const struct relay_token *token = x->guard;
	struct diag why = {0};
	json_t *body = body_object(x, &why);
	struct tx *tx;

	t->x = x;
	if (body)
		announce_decode(t, body, &why);
	json_decref(body);
	if (*why.text) {
		refuse(x, RELAYREG_MALFORMED, why.text);
		return;
	}
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	relays_announce(tx, token, &t->relay);
	t->told = relays_told(tx, token, t->relay.node.name);
	t->siblings = relays_siblings(tx, token->region);
	t->keys = regions_keys(tx, token->region);
	t->rechecks = relay_rechecks(tx, token->region, t->known);
	if (t->probes.probing)
		relayprobes_put(tx, token, t->relay.node.name, &t->probes.key, t->probes.probes, t->probes.count);
	if (t->probes.wants_peers)
		t->peers = relays_peers(tx, token->region, t->probes.after);
	act_commit(c, tx, on_announced, t);
}

/* --- verify ---------------------------------------------------------------------------------------------------------------------------------- */

struct verify_task {
	struct exchange *x;
	bool is_ours; /* a relay of ours asks: others learn nothing but whether */
};

static void on_verified(void *context, enum err e, const struct relay_standing *standing)
{
	const struct verify_task *t = context;
	struct buffer out;
	struct jsonw w;

	if (e) {
		refuse(t->x, RELAYREG_UNAVAILABLE, "the database cannot be asked now");
		return;
	}
	count(t->x, standing->allowed ? RELAYREG_DONE : RELAYREG_REFUSED);
	buffer_init(&out, 4096);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_bool(&w, "Allow", standing->allowed);
	if (t->is_ours && standing->allowed) {
		jsonw_uint(&w, "Tailnet", standing->tailnet);
		jsonw_uint(&w, "TailnetBytesPerSecond", standing->rate);
		jsonw_uint(&w, "TailnetBurstBytes", standing->burst);
	}
	jsonw_object_end(&w);
	reply(t->x, jsonw_end(&w) ? 500 : 200, buffer_bytes(&out));
	buffer_clear(&out);
}

void serve_relay_verify(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct verify_task *t = ARENA_NEW(x->arena, struct verify_task);
	const struct relay_token *token = x->guard;
	json_t *body = body_object(x, NULL);
	const json_t *text = json_object_get(body, "NodePublic");
	struct node_key key;
	enum err e = key_parse_node(bytes_of(json_string_value(text), json_string_length(text)), &key);

	json_decref(body);
	t->x = x;
	t->is_ours = !x->params[0].len && !token->by_hand;
	if (e)
		refuse(x, RELAYREG_MALFORMED, "NodePublic is not a node key");
	else
		relays_verify(c->pg, &key, token->region, on_verified, t);
}
