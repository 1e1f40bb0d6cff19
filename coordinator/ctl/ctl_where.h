/* Which server is asked, as whom and for which tailnet: flags, else the environment, else a profile, else the usual socket.
 * Not the asking (ctl_call.h). Found once; it belongs to the run.
 * --profile is a flag: what that profile says wins over the environment. A profile's key goes to no other server than its own.
 * Source: docs/operations.md, "The command"; HEADSCALE_CLI_*: headscale 0.30 (hscontrol/types/config.go), after ours. */
#ifndef CTL_WHERE_H
#define CTL_WHERE_H

#include "ctl.h"

#define CTL_SOCKET_USUAL "/run/fleetscale/admin.sock"

struct ctl_where {
	const char *url;     /* without a slash at its end */
	const char *socket;  /* NULL: TCP */
	const char *key;     /* NULL: none is known */
	const char *tailnet; /* NULL: none was named */
	const char *ca_file;
	bool insecure; /* certificates are not checked */
	int64_t timeout_ms;
	const char *profile; /* whose server it is; NULL: none */
	const char *from;    /* what named the server, for people: "--server", "FLEETSCALE_URL", "profile lab" */
};

const struct ctl_where *ctl_where(struct ctl *c); /* NULL: told */
/* "http://127.0.0.1:8080" or "unix socket /run/..." */
const char *ctl_where_name(struct ctl *c, const struct ctl_where *where);

/* The trimmed content of a file, as a secret; the run's. NULL: told. */
const char *ctl_secret_file(struct ctl *c, const char *path);
/* An environment variable NAME, else the file that NAME_FILE names; NULL: neither, or unreadable (told). */
const char *ctl_secret(struct ctl *c, const char *name);

#endif
