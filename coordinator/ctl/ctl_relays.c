#include "ctl_body.h"
#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

static const char *text_region(struct arena *arena, const json_t *relay)
{
	const char *code = json_string_value(json_object_get(relay, "regionCode"));

	return arena_format(arena, "%lld %s", (long long)json_integer_value(json_object_get(relay, "regionId")), code ? code : "");
}

static const char *text_address(struct arena *arena, const json_t *relay)
{
	const char *host = json_string_value(json_object_get(relay, "hostName"));
	long long port = json_integer_value(json_object_get(relay, "derpPort"));

	if (!host || !*host)
		return "-";
	return port ? arena_format(arena, "%s:%lld", host, port) : host;
}

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "name", NULL, 10, 0},
	{"Region", NULL, text_region, 8, 0},
	{"State", "state", NULL, 0, 0},
	{"Address", NULL, text_address, 16, 0},
	{"Version", "version", NULL, 8, 1},
	{"Last seen", "lastSeen", ctl_text_time, 0, 0},
	{"Created", "createdAt", ctl_text_time, 0, 2},
	{0},
};

static const struct ctl_flag create_flags[] = {
	{"name", 'n', false, CTL_TEXT, "NAME", NULL, "another way to say NAME"},
	{"region-id", 0, false, CTL_NUMBER, "NUMBER", "900", "its region; 900 to 999 are ours by custom"},
	{"region-code", 0, false, CTL_TEXT, "CODE", "fl", "the region's short name"},
	{"region-name", 0, false, CTL_TEXT, "TEXT", "fleet", "the region's name for people"},
	{"foreign", 0, false, CTL_SWITCH, NULL, NULL, "not ours: it never announces itself, so how it is reached is said here"},
	{"hostname", 0, false, CTL_TEXT, "HOST", NULL, "of a foreign one"},
	{"ipv4", 0, false, CTL_TEXT, "ADDRESS", NULL, "of a foreign one; none: not by IPv4"},
	{"ipv6", 0, false, CTL_TEXT, "ADDRESS", NULL, "of a foreign one; none: not by IPv6"},
	{"port", 0, false, CTL_NUMBER, "PORT", NULL, "of a foreign one, if not 443"},
	{"stun-port", 0, false, CTL_TEXT, "PORT", NULL, "of a foreign one, if not 3478; -1: none"},
	{"cert-name", 0, false, CTL_TEXT, "NAME", NULL, "of a foreign one: its certificate's name, or sha256-raw:HASH"},
	{"mesh", 0, false, CTL_SWITCH, NULL, NULL, "a foreign one has its region's mesh key"},
	{0},
};

static const struct ctl_member foreign_members[] = {
	{"foreign", "foreign", CTL_BODY_BOOL},    {"hostname", "hostName", CTL_BODY_TEXT}, {"ipv4", "ipv4", CTL_BODY_TEXT},
	{"ipv6", "ipv6", CTL_BODY_TEXT},          {"port", "derpPort", CTL_BODY_INT},      {"stun-port", "stunPort", CTL_BODY_INT},
	{"cert-name", "certName", CTL_BODY_TEXT}, {"mesh", "mesh", CTL_BODY_BOOL},         {0},
};

static void relays_create(struct ctl *c)
{
	const char *name = ctl_subject(c, "name");
	const json_t *answer;
	json_t *body;

	if (!name)
		return;
	body = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "regionId", ctl_flags_text(&c->flags, "region-id"), "regionCode",
			 ctl_flags_text(&c->flags, "region-code"), "regionName", ctl_flags_text(&c->flags, "region-name"));
	ctl_body_put(c, body, foreign_members);
	if (c->status) {
		json_decref(body);
		return;
	}
	answer = ctl_call(c, "POST", "/api/fleetscale/v1/relays", body);
	ctl_show_text(c, json_object_get(answer, "token"), answer);
}

static void relays_list(struct ctl *c)
{
	const json_t *relays = ctl_call_list(c, "/api/fleetscale/v1/relays", "relays", 0);

	if (relays)
		ctl_show_list(c, relays, columns);
}

static const struct ctl_flag one_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "ID", NULL, "which relay"},
	{0},
};

static void relays_delete(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id && ctl_confirm(c, "Remove relay %s? Its tokens end, and clients leave it; a second time it goes at once.", id))
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/fleetscale/v1/relays/%s", id), NULL), "Relay %s leaves the relay map.", id);
}

static void wish(struct ctl *c, const char *what, const char *sentence)
{
	const char *id = ctl_subject_id(c, "id");

	if (id)
		ctl_show_done(c, ctl_call(c, "PATCH", ctl_path(c, "/api/fleetscale/v1/relays/%s", id), json_pack("{s:s}", "wish", what)), "Relay %s %s.", id,
			      sentence);
}

static void relays_drain(struct ctl *c)
{
	wish(c, "drain", "drains: its clients move, then it closes its doors");
}

static void relays_resume(struct ctl *c)
{
	wish(c, "serve", "serves again");
}

static const struct ctl_column token_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Prefix", "prefix", NULL, 16, 0},
	{"Region", "regionId", NULL, 0, 0},
	{"Relay", "relayId", NULL, 0, 0},
	{"Description", "description", NULL, 8, 1},
	{"Created", "createdAt", ctl_text_time, 0, 2},
	{"Revoked", "revokedAt", ctl_text_time, 0, 0},
	{0},
};

static void relays_tokens(struct ctl *c)
{
	const json_t *tokens = ctl_call_list(c, "/api/fleetscale/v1/relay-tokens", "tokens", 0);

	if (tokens)
		ctl_show_list(c, tokens, token_columns);
}

static const struct ctl_flag token_flags[] = {
	{"relay", 0, false, CTL_NUMBER, "ID", NULL, "for this relay"},
	{"region", 0, false, CTL_NUMBER, "NUMBER", NULL, "for every relay of this region that says its name"},
	{"description", 'd', false, CTL_TEXT, "TEXT", NULL, "what it is for"},
	{0},
};

static const struct ctl_member token_members[] = {
	{"relay", "relayId", CTL_BODY_TEXT}, {"region", "regionId", CTL_BODY_TEXT}, {"description", "description", CTL_BODY_TEXT}, {0}};

static void relays_token(struct ctl *c)
{
	json_t *body = json_object();
	const json_t *answer;

	ctl_body_put(c, body, token_members);
	answer = ctl_call(c, "POST", "/api/fleetscale/v1/relay-tokens", body);
	ctl_show_text(c, json_object_get(answer, "token"), answer);
}

static const struct ctl_flag revoke_flags[] = {
	{"id", 'i', false, CTL_NUMBER, "ID", NULL, "which token"},
	{0},
};

static void relays_revoke(struct ctl *c)
{
	const char *id = ctl_subject_id(c, "id");

	if (id && ctl_confirm(c, "Revoke relay token %s? Relays that use it leave the relay map.", id))
		ctl_show_done(c, ctl_call(c, "DELETE", ctl_path(c, "/api/fleetscale/v1/relay-tokens/%s", id), NULL), "Relay token %s is revoked.", id);
}

static void relays_key(struct ctl *c)
{
	const json_t *answer = ctl_call(c, "GET", "/api/fleetscale/v1/relay-key", NULL);

	ctl_show_text(c, json_object_get(answer, "coordinatorsKey"), answer);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", "NAME", 0, 1, "Make a relay and print its token, this once", create_flags, relays_create},
	{"list", "ls show", NULL, 0, 0, "Show the relays", NULL, relays_list},
	{"matrix", "probes", NULL, 0, 0, "Show what each relay found when it probed each other one", NULL, ctl_relays_matrix},
	{"drain", NULL, "[ID]", 0, 1, "Let a relay's clients move away, then close its doors", one_flags, relays_drain},
	{"resume", "serve", "[ID]", 0, 1, "Let a drained relay serve again", one_flags, relays_resume},
	{"delete", "del rm", "[ID]", 0, 1, "Remove a relay and end its tokens; a second time at once", one_flags, relays_delete},
	{"token", NULL, NULL, 0, 0, "Make a token for a relay, or for all of a region, and print it this once", token_flags, relays_token},
	{"tokens", NULL, NULL, 0, 0, "Show the relay tokens", NULL, relays_tokens},
	{"key", NULL, NULL, 0, 0, "Print the key that signs answers to relays, for relay.coordinators_key", NULL, relays_key},
	{"revoke", NULL, "[ID]", 0, 1, "Revoke a relay token", revoke_flags, relays_revoke},
	{0},
};

const struct ctl_noun ctl_noun_relays = {"relays", "relay", "The DERP relays of this installation (operator)", verbs};
