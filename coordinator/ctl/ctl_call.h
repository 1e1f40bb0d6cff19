/* One request to the admin API, over TCP or its unix socket, blocking; what goes wrong is told with what to do next.
 * Not the meaning of answers: each noun's file knows its objects.
 * Where: --socket or --server, else FLEETSCALE_URL, else FLEETSCALE_SOCKET, else the usual socket. The key: FLEETSCALE_API_KEY or FLEETSCALE_API_KEY_FILE, never argv.
 * Source: docs/protocol/admin.md. */
#ifndef CTL_CALL_H
#define CTL_CALL_H

#include "ctl.h"

#define CTL_SOCKET_USUAL "/run/fleetscale/admin.sock"

/* `body` may be NULL and is taken over. The answer is the run's; NULL: told, the status is set. */
const json_t *ctl_call(struct ctl *c, const char *method, const char *path, json_t *body);
/* A path with each %s percent-encoded; the run's. */
const char *ctl_path(struct ctl *c, const char *format, ...);
/* Where requests go, for people: "http://127.0.0.1:8080" or "unix socket /run/..."; NULL: told. */
const char *ctl_server_name(struct ctl *c);
/* An environment variable NAME, else the trimmed content of the file that NAME_FILE names; NULL: neither, or unreadable (told). */
const char *ctl_secret(struct ctl *c, const char *name);

#endif
