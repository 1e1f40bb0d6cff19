#include "ctl_sql.h"

#include "breakglass.h"
#include "ctl_show.h"
#include "ctl_where.h"

const char *ctl_sql_url(struct ctl *c, const char *url_or_env)
{
	const char *url = url_or_env;

	if (strcmp(url, "env") == 0 && !(url = ctl_secret(c, "FLEETSCALE_DATABASE_URL")) && !c->status)
		ctl_misuse(c, "set FLEETSCALE_DATABASE_URL or FLEETSCALE_DATABASE_URL_FILE");
	return url;
}

static void refused(struct ctl *c, enum err e, const struct diag *why)
{
	ctl_fail(c, "writing to the database: %s%s", *why->text ? why->text : err_text(e),
		 e == ERR_NOT_FOUND ? "" : "; is this the primary, was `fleetscale migrate` run, and is this role the owner or fleetscale_coordinator?");
}

void ctl_sql_tailnet_state(struct ctl *c, const char *url_or_env, const char *name, const char *member, bool on)
{
	const char *url = ctl_sql_url(c, url_or_env);
	enum breakglass_state state = strcmp(member, "frozen") == 0 ? BREAKGLASS_FROZEN : BREAKGLASS_SUSPENDED;
	struct diag why = {0};
	bool changed;
	enum err e;

	if (!url)
		return;
	e = breakglass_tailnet(url, name, state, on, &changed, &why);
	if (e)
		refused(c, e, &why);
	else
		ctl_show_done(c, ctl_keep(c, json_pack("{s:s, s:b, s:b}", "name", name, member, on, "changed", changed)), "Tailnet %s is %s%s%s.", name,
			      on ? "" : "not ", member, changed ? "" : ", as before");
}

void ctl_sql_operator(struct ctl *c, const char *url_or_env, bool reset)
{
	const char *url = ctl_sql_url(c, url_or_env);
	struct secret secret;
	struct diag why = {0};
	const json_t *key;
	size_t revoked;
	enum err e;

	if (!url)
		return;
	secret_mint(SECRET_API, &secret);
	e = breakglass_operator(url, &secret, ctl_flags_when(&c->flags, "expiration", c->arena), reset, &revoked, &why);
	if (e) {
		refused(c, e, &why);
	} else {
		key = ctl_keep(c, json_string(secret.text));
		ctl_show_text(c, key, key);
		if (reset && c->form == CTL_TABLE)
			fprintf(c->err, "%zu older keys of the operator were revoked.\n", revoked);
	}
	key_wipe(&secret, sizeof secret);
}
