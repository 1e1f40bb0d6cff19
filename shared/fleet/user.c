#include "user.h"

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}
static bool is_allowed(uint8_t c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '@';
}

enum err user_check_name(struct bytes name, struct diag *why)
{
	if (name.len < 2 || name.len > USER_NAME_MAX)
		return diag_set(why, ERR_MALFORMED, "a user name has 2 to %d characters", USER_NAME_MAX);
	if (!bytes_is_utf8(name))
		return diag_set(why, ERR_MALFORMED, "a user name is UTF-8 text");
	if (!is_letter(name.at[0]))
		return diag_set(why, ERR_MALFORMED, "a user name starts with a letter");
	unsigned ats = 0;
	for (size_t i = 0; i < name.len; i++) {
		if (!is_allowed(name.at[i]))
			return diag_set(why, ERR_MALFORMED, "a user name holds only letters, digits, \"-\", \".\", \"_\" and one \"@\"");
		ats += name.at[i] == '@';
	}
	if (ats > 1)
		return diag_set(why, ERR_MALFORMED, "a user name holds at most one \"@\"");
	return ERR_NONE;
}

struct bytes user_login_name(const struct user *user)
{
	/* An empty LoginName makes the client forget its login at the next restart. */
	if (user->email.len)
		return user->email;
	return user->name.len ? user->name : BYTES("user");
}

static const struct {
	const char *name;
	unsigned roles;
} roles_known[] = {
	{"owner", ROLE_OWNER | ROLE_ADMIN},
	{"admin", ROLE_ADMIN},
	{"network-admin", ROLE_NETWORK_ADMIN},
	{"it-admin", ROLE_IT_ADMIN},
	{"billing-admin", ROLE_BILLING_ADMIN},
	{"auditor", ROLE_AUDITOR},
	{"member", ROLE_MEMBER},
};

enum err user_parse_role(struct bytes name, unsigned *roles, struct diag *why)
{
	for (size_t i = 0; i < COUNT_OF(roles_known); i++)
		if (bytes_equal_text(name, roles_known[i].name)) {
			*roles = roles_known[i].roles;
			return ERR_NONE;
		}
	return diag_set(why, ERR_MALFORMED, "role is one of owner, admin, network-admin, it-admin, billing-admin, auditor, member");
}

const char *user_role_name(unsigned roles)
{
	size_t i = 0;
	while ((roles & roles_known[i].roles) != roles_known[i].roles)
		i++;
	return roles_known[i].name;
}

static bool is_group(struct bytes group)
{
	if (!bytes_starts(group, "group:") || group.len == 6 || group.len > USER_GROUP_MAX || !bytes_is_utf8(group))
		return false;
	for (size_t i = 0; i < group.len; i++)
		if (group.at[i] <= ' ' || group.at[i] == 0x7f)
			return false;
	return true;
}

enum err user_check_groups(const struct bytes *groups, size_t count, struct diag *why)
{
	if (count > USER_GROUPS_MAX)
		return diag_set(why, ERR_MALFORMED, "a user is in at most %d groups", USER_GROUPS_MAX);
	for (size_t i = 0; i < count; i++)
		if (!is_group(groups[i]))
			return diag_set(why, ERR_MALFORMED, "groups[%zu] is \"group:\" and a name without blanks, %d bytes at most", i, USER_GROUP_MAX);
	return ERR_NONE;
}
