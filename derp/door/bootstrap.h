/* Names of coordinators that clients may ask a relay for when their own DNS is broken: looked up over and over, answered from memory.
 * Not a resolver: only names that were configured. Published names are told to everybody, hidden ones to those who ask for exactly that name.
 * One per process; the relay owns it. Source: docs/protocol/derp.md, bootstrap DNS (tailscale cmd/derper/bootstrap_dns.go). */
#ifndef BOOTSTRAP_H
#define BOOTSTRAP_H

#include "exchange.h"

struct bootstrap;

/* Names by commas; "": none. NULL and `why`: no name, or too many. */
struct bootstrap *bootstrap_new(const char *published, const char *hidden, struct diag *why);
/* After its loop has ended. */
void bootstrap_free(struct bootstrap **bootstrap);
/* Begins to look up, on helper threads; `loop` is one of the process's. */
void bootstrap_start(struct bootstrap *bootstrap, struct loop *loop);
void bootstrap_stop(struct bootstrap *bootstrap); /* on that loop */
/* From any loop: JSON of names and addresses, or nothing when nothing is known. */
void bootstrap_reply(struct bootstrap *bootstrap, struct exchange *x);

#endif
