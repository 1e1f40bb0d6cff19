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
