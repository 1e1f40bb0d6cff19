/* A certificate that the relay makes for itself and keeps in a folder: clients know it by its hash (CertName sha256-raw:), nobody needs to vouch for it.
 * Not for tests alone and not renewed while it runs: it is made anew at a start when little of its year is left, or the host name is another.
 * The paths and the pin are the caller's memory. Source: docs/protocol/derp.md, TLS (tailscale net/tlsdial, sha256-raw). */
#ifndef OWNCERT_H
#define OWNCERT_H

#include "err.h"

enum { OWNCERT_PATH_MAX = 512, OWNCERT_PIN_MAX = 80 };

struct owncert {
	char certificate[OWNCERT_PATH_MAX], key[OWNCERT_PATH_MAX]; /* PEM files */
	char pin[OWNCERT_PIN_MAX];                                 /* "sha256-raw:" and 64 hex digits */
};

/* Finds or makes the pair for `host`. ERR_IO: the folder cannot be written; ERR_MALFORMED: `host` fits no certificate. */
MUST_USE enum err owncert_open(struct owncert *own, const char *folder, const char *host, struct diag *why);

#endif
