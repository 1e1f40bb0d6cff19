/* `fleetscale migrate`: bring a database to this program's schema. Speaks SQL itself, blocking.
 * Not a client of the admin API: there may be no coordinator yet.
 * Nothing is owned. */
#ifndef CTL_MIGRATE_H
#define CTL_MIGRATE_H

/* argv[0] is the verb. Exit status: 0 done, 1 refused or failed, 2 wrong use. */
int ctl_migrate(int argc, char **argv);

#endif
