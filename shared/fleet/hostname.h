/* Host names -> unique DNS labels, by the client's own rule.
 * Not DNS. The rule is here; uniqueness is judged by the constraint of nodes inside the joining transaction.
 * Plain text into the caller's array. Source: docs/protocol/names.md (tailscale util/dnsname SanitizeHostname). */
#ifndef HOSTNAME_H
#define HOSTNAME_H

#include "node.h"

/* "Joe's Mac mini" -> "joes-mac-mini"; nothing left -> "node". Result is NUL-terminated. */
void hostname_label(struct bytes hostname, char label[static NODE_LABEL_MAX + 1]);
/* base, base-1, base-2 ...: the n-th candidate, base shortened so that it fits. */
void hostname_candidate(const char *base, unsigned n, char label[static NODE_LABEL_MAX + 1]);
/* An administrator's choice: LDH, 1 to 63, no outer hyphens, lower-case. */
MUST_USE enum err hostname_check(struct bytes label, struct diag *why);

#endif
