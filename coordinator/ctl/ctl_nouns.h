/* The nouns of the command, each with its verbs in a file of its own; ctl_command.c lists them.
 * Not how they are found or helped (ctl_command.h, ctl_help.h). Constants. */
#ifndef CTL_NOUNS_H
#define CTL_NOUNS_H

#include "ctl.h"

extern const struct ctl_noun ctl_noun_apikeys, ctl_noun_audits, ctl_noun_auth, ctl_noun_completion, ctl_noun_configtest, ctl_noun_debug, ctl_noun_doctor,
	ctl_noun_dumpconfig, ctl_noun_health, ctl_noun_keys, ctl_noun_migrate, ctl_noun_nodes, ctl_noun_operator, ctl_noun_policy, ctl_noun_preauthkeys,
	ctl_noun_profiles, ctl_noun_regions, ctl_noun_relays, ctl_noun_settings, ctl_noun_tailnets, ctl_noun_users, ctl_noun_version;

/* Verbs in files of their own. */
void ctl_relays_matrix(struct ctl *c);

#endif
