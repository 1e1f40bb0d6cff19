#include "fetchurl.h"

bool fetchurl_is_good(struct bytes url)
{
	size_t scheme = bytes_starts(url, "https://") ? 8 : bytes_starts(url, "http://") ? 7 : 0;
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= ' ' || url.at[i] == 0x7f)
			return false;
	return scheme && url.len > scheme;
}
