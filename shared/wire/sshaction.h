/* What becomes of an SSH connection, as the destination's client reads it: in the rules of its map, and as the answer to a check.
 * Not which (policy/sshrule.h, fleet/sshcheck.h). Appends through the caller's writer; nothing is owned.
 * Source: docs/protocol/ssh.md (tailscale tailcfg SSHAction, SSHRecorderFailureAction; 1.64 and 1.102 have the same members). */
#ifndef SSHACTION_H
#define SSHACTION_H

#include "jsonw.h"

/* Where a destination asks about a connection: over its own connection to the coordinator, so that the host part counts for nothing. The variables are the
 * client's to fill in; what follows up an earlier question is added behind. */
#define SSHACTION_URL "https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER"
/* Where it tells that nobody recorded a session. */
#define SSHACTION_NOTIFY_URL "https://unused/machine/ssh/notify"

struct ssh_action {
	struct bytes message; /* shown to whoever connects; empty: none */
	bool accept, reject;
	const char *hold;                 /* where the client asks next; NULL: nowhere */
	const struct endpoint *recorders; /* that get a copy of the session, the first that answers; with accept only */
	size_t recorder_count;
	bool must_record; /* no recorder, no session */
};

/* Accepts, recorded by those. Rejects when the session must be recorded and there is nobody who could: clients take an empty list for none wanted. */
struct ssh_action sshaction_accept(const struct endpoint *recorders, size_t count, bool must_record);
void sshaction_write(struct jsonw *w, const char *name, const struct ssh_action *action);

#endif
