/* What an operator can set of a mapper, and what it counts: two tables.
 * Not their meaning: that lies with who reads them. The struct is filled once, before the workers start. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "daemon.h"

struct mapper_options {
	struct daemon_options daemon;
	char *listen_link, *link_advertise;
	char *database_url, *redis_url, *cluster_secret;
	int64_t database_connections, database_timeout_ms;
	int64_t presence_grace_ms;
	int64_t tick_least_ms, tick_most_ms;
	int64_t recheck_ms;
	int64_t keeper_idle_ms;
	int64_t history;
};

extern const struct option mapper_option_table[];
extern struct metric mapper_metrics[];
extern const struct metric *const metric_keepers, *const metric_streams, *const metric_nodes;
extern const struct metric *const metric_full_maps, *const metric_deltas, *const metric_bodies;
extern const struct metric *const metric_journal_reads, *const metric_censuses, *const metric_tick_seconds, *const metric_policies_unreadable;
extern const struct metric *const metric_policies_partly;

#endif
