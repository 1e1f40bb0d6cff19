#include "authkey.h"

enum { TAG_PREFIX_LEN = 4 };

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

enum err tag_check(struct bytes tag, struct diag *why)
{
	if (!bytes_starts(tag, "tag:"))
		return diag_set(why, ERR_MALFORMED, "a tag starts with \"tag:\"");
	if (tag.len > TAG_MAX)
		return diag_set(why, ERR_MALFORMED, "a tag has at most %d characters", TAG_MAX);
	struct bytes name = bytes_skip(tag, TAG_PREFIX_LEN);
	if (!name.len || !is_letter(name.at[0]))
		return diag_set(why, ERR_MALFORMED, "a tag's name starts with a letter");
	for (size_t i = 1; i < name.len; i++)
		if (!is_letter(name.at[i]) && !is_digit(name.at[i]) && name.at[i] != '-')
			return diag_set(why, ERR_MALFORMED, "a tag's name holds only letters, digits and hyphens");
	return ERR_NONE;
}
