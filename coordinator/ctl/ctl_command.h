/* The command line of `fleetscale`: words -> noun, verb, flags -> the verb's function -> exit status (enum ctl_exit).
 * Not the verbs (ctl_nouns.h).
 * Nothing is owned by the caller but argv and the streams. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "ctl.h"

extern const struct ctl_noun *const ctl_nouns[]; /* ended by NULL */
extern const struct ctl_flag ctl_global_flags[]; /* taken before and behind the noun */

int ctl_command(int argc, char **argv, FILE *out, FILE *err);

const struct ctl_noun *ctl_noun_find(const char *word); /* by name or alias; NULL */
const struct ctl_verb *ctl_verb_find(const struct ctl_noun *noun, const char *word);
bool ctl_is_named(const char *word, const char *name, const char *aliases);

#endif
