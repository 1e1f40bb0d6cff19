/* A certificate that the relay makes for itself: kept in a folder, where clients know it by its hash (CertName sha256-raw:) and nobody needs to vouch for it; or for
 * tests in memory, where clients are told not to look (InsecureForTests).
 * Not renewed while it runs: the one in a folder is made anew at a start when little of its year is left, or the host name is another.
 * The paths and the pin are the caller's memory. Source: docs/protocol/derp.md, TLS (tailscale net/tlsdial, sha256-raw). */
#ifndef OWNCERT_H
#define OWNCERT_H

#include "err.h"

enum { OWNCERT_PATH_MAX = 512, OWNCERT_PIN_MAX = 80 };

struct owncert {
	char certificate[OWNCERT_PATH_MAX], key[OWNCERT_PATH_MAX]; /* PEM files */
	char pin[OWNCERT_PIN_MAX];                                 /* "sha256-raw:" and 64 hex digits; "": clients do not look */
	int fd[2];                                                 /* of files in memory */
	unsigned fd_count;
};

/* Finds or makes the pair for `host`. ERR_IO: the folder cannot be written; ERR_MALFORMED: `host` fits no certificate. */
MUST_USE enum err owncert_open(struct owncert *own, const char *folder, const char *host, struct diag *why);
/* The pair lives as long as this, however the process ends. ERR_IO: no memory for it; others as above. */
MUST_USE enum err owncert_open_unsafe(struct owncert *own, const char *host, struct diag *why);
void owncert_close(struct owncert *own); /* legal on one that is all zero; files in a folder stay */

#endif
