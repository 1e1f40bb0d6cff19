#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "noderow.h"

static struct node row(void)
{
	static struct endpoint endpoints[] = {{.ip = {.family = IP_V4, .byte = {1, 2, 3, 4}}, .port = 5}};
	static struct bytes tags[] = {{(const uint8_t *)"tag:a", 5}, {(const uint8_t *)"tag:bb", 6}};
	static struct prefix routes[] = {{.ip = {.family = IP_V4, .byte = {10}}, .bits = 8}};
	return (struct node){.id = 1,
			     .tailnet = 7,
			     .user = 9,
			     .label = BYTES("a"),
			     .hostinfo = BYTES("{}"),
			     .approved = true,
			     .expiry = WALL_ZERO,
			     .last_seen = WALL_ZERO,
			     .endpoints = endpoints,
			     .endpoint_count = 1,
			     .tags = tags,
			     .tag_count = 0,
			     .routes_approved = routes,
			     .routes_advertised = routes,
			     .home_relay = 1,
			     .capver = 100,
			     .disco_key = {{1}}};
}

static void a_packed_row_stands_alone(void **state)
{
	struct node n = row();
	(void)state;
	n.tag_count = 2;
	n.approved_count = n.advertised_count = 1;
	struct node *packed = noderow_pack(&n);
	assert_int_equal(noderow_facets(&n, false, packed, false, false), 0);
	assert_ptr_not_equal(packed->tags, n.tags);
	assert_ptr_not_equal(packed->tags[1].at, n.tags[1].at);
	assert_true(bytes_equal(packed->tags[1], BYTES("tag:bb")));
	assert_ptr_not_equal(packed->endpoints, n.endpoints);
	assert_ptr_not_equal(packed->label.at, n.label.at);
	free(packed);
}

enum { WAS_EXPIRED = 1, IS_EXPIRED = 2, ONLINE = 4 };

static void what_differs_moves_and_nothing_else(void **state)
{
	static struct endpoint other[] = {{.ip = {.family = IP_V4, .byte = {1, 2, 3, 4}}, .port = 6}};
	const struct {
		const char *what;
		struct node old, now;
		unsigned how, must, must_not;
	} cases[] = {
#define CASE(what, change_old, change_now, how, must, must_not) \
	{what, \
	 ({ \
		 struct node n = row(); \
		 change_old; \
		 n; \
	 }), \
	 ({ \
		 struct node n = row(); \
		 change_now; \
		 n; \
	 }), \
	 how, \
	 must, \
	 must_not}
		CASE("nothing", , , 0, 0, FACETS_ALL),
		CASE("name", , n.label = BYTES("b"), 0, FACET_PEER | FACET_SELF, FACET_VISIBLE | FACET_ENDPOINTS),
		CASE("owner", , n.user = 10, 0, FACET_PEER | FACET_PROFILE | FACET_VISIBLE | FACET_SELF, FACET_KEY),
		CASE("tags", , n.tag_count = 1, 0, FACET_PEER | FACET_PROFILE | FACET_VISIBLE, 0),
		CASE("approval", , n.approved = false, 0, FACET_VISIBLE | FACET_PEER | FACET_SELF, 0),
		CASE("routes", , n.approved_count = 1, 0, FACET_PEER | FACET_SELF, FACET_ENDPOINTS),
		CASE("hostinfo", , n.hostinfo = BYTES("{\"OS\":\"x\"}"), 0, FACET_PEER | FACET_SELF, 0),
		CASE("node key", , n.node_key.raw[3] = 1, 0, FACET_KEY | FACET_SELF, FACET_PEER),
		CASE("expiry", , n.expiry.ns = 5, 0, FACET_EXPIRY | FACET_SELF, FACET_PEER),
		CASE("expired", , , IS_EXPIRED, FACET_EXPIRY | FACET_PEER | FACET_SELF, 0),
		CASE("endpoints", , (n.endpoints = other), 0, FACET_ENDPOINTS, FACET_PEER | FACET_SELF),
		CASE("relay", , n.home_relay = 2, 0, FACET_RELAY, FACET_PEER | FACET_SELF),
		CASE("relay gone", , n.home_relay = 0, 0, FACET_RELAY | FACET_PEER, FACET_SELF),
		CASE("disco", , n.disco_key.raw[0] = 2, 0, FACET_DISCO, FACET_PEER | FACET_SELF),
		CASE("first disco", n.disco_key.raw[0] = 0, , 0, FACET_DISCO | FACET_PEER, FACET_SELF),
		CASE("capver", , n.capver = 101, 0, FACET_CAPVER, FACET_PEER | FACET_SELF),
		CASE("seen offline", , n.last_seen.ns = 5, 0, FACET_SEEN, FACET_PEER | FACET_SELF),
		CASE("seen online", , n.last_seen.ns = 5, ONLINE, 0, FACETS_ALL),
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned how = cases[i].how, facets = noderow_facets(&cases[i].old, how & WAS_EXPIRED, &cases[i].now, how & IS_EXPIRED, how & ONLINE);
		if ((facets & cases[i].must) != cases[i].must || facets & cases[i].must_not)
			fail_msg("%s: %x", cases[i].what, facets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_packed_row_stands_alone), cmocka_unit_test(what_differs_moves_and_nothing_else)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
