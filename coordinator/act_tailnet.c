#include "act_tailnet.h"

#include "hostname.h"

enum { DISPLAY_NAME_MAX = 255 };

/* Labels separated by dots. */
static enum err check_domain(struct bytes domain, struct diag *why)
{
	struct bytes rest = domain, label;
	enum err e;

	if (domain.len > TAILNET_DOMAIN_MAX)
		return diag_set(why, ERR_MALFORMED, "a domain has at most %d bytes", TAILNET_DOMAIN_MAX);
	do {
		label = bytes_split(rest, '.', &rest);
		if ((e = hostname_check(label, why)))
			return e;
	} while (rest.at);
	return ERR_NONE;
}

static enum err check_ranges(const struct tailnet *t, struct diag *why)
{
	struct prefix range4 = t->range4, range6 = t->range6;

	if (range4.ip.family == IP_NONE && prefix_parse(BYTES("100.64.0.0/10"), &range4))
		return ERR_BUG;
	if (range6.ip.family == IP_NONE && prefix_parse(BYTES("fd7a:115c:a1e0::/48"), &range6))
		return ERR_BUG;
	return tailnet_check_ranges(range4, range6, why);
}

enum err act_tailnet_create(struct tx *tx, const struct actor *actor, const struct tailnet *tailnet, unsigned *row, struct diag *why)
{
	enum err e = tailnet_check_name(tailnet->name, why);

	if (!e)
		e = act_check_text(tailnet->display_name, "displayName", DISPLAY_NAME_MAX, why);
	if (!e && tailnet->domain.len)
		e = check_domain(tailnet->domain, why);
	if (!e)
		e = check_ranges(tailnet, why);
	if (e)
		return e;
	*row = tailnets_insert(tx, tailnet);
	act_audit(tx, actor, "tailnet.create", 0, act_detail(tx, "name", tailnet->name));
	return ERR_NONE;
}
