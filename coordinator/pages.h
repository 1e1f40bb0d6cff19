/* The pages of coordinator/pages/ as they were built in (embed.cmake): templates for html.h.
 * Not filled. Static. */
#ifndef PAGES_H
#define PAGES_H

#include "bytes.h"

extern const struct bytes page_login, page_check, page_missing;
extern const struct bytes page_style; /* what stands between <style> and </style> in each of them */

#endif
