/* Map requests against a played store, batch and poll: whatever fails, and whoever leaves when, each request is answered once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "act_node.h"
#include "charter.h"
#include "log.h"
#include "played.h"
#include "poll.h"
#include "reports.h"
#include "serve_map.h"

enum { NODE = 7 };

static struct coordinator c;
static struct exchange x;
static struct machine_key machine = {{1}};
static struct node node;
static bool found;
static unsigned polls, written, relabels, tagged, expired, charters_asked;
static enum err find_error, write_error, relabel_error, tag_error, charter_error;
static unsigned reply_at, leave_at; /* the client leaves in front of this reply */

/* --- played neighbours ------------------------------------------------------------------------------------------------------------------------ */

static void reply_comes(void)
{
	if (++reply_at == leave_at)
		x.gone = true;
}

void nodes_find(struct pg *pg, const struct node_key *key, bool with_epoch, struct arena *arena, nodes_place_fn on_found, void *context)
{
	struct nodes_place place = {.node = found ? &node : NULL};

	(void)pg, (void)arena;
	assert_int_equal(key->raw[31], NODE);
	reply_comes();
	on_found(context, find_error, &place, with_epoch ? 9 : 0);
}

void reports_add(struct reports *reports, uint64_t tailnet, const struct node_report *report, report_fn on_written, void *context)
{
	(void)reports;
	assert_int_equal(tailnet, 1);
	assert_int_equal(report->epoch, 9);
	reply_comes();
	written += !write_error;
	on_written(context, write_error);
}

void act_node_relabel(struct coordinator *coordinator, uint64_t tailnet, uint64_t id, struct bytes base, act_node_fn on_done, void *context)
{
	(void)coordinator, (void)tailnet, (void)id, (void)base;
	reply_comes();
	relabels++;
	on_done(context, relabel_error, relabel_error ? NULL : &node, &(struct diag){0});
}

void act_node_retag(struct coordinator *coordinator, const struct node *was, const struct bytes *tags, size_t count, act_node_fn on_done, void *context)
{
	(void)coordinator;
	assert_true(was->tag_count && !bytes_equal_text(was->tags[0], "tag:db"));
	assert_true(count == 1 && bytes_equal_text(tags[0], "tag:db") && !written);
	reply_comes();
	tagged += !tag_error;
	on_done(context, tag_error, tag_error ? NULL : &node, &(struct diag){0});
}

void act_node_set_expiry(struct coordinator *coordinator, const struct actor *actor, uint64_t tailnet, uint64_t id, struct wall expiry, act_node_fn on_done,
			 void *context)
{
	(void)coordinator, (void)tailnet, (void)id;
	assert_null(actor);
	assert_true(wall_passed(expiry, clock_wall()) && !written);
	reply_comes();
	expired += !tag_error;
	on_done(context, tag_error, tag_error ? NULL : &node, &(struct diag){0});
}

/* tag:web owns tag:db. */
static bool may(const void *context, uint64_t user, const struct node *carried, struct bytes tag)
{
	(void)context;
	assert_int_equal(user, 0);
	return carried && bytes_equal_text(carried->tags[0], "tag:web") && bytes_equal_text(tag, "tag:db");
}

void charter_ask(struct coordinator *coordinator, uint64_t tailnet, uint64_t user, charter_fn on_read, void *context)
{
	static const struct charter charter;

	(void)coordinator, (void)tailnet, (void)user;
	reply_comes();
	charters_asked++;
	on_read(context, charter_error, charter_error ? NULL : &charter);
}

struct tag_rights charter_rights(const struct charter *charter)
{
	return (struct tag_rights){may, charter};
}

void poll_open(struct exchange *exchange, const struct node *of, const struct map_request *request)
{
	(void)request;
	assert_ptr_equal(of, &node);
	assert_false(exchange->answered);
	exchange->answered = true;
	polls++;
}

/* --- asking ------------------------------------------------------------------------------------------------------------------------------------- */

static void ask(const char *fields)
{
	char body[1024];
	int len = snprintf(body, sizeof body, "{\"Version\":142,\"Compress\":\"zstd\",\"NodeKey\":\"nodekey:%064x\"%s}", NODE, fields);

	arena_free(&x.arena);
	x = (struct exchange){.carrier = &PLAYED, .arena = arena_new(), .program = &c, .machine = &machine, .door = DOOR_NOISE};
	x.body = arena_copy(x.arena, bytes_of(body, (size_t)len));
	status = answers = polls = written = relabels = tagged = expired = charters_asked = reply_at = 0;
	retry_after[0] = 0;
	serve_map(&x);
	assert_true(x.answered);
	assert_int_equal(answers + polls, 1);
}

#define LITE ",\"OmitPeers\":true,\"Hostinfo\":{\"Hostname\":\"other\"}"
#define STREAM ",\"Stream\":true,\"Hostinfo\":{\"Hostname\":\"other\"}"
#define FULL ",\"Hostinfo\":{\"Hostname\":\"other\"}"
#define READ ",\"ReadOnly\":true"

static int set_up(void **state)
{
	(void)state;
	c = (struct coordinator){0};
	node = (struct node){.id = 3,
			     .tailnet = 1,
			     .user = 5,
			     .machine_key = machine,
			     .label = BYTES("laptop"),
			     .hostinfo = BYTES("{}"),
			     .capver = 142,
			     .expiry = WALL_ZERO};
	find_error = write_error = relabel_error = tag_error = charter_error = ERR_NONE;
	leave_at = 0;
	found = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&x.arena);
	return 0;
}

static void test_each_kind_does_its_part(void **state)
{
	(void)state;
	ask(LITE);
	assert_int_equal(status, 200);
	assert_int_equal(strlen(text), 0);
	assert_int_equal(written, 1);
	assert_int_equal(relabels, 1);
	ask(STREAM);
	assert_int_equal(polls, 1);
	assert_int_equal(written, 0);
	ask(FULL);
	assert_int_equal(polls, 1);
	assert_int_equal(written, 1);
	ask(READ);
	assert_int_equal(polls, 1);
	assert_int_equal(written, 0);
}

#define WISH(tag) ",\"OmitPeers\":true,\"Hostinfo\":{\"Hostname\":\"laptop\",\"RequestTags\":[\"" tag "\"]}"

/* A wish for tags is granted or ends the key, before the report that tells it stands. */
static void test_wishes_for_tags(void **state)
{
	static struct bytes web = BYTES("tag:web");

	(void)state;
	ask(WISH("tag:web"));
	assert_true(status == 200 && expired == 1 && !charters_asked && written == 1);
	node.hostinfo = BYTES("{\"RequestTags\":[\"tag:web\"]}");
	ask(WISH("tag:web"));
	assert_true(status == 200 && !expired && !charters_asked);
	node.tags = &web;
	node.tag_count = 1;
	ask(WISH("tag:web"));
	assert_true(status == 200 && !expired && !tagged && !charters_asked);
	ask(WISH("tag:db"));
	assert_true(status == 200 && tagged == 1 && charters_asked == 1 && written == 1);
	ask(WISH("tag:king"));
	assert_true(status == 200 && expired == 1 && charters_asked == 1 && written == 1);
	charter_error = ERR_TIMEOUT;
	ask(WISH("tag:db"));
	assert_true(status == 503 && !tagged && !written);
	charter_error = ERR_NONE;
	tag_error = ERR_TIMEOUT;
	ask(WISH("tag:db"));
	assert_true(status == 503 && !written);
	/* Gone meanwhile: its report is passed over, as ever. */
	tag_error = ERR_NOT_FOUND;
	ask(WISH("tag:db"));
	assert_int_equal(status, 200);
	/* Who left may have said so long ago. */
	tag_error = ERR_NONE;
	leave_at = 1;
	ask(WISH("tag:db"));
	assert_true(!tagged && !charters_asked);
}

static void test_strangers_learn_nothing(void **state)
{
	size_t len;

	(void)state;
	found = false;
	ask(STREAM);
	assert_int_equal(status, 404);
	len = strlen(text);
	found = true;
	node.machine_key.raw[0] = 2;
	ask(STREAM);
	assert_int_equal(status, 404);
	assert_int_equal(strlen(text), len);
	ask(LITE);
	assert_int_equal(status, 404);
	assert_int_equal(written, 0);
}

static void test_trouble_of_ours_is_503(void **state)
{
	static const enum err errors[] = {ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_CANCELED, ERR_BUG};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		find_error = errors[i];
		ask(STREAM);
		assert_int_equal(status, 503);
		assert_string_equal(retry_after, "2");
		find_error = ERR_NONE;
		write_error = errors[i];
		ask(LITE);
		assert_int_equal(status, 503);
		assert_int_equal(relabels, 0);
		write_error = ERR_NONE;
		/* The report stands: the name may follow later. */
		relabel_error = errors[i];
		ask(LITE);
		assert_int_equal(status, 200);
		relabel_error = ERR_NONE;
	}
}

static void test_no_stream_begins_in_a_drain(void **state)
{
	(void)state;
	c.draining = true;
	ask(STREAM);
	assert_int_equal(status, 503);
	ask(LITE);
	assert_int_equal(status, 200);
}

static void test_who_leaves_is_answered_to_nobody(void **state)
{
	static const char *const kinds[] = {LITE, STREAM, FULL, READ};

	(void)state;
	for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
		for (leave_at = 1; leave_at <= 3; leave_at++) {
			ask(kinds[kind]);
			if (leave_at == 1)
				assert_int_equal(written, 0);
			if (x.gone)
				assert_int_equal(polls, 0);
		}
	}
}

static void test_bad_requests(void **state)
{
	(void)state;
	ask(",\"Stream\":\"yes\"");
	assert_int_equal(status, 400);
	ask(",\"Version\":89");
	assert_int_equal(status, 400);
	ask(",\"Compress\":\"gzip\"");
	assert_int_equal(status, 400);
	ask(",\"Endpoints\":[7]");
	assert_int_equal(status, 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_kind_does_its_part),
		TEST(test_strangers_learn_nothing),
		TEST(test_trouble_of_ours_is_503),
		TEST(test_no_stream_begins_in_a_drain),
		TEST(test_who_leaves_is_answered_to_nobody),
		TEST(test_bad_requests),
		TEST(test_wishes_for_tags),
	};

	log_setup("serve_map_test", LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
