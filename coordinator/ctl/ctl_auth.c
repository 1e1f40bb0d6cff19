#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"
#include "ctl_users.h"

static const struct ctl_column node_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "givenName", NULL, 0, 0},
	{"Owner", "user.name", NULL, 0, 0},
	{"Addresses", "ipAddresses", ctl_text_list, 0, 0},
	{"Expires", "expiry", ctl_text_time, 0, 0},
	{0},
};

static const struct ctl_column login_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "name", NULL, 10, 0},
	{"OS", "os", NULL, 6, 1},
	{"From", "address", NULL, 12, 0},
	{"Machine key", "machineKey", NULL, 17, 2},
	{"Begun", "createdAt", ctl_text_time, 0, 3},
	{"Ends", "endsAt", ctl_text_time, 0, 0},
	{0},
};

static const struct ctl_column check_columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"From", "source", NULL, 10, 0},
	{"Of", "owner", NULL, 10, 1},
	{"To", "destination", NULL, 10, 0},
	{"As", "localUser", NULL, 8, 0},
	{"Begun", "createdAt", ctl_text_time, 0, 2},
	{"Ends", "endsAt", ctl_text_time, 0, 0},
	{0},
};

static const struct ctl_flag register_flags[] = {
	{"user", 'u', true, CTL_TEXT, "USER", NULL, "who shall own the node (name or id)"},
	{"auth-id", 0, true, CTL_TEXT, "ID", NULL, "the id that its login page shows"},
	{0},
};

static const struct ctl_flag answer_flags[] = {
	{"auth-id", 0, false, CTL_TEXT, "ID", NULL, "the id that its login page shows"},
	{0},
};

static void auth_register(struct ctl *c)
{
	const json_t *user = ctl_user_find(c, ctl_flags_text(&c->flags, "user"));
	const json_t *answer;

	if (!user)
		return;
	answer = ctl_call(c, "POST", "/api/v1/auth/register",
			  json_pack("{s:s, s:s}", "user", ctl_user_name(user), "authId", ctl_flags_text(&c->flags, "auth-id")));
	ctl_show_one(c, json_object_get(answer, "node"), node_columns);
}

static void auth_approve(struct ctl *c)
{
	const char *id = ctl_subject(c, "auth-id");

	if (id)
		ctl_show_done(c, ctl_call(c, "POST", "/api/v1/auth/approve", json_pack("{s:s}", "authId", id)), "The login is approved.");
}

static void auth_reject(struct ctl *c)
{
	const char *id = ctl_subject(c, "auth-id");

	if (id)
		ctl_show_done(c, ctl_call(c, "POST", "/api/v1/auth/reject", json_pack("{s:s}", "authId", id)), "The login is rejected.");
}

static void auth_list(struct ctl *c)
{
	ctl_show_list(c, ctl_call_list(c, "/api/fleetscale/v1/logins", "logins", 0), login_columns);
}

static void auth_checks(struct ctl *c)
{
	ctl_show_list(c, ctl_call_list(c, "/api/fleetscale/v1/ssh-checks", "sshChecks", 0), check_columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the logins that wait, of those that this tailnet's login host began", NULL, auth_list},
	{"checks", NULL, NULL, 0, 0, "Show the sign-ins that SSH rules ask for, and that wait", NULL, auth_checks},
	{"register", NULL, NULL, 0, 0, "Let the machine of a login in, as a user's node", register_flags, auth_register},
	{"approve", NULL, "[ID]", 0, 1, "Say yes to a login, or to a sign-in that an SSH rule asks for", answer_flags, auth_approve},
	{"reject", NULL, "[ID]", 0, 1, "Say no to a login, or to a sign-in that an SSH rule asks for", answer_flags, auth_reject},
	{0},
};

const struct ctl_noun ctl_noun_auth = {"auth", NULL, "Interactive logins that wait for an answer", verbs};
