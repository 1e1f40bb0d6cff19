/* SSH rules of a node as map responses say them. Pure.
 * Not which rules (policy/sshrule.h) and not the answer to a check (coordinator). Appends through the caller's writer; nothing is owned.
 * Source: docs/protocol/policy.md, section 18.2 (tailscale tailcfg SSHPolicy, SSHAction). */
#ifndef SSHJSON_H
#define SSHJSON_H

#include "jsonw.h"
#include "sshrule.h"

/* No rules: a policy with null, which lets nobody in. `policy` tells what recorders mean; unused without rules. `arena`: for the moment. */
void sshjson_write(struct jsonw *w, const char *name, struct policy *policy, struct arena *arena, const struct sshrules *rules);

#endif
