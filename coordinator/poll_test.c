/* Polls against played neighbours: presence, roster, link, reports and the carrier of the exchange. Whatever breaks at whatever step, a poll ends once
 * and lets go of all that it took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log.h"
#include "mapframe.h"
#include "poll.h"
#include "reports.h"
#include "table.h"

enum { KEEPALIVE_MS = 50000, FIRST_FRAME_MS = 100000 };

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

struct subscription {
	const struct subscription_events *events;
	void *context;
	bool free, over;
};

struct stream {
	struct exchange x;
	const struct exchange_events *events;
	void *context;
	bool ready, ended, aborted, gone;
	unsigned frames;
	size_t len;
};

static struct coordinator c;
static struct coordinator_options options;
static struct subscription *subscribed; /* the latest that is open */
static unsigned open_subscriptions, subscriptions, presences, farewells, first_polls;
static uint64_t session_taken;
static bool no_mapper;

void presence_take(struct presence *presence, uint64_t tailnet, uint64_t node, uint64_t session)
{
	(void)presence, (void)tailnet, (void)node;
	presences++;
	session_taken = session;
}

void presence_drop(struct presence *presence, uint64_t tailnet, uint64_t node, uint64_t session)
{
	(void)presence, (void)tailnet, (void)node, (void)session;
	presences--;
}

void reports_seen(struct reports *reports, uint64_t tailnet, uint64_t node, bool farewell)
{
	(void)reports, (void)tailnet, (void)node;
	farewells += farewell;
}

void reports_first_polled(struct reports *reports, uint64_t tailnet, uint64_t node)
{
	(void)reports, (void)tailnet, (void)node;
	first_polls++;
}

enum err roster_pick(const struct roster *roster, uint64_t tailnet, struct endpoint *link)
{
	(void)roster, (void)tailnet;
	*link = (struct endpoint){0};
	return no_mapper ? ERR_UNAVAILABLE : ERR_NONE;
}

struct subscription *dial_subscribe(struct dial *dial, struct endpoint mapper, const struct link_subscribe *request, const struct subscription_events *events,
				    void *context)
{
	(void)dial, (void)mapper, (void)request;
	subscribed = x_zalloc(sizeof *subscribed);
	*subscribed = (struct subscription){.events = events, .context = context, .free = true};
	open_subscriptions++;
	subscriptions++;
	return subscribed;
}

void subscription_credit(struct subscription *s, bool free)
{
	assert_true(s->free != free);
	s->free = free;
}

void subscription_close(struct subscription **s)
{
	if (!*s)
		return;
	if (*s == subscribed)
		subscribed = NULL;
	free(*s);
	*s = NULL;
	open_subscriptions--;
}

static struct stream *stream_of(const struct exchange *x)
{
	return OWNER_OF((struct exchange *)(uintptr_t)x, struct stream, x);
}

static void play_stream(struct exchange *x, unsigned status, const char *type, const struct exchange_events *events, void *context)
{
	struct stream *s = stream_of(x);

	(void)type;
	assert_int_equal(status, 200);
	s->events = events;
	s->context = context;
	s->ready = true;
}

static bool play_ready(const struct exchange *x)
{
	return stream_of(x)->ready;
}

static void play_send(struct exchange *x, struct body *const *pieces, size_t count)
{
	struct stream *s = stream_of(x);

	assert_true(s->ready && !s->ended && !s->aborted && !s->gone);
	s->ready = false;
	s->frames++;
	for (size_t i = 0; i < count; i++)
		s->len += pieces[i]->len;
}

static void play_end(struct exchange *x, bool broken)
{
	struct stream *s = stream_of(x);

	assert_true(!s->ended && !s->aborted && !s->gone);
	s->ended = !broken;
	s->aborted = broken;
	s->ready = false;
}

static const struct carrier PLAYED = {.stream = play_stream, .ready = play_ready, .send = play_send, .end = play_end};

/* --- what happens ------------------------------------------------------------------------------------------------------------------------------- */

static void pass(int64_t ms)
{
	clock_set_by_hand((struct mono){clock_mono().ms + ms}, wall_of_ms(clock_mono().ms + ms));
	loop_turn(c.loop, 0);
}

static void start(struct stream *s, uint64_t node, enum map_kind kind)
{
	*s = (struct stream){.x = {.carrier = &PLAYED, .loop = c.loop, .program = &c}};
	poll_open(&s->x, &(struct node){.id = node, .tailnet = 1, .first_polled = WALL_ZERO}, &(struct map_request){.kind = kind, .capver = 142, .zstd = true});
}

static bool over(const struct stream *s)
{
	return s->ended || s->aborted || s->gone;
}

static void room(struct stream *s)
{
	if (over(s) || s->ready)
		return;
	s->ready = true;
	s->events->on_room(s->context);
}

static void leave(struct stream *s)
{
	if (over(s))
		return;
	s->gone = true;
	s->events->on_gone(s->context, ERR_CLOSED);
}

static void say(const char *text)
{
	struct body *piece = body_new(bytes_text(text));

	if (subscribed && subscribed->free && !subscribed->over)
		subscribed->events->on_frame(subscribed->context, 1, &piece, 1);
	body_drop(&piece);
}

static void end(enum err why, enum link_end reason)
{
	if (!subscribed || subscribed->over)
		return;
	subscribed->over = true;
	subscribed->events->on_end(subscribed->context, why, reason);
}

static int set_up(void **state)
{
	(void)state;
	clock_set_by_hand((struct mono){1000}, wall_of_ms(1000));
	options = (struct coordinator_options){.keepalive_ms = KEEPALIVE_MS, .first_frame_ms = FIRST_FRAME_MS};
	c = (struct coordinator){.loop = loop_new(), .options = &options};
	open_subscriptions = subscriptions = presences = farewells = first_polls = 0;
	subscribed = NULL;
	no_mapper = false;
	polls_start(&c);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(open_subscriptions, 0);
	assert_int_equal(presences, 0);
	assert_int_equal(c.poll_count, 0);
	assert_int_equal(table_count(c.polls), 0);
	polls_stop(&c);
	loop_free(&c.loop);
	return 0;
}

/* --- tests -------------------------------------------------------------------------------------------------------------------------------------- */

static void test_a_stream_is_told_and_kept_alive(void **state)
{
	struct stream s;

	(void)state;
	start(&s, 7, MAP_STREAM);
	assert_int_equal(presences, 1);
	say("first");
	assert_int_equal(s.frames, 1);
	assert_int_equal(s.len, MAPFRAME_HEADER_LEN + 5);
	assert_int_equal(first_polls, 1);
	room(&s);
	say("second");
	room(&s);
	pass(KEEPALIVE_MS - 1);
	assert_int_equal(s.frames, 2);
	pass(8001);
	assert_int_equal(s.frames, 3);
	leave(&s);
	assert_int_equal(farewells, 1);
}

static void test_one_frame_waits_for_room(void **state)
{
	struct stream s;

	(void)state;
	start(&s, 7, MAP_STREAM);
	say("first");
	say("second");
	assert_false(subscribed->free);
	assert_int_equal(s.frames, 1);
	room(&s);
	assert_int_equal(s.frames, 2);
	assert_true(subscribed->free);
	/* The mapper ends while one waits: that one goes out first. */
	say("third");
	end(ERR_UNAVAILABLE, LINK_END_DONE);
	assert_false(over(&s));
	room(&s);
	assert_int_equal(s.frames, 3);
	assert_true(s.ended);
}

static bool askable(uint64_t tailnet, uint64_t node)
{
	struct bytes host;

	return poll_host(&c, tailnet, node, &host);
}

/* A question is a frame of its own: behind the first map, behind a map that waits, and once. */
static void test_a_question_goes_between_frames(void **state)
{
	struct stream s;

	(void)state;
	start(&s, 7, MAP_STREAM);
	poll_ask(&c, 7, BYTES("{\"a\":1}"));
	assert_false(askable(1, 7));
	say("first");
	assert_true(askable(1, 7));
	assert_false(askable(2, 7));
	assert_false(askable(1, 8));
	poll_ask(&c, 8, BYTES("{}"));
	assert_int_equal(s.frames, 1);
	say("second");
	poll_ask(&c, 7, BYTES("{\"a\":2}"));
	poll_ask(&c, 7, BYTES("{\"a\":3}"));
	assert_int_equal(s.frames, 1);
	room(&s);
	assert_int_equal(s.frames, 2);
	assert_int_equal(s.len, 2 * MAPFRAME_HEADER_LEN + 5 + 6);
	room(&s);
	assert_int_equal(s.frames, 3);
	room(&s);
	assert_int_equal(s.frames, 3);
	poll_ask(&c, 7, BYTES("{\"a\":4}"));
	assert_int_equal(s.frames, 4);
	poll_ask(&c, 7, BYTES("{\"a\":5}"));
	leave(&s);
	assert_int_equal(s.frames, 4);
}

/* Several at once are all told; of too many the oldest go. */
static void test_questions_wait_for_room(void **state)
{
	struct stream s;
	size_t len, one;

	(void)state;
	start(&s, 7, MAP_STREAM);
	say("first");
	room(&s);
	len = s.len;
	poll_ask(&c, 7, BYTES("{\"a\":1}"));
	one = s.len - len;
	assert_true(one);
	for (unsigned i = 0; i < 40; i++)
		poll_ask(&c, 7, BYTES("{\"a\":1}"));
	assert_int_equal(s.len, len + one);
	room(&s);
	assert_int_equal(s.len, len + 17 * one);
	poll_ask(&c, 7, BYTES("{\"a\":2}"));
	leave(&s);
}

/* Its last frame waits, then it ends: nothing comes behind. */
static void test_a_stream_that_ends_asks_nothing(void **state)
{
	struct stream s;

	(void)state;
	start(&s, 7, MAP_STREAM);
	say("first");
	say("second");
	poll_ask(&c, 7, BYTES("{}"));
	end(ERR_UNAVAILABLE, LINK_END_DONE);
	assert_false(askable(1, 7));
	poll_ask(&c, 7, BYTES("{}"));
	room(&s);
	assert_int_equal(s.frames, 2);
	assert_true(s.ended);
}

static void test_another_mapper_may_begin_but_not_go_on(void **state)
{
	struct stream s;

	(void)state;
	no_mapper = true;
	start(&s, 7, MAP_STREAM);
	pass(1000);
	assert_int_equal(subscriptions, 0);
	no_mapper = false;
	pass(1000);
	assert_int_equal(subscriptions, 1);
	end(ERR_UNAVAILABLE, LINK_END_DONE);
	pass(1000);
	assert_int_equal(subscriptions, 2);
	say("first");
	room(&s);
	end(ERR_UNAVAILABLE, LINK_END_DONE);
	assert_true(s.ended);
}

static void test_an_unknown_node_is_asked_for_a_while(void **state)
{
	struct stream s;

	(void)state;
	start(&s, 7, MAP_STREAM);
	for (int i = 0; i < 30 && !over(&s); i++) {
		end(ERR_NONE, LINK_END_NO_NODE);
		pass(1000);
	}
	assert_true(s.ended);
	assert_true(subscriptions > 1 && subscriptions < 20);
}

static void test_without_a_first_map_the_stream_breaks(void **state)
{
	struct stream s;

	(void)state;
	no_mapper = true;
	start(&s, 7, MAP_STREAM);
	for (int i = 0; i < FIRST_FRAME_MS / 1000; i++, room(&s))
		pass(1000);
	assert_true(s.aborted);
}

/* 120 s without a frame taken is what a live client gives up after. */
static void test_who_takes_nothing_is_broken_off(void **state)
{
	struct stream s;
	int seconds = 0;

	(void)state;
	start(&s, 7, MAP_STREAM);
	say("first");
	say("second");
	for (; !over(&s) && seconds < 1000; seconds++)
		pass(1000);
	assert_true(s.aborted);
	assert_true(seconds > 110 && seconds < 180);
}

static void test_who_takes_slowly_is_not(void **state)
{
	struct stream s;

	(void)state;
	start(&s, 7, MAP_STREAM);
	say("first");
	for (int i = 0; i < 20; i++, room(&s))
		pass(100000);
	assert_false(over(&s));
	leave(&s);
}

static void test_a_newer_stream_ends_an_older_without_farewell(void **state)
{
	struct stream older, newer;

	(void)state;
	start(&older, 7, MAP_STREAM);
	start(&newer, 7, MAP_STREAM);
	assert_true(older.ended && !over(&newer));
	assert_int_equal(subscriptions, 2);
	assert_int_equal(open_subscriptions, 1);
	assert_int_equal(presences, 1);
	assert_int_equal(farewells, 0);
	poll_replaced(&c, 2, 7, session_taken);
	poll_replaced(&c, 1, 7, session_taken + 1);
	poll_replaced(&c, 1, 8, session_taken);
	assert_false(over(&newer));
	poll_replaced(&c, 1, 7, session_taken);
	assert_true(newer.ended);
	assert_int_equal(farewells, 0);
}

static void test_one_shots_take_no_presence(void **state)
{
	struct stream s, one;

	(void)state;
	start(&s, 7, MAP_STREAM);
	start(&one, 7, MAP_READ);
	assert_false(over(&s));
	assert_int_equal(presences, 1);
	say("all");
	end(ERR_NONE, LINK_END_DONE);
	assert_true(one.ended);
	assert_int_equal(one.frames, 1);
	assert_int_equal(first_polls, 0);
	leave(&s);
}

static void test_the_drain_ends_all(void **state)
{
	enum { STREAMS = 300 };
	static struct stream s[STREAMS];

	(void)state;
	for (unsigned i = 0; i < STREAMS; i++)
		start(&s[i], i + 1, MAP_STREAM);
	poll_end_all(&c);
	for (unsigned i = 0; i < STREAMS; i++)
		assert_true(s[i].ended);
	assert_int_equal(farewells, STREAMS);
}

/* A life of eight steps, broken after each in each way. */
static void step(struct stream *s, unsigned at)
{
	switch (at) {
	case 0:
		end(ERR_UNAVAILABLE, LINK_END_DONE);
		break;
	case 1:
	case 6:
		pass(1000);
		break;
	case 2:
	case 3:
	case 5:
		say("frame");
		break;
	default:
		room(s);
	}
}

static void strike(struct stream *s, unsigned way)
{
	struct stream other;

	switch (way) {
	case 0:
		leave(s);
		break;
	case 1:
		end(ERR_TIMEOUT, LINK_END_DONE);
		break;
	case 2:
		end(ERR_NONE, LINK_END_NO_NODE);
		break;
	case 3:
		poll_replaced(&c, 1, 7, session_taken);
		break;
	case 4:
		poll_end_all(&c);
		break;
	case 5:
		start(&other, 7, MAP_STREAM);
		leave(&other);
		break;
	default:
		no_mapper = true;
		end(ERR_UNAVAILABLE, LINK_END_DONE);
	}
}

static void test_broken_anywhere_all_is_let_go(void **state)
{
	enum { STEPS = 8, WAYS = 7 };

	for (unsigned way = 0; way < WAYS; way++) {
		for (unsigned at = 0; at <= STEPS; at++) {
			struct stream s;

			set_up(state);
			start(&s, 7, MAP_STREAM);
			for (unsigned i = 0; i < STEPS; i++) {
				if (i == at)
					strike(&s, way);
				step(&s, i);
			}
			/* What still lives has a mapper again, or ends by its deadline. */
			for (unsigned i = 0; i < 200; i++)
				pass(1000);
			leave(&s);
			assert_true(over(&s));
			tear_down(state);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_stream_is_told_and_kept_alive),
		TEST(test_one_frame_waits_for_room),
		TEST(test_a_question_goes_between_frames),
		TEST(test_questions_wait_for_room),
		TEST(test_a_stream_that_ends_asks_nothing),
		TEST(test_another_mapper_may_begin_but_not_go_on),
		TEST(test_an_unknown_node_is_asked_for_a_while),
		TEST(test_without_a_first_map_the_stream_breaks),
		TEST(test_who_takes_nothing_is_broken_off),
		TEST(test_who_takes_slowly_is_not),
		TEST(test_a_newer_stream_ends_an_older_without_farewell),
		TEST(test_one_shots_take_no_presence),
		TEST(test_the_drain_ends_all),
		cmocka_unit_test(test_broken_anywhere_all_is_let_go),
	};

	log_setup("poll_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
