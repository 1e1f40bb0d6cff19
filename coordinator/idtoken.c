#include "idtoken.h"

#include <stdio.h>

#include "jsonw.h"
#include "text.h"

enum { NS_PER_S = 1000000000 };

enum err idtoken_check_audience(struct bytes audience, struct diag *why)
{
	if (!audience.len)
		return diag_set(why, ERR_MALFORMED, "no audience requested");
	if (audience.len > IDTOKEN_AUDIENCE_MAX)
		return diag_set(why, ERR_MALFORMED, "an audience has at most %d bytes", IDTOKEN_AUDIENCE_MAX);
	for (size_t i = 0; i < audience.len; i++)
		if (audience.at[i] < 0x20 || audience.at[i] == 0x7f)
			return diag_set(why, ERR_MALFORMED, "an audience has no control characters");
	return ERR_NONE;
}

static void write_times(struct jsonw *w, struct wall now)
{
	int64_t seconds = now.ns / NS_PER_S;

	jsonw_int(w, "iat", seconds);
	jsonw_int(w, "nbf", seconds);
	jsonw_int(w, "exp", seconds + IDTOKEN_LIFETIME_S);
}

static void write_addresses(struct jsonw *w, const struct node *node)
{
	jsonw_array(w, "addresses");
	jsonw_prefix(w, NULL, (struct prefix){node->ip4, 32});
	jsonw_prefix(w, NULL, (struct prefix){node->ip6, 128});
	jsonw_array_end(w);
}

/* "DOMAIN:NAME" in the arena of nobody: names are short. */
static void write_scoped(struct jsonw *w, const char *name, struct bytes domain, struct bytes value)
{
	struct buffer text;

	buffer_init(&text, 4096);
	if (buffer_add(&text, domain) || buffer_add_byte(&text, ':') || buffer_add(&text, value))
		w->failed = w->failed ? w->failed : ERR_TOO_BIG;
	jsonw_text(w, name, buffer_bytes(&text));
	buffer_clear(&text);
}

static void write_owner(struct jsonw *w, const struct nodes_place *place)
{
	const struct node *node = place->node;

	if (node_is_tagged(node)) {
		jsonw_array(w, "tags");
		for (size_t i = 0; i < node->tag_count; i++)
			write_scoped(w, NULL, place->tailnet->domain, node->tags[i]);
		jsonw_array_end(w);
	} else if (place->user) {
		write_scoped(w, "user", place->tailnet->domain, user_login_name(place->user));
		jsonw_uint(w, "uid", place->user->id);
	}
}

enum err idtoken_claims(const struct idtoken *token, struct buffer *out)
{
	const struct nodes_place *place = token->place;
	char name[NODE_LABEL_MAX + 1 + TAILNET_DOMAIN_MAX + 1], key[KEY_TEXT_MAX], id[2 * IDTOKEN_ID_LEN + 1];
	struct jsonw w;

	snprintf(name, sizeof name, "%.*s.%.*s", BYTES_ARG(place->node->label), BYTES_ARG(place->tailnet->domain));
	key_format_node(key, &place->node->node_key);
	hex_encode(id, bytes_of(token->id, IDTOKEN_ID_LEN));
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "iss", token->issuer);
	jsonw_string(&w, "sub", name);
	jsonw_text(&w, "aud", token->audience);
	write_times(&w, token->now);
	jsonw_string(&w, "jti", id);
	jsonw_string(&w, "key", key);
	write_addresses(&w, place->node);
	jsonw_uint(&w, "nid", place->node->id);
	jsonw_string(&w, "node", name);
	jsonw_text(&w, "domain", place->tailnet->domain);
	write_owner(&w, place);
	jsonw_object_end(&w);
	return jsonw_end(&w);
}

const struct identity_key *idtoken_signer(const struct identity_key *keys, size_t count, struct wall now)
{
	for (size_t i = 0; i < count; i++)
		if (wall_passed(keys[i].from, now) && !wall_passed(keys[i].until, now))
			return &keys[i];
	return NULL;
}

enum err idtoken_published(const struct identity_key *keys, size_t count, struct buffer *out)
{
	struct jsonw w;

	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	jsonw_array(&w, "keys");
	for (size_t i = 0; i < count; i++) {
		jsonw_object(&w, NULL);
		jsonw_string(&w, "kty", "EC");
		jsonw_string(&w, "crv", "P-256");
		jsonw_string(&w, "use", "sig");
		jsonw_string(&w, "alg", "ES256");
		jsonw_string(&w, "kid", keys[i].key.id);
		jsonw_string(&w, "x", keys[i].key.x);
		jsonw_string(&w, "y", keys[i].key.y);
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	return jsonw_end(&w);
}

static void write_list(struct jsonw *w, const char *name, const char *const *list)
{
	jsonw_array(w, name);
	for (; *list; list++)
		jsonw_string(w, NULL, *list);
	jsonw_array_end(w);
}

enum err idtoken_configuration(struct bytes issuer, struct buffer *out)
{
	static const char *const claims[] = {"iss",       "sub", "aud",  "iat",    "nbf",  "exp",  "jti", "key",
					     "addresses", "nid", "node", "domain", "tags", "user", "uid", NULL};
	struct buffer keys;
	struct jsonw w;

	buffer_init(&keys, 4096);
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "issuer", issuer);
	if (buffer_add(&keys, issuer) || buffer_add_text(&keys, "/.well-known/jwks.json"))
		w.failed = ERR_TOO_BIG;
	jsonw_text(&w, "jwks_uri", buffer_bytes(&keys));
	write_list(&w, "response_types_supported", (const char *const[]){"id_token", NULL});
	write_list(&w, "subject_types_supported", (const char *const[]){"public", NULL});
	write_list(&w, "id_token_signing_alg_values_supported", (const char *const[]){"ES256", NULL});
	write_list(&w, "claims_supported", claims);
	jsonw_object_end(&w);
	buffer_clear(&keys);
	return jsonw_end(&w);
}
