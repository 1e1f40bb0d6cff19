#include "attribute.h"

#include <string.h>

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum err attribute_check_key(struct bytes key, struct diag *why)
{
	bool good = key.len && key.len <= ATTRIBUTE_KEY_MAX && is_letter(key.at[0]);
	for (size_t i = 0; good && i < key.len; i++)
		good = is_letter(key.at[i]) || (key.at[i] && strchr("0123456789_-.:", key.at[i]));
	return good ? ERR_NONE
		    : diag_set(why, ERR_MALFORMED, "an attribute's name has 1 to %d letters, digits and _ - . :, and begins with a letter", ATTRIBUTE_KEY_MAX);
}

enum err attribute_check_owner(struct bytes key, struct diag *why)
{
	static const char *const taken[] = {"node:", "ip:", "fleetscale:"};
	for (size_t i = 0; i < COUNT_OF(taken); i++)
		if (bytes_starts(key, taken[i]))
			return diag_set(why, ERR_DENIED, "attributes that begin with %s are the server's own", taken[i]);
	return ERR_NONE;
}
