#include "aliasnode.h"

#include <stdlib.h>

/* Of a user node its user; NULL for a tagged node. */
static const struct roll_user *owner(const struct roll *roll, const struct node *node)
{
	return node_is_tagged(node) ? NULL : roll_user(roll, node->user);
}

static bool ends_in_domain(struct bytes login, struct bytes domain)
{
	return login.len > domain.len && login.at[login.len - domain.len - 1] == '@' && bytes_equal(bytes_skip(login, login.len - domain.len), domain);
}

static bool in_group(const struct group *group, const struct roll_user *user)
{
	for (size_t i = 0; i < group->users.count; i++)
		if (roll_is_login(user->user, group->users.list[i].text))
			return true;
	for (size_t i = 0; i < user->group_count; i++)
		if (bytes_equal(user->groups[i], group->name))
			return true;
	return false;
}

static bool carries(const struct node *node, struct bytes tag)
{
	for (size_t i = 0; i < node->tag_count; i++)
		if (bytes_equal(node->tags[i], tag))
			return true;
	return false;
}

static bool has_role(unsigned roles, enum role role)
{
	return role == ROLE_MEMBER || (roles & role) || (role == ROLE_ADMIN && (roles & ROLE_OWNER));
}

static bool names_identity(const struct document *document, const struct roll *roll, const struct alias *alias, const struct node *node)
{
	const struct roll_user *user = owner(roll, node);
	switch (alias->kind) {
	case ALIAS_USER:
		return user && roll_is_login(user->user, alias->text);
	case ALIAS_DOMAIN:
		return user && ends_in_domain(user_login_name(user->user), alias->text);
	case ALIAS_GROUP:
		return user && in_group(&document->groups[alias->index], user);
	case ALIAS_ROLE:
		return user && has_role(user->roles, alias->role);
	case ALIAS_TAG:
		return carries(node, document->tags[alias->index].name);
	case ALIAS_MEMBER:
		return !node_is_tagged(node);
	case ALIAS_TAGGED:
		return node_is_tagged(node);
	default:
		return false;
	}
}

enum { UNKNOWN, OPEN, IN, OUT };

struct asked {
	const struct document *document;
	const struct roll *roll;
	const struct node *node;
	struct ip ip;
	uint8_t *known; /* per ipset */
	uint32_t *path; /* ipsets being read, outermost first */
	size_t depth;
};

static bool names_address(const struct asked *asked, const struct alias *alias)
{
	switch (alias->kind) {
	case ALIAS_ANY:
	case ALIAS_ALL:
		return true;
	case ALIAS_PREFIX:
		return prefix_has(alias->prefix, asked->ip);
	case ALIAS_HOST:
		return prefix_has(asked->document->hosts[alias->index].prefix, asked->ip);
	case ALIAS_IPSET:
		return asked->known[alias->index] == IN;
	default:
		return names_identity(asked->document, asked->roll, alias, asked->node);
	}
}

/* Pushes one ipset that must be known before this one. */
static bool push_missing(struct asked *asked, const struct ipset *set)
{
	for (size_t i = 0; i < set->entry_count; i++) {
		const struct alias *alias = &set->entries[i].alias;
		if (alias->kind == ALIAS_IPSET && asked->known[alias->index] == UNKNOWN) {
			asked->known[alias->index] = OPEN;
			asked->path[asked->depth++] = alias->index;
			return true;
		}
	}
	return false;
}

/* Every set once, inner ones first. The last entry that names the address decides. */
static bool in_ipset(struct asked *asked, uint32_t index)
{
	asked->known[index] = OPEN;
	asked->path[asked->depth++] = index;
	while (asked->depth) {
		uint32_t here = asked->path[asked->depth - 1];
		const struct ipset *set = &asked->document->ipsets[here];
		if (push_missing(asked, set))
			continue;
		bool in = false;
		for (size_t i = 0; i < set->entry_count; i++)
			if (names_address(asked, &set->entries[i].alias))
				in = !set->entries[i].remove;
		asked->known[here] = in ? IN : OUT;
		asked->depth--;
	}
	return asked->known[index] == IN;
}

static bool names_by_address(const struct document *document, const struct roll *roll, const struct alias *alias, const struct node *node, struct ip ip)
{
	struct asked asked = {.document = document, .roll = roll, .node = node, .ip = ip};
	if (ip.family == IP_NONE)
		return false;
	if (alias->kind != ALIAS_IPSET)
		return names_address(&asked, alias);
	asked.known = x_zalloc(document->ipset_count);
	asked.path = x_alloc(document->ipset_count * sizeof *asked.path);
	bool in = in_ipset(&asked, alias->index);
	free(asked.path);
	free(asked.known);
	return in;
}

bool alias_names(const struct document *document, const struct roll *roll, const struct alias *alias, const struct node *node)
{
	switch (alias->kind) {
	case ALIAS_ANY:
	case ALIAS_ALL:
		return true;
	case ALIAS_PREFIX:
	case ALIAS_HOST:
	case ALIAS_IPSET:
		return names_by_address(document, roll, alias, node, node->ip4) || names_by_address(document, roll, alias, node, node->ip6);
	default:
		return names_identity(document, roll, alias, node);
	}
}
