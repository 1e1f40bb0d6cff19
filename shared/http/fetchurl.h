/* Whether a text is a URL that can be fetched.
 * Not its parts, and not whether anybody answers there (fetch.h). Pure. */
#ifndef FETCHURL_H
#define FETCHURL_H

#include "bytes.h"

/* http:// or https://, something behind it, and nothing that no request can hold. */
bool fetchurl_is_good(struct bytes url);

#endif
