#include "serve_idtoken.h"

#include "coordinator.h"
#include "idtoken.h"
#include "jsonw.h"
#include "log.h"
#include "origin.h"
#include "speaker.h"

enum { TOKEN_MAX = 16 << 10, PUBLISHED_MAX = 8 << 10, PUBLISHED_S = 60 };

/* Lives in the exchange's arena. */
struct token_task {
	struct exchange *x;
	struct coordinator *c;
	struct idtoken token;
};

static const struct jsonr_member shape[] = {
	{.name = "CapVersion", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{.name = "Audience", .type = JSONR_TEXT},
	{0},
};

static void on_speaker(void *context, const struct nodes_place *place);
static void on_keys(void *context, enum err e, const struct identity_key *keys, size_t count);

void serve_idtoken(struct exchange *x)
{
	struct token_task *t = ARENA_NEW(x->arena, struct token_task);
	struct diag why = {.text = ""};
	struct node_key key;
	json_t *body = speaker_read(x, shape, &key);
	enum err e;

	if (!body)
		return;
	t->x = x;
	t->c = x->program;
	t->token.audience = arena_copy(x->arena, jsonr_text(body, "Audience"));
	json_decref(body);
	e = idtoken_check_audience(t->token.audience, &why);
	if (e)
		speaker_fail(x, e, &why);
	else
		speaker_find(x, &key, on_speaker, t);
}

static void on_speaker(void *context, const struct nodes_place *place)
{
	struct token_task *t = context;

	t->token.place = place;
	t->token.issuer = origin_of(t->x);
	if (!speaker_in_good_standing(t->x, place))
		return;
	if (!t->token.issuer.len)
		speaker_refuse(t->x, 503, "this server does not know its own URL: its administrator sets server_url");
	else
		serverkeys_identity(t->c->pg, on_keys, t);
}

static enum err token_sign(struct token_task *t, const struct identity_key *signer, struct buffer *token)
{
	struct buffer claims;
	enum err e;

	t->token.now = clock_wall();
	random_fill(t->token.id, sizeof t->token.id);
	buffer_init(&claims, TOKEN_MAX);
	e = idtoken_claims(&t->token, &claims);
	if (!e)
		e = jwt_sign(&signer->key, buffer_bytes(&claims), token);
	buffer_clear(&claims);
	return e;
}

static void token_answer(struct token_task *t, struct bytes token)
{
	struct buffer out;
	struct jsonw w;

	buffer_init(&out, 2 * TOKEN_MAX);
	jsonw_start(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "id_token", token);
	jsonw_object_end(&w);
	log_info(NODE(t->token.place->node->tailnet, t->token.place->node->id), "identity token issued", F_BYTES("audience", t->token.audience));
	exchange_add_header(t->x, "Cache-Control", BYTES("no-store"));
	exchange_reply_json(t->x, jsonw_end(&w) ? 500 : 200, buffer_bytes(&out));
	buffer_clear(&out);
}

static void on_keys(void *context, enum err e, const struct identity_key *keys, size_t count)
{
	struct token_task *t = context;
	const struct identity_key *signer = e ? NULL : idtoken_signer(keys, count, clock_wall());
	struct buffer token;

	if (!signer) {
		log_warning(SUBJECT("idtoken"), "no key signs", F_ERR(e ? e : ERR_NOT_FOUND));
		speaker_fail(t->x, ERR_UNAVAILABLE, NULL);
		return;
	}
	buffer_init(&token, TOKEN_MAX);
	e = token_sign(t, signer, &token);
	if (e)
		speaker_fail(t->x, e, NULL);
	else
		token_answer(t, buffer_bytes(&token));
	buffer_clear(&token);
}

/* --- in the open ------------------------------------------------------------------------------------------------------------------------------ */

static void jwks_reply(struct exchange *x, struct bytes published)
{
	exchange_add_header(x, "Cache-Control", BYTES("public, max-age=300"));
	exchange_reply(x, 200, "application/jwk-set+json", published);
}

/* With the database away what was published goes on: verifiers must not fail for that. */
static void on_published(void *context, enum err e, const struct identity_key *keys, size_t count)
{
	struct exchange *x = context;
	struct coordinator *c = x->program;
	struct published_keys *p = &c->published;
	struct buffer out;

	buffer_init(&out, PUBLISHED_MAX);
	if (!e)
		e = idtoken_published(keys, count, &out);
	if (!e) {
		buffer_clear(&p->json);
		buffer_move(&p->json, &out);
		p->until = (struct mono){clock_mono().ms + PUBLISHED_S * 1000};
	}
	buffer_clear(&out);
	if (p->json.len)
		jwks_reply(x, buffer_bytes(&p->json));
	else
		exchange_reply_error(x, ERR_UNAVAILABLE, NULL);
}

void serve_jwks(struct exchange *x)
{
	struct coordinator *c = x->program;

	if (c->published.json.len && clock_mono().ms < c->published.until.ms)
		jwks_reply(x, buffer_bytes(&c->published.json));
	else
		serverkeys_identity(c->pg, on_published, x);
}

void serve_configuration(struct exchange *x)
{
	struct bytes issuer = origin_of(x);
	struct buffer out;
	enum err e;

	if (!issuer.len) {
		exchange_reply_text(x, 400, "the request names no host, and server_url is not set\n");
		return;
	}
	buffer_init(&out, 4096);
	e = idtoken_configuration(issuer, &out);
	if (e) {
		exchange_reply_error(x, e, NULL);
	} else {
		exchange_add_header(x, "Cache-Control", BYTES("public, max-age=300"));
		exchange_reply_json(x, 200, buffer_bytes(&out));
	}
	buffer_clear(&out);
}
