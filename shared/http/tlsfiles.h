/* Are these PEM files a certificate chain and its private key? As a TLS door would take them.
 * Not whether anybody trusts them. Nothing is kept. */
#ifndef TLSFILES_H
#define TLSFILES_H

#include "err.h"

MUST_USE enum err tlsfiles_check(const char *certificate, const char *key, struct diag *why); /* ERR_MALFORMED names the file */

#endif
