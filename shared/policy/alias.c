#include "reading.h"

struct bytes alias_trim(struct bytes text)
{
	while (text.len && (*text.at == ' ' || *text.at == '\t'))
		text = bytes_skip(text, 1);
	while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static const struct {
	const char *name;
	enum alias_kind kind;
	enum role role;
} autogroups[] = {
	{"autogroup:member", ALIAS_MEMBER, ROLE_MEMBER},     {"autogroup:members", ALIAS_MEMBER, ROLE_MEMBER},
	{"autogroup:tagged", ALIAS_TAGGED, ROLE_MEMBER},     {"autogroup:self", ALIAS_SELF, ROLE_MEMBER},
	{"autogroup:internet", ALIAS_INTERNET, ROLE_MEMBER}, {"autogroup:danger-all", ALIAS_ALL, ROLE_MEMBER},
	{"autogroup:shared", ALIAS_SHARED, ROLE_MEMBER},     {"autogroup:owner", ALIAS_ROLE, ROLE_OWNER},
	{"autogroup:admin", ALIAS_ROLE, ROLE_ADMIN},         {"autogroup:network-admin", ALIAS_ROLE, ROLE_NETWORK_ADMIN},
	{"autogroup:it-admin", ALIAS_ROLE, ROLE_IT_ADMIN},   {"autogroup:billing-admin", ALIAS_ROLE, ROLE_BILLING_ADMIN},
	{"autogroup:auditor", ALIAS_ROLE, ROLE_AUDITOR},
};

bool alias_is_autogroup(const struct alias *alias)
{
	return alias->kind == ALIAS_MEMBER || alias->kind == ALIAS_TAGGED || alias->kind == ALIAS_SELF || alias->kind == ALIAS_INTERNET ||
	       alias->kind == ALIAS_SHARED || alias->kind == ALIAS_ROLE;
}

static void named(struct alias *alias, const struct table *names, enum alias_kind kind)
{
	uint32_t number = name_find(names, alias->text);
	if (number == UINT32_MAX)
		return;
	alias->kind = kind;
	alias->index = number;
}

static void autogroup(struct alias *alias)
{
	for (size_t i = 0; i < sizeof autogroups / sizeof *autogroups; i++)
		if (bytes_equal_text(alias->text, autogroups[i].name)) {
			alias->kind = autogroups[i].kind;
			alias->role = autogroups[i].role;
		}
}

struct alias alias_classify(const struct reading *r, struct bytes text, struct place at)
{
	struct alias alias = {.kind = ALIAS_UNKNOWN, .text = alias_trim(text), .at = at};
	text = alias.text;
	if (!prefix_parse(text, &alias.prefix)) {
		alias.kind = ALIAS_PREFIX;
		alias.slash = memchr(text.at, '/', text.len) != NULL;
		alias.prefix = prefix_masked(alias.prefix);
	} else if (bytes_equal_text(text, "*")) {
		alias.kind = ALIAS_ANY;
	} else if (bytes_starts(text, "user:*@")) {
		alias.kind = ALIAS_DOMAIN;
		alias.text = bytes_skip(text, sizeof "user:*@" - 1);
	} else if (bytes_starts(text, "group:") && table_find(r->groups, text)) {
		named(&alias, r->groups, ALIAS_GROUP); /* those of sign-in providers may hold an @ */
	} else if (text.len && memchr(text.at, '@', text.len)) {
		alias.kind = ALIAS_USER;
	} else if (bytes_starts(text, "group:")) {
		alias.kind = ALIAS_UNKNOWN;
	} else if (bytes_starts(text, "tag:")) {
		named(&alias, r->tags, ALIAS_TAG);
	} else if (bytes_starts(text, "autogroup:")) {
		autogroup(&alias);
	} else if (bytes_starts(text, "ipset:")) {
		named(&alias, r->ipsets, ALIAS_IPSET);
	} else {
		named(&alias, r->hosts, ALIAS_HOST);
	}
	return alias;
}

enum err domain_check(struct reading *r, struct bytes domain, struct place at, const char *before)
{
	if (table_find(r->domains, domain))
		return ERR_NONE;
	return refuse_at(r, at, "%s%.*s is not associated with this Tailnet and cannot be used in user:*@<domain> expressions", before,
			 BYTES_ARG(quote_cut(domain, QUOTE_MAX)));
}

static enum err refuse_unknown(struct reading *r, const struct alias *alias, enum alias_spot spot)
{
	const char *text = quoted(r, alias->text);
	if (bytes_starts(alias->text, "tag:") && spot == AT_OWNER)
		return refuse_at(r, alias->at, "tag %s references undefined tag %s", quoted(r, r->owned), text);
	if (bytes_starts(alias->text, "tag:")) {
		const char *side = spot == AT_ACL_SRC || spot == AT_GRANT_SRC ? "src=" : "";
		if (spot == AT_ACL_DST)
			return refuse_at(r, alias->at, "dst=%s: tag not found: %s", text, text);
		return refuse_at(r, alias->at, "%stag not found: %s", side, text);
	}
	if (bytes_starts(alias->text, "group:"))
		return refuse_at(r, alias->at, "group not found: %s", text);
	if (spot == AT_SSH_SRC || spot == AT_SSH_DST)
		return refuse_at(r, alias->at, "invalid %s %s", spot == AT_SSH_SRC ? "src" : "dst", text);
	return refuse_at(r, alias->at, "%s: invalid address", text);
}

static enum err check_src(struct reading *r, const struct alias *alias)
{
	if (alias->kind == ALIAS_SELF)
		return refuse_at(r, alias->at, "\"autogroup:self\" not valid on the src side of a rule");
	if (alias->kind == ALIAS_INTERNET)
		return refuse_at(r, alias->at, "autogroup:internet can only be used in ACL destinations");
	return ERR_NONE;
}

static enum err check_dst(struct reading *r, const struct alias *alias, bool grant)
{
	if (alias->kind == ALIAS_ALL)
		return refuse_at(r, alias->at, "cannot use autogroup:danger-all as a dst");
	if (alias->kind == ALIAS_SHARED)
		return refuse_at(r, alias->at, "autogroup:shared can only be used as a src");
	if (grant && alias->kind == ALIAS_PREFIX && !alias->prefix.bits)
		return refuse_at(r, alias->at, "dst %s: to allow all IP addresses, use \"*\" or \"autogroup:internet\"", quoted(r, alias->text));
	return ERR_NONE;
}

/* Kinds that are legal at the spots of which no other check tells. */
static bool is_legal(enum alias_kind kind, enum alias_spot spot)
{
	static const unsigned people = 1U << ALIAS_USER | 1U << ALIAS_GROUP | 1U << ALIAS_TAG | 1U << ALIAS_MEMBER | 1U << ALIAS_TAGGED | 1U << ALIAS_ROLE;
	static const unsigned legal[] = {
		[AT_SSH_SRC] = people | 1U << ALIAS_DOMAIN,
		[AT_SSH_DST] = (people | 1U << ALIAS_SELF) & ~(1U << ALIAS_GROUP | 1U << ALIAS_ROLE),
		[AT_TARGET] = people | 1U << ALIAS_ANY | 1U << ALIAS_HOST | 1U << ALIAS_PREFIX | 1U << ALIAS_IPSET,
		[AT_APPROVER] = people,
		[AT_OWNER] = people & ~(1U << ALIAS_TAGGED),
		[AT_IPSET] = people | 1U << ALIAS_HOST | 1U << ALIAS_PREFIX | 1U << ALIAS_IPSET,
		[AT_RECORDER] = 1U << ALIAS_TAG | 1U << ALIAS_PREFIX,
		[AT_TEST] = ~0U,
	};
	return legal[spot] >> kind & 1;
}

static enum err check_spot(struct reading *r, const struct alias *alias, enum alias_spot spot)
{
	if (spot == AT_ACL_SRC || spot == AT_GRANT_SRC)
		return check_src(r, alias);
	if (spot == AT_ACL_DST || spot == AT_GRANT_DST)
		return check_dst(r, alias, spot == AT_GRANT_DST);
	if (is_legal(alias->kind, spot))
		return ERR_NONE;
	if (spot == AT_TARGET && alias->kind == ALIAS_SELF) {
		(void)refuse_at(r, alias->at, "internal server error");
		return ERR_BUG;
	}
	if (spot == AT_TARGET)
		return refuse_at(r, alias->at, "%s: invalid address", quoted(r, alias->text));
	if (spot == AT_SSH_SRC || spot == AT_SSH_DST)
		return refuse_at(r, alias->at, "invalid %s %s", spot == AT_SSH_SRC ? "src" : "dst", quoted(r, alias->text));
	return refuse_at(r, alias->at, "%s is not legal here", quoted(r, alias->text));
}

/* A lenient reading knows groups that nothing defines: nobody is in them. */
static enum err read_unknown(struct reading *r, struct alias *alias, enum alias_spot spot)
{
	enum err e = refuse_unknown(r, alias, spot);
	if (!bytes_starts(alias->text, "group:") || r->groups_unsure || name_is_broken(r->groups, alias->text) || !forgiven(r, &e))
		return e;
	if (!r->nobody) {
		r->doc->groups[r->doc->group_count] = (struct group){.name = BYTES("group:")};
		r->nobody = (uint32_t)++r->doc->group_count;
	}
	alias->kind = ALIAS_GROUP;
	alias->index = r->nobody - 1;
	return ERR_NONE;
}

enum err alias_read(struct reading *r, struct bytes text, struct place at, enum alias_spot spot, struct alias *alias)
{
	*alias = alias_classify(r, text, at);
	if (alias->kind == ALIAS_DOMAIN) {
		enum err e = domain_check(r, alias->text, at, spot == AT_SSH_SRC ? "[ssh] " : "");
		if (e)
			return e;
	}
	if (alias->kind == ALIAS_UNKNOWN) {
		enum err e = read_unknown(r, alias, spot);
		if (e)
			return e;
	}
	return check_spot(r, alias, spot);
}

/* Lists of which less is less allowed. */
static bool may_shrink(enum alias_spot spot)
{
	return spot == AT_ACL_SRC || spot == AT_GRANT_SRC || spot == AT_GRANT_DST || spot == AT_TARGET || spot == AT_APPROVER || spot == AT_OWNER;
}

enum err aliases_read(struct reading *r, const struct json *list, const char *name, enum alias_spot spot, struct aliases *out)
{
	enum err e = read_list_of(r, list, name, JSON_STRING);
	*out = (struct aliases){0};
	if (e || !list)
		return e;
	out->list = ARENA_ARRAY(r->arena, struct alias, list->count);
	for (size_t i = 0; !e && i < list->count; i++) {
		e = alias_read(r, list->items[i].text, list->items[i].at, spot, &out->list[out->count]);
		if (!may_shrink(spot) || !forgiven(r, &e))
			out->count++;
	}
	return e;
}
