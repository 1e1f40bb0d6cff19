/* What a destination's client asks about an SSH connection: the URL of our rules with its variables filled in. Pure.
 * Not the answer (serve_sshaction.h). The login is borrowed from the request.
 * Source: docs/protocol/ssh.md. */
#ifndef SSHQUESTION_H
#define SSHQUESTION_H

#include "loginid.h"

struct sshquestion {
	uint64_t source, destination; /* nodes, as the client says */
	struct bytes local_user;
	bool follows; /* up what `id` began */
	struct login_id id;
};

/* All decoded already; at NULL where the URL has none. A follow-up id of another form is passed over, so that the client begins anew.
 * ERR_MALFORMED with a sentence. */
MUST_USE enum err sshquestion_read(struct bytes source, struct bytes destination, struct bytes local_user, struct bytes auth_id, struct sshquestion *question,
				   struct diag *why);

#endif
