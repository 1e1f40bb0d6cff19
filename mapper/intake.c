#include "intake.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "census.h"
#include "keeper.h"
#include "log.h"
#include "table.h"

enum {
	HOUSEKEEPING_MS = 1000,
	RELAYS_RETRY_MS = 500,
	DRAIN_LOOK_MS = 20,       /* ends are small: they leave within a turn or two */
	PG_WAITING_MAX = 1 << 17, /* every tailnet of a loop may want its census at once */
	MEMBER_MAX = 64
};

/* Loops that have read the relay map; only ever grows while the process lives. */
static atomic_uint ready_loops;

bool intake_ready(void)
{
	return atomic_load(&ready_loops) >= daemon_worker_count();
}

static struct keeper *find(const struct intake *in, uint64_t tailnet)
{
	return table_find_number(in->keepers, tailnet);
}

/* ---- subscriptions ---- */

static void on_presence_known(void *context, uint64_t tailnet)
{
	struct keeper *k = find(context, tailnet);
	if (k)
		keeper_presence_known(k);
}

static struct keeper *keeper_for(struct intake *in, uint64_t tailnet)
{
	struct keeper *k = find(in, tailnet);
	if (k)
		return k;
	k = keeper_new(in, tailnet);
	table_put_number(in->keepers, tailnet, k);
	list_append(&in->keeper_list, &k->link);
	presence_follow(in->presence, tailnet, on_presence_known, in);
	return k;
}

static void on_open(void *context, struct gate_stream *gate)
{
	struct intake *in = context;
	if (in->draining) {
		gate_end(gate, LINK_END_DRAIN);
		return;
	}
	if (!gate->request.tailnet || !gate->request.node) {
		gate_end(gate, LINK_END_NO_NODE);
		return;
	}
	in->stream_count++;
	keeper_subscribe(keeper_for(in, gate->request.tailnet), gate);
}

static void on_free(void *context, struct gate_stream *gate)
{
	struct keeper *k = find(context, gate->request.tailnet);
	if (gate->user && k)
		keeper_touch(k);
}

static void on_stands(void *context, struct gate_stream *gate, uint64_t version)
{
	struct keeper *k = find(context, gate->request.tailnet);
	if (!gate->user || !k)
		return;
	stream_stands(gate->user, version);
	keeper_touch(k);
}

static void on_close(void *context, struct gate_stream *gate)
{
	struct intake *in = context;
	if (!gate->user)
		return;
	in->stream_count--;
	keeper_unsubscribe(find(in, gate->request.tailnet), gate->user);
}

static const struct gate_events gate_tells = {on_open, on_free, on_stands, on_close};

/* ---- the relay map of the installation ---- */

static void relays_read(struct intake *in);

static void on_relays_retry(void *context)
{
	relays_read(context);
}

static void set_relays(struct intake *in, const struct census_relays *census)
{
	struct buffer text;
	buffer_init(&text, 16 << 20);
	if (derpmap_encode(census->regions, census->region_count, &text) == ERR_NONE) {
		if (!in->relays)
			atomic_fetch_add(&ready_loops, 1);
		arena_free(&in->relays_kept);
		in->relays_kept = in->relays_arena;
		in->relays_arena = NULL;
		in->relays_census = census;
		body_drop(&in->relays);
		in->relays = body_new(buffer_bytes(&text));
		LIST_EACH(&in->keeper_list, k, struct keeper, link)
			keeper_relays(k);
	} else {
		log_error(SUBJECT("relays"), "relay map not rendered", F_UINT("regions", census->region_count));
	}
	buffer_clear(&text);
}

static void on_relays(void *context, enum err e, const struct census_relays *census)
{
	struct intake *in = context;
	if (!e) {
		in->relays_generation = census->generation;
		set_relays(in, census);
	}
	if (in->relays_arena)
		arena_free(&in->relays_arena);
	in->relays_reading = false;
	if (e == ERR_CANCELED)
		return;
	if (e) {
		log_warning(SUBJECT("relays"), "not read", F_ERR(e));
		timer_set(&in->relays_retry, RELAYS_RETRY_MS);
	} else if (in->relays_again) {
		relays_read(in);
	}
}

static void relays_read(struct intake *in)
{
	in->relays_again = in->relays_reading;
	if (in->relays_reading)
		return;
	timer_cancel(&in->relays_retry);
	in->relays_reading = true;
	in->relays_arena = arena_new();
	census_take_relays(in->pg, in->relays_arena, on_relays, in);
}

/* ---- bells, presence, the slow re-check ---- */

static void hear(struct intake *in, uint64_t tailnet, uint64_t generation)
{
	struct keeper *k = find(in, tailnet);
	if (k)
		keeper_hear(k, generation);
	else if (tailnet == TAILNET_INSTALLATION && generation > in->relays_generation)
		relays_read(in);
}

static void on_bell(void *context, uint64_t tailnet, uint64_t generation)
{
	hear(context, tailnet, generation);
}

static void on_presence(void *context, uint64_t tailnet, uint64_t node)
{
	struct keeper *k = find(context, tailnet);
	if (k)
		keeper_presence(k, node);
}

static void on_generations(void *context, enum err e, const uint64_t *generations, size_t count)
{
	struct intake *in = context;
	in->rechecking = false;
	for (size_t i = 0; !e && i < count; i++) {
		struct keeper *k = find(in, in->asked[i]);
		/* A generation below the one known: a restore, or a standby that lagged. The stamp will tell. */
		if (k && generations[i] != k->generation)
			keeper_hear(k, UINT64_MAX);
		else if (in->asked[i] == TAILNET_INSTALLATION && generations[i] != in->relays_generation)
			relays_read(in);
	}
	free(in->asked);
	in->asked = NULL;
}

static void recheck(struct intake *in)
{
	if (in->rechecking || in->draining)
		return;
	size_t count = 0;
	in->asked = x_alloc((table_count(in->keepers) + 1) * sizeof *in->asked);
	in->asked[count++] = TAILNET_INSTALLATION;
	LIST_EACH(&in->keeper_list, k, struct keeper, link)
		if (k->counted && k->state != KEEPER_GONE)
			in->asked[count++] = k->tailnet;
	in->rechecking = true;
	journal_generations(in->pg, in->asked, count, on_generations, in);
}

static void on_recheck(void *context)
{
	struct intake *in = context;
	recheck(in);
	timer_set(&in->recheck, in->options->recheck_ms);
}

static void on_restored(void *context)
{
	recheck(context);
}

static void drop_keeper(struct intake *in, struct keeper *k)
{
	table_remove_number(in->keepers, k->tailnet);
	keeper_free(&k);
}

static bool is_idle(const struct intake *in, const struct keeper *k, struct mono now)
{
	if (k->stream_count || keeper_busy(k))
		return false;
	return k->state == KEEPER_GONE || now.ms - k->idle_since.ms >= in->options->keeper_idle_ms;
}

static void on_housekeeping(void *context)
{
	struct intake *in = context;
	struct mono now = loop_now(in->loop);
	LIST_EACH(&in->keeper_list, k, struct keeper, link) {
		if (is_idle(in, k, now))
			drop_keeper(in, k);
		else
			keeper_housekeep(k, now);
	}
	timer_set(&in->housekeeping, HOUSEKEEPING_MS);
}

/* ---- life ---- */

static enum err parse_advertise(struct bytes text, struct endpoint *at)
{
	if (endpoint_parse(text, at) == ERR_NONE)
		return ERR_NONE;
	at->port = 0;
	return ip_parse(text, &at->ip);
}

static bool is_unspecified(struct ip ip)
{
	static const struct ip v4 = {.family = IP_V4}, v6 = {.family = IP_V6};
	return ip_equal(ip, v4) || ip_equal(ip, v6);
}

enum err intake_check(const struct mapper_options *options, struct diag *why)
{
	struct endpoint at, advertise;
	if (endpoint_parse(bytes_text(options->listen_link), &at))
		return diag_set(why, ERR_MALFORMED, "listen.link: an address and a port are needed, not '%s'", options->listen_link);
	if (!*options->link_advertise)
		return is_unspecified(at.ip) ? diag_set(why, ERR_MALFORMED, "link.advertise is needed when listen.link listens on every address") : ERR_NONE;
	if (parse_advertise(bytes_text(options->link_advertise), &advertise))
		return diag_set(why, ERR_MALFORMED, "link.advertise: an address, or address:port, is needed, not '%s'", options->link_advertise);
	return ERR_NONE;
}

static struct endpoint advertised(const struct intake *in)
{
	struct endpoint at = gate_endpoint(in->gate), advertise;
	if (!*in->options->link_advertise || parse_advertise(bytes_text(in->options->link_advertise), &advertise))
		return at;
	at.ip = advertise.ip;
	if (advertise.port)
		at.port = (uint16_t)(advertise.port + in->worker->index);
	return at;
}

static enum err open_gate(struct intake *in, struct diag *why)
{
	struct endpoint at;
	enum err e = endpoint_parse(bytes_text(in->options->listen_link), &at);
	if (e)
		return diag_set(why, e, "listen.link: not an address and a port");
	if (at.port)
		at.port = (uint16_t)(at.port + in->worker->index);
	in->gate = gate_new(in->loop, at, bytes_text(in->options->cluster_secret), &gate_tells, in, why);
	return in->gate ? ERR_NONE : ERR_IO;
}

static enum err open_outside(struct intake *in, struct diag *why)
{
	const struct mapper_options *o = in->options;
	in->bus = bus_new(in->loop, o->redis_url, why);
	if (!in->bus)
		return ERR_MALFORMED;
	in->pg = pg_new(in->loop, &(struct pg_config){.url = o->database_url,
						      .connections = (unsigned)o->database_connections,
						      .waiting_max = PG_WAITING_MAX,
						      .timeout_ms = o->database_timeout_ms});
	in->presence = presence_view_new(in->bus, o->presence_grace_ms, on_presence, in);
	in->bell = notice_listen(in->bus, on_bell, on_restored, in);
	return open_gate(in, why);
}

enum err intake_new(struct worker *worker, const struct mapper_options *options, const char *process, struct diag *why, struct intake **intake)
{
	char member[MEMBER_MAX];
	struct intake *in = x_zalloc(sizeof *in);
	in->worker = worker;
	in->loop = worker->loop;
	in->started = clock_mono();
	in->options = options;
	in->keepers = table_new();
	list_init(&in->keeper_list);
	deliver_init(&in->deliver);
	timer_init(&in->recheck, in->loop, on_recheck, in);
	timer_init(&in->housekeeping, in->loop, on_housekeeping, in);
	timer_init(&in->relays_retry, in->loop, on_relays_retry, in);
	enum err e = open_outside(in, why);
	if (e) {
		intake_free(&in);
		return e;
	}
	snprintf(member, sizeof member, "%s-%u", process, worker->index);
	in->member = roster_announce(in->bus, member, advertised(in));
	relays_read(in);
	timer_set(&in->recheck, options->recheck_ms);
	timer_set(&in->housekeeping, HOUSEKEEPING_MS);
	*intake = in;
	return ERR_NONE;
}

static void on_drained(void *context)
{
	struct intake *in = context;
	daemon_drained(in->worker);
}

void intake_drain(struct intake *in)
{
	in->draining = true;
	timer_cancel(&in->recheck);
	timer_cancel(&in->housekeeping);
	if (in->member)
		roster_withdraw(&in->member);
	LIST_EACH(&in->keeper_list, k, struct keeper, link)
		LIST_EACH(&k->streams, stream, struct stream, link)
			stream_end(stream, LINK_END_DRAIN);
	timer_init(&in->drained, in->loop, on_drained, in);
	timer_set(&in->drained, DRAIN_LOOK_MS);
}

void intake_free(struct intake **intake)
{
	struct intake *in = *intake;
	*intake = NULL;
	if (!in)
		return;
	in->draining = true;
	timer_cancel(&in->recheck);
	timer_cancel(&in->housekeeping);
	timer_cancel(&in->relays_retry);
	if (in->drained.on_due)
		timer_cancel(&in->drained);
	if (in->member)
		roster_withdraw(&in->member);
	/* Its streams close first, then what is being read answers, then the keepers can go. */
	gate_free(&in->gate);
	pg_free(&in->pg);
	LIST_EACH(&in->keeper_list, k, struct keeper, link)
		drop_keeper(in, k);
	if (in->bell)
		notice_unlisten(&in->bell);
	presence_view_free(&in->presence);
	bus_free(&in->bus);
	deliver_clear(&in->deliver);
	arena_free(&in->relays_kept);
	body_drop(&in->relays);
	table_free(&in->keepers);
	free(in);
}
