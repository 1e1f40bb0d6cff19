#include "attrs.h"

#include "smallnet.h"

static struct attrs of(struct smallnet *net, const char *text, uint32_t slot, bool https)
{
	struct policy *policy = smallnet_policy(net, text);
	struct attrs attrs = attrs_of(policy, net->arena, slot, https);
	for (size_t i = 0; i < attrs.count; i++)
		attrs.list[i].values = arena_copy(net->arena, attrs.list[i].values);
	for (size_t i = 1; i < attrs.count; i++)
		assert_true(bytes_compare(attrs.list[i - 1].name, attrs.list[i].name) < 0);
	policy_free(&policy);
	return attrs;
}

static const struct attr *find(const struct attrs *attrs, const char *name)
{
	for (size_t i = 0; i < attrs->count; i++)
		if (bytes_equal_text(attrs->list[i].name, name))
			return &attrs->list[i];
	return NULL;
}

static bool has(struct smallnet *net, const char *text, uint32_t slot, const char *name)
{
	struct attrs attrs = of(net, text, slot, true);
	return find(&attrs, name) != NULL;
}

static const char port[] = "randomize-client-port";

static void targets_name_nodes(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	static const struct {
		const char *target;
		const char *nodes; /* one letter each, in their order */
	} cases[] = {
		{"*", "oftscrxe"},         {"odin@example.com", "o"},   {"group:gods", "ot"},
		{"tag:router", "rx"},      {"autogroup:member", "oft"}, {"autogroup:tagged", "scrxe"},
		{"autogroup:admin", "of"}, {"autogroup:owner", "o"},    {"web", "s"},
		{"100.64.0.0/30", "oft"},  {"fd7a:115c:a1e0::5", "c"},  {"10.33.0.0/16", ""},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *text = arena_format(
			net.arena,
			"{" SMALLNET_TAGS ", \"groups\": {\"group:gods\": [\"odin@example.com\", \"thor@example.org\"]}, \"hosts\": {\"web\": \"100.64.0.4\"},"
			"\"nodeAttrs\": [{\"target\": [\"%s\"], \"attr\": [\"randomize-client-port\"]}]}",
			cases[i].target);
		for (uint32_t slot = 0; slot < SMALLNET_NODES; slot++)
			if (has(&net, text, slot, port) != (strchr(cases[i].nodes, "oftscrxe"[slot]) != NULL))
				fail_msg("%s, node %u", cases[i].target, slot);
	}
	smallnet_clear(&net);
}

static void entries_unite(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	const char *text = "{" SMALLNET_TAGS ", \"nodeAttrs\": [{\"target\": [\"tag:server\"], \"attr\": [\"b\", \"nextdns:abc\", \"nextdns:def\"]},"
			   "{\"target\": [\"*\"], \"attr\": [\"a\", \"b\"]}, {\"target\": [], \"attr\": [\"c\"]}, {\"target\": [\"*\"]}]}";
	struct attrs attrs = of(&net, text, SERVER, true);
	assert_int_equal(attrs.count, 4);
	assert_non_null(find(&attrs, "nextdns:abc"));
	assert_non_null(find(&attrs, "nextdns:def"));
	attrs = of(&net, text, CLIENT, true);
	assert_int_equal(attrs.count, 2);
	assert_int_equal(attrs.list[0].values.len, 0);
	smallnet_clear(&net);
}

static void funnel_brings_companions(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	const char *text = "{" SMALLNET_TAGS ", \"nodeAttrs\": [{\"target\": [\"tag:server\"], \"attr\": [\"funnel\"]}]}";
	struct attrs with = of(&net, text, SERVER, true), without = of(&net, text, SERVER, false), other = of(&net, text, CLIENT, false);
	assert_int_equal(with.count, 2);
	assert_non_null(find(&with, "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000"));
	assert_int_equal(without.count, 3);
	assert_non_null(find(&without, "https://tailscale.com/cap/warn-funnel-no-https"));
	assert_int_equal(other.count, 0);
	smallnet_clear(&net);
}

static void ipv4_can_be_off(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	const char *text = "{\"nodeAttrs\": [{\"target\": [\"thor@example.org\"], \"attr\": [\"disable-ipv4\"]}]}";
	assert_true(of(&net, text, THOR, true).disable_ipv4);
	assert_false(of(&net, text, ODIN, true).disable_ipv4);
	assert_true(has(&net, text, THOR, "disable-ipv4"));
	assert_true(of(&net, "{\"disableIPv4\": true}", SERVER, true).disable_ipv4);
	assert_false(of(&net, "{}", SERVER, true).disable_ipv4);
	assert_true(has(&net, "{\"randomizeClientPort\": true}", SERVER, port));
	smallnet_clear(&net);
}

static void roles_show(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	static const char admin[] = "https://tailscale.com/cap/is-admin", owner[] = "https://tailscale.com/cap/is-owner";
	assert_true(has(&net, "{}", ODIN, admin) && has(&net, "{}", ODIN, owner));
	assert_true(has(&net, "{}", FREYA, admin) && !has(&net, "{}", FREYA, owner));
	assert_false(has(&net, "{}", THOR, admin) || has(&net, "{}", SERVER, admin) || has(&net, "{}", SERVER, owner));
	smallnet_clear(&net);
}

static void apps_join(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	const char *text = "{\"nodeAttrs\": [{\"target\": [\"*\"], \"app\": {\"example.com/cap/x\": [1, {\"a\": \"b\"}]}},"
			   "{\"target\": [\"odin@example.com\"], \"app\": {\"example.com/cap/x\": [2], \"example.com/cap/y\": []}}]}";
	struct attrs odin = of(&net, text, ODIN, true), thor = of(&net, text, THOR, true);
	assert_true(bytes_equal_text(find(&thor, "example.com/cap/x")->values, "[1,{\"a\":\"b\"}]"));
	assert_true(bytes_equal_text(find(&odin, "example.com/cap/x")->values, "[1,{\"a\":\"b\"},2]"));
	assert_non_null(find(&odin, "example.com/cap/y"));
	assert_null(find(&thor, "example.com/cap/y"));
	smallnet_clear(&net);
}

static void macs_hear_of_their_route(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	struct roll_fact facts[] = {{BYTES("node:os"), BYTES("macos")}, {BYTES("node:os"), BYTES("linux")}};
	net.slots[ODIN].facts = &facts[0];
	net.slots[FREYA].facts = &facts[1];
	net.slots[ODIN].fact_count = net.slots[FREYA].fact_count = 1;
	assert_true(has(&net, "{\"OneCGNATRoute\": \"mac-always\"}", ODIN, "one-cgnat?v=true"));
	assert_true(has(&net, "{\"OneCGNATRoute\": \"mac-never\"}", ODIN, "one-cgnat?v=false"));
	assert_false(has(&net, "{\"OneCGNATRoute\": \"mac-always\"}", FREYA, "one-cgnat?v=true"));
	assert_int_equal(of(&net, "{\"OneCGNATRoute\": \"\"}", THOR, true).count, 0);
	smallnet_clear(&net);
}

static void pools_are_of_the_first_entry(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	struct document *document = smallnet_document(&net, "{" SMALLNET_TAGS ", \"groups\": {\"group:x\": [\"freya@example.com\"]}, \"nodeAttrs\": ["
							    "{\"target\": [\"*\"], \"attr\": [\"a\"]},"
							    "{\"target\": [\"group:x\", \"tag:server\"], \"ipPool\": [\"100.81.0.0/16\", \"100.82.0.0/16\"]},"
							    "{\"target\": [\"autogroup:member\"], \"ipPool\": [\"100.83.0.0/16\"]}]}");
	const struct prefix *pools;
	struct node joining = {.user = 2};
	assert_int_equal(attrs_pools(document, &net.roll, &joining, &pools), 2);
	assert_int_equal(pools[1].ip.byte[1], 82);
	joining.user = 3;
	assert_int_equal(attrs_pools(document, &net.roll, &joining, &pools), 1);
	assert_int_equal(pools[0].ip.byte[1], 83);
	joining.tags = &net.tags[CLIENT];
	joining.tag_count = 1;
	assert_int_equal(attrs_pools(document, &net.roll, &joining, &pools), 0);
	assert_null(pools);
	joining.tags = &net.tags[SERVER];
	assert_int_equal(attrs_pools(document, &net.roll, &joining, &pools), 2);
	smallnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_name_nodes),
		cmocka_unit_test(entries_unite),
		cmocka_unit_test(funnel_brings_companions),
		cmocka_unit_test(ipv4_can_be_off),
		cmocka_unit_test(roles_show),
		cmocka_unit_test(apps_join),
		cmocka_unit_test(macs_hear_of_their_route),
		cmocka_unit_test(pools_are_of_the_first_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
