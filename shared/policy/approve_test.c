#include "approve.h"

#include <stdio.h>

#include "buffer.h"
#include "smallnet.h"

static struct prefix prefix(const char *text)
{
	struct prefix prefix;
	assert_int_equal(prefix_parse(bytes_text(text), &prefix), ERR_NONE);
	return prefix;
}

static void routes_are_approved(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	static const struct {
		const char *approvers;
		unsigned node;
		const char *route;
		bool approved;
	} cases[] = {
		{"'routes': {'192.168.0.0/16': ['tag:router']}", ROUTER, "192.168.1.0/24", true},
		{"'routes': {'192.168.0.0/16': ['tag:router']}", ROUTER, "192.168.0.0/16", true},
		{"'routes': {'192.168.0.0/16': ['tag:router']}", ROUTER, "192.0.0.0/8", false},
		{"'routes': {'10.0.0.0/16': ['tag:router']}", ROUTER, "10.0.0.0/8", false},
		{"'routes': {'192.168.0.0/16': ['tag:router']}", ROUTER, "10.0.0.0/24", false},
		{"'routes': {'192.168.0.0/16': ['tag:router']}", SERVER, "192.168.1.0/24", false},
		{"'routes': {'10.0.0.0/8': ['tag:exit'], '10.33.0.0/16': ['tag:router']}", ROUTER, "10.33.0.0/16", true},
		{"'routes': {'10.0.0.0/8': ['tag:exit'], '10.33.0.0/16': ['tag:router']}", ROUTER, "10.34.0.0/16", false},
		{"'routes': {'0.0.0.0/0': ['tag:router']}", ROUTER, "10.33.0.0/16", true},
		{"'routes': {'0.0.0.0/0': ['tag:router']}", ROUTER, "fd00::/64", false},
		{"'routes': {'::/0': ['tag:router']}", ROUTER, "fd00::/64", true},
		{"'routes': {'0.0.0.0/0': ['tag:exit'], '::/0': ['tag:exit']}", EXIT, "0.0.0.0/0", false},
		{"'routes': {'0.0.0.0/0': ['tag:exit'], '::/0': ['tag:exit']}", EXIT, "::/0", false},
		{"'exitNode': ['tag:exit']", EXIT, "0.0.0.0/0", true},
		{"'exitNode': ['tag:exit']", EXIT, "::/0", true},
		{"'exitNode': ['tag:exit']", EXIT, "10.33.0.0/16", false},
		{"'exitNode': ['tag:exit']", ROUTER, "0.0.0.0/0", false},
		{"'exitNode': ['odin@example.com']", ODIN, "::/0", true},
		{"'exitNode': ['odin@example.com']", FREYA, "::/0", false},
		{"'exitNode': ['group:gods']", THOR, "::/0", true},
		{"'exitNode': ['group:gods']", FREYA, "::/0", false},
		{"'exitNode': ['autogroup:member']", THOR, "::/0", true},
		{"'exitNode': ['autogroup:member']", SERVER, "::/0", false},
		{"'exitNode': ['autogroup:tagged']", SERVER, "::/0", true},
		{"'exitNode': ['autogroup:admin']", FREYA, "::/0", true},
		{"'exitNode': ['autogroup:admin']", ODIN, "::/0", true},
		{"'exitNode': ['autogroup:admin']", THOR, "::/0", false},
		{"'routes': {}, 'exitNode': []", ROUTER, "10.33.0.0/16", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = arena_format(
			net.arena, "{" SMALLNET_TAGS ", \"groups\": {\"group:gods\": [\"odin@example.com\", \"thor@example.org\"]}, \"autoApprovers\": {%s}}",
			cases[i].approvers);
		for (char *at = text; *at; at++)
			*at = *at == '\'' ? '"' : *at;
		const struct document *document = smallnet_document(&net, text);
		if (approve_route(document, &net.roll, &net.nodes[cases[i].node], prefix(cases[i].route)) != cases[i].approved)
			fail_msg("case %zu: %s", i, cases[i].approvers);
		struct policy *policy = policy_compile(document, &net.roll);
		struct approvals *all = approvals_new(policy, net.arena);
		for (size_t k = 0; k < COUNT_OF(cases); k++)
			for (uint32_t slot = 0; slot < SMALLNET_NODES; slot++)
				if (approvals_have(all, slot, prefix(cases[k].route)) !=
				    approve_route(document, &net.roll, &net.nodes[slot], prefix(cases[k].route)))
					fail_msg("%s: %s of %u", cases[i].approvers, cases[k].route, slot);
		policy_free(&policy);
	}
	smallnet_clear(&net);
}

/* Each prefix is found among many, by what covers it. */
static void many_approvers_are_found(void **state)
{
	enum { MANY = 20000, ASKED = 500 };
	(void)state;
	struct smallnet net;
	struct buffer text;
	smallnet_init(&net);
	buffer_init(&text, 4 << 20);
	assert_int_equal(buffer_add(&text, BYTES("{" SMALLNET_TAGS ", \"autoApprovers\": {\"routes\": {\"10.0.0.0/15\": [\"tag:exit\"]")), ERR_NONE);
	for (unsigned i = 0; i < MANY; i++) {
		char entry[80];
		int len = snprintf(entry, sizeof entry, ", \"10.%u.%u.0/24\": [\"tag:%s\"]", i / 256, i % 256, i % 3 ? "router" : "server");
		assert_int_equal(buffer_add(&text, bytes_of(entry, (size_t)len)), ERR_NONE);
	}
	assert_int_equal(buffer_add(&text, bytes_of("}}}", 4)), ERR_NONE);
	const struct document *document = smallnet_document(&net, (const char *)text.at);
	for (unsigned k = 0; k < ASKED; k++) {
		unsigned i = k * 7919 % MANY;
		struct prefix route = {{IP_V4, {10, (uint8_t)(i / 256), (uint8_t)i, 128}}, 25};
		assert_int_equal(approve_route(document, &net.roll, &net.nodes[ROUTER], route), i % 3 != 0);
		assert_int_equal(approve_route(document, &net.roll, &net.nodes[SERVER], route), i % 3 == 0);
		assert_int_equal(approve_route(document, &net.roll, &net.nodes[EXIT], route), i < 512);
	}
	buffer_clear(&text);
	smallnet_clear(&net);
}

/* The time limit of the test judges what is asked more than once. */
static void a_large_group_is_asked_once(void **state)
{
	enum { MANY = 200000 };
	(void)state;
	struct smallnet net;
	struct buffer text;
	smallnet_init(&net);
	buffer_init(&text, 10 << 20);
	assert_int_equal(buffer_add(&text, BYTES("{\"groups\": {\"group:g\": [\"a@b\"")), ERR_NONE);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(buffer_add(&text, BYTES(",\"a@b\"")), ERR_NONE);
	assert_int_equal(buffer_add(&text, BYTES("]}, \"tagOwners\": {\"tag:t\": [\"group:g\"")), ERR_NONE);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(buffer_add(&text, BYTES(",\"group:g\"")), ERR_NONE);
	assert_int_equal(buffer_add(&text, BYTES("]}, \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"group:g\"")), ERR_NONE);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(buffer_add(&text, BYTES(",\"group:g\"")), ERR_NONE);
	assert_int_equal(buffer_add(&text, bytes_of("]}}}", 5)), ERR_NONE);
	const struct document *document = smallnet_document(&net, (const char *)text.at);
	struct prefix routes[64];
	for (size_t i = 0; i < COUNT_OF(routes); i++)
		routes[i] = (struct prefix){{IP_V4, {10, (uint8_t)i}}, 16};
	assert_int_equal(approve_routes(document, &net.roll, &net.nodes[ODIN], routes, COUNT_OF(routes), routes), 0);
	assert_int_equal(approve_tag(document, &net.roll, &net.roll_users[0], NULL, BYTES("tag:t"), NULL), ERR_DENIED);
	buffer_clear(&text);
	smallnet_clear(&net);
}

/* A node that is not on the roll yet, with a route whose host bits are set. */
static void who_is_about_to_join_is_judged_too(void **state)
{
	(void)state;
	struct smallnet net;
	struct bytes tag = BYTES("tag:router");
	struct node tagged = {.tags = &tag, .tag_count = 1}, owned = {.user = 3};
	smallnet_init(&net);
	net.roll.node_count = 0;
	const struct document *document =
		smallnet_document(&net, "{" SMALLNET_TAGS ", \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:router\", \"thor@example.org\"]}}}");
	assert_true(approve_route(document, &net.roll, &tagged, prefix("10.1.2.3/16")));
	assert_true(approve_route(document, &net.roll, &owned, prefix("10.1.0.0/16")));
	owned.user = 77;
	assert_false(approve_route(document, &net.roll, &owned, prefix("10.1.0.0/16")));
	smallnet_clear(&net);
}

static const char owners[] = "{\"groups\": {\"group:gods\": [\"thor@example.org\"]}, \"tagOwners\": {"
			     "\"tag:a\": [\"odin@example.com\"], \"tag:b\": [\"tag:a\"], \"tag:c\": [\"tag:b\", \"group:gods\"],"
			     "\"tag:loop\": [\"tag:pool\"], \"tag:pool\": [\"tag:loop\", \"tag:pool\", \"freya@example.com\"],"
			     "\"tag:none\": [], \"tag:admins\": [\"autogroup:admin\"], \"tag:all\": [\"autogroup:member\"]}}";

static void owners_may_set_tags(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	const struct document *document = smallnet_document(&net, owners);
	static const struct {
		const char *tag, *people; /* of odin, freya, thor */
	} cases[] = {
		{"tag:a", "o"},    {"tag:b", "o"},   {"tag:c", "ot"},      {"tag:loop", "f"},
		{"tag:pool", "f"}, {"tag:none", ""}, {"tag:admins", "of"}, {"tag:all", "oft"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (size_t person = 0; person < 3; person++) {
			enum err wanted = strchr(cases[i].people, "oft"[person]) ? ERR_NONE : ERR_DENIED;
			if (approve_tag(document, &net.roll, &net.roll_users[person], NULL, bytes_text(cases[i].tag), NULL) != wanted)
				fail_msg("%s by %c", cases[i].tag, "oft"[person]);
		}
	smallnet_clear(&net);
}

static void tags_that_a_node_carries_own_too(void **state)
{
	(void)state;
	struct smallnet net;
	struct diag why;
	struct bytes tag = BYTES("tag:a");
	struct node node = {.tags = &tag, .tag_count = 1};
	smallnet_init(&net);
	const struct document *document = smallnet_document(&net, owners);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:b"), NULL), ERR_NONE);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:c"), NULL), ERR_NONE);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:all"), &why), ERR_DENIED);
	assert_string_equal(why.text, "tag \"tag:all\" is not permitted");
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:pool"), NULL), ERR_DENIED);
	assert_int_equal(approve_tag(document, &net.roll, NULL, NULL, BYTES("tag:a"), NULL), ERR_DENIED);
	assert_int_equal(approve_tag(document, &net.roll, &net.roll_users[0], NULL, BYTES("tag:missing"), &why), ERR_NOT_FOUND);
	assert_string_equal(why.text, "tag not found: \"tag:missing\"");
	smallnet_clear(&net);
}

/* Every tag owns every other: each is looked at once. */
static void a_knot_of_tags_is_bounded(void **state)
{
	(void)state;
	enum { TAGS = 300 };
	struct smallnet net;
	struct buffer text;
	smallnet_init(&net);
	buffer_init(&text, DOCUMENT_MAX);
	assert_int_equal(buffer_add(&text, BYTES("{\"tagOwners\": {")), ERR_NONE);
	for (size_t i = 0; i < TAGS; i++) {
		assert_int_equal(buffer_add(&text, bytes_text(arena_format(net.arena, "%s\"tag:t%zu\": [", i ? "]," : "", i))), ERR_NONE);
		for (size_t k = 0; k < TAGS; k++)
			assert_int_equal(buffer_add(&text, bytes_text(arena_format(net.arena, "%s\"tag:t%zu\"", k ? "," : "", k))), ERR_NONE);
	}
	assert_int_equal(buffer_add(&text, BYTES(", \"freya@example.com\"]}}")), ERR_NONE);
	const struct document *document = smallnet_document(&net, arena_text(net.arena, buffer_bytes(&text)));
	assert_int_equal(approve_tag(document, &net.roll, &net.roll_users[1], NULL, BYTES("tag:t0"), NULL), ERR_NONE);
	assert_int_equal(approve_tag(document, &net.roll, &net.roll_users[0], NULL, BYTES("tag:t0"), NULL), ERR_DENIED);
	buffer_clear(&text);
	smallnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_are_approved),         cmocka_unit_test(many_approvers_are_found),
		cmocka_unit_test(a_large_group_is_asked_once), cmocka_unit_test(who_is_about_to_join_is_judged_too),
		cmocka_unit_test(owners_may_set_tags),         cmocka_unit_test(tags_that_a_node_carries_own_too),
		cmocka_unit_test(a_knot_of_tags_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
