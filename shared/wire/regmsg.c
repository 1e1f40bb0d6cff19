#include "regmsg.h"

#include "jsonr.h"
#include "jsonw.h"
#include "text.h"

enum {
	AUTH_KEY_MAX = 1024, /* our keys have 87 characters; others are told that they are not ours, not that they are too long */
	FOLLOWUP_MAX = 2048, /* a URL that we gave */
	TAILNET_HINT_MAX = 255
};

static const struct jsonr_member auth_shape[] = {
	{.name = "AuthKey", .type = JSONR_TEXT},
	{0},
};

static const struct jsonr_member shape[] = {
	{.name = "Version", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{.name = "OldNodeKey", .type = JSONR_TEXT},
	{.name = "NLKey", .type = JSONR_TEXT},
	{.name = "Auth", .type = JSONR_OBJECT, .nested = auth_shape},
	{.name = "Expiry", .type = JSONR_TEXT},
	{.name = "Followup", .type = JSONR_TEXT},
	{.name = "Ephemeral", .type = JSONR_BOOL},
	{.name = "NodeKeySignature", .type = JSONR_TEXT},
	{.name = "SignatureType", .type = JSONR_TEXT},
	{.name = "Timestamp", .type = JSONR_TEXT},
	{.name = "DeviceCert", .type = JSONR_TEXT},
	{.name = "Signature", .type = JSONR_TEXT},
	{.name = "Tailnet", .type = JSONR_TEXT},
	{0},
};

/* Absent and null are zero, the empty text is malformed: so the client's own decoder has it for keys. */
static bool is_given(const json_t *object, const char *name)
{
	return json_is_string(json_object_get(object, name));
}

static enum err take_keys(const json_t *object, struct register_request *r, struct diag *why)
{
	if (key_parse_node(jsonr_text(object, "NodeKey"), &r->node_key))
		return diag_set(why, ERR_MALFORMED, "NodeKey is not a node key");
	if (key_is_zero(r->node_key.raw))
		return diag_set(why, ERR_MALFORMED, "NodeKey is zero");
	if (is_given(object, "OldNodeKey") && key_parse_node(jsonr_text(object, "OldNodeKey"), &r->old_node_key))
		return diag_set(why, ERR_MALFORMED, "OldNodeKey is not a node key");
	if (is_given(object, "NLKey") && key_parse_lock(jsonr_text(object, "NLKey"), &r->lock_key))
		return diag_set(why, ERR_MALFORMED, "NLKey is not a tailnet lock key");
	return ERR_NONE;
}

static enum err take_text(const json_t *object, const char *name, size_t most, struct arena *arena, struct bytes *out, struct diag *why)
{
	struct bytes text = jsonr_text(object, name);
	if (text.len > most)
		return diag_set(why, ERR_MALFORMED, "%s is longer than %zu bytes", name, most);
	*out = text.len ? arena_copy(arena, text) : BYTES_NONE;
	return ERR_NONE;
}

static enum err take_all(const json_t *object, struct arena *arena, struct register_request *r, struct diag *why)
{
	enum err e = jsonr_check(object, shape, NULL, why);
	if (e || (e = take_keys(object, r, why)))
		return e;
	if (is_given(object, "Expiry") && time_parse(jsonr_text(object, "Expiry"), &r->expiry))
		return diag_set(why, ERR_MALFORMED, "Expiry is not a time");
	if ((e = take_text(json_object_get(object, "Auth"), "AuthKey", AUTH_KEY_MAX, arena, &r->auth_key, why)) ||
	    (e = take_text(object, "Followup", FOLLOWUP_MAX, arena, &r->followup, why)) ||
	    (e = take_text(object, "Tailnet", TAILNET_HINT_MAX, arena, &r->tailnet_hint, why)))
		return e;
	r->capver = (unsigned)jsonr_int(object, "Version");
	r->ephemeral = jsonr_bool(object, "Ephemeral");
	return hostinfo_decode(json_object_get(object, "Hostinfo"), arena, &r->hostinfo, why);
}

enum err regmsg_decode(struct bytes body, struct arena *arena, struct register_request *r, struct diag *why)
{
	json_t *object;
	*r = (struct register_request){.expiry = WALL_ZERO};
	enum err e = jsonr_parse(body, REGMSG_MAX, &object, why);
	if (e)
		return e;
	e = take_all(object, arena, r, why);
	json_decref(object);
	return e;
}

static void write_user(struct jsonw *w, const struct register_response *r)
{
	jsonw_object(w, "User");
	jsonw_uint(w, "ID", r->user);
	jsonw_text(w, "DisplayName", r->display_name);
	if (r->picture_url.len)
		jsonw_text(w, "ProfilePicURL", r->picture_url);
	if (!wall_is_zero(r->created))
		jsonw_time(w, "Created", r->created);
	jsonw_object_end(w);
}

static void write_login(struct jsonw *w, const struct register_response *r)
{
	jsonw_object(w, "Login");
	jsonw_uint(w, "ID", r->user);
	jsonw_text(w, "Provider", r->provider);
	jsonw_text(w, "LoginName", r->login_name);
	jsonw_text(w, "DisplayName", r->display_name);
	if (r->picture_url.len)
		jsonw_text(w, "ProfilePicURL", r->picture_url);
	jsonw_object_end(w);
}

enum err regmsg_encode(const struct register_response *r, struct buffer *out)
{
	size_t before = out->len;
	struct jsonw w;
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	/* A refusal tells nothing else; what the client reads of one is its sentence. */
	if (r->error && *r->error) {
		jsonw_string(&w, "Error", r->error);
	} else {
		if (r->user) {
			write_user(&w, r);
			write_login(&w, r);
		}
		jsonw_bool(&w, "NodeKeyExpired", r->node_key_expired);
		jsonw_bool(&w, "MachineAuthorized", r->machine_authorized);
		jsonw_text(&w, "AuthURL", r->auth_url);
	}
	jsonw_object_end(&w);
	if (jsonw_end(&w))
		buffer_cut(out, before);
	return jsonw_end(&w);
}
