/* What is done with the fleet and what is measured: S1 register storm, M memory, S2 moves (calm and merged), J joins, S5 policy edits, R reconnect of all.
 * Not a server's adapter: it drives whatever answers at the given addresses and measures the processes of the given list.
 * The run owns its fleet; options are the caller's. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include "bot.h"
#include "figures.h"
#include "fleet.h"
#include "proc.h"

enum { SCENARIO_S1 = 1, SCENARIO_M = 2, SCENARIO_S2 = 4, SCENARIO_J = 8, SCENARIO_R = 16, SCENARIO_S5 = 32, SCENARIO_ALL = 63 };

struct scenario_options {
	struct bot_target target;   /* its auth key is that of the tailnet under test */
	const char *other_auth_key; /* of another tailnet, for registrations nobody hears of; NULL: left out */
	struct procs procs;
	unsigned nodes, models, window, joins, seconds;
	unsigned what; /* SCENARIO_* */
	/* PROGRAM FILE makes the file's text the policy of the tailnet under test; NULL: S5 is left out. Bots with auth key i have tag:t<i>. */
	const char *set_policy;
	double floor_us; /* 0: not measured */
};

/* Bounded in time by the options and the caps inside. False: the fleet could not be brought up; figures say the rest. */
bool scenario_run(const struct scenario_options *options, struct figures *figures);

#endif
