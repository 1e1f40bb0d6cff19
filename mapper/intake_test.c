#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "capver.h"
#include "census.h"
#include "dial.h"
#include "intake.h"
#include "mapframe.h"

/* The mapper between a real link and pretended rows, bells and presence: one loop, one tailnet (7), nodes 1000 and up. */

enum { ROWS_MAX = 16, FRAMES_MAX = 64, TURNS_MAX = 4000, TAILNET_ID = 7 };

/* ---- the outside, pretended ---- */

static struct {
	struct loop *loop;
	struct node rows[ROWS_MAX];
	size_t row_count;
	uint64_t generation;
	struct journal_line lines[256];
	size_t line_count;
	bool no_history, gone, online[ROWS_MAX], certain;
	unsigned fail; /* so many readings fail from now on */
	unsigned censuses, reads;
	struct endpoint announced;
	void (*on_bell)(void *context, uint64_t tailnet, uint64_t generation);
	void *bell_context;
	void (*on_presence)(void *context, uint64_t tailnet, uint64_t node);
	void *presence_context;
	bool drained;
} out;

struct pg {
	int unused;
};
struct bus {
	int unused;
};
struct presence_view {
	int unused;
};
struct notice_listener {
	int unused;
};
struct roster_member {
	int unused;
};

struct asked {
	struct defer defer;
	uint64_t tailnet, generation;
	census_fn on_census;
	census_relays_fn on_relays;
	journal_fn on_journal;
	generations_fn on_generations;
	void *context;
	size_t count;
};

static enum err failing(void)
{
	if (!out.fail)
		return ERR_NONE;
	out.fail--;
	return ERR_UNAVAILABLE;
}

static void answer_census(struct asked *a)
{
	struct user user = {.id = 10, .tailnet = TAILNET_ID, .name = BYTES("ann")};
	struct census census = {.generation = out.generation,
				.tailnet = {.id = TAILNET_ID, .domain = BYTES("a.example")},
				.users = &user,
				.user_count = 1,
				.nodes = out.rows,
				.node_count = out.row_count};
	enum err e = failing();
	a->on_census(a->context, e ? e : out.gone || a->tailnet != TAILNET_ID ? ERR_NOT_FOUND : ERR_NONE, e ? NULL : &census);
}

static void answer_journal(struct asked *a)
{
	struct journal_read read = {.generation = out.generation, .tailnet_gone = out.gone};
	struct journal_line lines[256];
	enum err e = failing();
	for (size_t i = 0; i < out.line_count; i++)
		if (out.lines[i].generation > a->generation)
			lines[read.line_count++] = out.lines[i];
	read.lines = lines;
	read.nodes = out.rows;
	read.node_count = read.line_count ? out.row_count : 0;
	if (!e && out.no_history)
		e = ERR_NO_HISTORY;
	out.no_history = false;
	a->on_journal(a->context, e, e ? NULL : &read);
}

static void answer(void *context)
{
	struct asked *a = context;
	struct relay_node node = {.name = BYTES("900a"), .host_name = BYTES("relay.example")};
	struct relay_region region = {.id = 900, .code = BYTES("r"), .name = BYTES("R"), .nodes = &node, .node_count = 1};
	uint64_t generations[16] = {0};
	if (a->on_census)
		answer_census(a);
	if (a->on_journal)
		answer_journal(a);
	if (a->on_relays)
		a->on_relays(a->context, failing(), &(struct census_relays){.generation = 1, .regions = &region, .region_count = 1});
	generations[0] = 1;
	generations[1] = out.generation;
	if (a->on_generations)
		a->on_generations(a->context, ERR_NONE, generations, a->count);
	free(a);
}

static void ask(struct asked a)
{
	struct asked *copy = x_dup(&a, sizeof a);
	defer_init(&copy->defer, answer, copy);
	loop_defer(out.loop, &copy->defer);
}

struct pg *pg_new(struct loop *loop, const struct pg_config *config)
{
	(void)loop, (void)config;
	return x_zalloc(sizeof(struct pg));
}
void pg_free(struct pg **pg)
{
	free(*pg);
	*pg = NULL;
}
const char *pg_trouble(void)
{
	return NULL;
}
void census_take(struct pg *pg, uint64_t tailnet, struct arena *arena, census_fn on_read, void *context)
{
	(void)pg, (void)arena;
	out.censuses++;
	ask((struct asked){.on_census = on_read, .context = context, .tailnet = tailnet});
}
void census_take_relays(struct pg *pg, struct arena *arena, census_relays_fn on_read, void *context)
{
	(void)pg, (void)arena;
	ask((struct asked){.on_relays = on_read, .context = context});
}
void journal_since(struct pg *pg, uint64_t tailnet, uint64_t generation, uint64_t stamp, struct arena *arena, journal_fn on_read, void *context)
{
	(void)pg, (void)arena, (void)stamp;
	out.reads++;
	ask((struct asked){.on_journal = on_read, .context = context, .tailnet = tailnet, .generation = generation});
}
void journal_generations(struct pg *pg, const uint64_t *tailnets, size_t count, generations_fn on_read, void *context)
{
	(void)pg, (void)tailnets;
	ask((struct asked){.on_generations = on_read, .context = context, .count = count});
}

struct bus *bus_new(struct loop *loop, const char *url, struct diag *why)
{
	(void)loop, (void)url, (void)why;
	return x_zalloc(sizeof(struct bus));
}
void bus_free(struct bus **bus)
{
	free(*bus);
	*bus = NULL;
}
struct notice_listener *notice_listen(struct bus *bus, void (*on_bell)(void *context, uint64_t tailnet, uint64_t generation),
				      void (*on_restored)(void *context), void *context)
{
	(void)bus, (void)on_restored;
	out.on_bell = on_bell;
	out.bell_context = context;
	return x_zalloc(sizeof(struct notice_listener));
}
void notice_unlisten(struct notice_listener **listener)
{
	free(*listener);
	*listener = NULL;
}
struct presence_view *presence_view_new(struct bus *bus, int64_t grace_ms, void (*on_change)(void *context, uint64_t tailnet, uint64_t node), void *context)
{
	(void)bus, (void)grace_ms;
	out.on_presence = on_change;
	out.presence_context = context;
	return x_zalloc(sizeof(struct presence_view));
}
void presence_view_free(struct presence_view **view)
{
	free(*view);
	*view = NULL;
}
void presence_follow(struct presence_view *view, uint64_t tailnet, void (*on_known)(void *context, uint64_t tailnet), void *context)
{
	(void)view;
	on_known(context, tailnet);
}
void presence_unfollow(struct presence_view *view, uint64_t tailnet)
{
	(void)view, (void)tailnet;
}
bool presence_online(const struct presence_view *view, uint64_t tailnet, uint64_t node)
{
	(void)view, (void)tailnet;
	return out.online[node - 1000];
}
bool presence_certain(const struct presence_view *view, uint64_t tailnet)
{
	(void)view, (void)tailnet;
	return out.certain;
}
struct roster_member *roster_announce(struct bus *bus, const char *member, struct endpoint link)
{
	(void)bus, (void)member;
	out.announced = link;
	return x_zalloc(sizeof(struct roster_member));
}
void roster_withdraw(struct roster_member **member)
{
	free(*member);
	*member = NULL;
}
void daemon_drained(struct worker *w)
{
	(void)w;
	out.drained = true;
}
unsigned daemon_worker_count(void)
{
	return 1;
}

/* ---- rows ---- */

static void write_line(enum change_kind kind, uint64_t subject)
{
	out.lines[out.line_count++] = (struct journal_line){.generation = ++out.generation, .kind = kind, .subject = subject};
}

static void ring_bell(void)
{
	out.on_bell(out.bell_context, TAILNET_ID, out.generation);
}

static struct node *join(void)
{
	static const char *const labels[ROWS_MAX] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"};
	struct node *n = &out.rows[out.row_count];
	*n = (struct node){.id = 1000 + out.row_count,
			   .tailnet = TAILNET_ID,
			   .user = 10,
			   .approved = true,
			   .expiry = WALL_ZERO,
			   .created = {1},
			   .last_seen = WALL_ZERO,
			   .first_polled = {1},
			   .capver = 142,
			   .hostinfo = BYTES("{}"),
			   .label = bytes_text(labels[out.row_count])};
	n->ip4 = (struct ip){.family = IP_V4, .byte = {100, 64, 0, (uint8_t)(1 + out.row_count)}};
	n->node_key.raw[0] = (uint8_t)(1 + out.row_count++);
	write_line(CHANGE_NODE_ADDED, n->id);
	return n;
}

/* ---- a coordinator ---- */

struct ear {
	struct subscription *subscription;
	json_t *frames[FRAMES_MAX];
	size_t frame_count;
	bool ended;
	enum err why;
	enum link_end reason;
};

static void on_frame(void *context, uint64_t version, struct body *const *pieces, size_t count)
{
	struct ear *ear = context;
	struct buffer all, plain;
	(void)version;
	buffer_init(&all, MAPFRAME_MAX);
	buffer_init(&plain, MAPFRAME_MAX);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buffer_add(&all, body_bytes(pieces[i])), ERR_NONE);
	assert_int_equal(mapframe_decompress(buffer_bytes(&all), MAPFRAME_MAX, &plain), ERR_NONE);
	ear->frames[ear->frame_count] = json_loadb((const char *)plain.at, plain.len, 0, NULL);
	assert_non_null(ear->frames[ear->frame_count++]);
	buffer_clear(&all);
	buffer_clear(&plain);
}

static void on_end(void *context, enum err why, enum link_end reason)
{
	struct ear *ear = context;
	ear->ended = true;
	ear->why = why;
	ear->reason = reason;
}

static const struct subscription_events ear_events = {on_frame, on_end};

struct house {
	struct loop *loop;
	struct worker worker;
	struct intake *in;
	struct dial *dial;
	struct ear ears[8];
};

static struct mapper_options options = {.listen_link = "127.0.0.1:0",
					.link_advertise = "",
					.cluster_secret = "a cluster secret of some length",
					.presence_grace_ms = 300,
					.tick_least_ms = 5,
					.tick_most_ms = 500,
					.recheck_ms = 200,
					.keeper_idle_ms = 100,
					.history = 1024};

static int open_house(void **state)
{
	static struct house h;
	struct diag why = {0};
	memset(&out, 0, sizeof out);
	memset(&h, 0, sizeof h);
	h.loop = out.loop = loop_new();
	out.certain = true;
	h.worker = (struct worker){.loop = h.loop};
	assert_int_equal(intake_new(&h.worker, &options, "test", &why, &h.in), ERR_NONE);
	h.in->started.ms -= options.presence_grace_ms; /* not young any more */
	h.dial = dial_new(h.loop, bytes_text(options.cluster_secret), NULL, NULL);
	join();
	join();
	*state = &h;
	return 0;
}

static int close_house(void **state)
{
	struct house *h = *state;
	for (size_t i = 0; i < COUNT_OF(h->ears); i++) {
		subscription_close(&h->ears[i].subscription);
		for (size_t j = 0; j < h->ears[i].frame_count; j++)
			json_decref(h->ears[i].frames[j]);
	}
	for (int i = 0; i < 20; i++)
		loop_turn(h->loop, 1);
	dial_free(&h->dial);
	intake_free(&h->in);
	for (int i = 0; i < 20; i++)
		loop_turn(h->loop, 1);
	loop_free(&h->loop);
	return 0;
}

static void subscribe_as(struct house *h, size_t ear, struct link_subscribe request)
{
	static uint32_t number;
	request.stream = ++number;
	request.tailnet = request.tailnet ? request.tailnet : TAILNET_ID;
	request.capver = 142;
	request.zstd = true;
	h->ears[ear].subscription = dial_subscribe(h->dial, out.announced, &request, &ear_events, &h->ears[ear]);
}

static void subscribe(struct house *h, size_t ear)
{
	subscribe_as(h, ear, (struct link_subscribe){.node = 1000 + ear});
}

static void wait_frames(struct house *h, size_t ear, size_t count)
{
	for (int i = 0; i < TURNS_MAX && h->ears[ear].frame_count < count; i++)
		loop_turn(h->loop, 5);
	assert_int_equal(h->ears[ear].frame_count, count);
}

static void wait_end(struct house *h, size_t ear, enum link_end reason)
{
	for (int i = 0; i < TURNS_MAX && !h->ears[ear].ended; i++)
		loop_turn(h->loop, 5);
	assert_true(h->ears[ear].ended);
	assert_int_equal(h->ears[ear].why, ERR_NONE);
	assert_int_equal(h->ears[ear].reason, reason);
}

static void rest(struct house *h, int64_t ms)
{
	for (int64_t until = clock_mono().ms + ms; clock_mono().ms < until;)
		loop_turn(h->loop, 5);
}

static json_t *frame(struct house *h, size_t ear, size_t n)
{
	return h->ears[ear].frames[n];
}

/* ---- */

static void first_map_then_deltas(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	json_t *map = frame(h, 0, 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(map, "Node"), "Name")), "n0.a.example.");
	assert_int_equal(json_array_size(json_object_get(map, "Peers")), 1);
	assert_non_null(json_object_get(json_object_get(map, "DERPMap"), "Regions"));
	assert_false(json_is_true(json_object_get(json_array_get(json_object_get(map, "Peers"), 0), "Online")));

	subscribe(h, 1);
	wait_frames(h, 0, 2);
	json_t *patch = json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0);
	assert_int_equal(json_integer_value(json_object_get(patch, "NodeID")), 1001);
	assert_true(json_is_true(json_object_get(patch, "Online")));

	join();
	ring_bell();
	wait_frames(h, 0, 3);
	wait_frames(h, 1, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 2), "PeersChanged")), 1);
	assert_true(json_equal(frame(h, 0, 2), frame(h, 1, 1)));
	assert_null(json_object_get(frame(h, 0, 2), "Peers"));
}

/* Without a bell too, within the re-check. */
static void lost_bell(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	join();
	wait_frames(h, 0, 2);
	assert_int_equal(out.censuses, 1);
}

static void what_moved_itself_is_left_out(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	subscribe(h, 1);
	wait_frames(h, 0, 1);
	wait_frames(h, 1, 1);
	size_t before0 = h->ears[0].frame_count, before1 = h->ears[1].frame_count;
	out.rows[1].home_relay = 900;
	write_line(CHANGE_NODE_RELAY, 1001);
	ring_bell();
	wait_frames(h, 0, before0 + 1);
	rest(h, 50);
	assert_int_equal(h->ears[1].frame_count, before1);
	out.rows[1].label = BYTES("other");
	write_line(CHANGE_NODE_NAME, 1001);
	ring_bell();
	wait_frames(h, 1, before1 + 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(frame(h, 1, before1), "Node"), "Name")), "other.a.example.");
	assert_null(json_object_get(frame(h, 1, before1), "PeersChanged"));
}

static void deleted_node_says_goodbye(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	subscribe(h, 1);
	wait_frames(h, 0, 1);
	wait_frames(h, 1, 1);
	rest(h, 30);
	size_t before = h->ears[0].frame_count;
	out.row_count = 1;
	write_line(CHANGE_NODE_REMOVED, 1001);
	ring_bell();
	wait_end(h, 1, LINK_END_NO_NODE);
	json_t *last = frame(h, 1, h->ears[1].frame_count - 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(last, "Node"), "KeyExpiry")), "1970-01-01T00:00:01Z");
	wait_frames(h, 0, before + 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(frame(h, 0, before), "PeersRemoved"), 0)), 1001);
}

/* Its nodes need not have gone before: the last that they hear is that their login has ended. */
static void a_deleted_tailnet_says_goodbye(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	subscribe(h, 1);
	wait_frames(h, 0, 1);
	wait_frames(h, 1, 1);
	rest(h, 30);
	out.generation++;
	out.gone = true;
	ring_bell();
	for (size_t i = 0; i < 2; i++) {
		wait_end(h, i, LINK_END_NO_NODE);
		json_t *self = json_object_get(frame(h, i, h->ears[i].frame_count - 1), "Node");
		assert_string_equal(json_string_value(json_object_get(self, "KeyExpiry")), "1970-01-01T00:00:01Z");
	}
	subscribe_as(h, 5, (struct link_subscribe){.node = 1000});
	wait_end(h, 5, LINK_END_NO_TAILNET);
}

static void who_is_not_there_is_told_so(void **state)
{
	struct house *h = *state;
	subscribe_as(h, 5, (struct link_subscribe){.node = 1015});
	subscribe_as(h, 6, (struct link_subscribe){.node = 1001, .tailnet = 99});
	wait_end(h, 5, LINK_END_NO_NODE);
	wait_end(h, 6, LINK_END_NO_TAILNET);
}

/* The bell of its own registration is still under way when a client polls. */
static void a_first_map_is_never_older_than_its_subscription(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	join();
	subscribe(h, 2);
	wait_frames(h, 2, 1);
	assert_int_equal(json_array_size(json_object_get(frame(h, 2, 0), "Peers")), 2);
}

static void lost_history_is_a_census_and_streams_stay(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	join();
	out.no_history = true;
	ring_bell();
	wait_frames(h, 0, 2);
	assert_int_equal(out.censuses, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 1), "PeersChanged")), 1);
	assert_false(h->ears[0].ended);
}

static void failed_readings_are_tried_again(void **state)
{
	struct house *h = *state;
	for (unsigned n = 1; n < 4; n++) {
		out.fail = n;
		subscribe(h, n - 1 ? 0 : 1);
		wait_frames(h, n - 1 ? 0 : 1, 1);
		if (n == 2)
			break;
	}
	size_t before = h->ears[0].frame_count;
	join();
	out.fail = 2;
	ring_bell();
	wait_frames(h, 0, before + 1);
}

static void a_clogged_stream_catches_up_in_one_frame(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	subscription_credit(h->ears[0].subscription, false);
	rest(h, 30);
	join();
	ring_bell();
	rest(h, 30);
	join();
	ring_bell();
	rest(h, 30);
	assert_int_equal(h->ears[0].frame_count, 1);
	subscription_credit(h->ears[0].subscription, true);
	wait_frames(h, 0, 2);
	assert_int_equal(json_array_size(json_object_get(frame(h, 0, 1), "PeersChanged")), 2);
}

static void one_frame_when_one_is_wanted(void **state)
{
	struct house *h = *state;
	subscribe_as(h, 0, (struct link_subscribe){.node = 1000, .once = true});
	subscribe_as(h, 1, (struct link_subscribe){.node = 1001, .once = true, .omit_peers = true});
	wait_end(h, 0, LINK_END_DONE);
	wait_end(h, 1, LINK_END_DONE);
	assert_int_equal(h->ears[0].frame_count, 1);
	assert_non_null(json_object_get(frame(h, 0, 0), "Peers"));
	assert_null(json_object_get(frame(h, 1, 0), "Peers"));
}

static void offline_with_last_seen(void **state)
{
	struct house *h = *state;
	out.online[1] = true;
	out.rows[1].last_seen = (struct wall){1700000000000000000};
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	json_t *peer = json_array_get(json_object_get(frame(h, 0, 0), "Peers"), 0);
	assert_true(json_is_true(json_object_get(peer, "Online")));
	assert_null(json_object_get(peer, "LastSeen"));
	out.online[1] = false;
	out.on_presence(out.presence_context, TAILNET_ID, 1001);
	wait_frames(h, 0, 2);
	json_t *patch = json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0);
	assert_true(json_is_false(json_object_get(patch, "Online")));
	assert_non_null(json_object_get(patch, "LastSeen"));
}

/* Everything was restarted: who is not back yet is not called offline before the grace, and who comes back needs no frame. */
static void nobody_is_offline_while_presence_cannot_tell(void **state)
{
	struct house *h = *state;
	out.certain = false;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(frame(h, 0, 0), "Peers"), 0), "Online")));
	subscribe(h, 1);
	wait_frames(h, 1, 1);
	rest(h, 100);
	assert_int_equal(h->ears[0].frame_count, 1);
	join();
	ring_bell();
	wait_frames(h, 0, 2);
	rest(h, 1500);
	assert_int_equal(h->ears[0].frame_count, 2);
}

/* Presence is sure, but nobody could come back yet. */
static void a_young_process_doubts(void **state)
{
	struct house *h = *state;
	h->in->started = clock_mono();
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(frame(h, 0, 0), "Peers"), 0), "Online")));
	wait_frames(h, 0, 2);
	assert_true(json_is_false(json_object_get(json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0), "Online")));
}

static void doubt_ends_with_the_grace(void **state)
{
	struct house *h = *state;
	out.certain = false;
	subscribe(h, 0);
	wait_frames(h, 0, 2);
	json_t *patch = json_array_get(json_object_get(frame(h, 0, 1), "PeersChangedPatch"), 0);
	assert_true(json_is_false(json_object_get(patch, "Online")));
}

static void drain_ends_streams(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	intake_drain(h->in);
	wait_end(h, 0, LINK_END_DRAIN);
	rest(h, 50);
	assert_true(out.drained);
}

static void an_idle_keeper_goes(void **state)
{
	struct house *h = *state;
	subscribe(h, 0);
	wait_frames(h, 0, 1);
	subscription_close(&h->ears[0].subscription);
	rest(h, 2500);
	subscribe(h, 1);
	wait_frames(h, 1, 1);
	assert_int_equal(out.censuses, 2);
}

static void advertised_addresses_are_checked(void **state)
{
	static const struct {
		const char *listen, *advertise;
		enum err e;
	} cases[] = {
		{"127.0.0.1:4000", "", ERR_NONE},           {"127.0.0.1:4000", "10.0.0.1", ERR_NONE}, {"0.0.0.0:4000", "10.0.0.1:4000", ERR_NONE},
		{"0.0.0.0:4000", "", ERR_MALFORMED},        {"[::]:4000", "", ERR_MALFORMED},         {"127.0.0.1:4000", "mapper.example", ERR_MALFORMED},
		{"mapper.example:4000", "", ERR_MALFORMED},
	};
	struct diag why;
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct mapper_options o = {.listen_link = (char *)(uintptr_t)cases[i].listen, .link_advertise = (char *)(uintptr_t)cases[i].advertise};
		assert_int_equal(intake_check(&o, &why), cases[i].e);
	}
}

#define WITH_HOUSE(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOUSE(first_map_then_deltas),
		WITH_HOUSE(lost_bell),
		WITH_HOUSE(what_moved_itself_is_left_out),
		WITH_HOUSE(deleted_node_says_goodbye),
		WITH_HOUSE(a_deleted_tailnet_says_goodbye),
		WITH_HOUSE(who_is_not_there_is_told_so),
		WITH_HOUSE(a_first_map_is_never_older_than_its_subscription),
		WITH_HOUSE(lost_history_is_a_census_and_streams_stay),
		WITH_HOUSE(failed_readings_are_tried_again),
		WITH_HOUSE(a_clogged_stream_catches_up_in_one_frame),
		WITH_HOUSE(one_frame_when_one_is_wanted),
		WITH_HOUSE(offline_with_last_seen),
		WITH_HOUSE(nobody_is_offline_while_presence_cannot_tell),
		WITH_HOUSE(a_young_process_doubts),
		WITH_HOUSE(doubt_ends_with_the_grace),
		WITH_HOUSE(drain_ends_streams),
		WITH_HOUSE(an_idle_keeper_goes),
		cmocka_unit_test(advertised_addresses_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
