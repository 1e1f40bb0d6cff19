#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Name", "name", NULL, 12, 0},
	{"Domain", "domain", NULL, 16, 0},
	{"Display name", "displayName", NULL, 12, 2},
	{"IPv4", "ipv4Range", NULL, 0, 1},
	{"IPv6", "ipv6Range", NULL, 0, 3},
	{"Created", "createdAt", ctl_text_time, 0, 4},
	{0},
};

static const struct ctl_flag create_flags[] = {
	{"domain", 0, false, CTL_TEXT, "DOMAIN", NULL, "MagicDNS domain (NAME.base_domain unless given)"},
	{"display-name", 'd', false, CTL_TEXT, "TEXT", NULL, "the name that people read"},
	{"ipv4-range", 0, false, CTL_TEXT, "PREFIX", NULL, "where its addresses come from (100.64.0.0/10 unless given)"},
	{"ipv6-range", 0, false, CTL_TEXT, "PREFIX", NULL, "likewise (fd7a:115c:a1e0::/48 unless given)"},
	{0},
};

static void tailnets_create(struct ctl *c)
{
	static const struct {
		const char *member, *flag;
	} texts[] = {{"domain", "domain"}, {"displayName", "display-name"}, {"ipv4Range", "ipv4-range"}, {"ipv6Range", "ipv6-range"}};
	json_t *body = json_pack("{s:s}", "name", c->args[0]);

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (ctl_flags_given(&c->flags, texts[i].flag))
			json_object_set_new(body, texts[i].member, json_string(ctl_flags_text(&c->flags, texts[i].flag)));
	ctl_show_one(c, json_object_get(ctl_call(c, "POST", "/api/fleetscale/v1/tailnets", body), "tailnet"), columns);
}

static void tailnets_list(struct ctl *c)
{
	ctl_show_list(c, json_object_get(ctl_call(c, "GET", "/api/fleetscale/v1/tailnets", NULL), "tailnets"), columns);
}

static const struct ctl_verb verbs[] = {
	{"create", "c new", "NAME", 1, 1, "Make a tailnet", create_flags, tailnets_create},
	{"list", "ls show", NULL, 0, 0, "Show the tailnets", NULL, tailnets_list},
	{0},
};

const struct ctl_noun ctl_noun_tailnets = {"tailnets", "tailnet", "The networks of this installation, which never see each other (operator)", verbs, NULL};
