#include "own_relays.h"
#include "act_relay.h"
#include "done.h"
#include "fields.h"
#include "guard.h"
#include "page.h"
#include "problem.h"
#include "relaystate.h"
#include "serverkeys.h"
#include "signers.h"

struct relay_task {
	struct exchange *x;
	const char *detail;
	unsigned row, regions;
	struct secret secret;
	struct page page;
	uint64_t id;
};

static struct relay_task *task_new(struct exchange *x, const char *detail)
{
	struct relay_task *t = ARENA_NEW(x->arena, struct relay_task);

	t->x = x;
	t->detail = detail;
	return t;
}

static void relay_write(struct jsonw *w, const char *name, const struct relay *relay, const struct region *regions, size_t region_count)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", relay->id);
	jsonw_text(w, "name", relay->node.name);
	jsonw_uint(w, "regionId", relay->region);
	for (size_t i = 0; i < region_count; i++) {
		if (regions[i].map.id != relay->region)
			continue;
		jsonw_text(w, "regionCode", regions[i].map.code);
		jsonw_text(w, "regionName", regions[i].map.name);
	}
	jsonw_text(w, "hostName", relay->node.host_name);
	jsonw_text(w, "ipv4", relay->node.ipv4);
	jsonw_text(w, "ipv6", relay->node.ipv6);
	jsonw_uint(w, "derpPort", relay->node.relay_port);
	jsonw_int(w, "stunPort", relay->node.stun_port);
	jsonw_text(w, "version", relay->version);
	jsonw_bool(w, "foreign", relay->by_hand);
	jsonw_bool(w, "mesh", relay->mesh);
	jsonw_string(w, "wish", relay->drain ? "drain" : "serve");
	jsonw_bool(w, "shown", relay->shown);
	jsonw_string(w, "state", relaystate_text(relaystate_of(relay)));
	jsonw_time_or_null(w, "lastSeen", relay->last_seen);
	jsonw_time(w, "createdAt", relay->created);
	jsonw_object_end(w);
}

static void on_listed(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relay_task *t = context;
	struct answer answer;
	struct region *regions;
	struct relay *relays;
	size_t count, region_count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = relays_read(tx, t->row, t->x->arena, &relays);
	region_count = regions_read(tx, t->regions, t->x->arena, &regions);
	answer_start(&answer);
	jsonw_array(&answer.w, "relays");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		relay_write(&answer.w, NULL, &relays[i], regions, region_count);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? relays[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_relays_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "listing relays");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->row = relays_page(tx, t->page.after, page_want(&t->page));
	t->regions = regions_list(tx);
	tx_run(tx, on_listed, t);
}

/* The one that signs now, and all that a relay may meet. */
static void write_key(struct jsonw *w, const struct coordinator *c)
{
	const struct signing_key *signer = signers_now(c->signers);
	char text[SIGN_TEXT_MAX];

	if (signer) {
		sign_format(text, &signer->key);
		jsonw_string(w, "coordinatorsKey", text);
	} else {
		jsonw_null(w, "coordinatorsKey");
	}
}

void own_relay_key_get(struct exchange *x)
{
	const struct coordinator *c = x->program;
	struct answer answer;
	size_t count;
	const struct signing_key *keys = signers_all(c->signers, &count);

	answer_start(&answer);
	write_key(&answer.w, c);
	jsonw_array(&answer.w, "keys");
	for (size_t i = 0; i < count; i++) {
		char text[SIGN_TEXT_MAX];

		sign_format(text, &keys[i].key);
		jsonw_object(&answer.w, NULL);
		jsonw_string(&answer.w, "key", text);
		jsonw_time(&answer.w, "from", keys[i].from);
		jsonw_time_or_null(&answer.w, "until", keys[i].until);
		jsonw_object_end(&answer.w);
	}
	jsonw_array_end(&answer.w);
	answer_send(&answer, x, "reading the key of answers to relays");
}

static void on_created(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relay_task *t = context;
	struct answer answer;
	struct region *regions;
	struct relay *relays;
	size_t region_count;

	if (e || !relays_read(tx, t->row, t->x->arena, &relays)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	} else {
		region_count = regions_read(tx, t->regions, t->x->arena, &regions);
		answer_start(&answer);
		relay_write(&answer.w, "relay", &relays[0], regions, region_count);
		jsonw_string(&answer.w, "token", t->secret.text);
		write_key(&answer.w, t->x->program);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

struct asked_relay {
	struct relay_region region;
	struct relay relay;
	uint64_t region_id;
	struct field_count relay_port;
	struct field_flag mesh;
	double stun_port;
};

static bool relay_take(struct relay_task *t, struct asked_relay *a)
{
	struct relay_node *n = &a->relay.node;
	const struct field fields[] = {{"name", FIELD_TEXT, &n->name},
				       {"regionId", FIELD_ID, &a->region_id},
				       {"regionCode", FIELD_TEXT, &a->region.code},
				       {"regionName", FIELD_TEXT, &a->region.name},
				       {"latitude", FIELD_NUMBER, &a->region.latitude},
				       {"longitude", FIELD_NUMBER, &a->region.longitude},
				       {"foreign", FIELD_BOOL, &a->relay.by_hand},
				       {"mesh", FIELD_FLAG, &a->mesh},
				       {"hostName", FIELD_TEXT, &n->host_name},
				       {"certName", FIELD_TEXT, &n->cert_name},
				       {"ipv4", FIELD_TEXT, &n->ipv4},
				       {"ipv6", FIELD_TEXT, &n->ipv6},
				       {"derpPort", FIELD_COUNT, &a->relay_port},
				       {"stunPort", FIELD_NUMBER, &a->stun_port},
				       {"canPort80", FIELD_BOOL, &n->can_port80},
				       {0}};

	if (!fields_read(t->x, fields, t->detail))
		return false;
	if (!a->relay.by_hand && (n->host_name.len || n->cert_name.len || n->ipv4.len || n->ipv6.len || a->relay_port.value || a->stun_port != 0)) {
		problem_reply(t->x, 400, t->detail, "how it is reached a relay says itself, unless it is foreign", "body.foreign");
		return false;
	}
	a->region.id = a->region_id > RELAY_REGION_ID_MAX ? 0 : (unsigned)a->region_id;
	n->relay_port = a->relay_port.value > UINT16_MAX ? UINT16_MAX + 1 : (unsigned)a->relay_port.value;
	n->stun_port = a->stun_port >= -1 && a->stun_port <= UINT16_MAX ? (int)a->stun_port : -2;
	a->relay.mesh = a->mesh.present ? a->mesh.value : !a->relay.by_hand;
	return true;
}

void own_relays_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "creating relay");
	struct asked_relay *asked = ARENA_NEW(x->arena, struct asked_relay);
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!relay_take(t, asked))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	e = act_relay_create(tx, &asker_of(x)->actor, &asked->region, &asked->relay, &t->secret, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	t->regions = regions_list(tx);
	act_commit(c, tx, on_created, t);
}

void own_relays_update(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "changing relay");
	struct bytes wish = {0};
	struct tx *tx;

	if (!fields_path_id(x, 0, &t->id, t->detail) || !fields_read(x, (struct field[]){{"wish", FIELD_TEXT, &wish}, {0}}, t->detail))
		return;
	if (!bytes_equal_text(wish, "drain") && !bytes_equal_text(wish, "serve")) {
		problem_reply(x, 400, t->detail, "wish: drain or serve is wanted", "body.wish");
		return;
	}
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_relay_wish(tx, &asker_of(x)->actor, t->id, bytes_equal_text(wish, "drain"));
	done_commit(x, tx, t->detail);
}

void own_relays_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "deleting relay");
	struct tx *tx;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_relay_delete(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}

/* --- tokens ---------------------------------------------------------------------------------------------------------------------------------------------- */

static void token_write(struct jsonw *w, const char *name, const struct relay_token *token)
{
	jsonw_object(w, name);
	jsonw_uint_text(w, "id", token->id);
	jsonw_string(w, "prefix", token->prefix);
	jsonw_uint(w, "regionId", token->region);
	if (token->relay)
		jsonw_uint_text(w, "relayId", token->relay);
	else
		jsonw_null(w, "relayId");
	jsonw_text(w, "description", token->description);
	jsonw_time(w, "createdAt", token->created);
	jsonw_time_or_null(w, "revokedAt", token->revoked);
	jsonw_object_end(w);
}

static void on_tokens(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relay_task *t = context;
	struct relay_token *tokens;
	struct answer answer;
	size_t count;

	if (e) {
		problem_reply_err(t->x, e, t->detail, why);
		return;
	}
	count = relay_tokens_read(tx, t->row, t->x->arena, &tokens);
	answer_start(&answer);
	jsonw_array(&answer.w, "tokens");
	for (size_t i = 0; page_shows(&t->page, &answer.w, i, count); i++)
		token_write(&answer.w, NULL, &tokens[i]);
	jsonw_array_end(&answer.w);
	page_write_next(&answer.w, t->x, &t->page, t->page.shown ? tokens[t->page.shown - 1].id : 0);
	answer_send(&answer, t->x, t->detail);
}

void own_relay_tokens_list(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "listing relay tokens");
	struct tx *tx;

	if (!page_read(x, &t->page, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_READ);
	t->row = relay_tokens_page(tx, t->page.after, page_want(&t->page));
	tx_run(tx, on_tokens, t);
}

static void on_minted(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	struct relay_task *t = context;
	struct relay_token *tokens;
	struct answer answer;

	if (e || !relay_tokens_read(tx, t->row, t->x->arena, &tokens)) {
		problem_reply_err(t->x, e ? e : ERR_BUG, t->detail, why);
	} else {
		answer_start(&answer);
		jsonw_string(&answer.w, "token", t->secret.text);
		write_key(&answer.w, t->x->program);
		token_write(&answer.w, "relayToken", &tokens[0]);
		answer_send(&answer, t->x, t->detail);
	}
	key_wipe(&t->secret, sizeof t->secret);
}

void own_relay_tokens_create(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "creating relay token");
	struct relay_token token = {0};
	uint64_t region = 0;
	struct diag why = {0};
	struct tx *tx;
	enum err e;

	if (!fields_read(x,
			 (struct field[]){
				 {"relayId", FIELD_ID, &token.relay}, {"regionId", FIELD_ID, &region}, {"description", FIELD_TEXT, &token.description}, {0}},
			 t->detail))
		return;
	token.region = region > RELAY_REGION_ID_MAX ? RELAY_REGION_ID_MAX + 1 : (unsigned)region;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	e = act_relay_token_create(tx, &asker_of(x)->actor, &token, &t->secret, &t->row, &why);
	if (e) {
		tx_abandon(tx);
		problem_reply_err(x, e, t->detail, &why);
		return;
	}
	act_commit(c, tx, on_minted, t);
}

void own_relay_tokens_delete(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct relay_task *t = task_new(x, "revoking relay token");
	struct tx *tx;

	if (!fields_path_id(x, 0, &t->id, t->detail))
		return;
	tx = tx_begin(c->pg, TAILNET_INSTALLATION, TX_WRITE);
	act_relay_token_revoke(tx, &asker_of(x)->actor, t->id);
	done_commit(x, tx, t->detail);
}
