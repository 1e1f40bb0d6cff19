/* One loop of the mapper: its gate, its bell, its keepers, the relay map that they share. Subscriptions come in here and go to their keeper.
 * Nothing is shared between loops: each is a roster member of its own and keeps the tailnets that hash to it.
 * The worker owns it: intake_new on its thread, intake_drain, intake_free. */
#ifndef INTAKE_H
#define INTAKE_H

#include "bus.h"
#include "deliver.h"
#include "notice.h"
#include "options.h"
#include "presence.h"
#include "roster.h"

struct table;

struct intake {
	struct worker *worker;
	struct loop *loop;
	struct mono started;
	const struct mapper_options *options;
	struct pg *pg;
	struct bus *bus;
	struct presence_view *presence;
	struct notice_listener *bell;
	struct gate *gate;
	struct roster_member *member;
	struct deliver deliver;
	struct table *keepers; /* tailnet -> keeper */
	struct list keeper_list;
	size_t stream_count;
	struct body *relays; /* DERPMap; NULL until read */
	uint64_t relays_generation;
	bool relays_reading, relays_again;
	struct arena *relays_arena, *relays_kept;  /* of the reading under way; of relays_census */
	const struct census_relays *relays_census; /* as read last */
	struct timer recheck, housekeeping, relays_retry, drained;
	bool rechecking, draining;
	uint64_t *asked; /* tailnets of the re-check under way */
};

MUST_USE enum err intake_new(struct worker *worker, const struct mapper_options *options, const char *process, struct diag *why, struct intake **intake);
void intake_drain(struct intake *in); /* ends all streams, then tells the daemon */
void intake_free(struct intake **intake);
/* link.advertise as an address and, when given, a port. ERR_MALFORMED for anything else. */
MUST_USE enum err intake_check(const struct mapper_options *options, struct diag *why);
/* Whether every loop has read the relay map. Any thread. */
bool intake_ready(void);

#endif
