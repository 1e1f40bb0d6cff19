#include "settings.h"

enum err settings_check(const struct settings *settings, struct diag *why)
{
	struct bytes notice = settings->notice;

	if (notice.len > SETTINGS_NOTICE_MAX)
		return diag_set(why, ERR_MALFORMED, "notice: at most %d bytes, not %zu", SETTINGS_NOTICE_MAX, notice.len);
	if (!bytes_is_utf8(notice))
		return diag_set(why, ERR_MALFORMED, "notice: not UTF-8");
	for (size_t i = 0; i < notice.len; i++)
		if ((notice.at[i] < 0x20 && notice.at[i] != '\n') || notice.at[i] == 0x7f)
			return diag_set(why, ERR_MALFORMED, "notice: control characters other than the line feed");
	return dns_check(&settings->dns, why);
}
