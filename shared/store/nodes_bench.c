/* Prices of joining, looking up and reporting against a real PostgreSQL (no fsync): wall time, CPU here and CPU there. A table, then one JSON line per row. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "census.h"
#include "log.h"
#include "nodes.h"
#include "store_fixture.h"

enum { AT_ONCE = 64 };

static struct fixture *fx;
static struct loop *loop;
static struct pg *pg;
static struct arena *arena;
static uint64_t tailnet, user, first_node;

struct stretch {
	unsigned started, answered, wanted, failed;
	void (*start)(unsigned n);
	bool done;
};
static struct stretch now;

static void on_answer(enum err e)
{
	now.failed += e != ERR_NONE;
	now.answered++;
	if (now.started < now.wanted)
		now.start(now.started++);
	now.done = now.answered == now.wanted;
}

static uint64_t own_cpu_us(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static char json[4096];

static void price(const char *what, void (*start)(unsigned n), unsigned count, unsigned each)
{
	uint64_t cpu = own_cpu_us(), there = fixture_cpu_us(fx), wall = clock_mono_us();
	now = (struct stretch){.wanted = count, .start = start};
	while (now.started < now.wanted && now.started < AT_ONCE)
		start(now.started++);
	fixture_wait(loop, &now.done, 120000);
	double n = (double)count * each, us = (double)(clock_mono_us() - wall) / n, here = (double)(own_cpu_us() - cpu) / n,
	       server = (double)(fixture_cpu_us(fx) - there) / n;
	printf("%-34s %8u %12.1f %12.1f %12.1f %8u\n", what, count * each, us, here, server, now.failed);
	size_t len = strlen(json);
	snprintf(json + len, sizeof json - len,
		 "{\"bench\":\"nodes\",\"what\":\"%s\",\"count\":%u,\"wall_us\":%.1f,\"own_cpu_us\":%.1f,\"server_cpu_us\":%.1f,\"failed\":%u}\n", what,
		 count * each, us, here, server, now.failed);
	arena_reset(arena);
}

static bool label_each;

static struct enrollment join_of(unsigned n)
{
	static char label[16];
	snprintf(label, sizeof label, label_each ? "pc%u" : "node", n);
	struct enrollment e = {
		.user = user,
		.label = bytes_text(label),
		.capver = 113,
		.expiry = WALL_ZERO,
		.approved = true,
		.hostinfo = BYTES(
			"{\"OS\":\"linux\",\"Hostname\":\"node\",\"BackendLogID\":\"0123456789012345678901234567890123456789012345678901234567890123\"}")};
	memcpy(e.machine_key.raw, &n, sizeof n);
	memcpy(e.node_key.raw, &n, sizeof n);
	return e;
}

static void on_joined(void *context, enum err e, const struct node *node, uint64_t generation, const struct diag *why)
{
	(void)context, (void)generation, (void)why;
	if (node && !first_node)
		first_node = node->id;
	on_answer(e);
}

static unsigned joined_before;
static void start_join(unsigned n)
{
	struct enrollment e = join_of(joined_before + n);
	nodes_enroll(pg, tailnet, &e, on_joined, NULL);
}

static void on_place(void *context, enum err e, const struct nodes_place *place, uint64_t epoch)
{
	(void)context, (void)epoch;
	on_answer(e ? e : place->node ? ERR_NONE : ERR_NOT_FOUND);
}

static void start_find(unsigned n)
{
	struct enrollment e = join_of(n);
	nodes_find(pg, &e.node_key, true, arena, on_place, NULL);
}

static void on_known(void *context, enum err e, const struct nodes_known *known)
{
	(void)context, (void)known;
	on_answer(e);
}

static void start_register(unsigned n)
{
	struct enrollment e = join_of(n);
	struct secret secret = {.prefix = "abcdefghijkl"};
	nodes_find_for_register(pg, &(struct nodes_question){.machine_key = e.machine_key, .node_key = e.node_key, .secret = &secret}, arena, on_known, NULL);
}

static void on_tx(void *context, enum err e, struct tx *tx, const struct diag *why)
{
	(void)context, (void)tx, (void)why;
	on_answer(e);
}

static unsigned report_round;
static void report(unsigned n, unsigned batch)
{
	struct node_report *reports = arena_alloc(arena, batch * sizeof *reports);
	struct endpoint endpoint = {{IP_V4, {192, 0, 2, 1}}, (uint16_t)(1 + report_round + n)};
	struct tx *tx = tx_begin(pg, tailnet, TX_WRITE);
	for (unsigned i = 0; i < batch; i++)
		reports[i] = (struct node_report){.node = first_node + n * batch + i,
						  .epoch = INT64_MAX,
						  .disco_key = {{1}},
						  .has_endpoints = true,
						  .endpoints = &endpoint,
						  .endpoint_count = 1,
						  .home_relay = 900,
						  .at = clock_wall()};
	nodes_report_add(tx, reports, batch);
	tx_run(tx, on_tx, NULL);
}
static void start_report_1(unsigned n)
{
	report(n, 1);
}
static void start_report_100(unsigned n)
{
	report(n, 100);
}

static void on_census(void *context, enum err e, const struct census *census)
{
	(void)context, (void)census;
	on_answer(e);
}
static void start_census(unsigned n)
{
	(void)n;
	census_take(pg, tailnet, arena, on_census, NULL);
}

int main(void)
{
	log_setup("nodes_bench", LOG_ERROR, LOG_TEXT);
	fx = fixture_new();
	loop = loop_new();
	arena = arena_new();
	tailnet = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.tailnets"), NULL, 10);
	user = strtoull(fixture_sql(fx, "SELECT id FROM fleetscale.users"), NULL, 10);
	pg = pg_new(loop, &(struct pg_config){fixture_coordinator(fx), true, 4, 1000, 60000});
	printf("%-34s %8s %12s %12s %12s %8s\n", "nodes", "count", "wall us", "own CPU us", "server CPU us", "failed");
	price("join, the first 1,000", start_join, 1000, 1);
	joined_before = 1000;
	price("join, 1,000 to 3,000", start_join, 2000, 1);
	joined_before = 3000;
	price("join, 3,000 to 10,000", start_join, 7000, 1);
	joined_before = 10000;
	label_each = true;
	price("join, names of their own", start_join, 3000, 1);
	price("find for register", start_register, 5000, 1);
	price("find for a map", start_find, 5000, 1);
	price("report, one a batch", start_report_1, 2000, 1);
	report_round = 1;
	price("report, 100 a batch", start_report_100, 50, 100);
	price("census of 10,000", start_census, 3, 1);
	fputs(json, stdout);
	pg_free(&pg);
	arena_free(&arena);
	loop_free(&loop);
	fixture_free(&fx);
	return 0;
}
