#include "options.h"

#define AT(member) offsetof(struct mapper_options, member)
#define SECONDS(n) ((n)*INT64_C(1000))
#define MINUTES(n) SECONDS((n)*60)

const struct option mapper_option_table[] = {
	{"listen.link", OPTION_LISTEN, AT(listen_link), "127.0.0.1:0", 0, 0, NULL,
	 "Where coordinators connect: thread n takes this port plus n; port 0 takes free ones."},
	{"link.advertise", OPTION_TEXT, AT(link_advertise), "", 0, 0, NULL,
	 "Address, or address:port, at which coordinators reach listen.link; empty: listen.link itself."},
	{"database.url", OPTION_SECRET, AT(database_url), NULL, 0, 0, NULL, "PostgreSQL, as libpq takes it; role fleetscale_mapper, which only reads."},
	{"database.connections", OPTION_INT, AT(database_connections), "2", 1, 16, NULL, "Connections of each thread."},
	{"database.timeout", OPTION_DURATION, AT(database_timeout_ms), "20s", SECONDS(1), MINUTES(5), NULL,
	 "A reading must be answered within; a census of a huge tailnet takes seconds."},
	{"redis.url", OPTION_SECRET, AT(redis_url), NULL, 0, 0, NULL, "redis://[:PASSWORD@]HOST:PORT[/N] or unix:/PATH."},
	{"cluster.secret", OPTION_SECRET, AT(cluster_secret), NULL, 0, 0, NULL, "Shared with the coordinators: authenticates the link both ways."},
	{"presence.grace", OPTION_DURATION, AT(presence_grace_ms), "10s", 0, MINUTES(10), NULL,
	 "A node whose last session went stays online so long; the same for all programs."},
	{"tick.least", OPTION_DURATION, AT(tick_least_ms), "5ms", 1, SECONDS(1), NULL, "Changes of a calm tailnet gather so long."},
	{"tick.most", OPTION_DURATION, AT(tick_most_ms), "500ms", 1, SECONDS(10), NULL, "Changes of a churning tailnet gather at most so long."},
	{"recheck", OPTION_DURATION, AT(recheck_ms), "5s", 100, MINUTES(10), NULL, "Generations are read again this often: lost bells, Redis gone."},
	{"keeper.idle", OPTION_DURATION, AT(keeper_idle_ms), "3m", SECONDS(1), MINUTES(1440), NULL, "A tailnet without map streams is forgotten after."},
	{"history", OPTION_INT, AT(history), "65536", 64, 1 << 24, NULL,
	 "Most changes of a tailnet kept for slow streams; who stands before them polls again."},
	{0},
};

struct metric mapper_metrics[] = {
	{"keepers_open", METRIC_GAUGE, "Tailnets kept in memory.", NULL, NULL, 0},
	{"mapper_streams_open", METRIC_GAUGE, "Subscriptions of map streams.", NULL, NULL, 0},
	{"mapper_nodes", METRIC_GAUGE, "Nodes in memory.", NULL, NULL, 0},
	{"full_maps_total", METRIC_COUNTER, "First maps sent.", NULL, NULL, 0},
	{"deltas_total", METRIC_COUNTER, "Deltas sent, per stream.", NULL, NULL, 0},
	{"delta_bodies_total", METRIC_COUNTER, "Delta bodies rendered.", NULL, NULL, 0},
	{"journal_reads_total", METRIC_COUNTER, "Readings of the journal.", NULL, NULL, 0},
	{"censuses_total", METRIC_COUNTER, "Whole tailnets read.", NULL, NULL, 0},
	{"tick_seconds", METRIC_HISTOGRAM, "Work of one tick of one tailnet.", NULL, NULL, 0},
	{"policies_unreadable", METRIC_GAUGE, "Tailnets in memory whose policy cannot be read: nobody in them sees anybody.", NULL, NULL, 0},
	{"policies_partly_understood", METRIC_GAUGE, "Tailnets in memory whose policy would be refused today: what is not understood counts for nothing.", NULL,
	 NULL, 0},
	{0},
};

const struct metric *const metric_keepers = &mapper_metrics[0], *const metric_streams = &mapper_metrics[1], *const metric_nodes = &mapper_metrics[2];
const struct metric *const metric_full_maps = &mapper_metrics[3], *const metric_deltas = &mapper_metrics[4], *const metric_bodies = &mapper_metrics[5];
const struct metric *const metric_journal_reads = &mapper_metrics[6], *const metric_censuses = &mapper_metrics[7];
const struct metric *const metric_tick_seconds = &mapper_metrics[8], *const metric_policies_unreadable = &mapper_metrics[9];
const struct metric *const metric_policies_partly = &mapper_metrics[10];
