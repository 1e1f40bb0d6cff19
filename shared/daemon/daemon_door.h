/* The operations door of a process: /livez /readyz /healthz /metrics /debug on the main thread's loop.
 * Not authenticated: it is bound to an address that only operators reach.
 * The daemon owns it. */
#ifndef DAEMON_DOOR_H
#define DAEMON_DOOR_H

#include "buffer.h"
#include "loop.h"

struct daemon_door;

/* `at` empty: a door that is closed. NULL when it cannot be opened. */
struct daemon_door *daemon_door_open(struct loop *loop, const char *at, struct diag *why);
void daemon_door_close(struct daemon_door **door);

/* What the daemon tells it. */
const char *daemon_not_ready(void);
void daemon_ask_health(struct loop *loop, void (*answer)(void *context, bool good, const char *text), void *context);
MUST_USE enum err daemon_describe(struct buffer *out);

#endif
