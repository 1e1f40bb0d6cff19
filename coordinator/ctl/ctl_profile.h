/* The file of profiles: servers by name, with tailnet and key. YAML: `current: NAME`, `profiles: {NAME: {server: ..., key_file: ...}}`.
 * Not which one is used (ctl_where.h). Who else could read a key in it, or write it, keeps it from being used.
 * Where: --config, else FLEETSCALE_CLI_CONFIG, else $XDG_CONFIG_HOME/fleetscale/cli.yaml, else ~/.config/fleetscale/cli.yaml. */
#ifndef CTL_PROFILE_H
#define CTL_PROFILE_H

#include "ctl.h"

/* Members of a profile: "server", "socket", "key", "key_file", "tailnet", "ca_file", "insecure" ("true"). Ended by NULL. */
extern const char *const ctl_profile_members[];

const char *ctl_profile_path(struct ctl *c); /* NULL: no home folder, as services have none */
/* {"current": TEXT, "profiles": {NAME: {MEMBER: TEXT}}}; the run's. What is absent is empty; NULL: it cannot be used (told). */
json_t *ctl_profiles_load(struct ctl *c);
/* Written whole, 0600, or not at all (told). */
bool ctl_profiles_save(struct ctl *c, const json_t *file);
bool ctl_profile_name_ok(const char *name); /* letters, digits, - and _, at most 60 */

#endif
