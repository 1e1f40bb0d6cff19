/* What a policy may become among many nodes: counted before it is compiled, never too low, and compiling stays in proportion at all caps. */
#include "afford.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "buffer.h"
#include "filter.h"
#include "smallnet.h"

enum { TEXT_MAX = 16 << 20 };

/* Users with two nodes each, one in eight nodes tagged, some routers. */
struct bignet {
	struct arena *arena;
	struct roll roll;
	struct policy *policy;
	struct document *document;
};

static void bignet_init(struct bignet *net, size_t node_count)
{
	struct arena *arena = arena_new();
	size_t user_count = node_count / 2 + 1;
	struct user *users = ARENA_ARRAY(arena, struct user, user_count);
	struct roll_user *roll_users = ARENA_ARRAY(arena, struct roll_user, user_count);
	struct node *nodes = ARENA_ARRAY(arena, struct node, node_count);
	struct roll_node *slots = ARENA_ARRAY(arena, struct roll_node, node_count);
	struct bytes *tag = ARENA_NEW(arena, struct bytes);
	*tag = BYTES("tag:a");
	for (size_t i = 0; i < user_count; i++) {
		users[i] = (struct user){.id = i + 1, .name = bytes_text(arena_format(arena, "u%zu@example.com", i))};
		roll_users[i].user = &users[i];
	}
	for (size_t i = 0; i < node_count; i++) {
		struct node *node = &nodes[i];
		*node = (struct node){.id = i + 1, .user = i / 2 + 1, .created.ns = (int64_t)i};
		node->ip4 = ip_add(smallnet_ip("100.64.0.1"), i * 3);
		node->ip6 = ip_add(smallnet_ip("fd7a:115c:a1e0::1"), i * 3);
		node->tags = tag;
		node->tag_count = i % 8 == 7;
		slots[i].node = node;
	}
	*net = (struct bignet){.arena = arena, .roll = {.users = roll_users, .user_count = user_count, .nodes = slots, .node_count = node_count}};
}

static void bignet_clear(struct bignet *net)
{
	policy_free(&net->policy);
	arena_free(&net->arena);
}

/* `piece` so many times, with its number for each #. */
static void add_many(struct buffer *text, const char *piece, size_t count)
{
	char number[24];
	for (size_t i = 0; i < count; i++) {
		if (i)
			(void)!buffer_add(text, BYTES(","));
		for (struct bytes rest = bytes_text(piece); rest.at;) {
			(void)!buffer_add(text, bytes_split(rest, '#', &rest));
			snprintf(number, sizeof number, "%zu", i);
			if (rest.at)
				(void)!buffer_add(text, bytes_text(number));
		}
	}
}

struct shape {
	const char *begin, *piece, *end;
};

static void bignet_read(struct bignet *net, const struct shape *shape, size_t count)
{
	struct buffer text;
	struct diag why = {{0}, 0, 0};
	buffer_init(&text, TEXT_MAX);
	(void)!buffer_add(&text, bytes_text(shape->begin));
	add_many(&text, shape->piece, count);
	(void)!buffer_add(&text, bytes_text(shape->end));
	if (document_read(net->arena, arena_copy(net->arena, buffer_bytes(&text)), NULL, &net->document, &why))
		fail_msg("%s: %u:%u: %s", shape->piece, why.line, why.column, why.text);
	buffer_clear(&text);
}

static const struct shape shapes[] = {
	{"{\"acls\":[", "{\"action\":\"accept\",\"src\":[\"u#@example.com\"],\"dst\":[\"*:#1\"]}", "]}"},
	{"{\"acls\":[", "{\"action\":\"accept\",\"src\":[\"100.64.#.0/24\"],\"dst\":[\"u#@example.com:1,2,3\"]}", "]}"},
	{"{\"grants\":[", "{\"src\":[\"*\",\"u#@example.com\"],\"dst\":[\"10.#.0.0/16\"],\"ip\":[\"tcp:1\",\"udp:2\",\"1#\"]}", "]}"},
	{"{\"grants\":[", "{\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self\"],\"ip\":[\"1#\",\"udp:2\"]}", "]}"},
	{"{\"grants\":[", "{\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self\"],\"app\":{\"tailscale.com/cap/drive\":[{\"a\":#}]}}", "]}"},
	{"{\"tagOwners\":{\"tag:a\":[]},\"grants\":[", "{\"src\":[\"autogroup:member\",\"u#@example.com\"],\"dst\":[\"tag:a\"],\"ip\":[\"1#\"]}", "]}"},
	{"{\"tagOwners\":{\"tag:a\":[]},\"grants\":[", "{\"src\":[\"tag:a\",\"u#@example.com\"],\"dst\":[\"*\"],\"app\":{\"tailscale.com/cap/relay\":[]}}",
	 "]}"},
	{"{\"ipsets\":{\"ipset:a\":[\"autogroup:member\"],\"ipset:b\":[\"ipset:a\",\"remove tag:a\"]},\"tagOwners\":{\"tag:a\":[]},\"grants\":[",
	 "{\"src\":[\"ipset:b\",\"10.0.#.0/24\"],\"dst\":[\"ipset:a\"],\"ip\":[\"*\"]}", "]}"},
	{"{\"postures\":{\"posture:a\":[\"node:os != 'x'\",\"node:os NOT SET\"],\"posture:b\":[\"node:os NOT SET\"]},\"grants\":[",
	 "{\"src\":[\"autogroup:member\",\"u#@example.com\"],\"dst\":[\"autogroup:self\",\"u1@example.com\"],\"ip\":[\"*\"],\"srcPosture\":[\"posture:b\"]}",
	 "]}"},
};

static size_t filter_everybody(struct policy *policy)
{
	struct arena *arena = arena_new();
	for (uint32_t slot = 0; slot < policy->roll->node_count; slot++) {
		filter_of(policy, arena, slot);
		arena_reset(arena);
	}
	arena_free(&arena);
	return arena_size(policy->arena) + policy->unit_count * sizeof *policy->units;
}

static void what_is_counted_is_never_too_low(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(shapes); i++)
		for (size_t nodes = 30; nodes <= 3000; nodes *= 10) {
			struct bignet net;
			struct afford cost;
			struct diag why = {{0}, 0, 0};
			bignet_init(&net, nodes);
			bignet_read(&net, &shapes[i], 30);
			assert_int_equal(afford_check(net.document, &net.roll, 1, &cost, &why), ERR_NONE);
			net.policy = policy_compile(net.document, &net.roll);
			size_t without = 2 * (nodes + 64) * 512; /* of the roll itself: addresses, their order and texts, owners */
			if (net.policy->unit_count > cost.units)
				fail_msg("%s: %zu units, %llu counted", shapes[i].piece, net.policy->unit_count, (unsigned long long)cost.units);
			if (filter_everybody(net.policy) > cost.bytes + without)
				fail_msg("%s: %zu bytes, %llu counted", shapes[i].piece, filter_everybody(net.policy), (unsigned long long)cost.bytes);
			bignet_clear(&net);
		}
}

static void what_is_too_much_is_refused_with_its_rule(void **state)
{
	static const struct {
		struct shape shape;
		size_t nodes, count;
		const char *sentence;
	} cases[] = {
		{{"{\"grants\":[", "{\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self\"],\"ip\":[\"1#\"]}\n", "]}"}, 4000, 700, "come"},
		{{"{\"grants\":[", "{\"src\":[\"u#@\",\"autogroup:member\"],\"dst\":[\"*\"],\"ip\":[\"1#\"]}\n", "]}"}, 100000, 400, "MiB"},
		{{"{\"acls\":[", "{\"action\":\"accept\",\"src\":[\"u#@\"],\"dst\":[\"v#@:22\"]}\n", "]}"}, 100000, 90000, "MiB"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bignet net;
		struct diag why = {{0}, 0, 0};
		bignet_init(&net, cases[i].nodes);
		bignet_read(&net, &cases[i].shape, cases[i].count);
		if (afford_check(net.document, &net.roll, 1, NULL, &why) != ERR_TOO_BIG)
			fail_msg("%s: is let through", cases[i].shape.piece);
		if (!strstr(why.text, cases[i].sentence))
			fail_msg("%s: %s", cases[i].shape.piece, why.text);
		assert_true(why.line > 1 && why.line <= cases[i].count + 1);
		if (afford_check(net.document, &net.roll, AFFORD_GROWN, NULL, &why))
			fail_msg("%s: grown: %s", cases[i].shape.piece, why.text);
		net.roll.node_count = 100;
		assert_int_equal(afford_check(net.document, &net.roll, 1, NULL, &why), ERR_NONE);
		bignet_clear(&net);
	}
}

static double processor_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Least of three: the processor's time and the memory that compiling took. */
static double price(const struct shape *shape, size_t nodes, size_t count, size_t *bytes)
{
	double least = 0;
	for (unsigned turn = 0; turn < 3; turn++) {
		struct bignet net;
		bignet_init(&net, nodes);
		bignet_read(&net, shape, count);
		double began = processor_s();
		net.policy = policy_compile(net.document, &net.roll);
		double took = processor_s() - began;
		*bytes = arena_size(net.policy->arena);
		if (!turn || took < least)
			least = took;
		bignet_clear(&net);
	}
	return least;
}

/* Four times the rules on twice the nodes: at most eight times the work, and some for what is not steady. */
static void compiling_stays_in_proportion(void **state)
{
	enum { NODES = 1000, RULES = 250, FACTOR = 4 * 2, SLACK = 3 };
	(void)state;
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		size_t few_bytes, many_bytes, count = strstr(shapes[i].piece, ".#.") ? 60 : RULES;
		double few = price(&shapes[i], NODES, count, &few_bytes), many = price(&shapes[i], 2 * NODES, 4 * count, &many_bytes);
		if (many_bytes > (few_bytes + (1 << 20)) * FACTOR)
			fail_msg("%s: %zu bytes become %zu", shapes[i].piece, few_bytes, many_bytes);
		if (many > (few + 0.002) * FACTOR * SLACK)
			fail_msg("%s: %.1f ms become %.1f", shapes[i].piece, few * 1000, many * 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_counted_is_never_too_low),
		cmocka_unit_test(what_is_too_much_is_refused_with_its_rule),
		cmocka_unit_test(compiling_stays_in_proportion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
