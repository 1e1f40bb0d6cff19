#include "explain.h"

#include "smallnet.h"

struct asked {
	struct smallnet net;
	struct policy *policy;
	struct explain answer;
};

static void start(struct asked *a, const char *text)
{
	smallnet_init(&a->net);
	a->policy = smallnet_policy(&a->net, text);
}

static void end(struct asked *a)
{
	policy_free(&a->policy);
	smallnet_clear(&a->net);
}

static bool ask(struct asked *a, size_t from, const char *to, int proto, uint16_t port)
{
	struct explain_question question = {a->net.nodes[from].ip4, smallnet_ip(to), proto, port};
	a->answer = explain_ask(a->policy, a->net.arena, &question);
	assert_int_equal(a->answer.allowed, a->answer.reason_count > 0);
	return a->answer.allowed;
}

static void a_rule_is_named_by_its_line(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{" SMALLNET_TAGS ",\n\"acls\": [\n"
		  "{\"action\": \"accept\", \"src\": [\"tag:client\"], \"dst\": [\"tag:server:22\"]},\n"
		  "{\"action\": \"accept\", \"src\": [\"*\"], \"proto\": \"udp\", \"dst\": [\"tag:server:20-30\"]}]}");
	assert_true(ask(&a, CLIENT, "100.64.0.4", PROTO_ABSENT, 22));
	assert_int_equal(a.answer.reason_count, 1);
	assert_int_equal(a.answer.reasons[0].rule->at.line, 3);
	assert_false(a.answer.reasons[0].by_subnet_route);
	assert_int_equal(a.answer.router, SERVER);
	assert_true(ask(&a, CLIENT, "fd7a:115c:a1e0::4", 6, 22)); /* families need not agree */
	end(&a);
}

static void clients_judge_by_protocol(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{" SMALLNET_TAGS ", \"acls\": [\n"
		  "{\"action\": \"accept\", \"src\": [\"tag:client\"], \"dst\": [\"tag:server:22\"]},\n"
		  "{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"proto\": \"gre\", \"dst\": [\"tag:server:*\"]},\n"
		  "{\"action\": \"accept\", \"src\": [\"*\"], \"proto\": \"udp\", \"dst\": [\"tag:server:20-30\"]}]}");
	assert_true(ask(&a, CLIENT, "100.64.0.4", 17, 22));
	assert_int_equal(a.answer.reason_count, 2);
	assert_int_equal(a.answer.reasons[0].rule->at.line, 2);
	assert_int_equal(a.answer.reasons[1].rule->at.line, 4);
	assert_false(ask(&a, CLIENT, "100.64.0.4", 6, 23));
	assert_false(ask(&a, CLIENT, "100.64.0.4", 132, 22)); /* no protocol is not SCTP */
	assert_false(ask(&a, CLIENT, "100.64.0.4", 47, 0));
	assert_true(ask(&a, ODIN, "100.64.0.4", 47, 0));
	assert_true(ask(&a, THOR, "100.64.0.4", 1, 0)); /* who may reach a port may ping */
	assert_true(ask(&a, THOR, "100.64.0.4", 58, 0));
	assert_false(ask(&a, SERVER, "100.64.0.5", 1, 0));
	assert_false(ask(&a, THOR, "100.64.0.5", 6, 22));
	end(&a);
}

static void behind_a_router(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"10.33.0.0/16:443\", \"autogroup:internet:53\"]}]}");
	assert_true(ask(&a, ODIN, "10.33.1.1", 6, 443));
	assert_int_equal(a.answer.router, ROUTER);
	assert_true(a.answer.reasons[0].by_subnet_route);
	assert_false(ask(&a, ODIN, "10.33.1.1", 6, 53));
	assert_false(ask(&a, FREYA, "10.33.1.1", 6, 443));
	assert_int_equal(a.answer.router, ROUTER);
	assert_true(ask(&a, ODIN, "8.8.8.8", 17, 53));
	assert_int_equal(a.answer.router, EXIT);
	assert_false(ask(&a, ODIN, "10.99.0.1", 6, 443));
	assert_int_equal(a.answer.router, UINT32_MAX);
	assert_false(ask(&a, ODIN, "100.64.0.6", 6, 443)); /* the router itself */
	end(&a);
}

static void an_address_of_nobody_is_judged_by_the_rules(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"10.99.0.0/16:443\"]}]}");
	assert_true(ask(&a, ODIN, "10.99.0.1", 6, 443));
	assert_int_equal(a.answer.router, UINT32_MAX);
	assert_false(a.answer.reasons[0].by_subnet_route);
	assert_false(ask(&a, ODIN, "10.98.0.1", 6, 443));
	end(&a);
}

static void no_rules_at_all_allow_everything(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{}");
	assert_true(ask(&a, THOR, "100.64.0.4", 6, 1));
	assert_int_equal(a.answer.reasons[0].rule->at.line, 0);
	end(&a);
	start(&a, "{\"acls\": []}");
	assert_false(ask(&a, THOR, "100.64.0.4", 6, 1));
	end(&a);
}

static void self_is_for_the_owner_alone(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:22\"]}]}");
	a.net.nodes[THOR].user = 1;
	policy_free(&a.policy);
	a.policy = smallnet_policy(&a.net, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:22\"]}]}");
	assert_true(ask(&a, ODIN, "100.64.0.3", 6, 22));
	assert_false(ask(&a, FREYA, "100.64.0.3", 6, 22));
	assert_false(ask(&a, ODIN, "100.64.0.2", 6, 22));
	end(&a);
}

static void via_takes_the_router_of_the_grant(void **state)
{
	(void)state;
	struct asked a;
	start(&a, "{" SMALLNET_TAGS
		  ", \"grants\": [{\"src\": [\"autogroup:member\"], \"dst\": [\"10.33.0.0/16\"], \"ip\": [\"tcp:443\"], \"via\": [\"tag:router\"]}]}");
	assert_true(ask(&a, FREYA, "10.33.0.9", 6, 443));
	assert_int_equal(a.answer.router, ROUTER);
	assert_false(ask(&a, CLIENT, "10.33.0.9", 6, 443));
	end(&a);
}

static void via_opens_prefix_by_prefix(void **state)
{
	(void)state;
	struct asked a;
	smallnet_init(&a.net);
	a.net.route = (struct prefix){smallnet_ip("100.64.0.0"), 28};
	a.policy = smallnet_policy(&a.net, "{" SMALLNET_TAGS
					   ", \"grants\": [{\"src\": [\"tag:client\"], \"dst\": [\"*\"], \"ip\": [\"22\"], \"via\": [\"tag:router\"]}]}");
	assert_true(ask(&a, CLIENT, "100.64.0.6", 6, 22));
	assert_false(ask(&a, CLIENT, "fd7a:115c:a1e0::6", 6, 22));
	assert_false(ask(&a, CLIENT, "100.64.0.4", 6, 22));
	end(&a);
}

struct change {
	struct smallnet net;
	struct policy *old, *now;
	struct explain_opening *list;
	size_t kept, count;
};

static void compare(struct change *c, const char *old, const char *now, size_t cap)
{
	smallnet_init(&c->net);
	c->old = smallnet_policy(&c->net, old);
	c->now = smallnet_policy(&c->net, now);
	c->kept = explain_opened(c->old, c->now, c->net.arena, cap, &c->list, &c->count);
}

static void compare_end(struct change *c)
{
	policy_free(&c->old);
	policy_free(&c->now);
	smallnet_clear(&c->net);
}

static void check_opening(const struct explain_opening *opening, uint32_t from, uint32_t to, int proto, uint16_t first, uint16_t last)
{
	assert_int_equal(opening->from, from);
	assert_int_equal(opening->to, to);
	assert_int_equal(opening->proto, proto);
	assert_int_equal(opening->ports.first, first);
	assert_int_equal(opening->ports.last, last);
}

#define ACL(src, rest) "{\"action\": \"accept\", \"src\": [\"" src "\"], " rest "}"

static void an_added_port_is_told(void **state)
{
	(void)state;
	struct change c;
	compare(&c, "{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:22\"]") "]}",
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:20-80\"]") "]}", 10);
	assert_int_equal(c.kept, 2);
	assert_int_equal(c.count, 2);
	check_opening(&c.list[0], CLIENT, SERVER, PROTO_ABSENT, 20, 21);
	check_opening(&c.list[1], CLIENT, SERVER, PROTO_ABSENT, 23, 80);
	compare_end(&c);
}

/* Destinations of one rule that stand together have each their own ports. */
static void ports_are_of_their_destination(void **state)
{
	(void)state;
	struct change c;
	compare(&c, "{" SMALLNET_TAGS ", \"acls\": []}",
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:22\", \"tag:client:23\", \"thor@example.org:5432\"]") "]}", 10);
	assert_int_equal(c.count, 2);
	check_opening(&c.list[0], CLIENT, THOR, PROTO_ABSENT, 5432, 5432);
	check_opening(&c.list[1], CLIENT, SERVER, PROTO_ABSENT, 22, 22);
	compare_end(&c);
}

static void a_wider_protocol_is_told(void **state)
{
	(void)state;
	struct change c;
	compare(&c, "{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"proto\": \"tcp\", \"dst\": [\"tag:server:22\"]") "]}",
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:22\"]") "]}", 10);
	assert_int_equal(c.count, 1);
	check_opening(&c.list[0], CLIENT, SERVER, 17, 22, 22);
	compare_end(&c);
}

static void what_was_open_or_closes_is_not_told(void **state)
{
	(void)state;
	struct change c;
	compare(&c, "{}", "{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:22\", \"10.33.0.0/16:*\"]") "]}", 10);
	assert_int_equal(c.kept, 0);
	assert_int_equal(c.count, 0);
	compare_end(&c);
	compare(&c,
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:1-50\"]") ", " ACL("*", "\"dst\": [\"tag:server:40-65535\"]") "]}",
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:server:30-65535\"]") "]}", 10);
	assert_int_equal(c.count, 0);
	compare_end(&c);
}

static void the_cap_keeps_the_count(void **state)
{
	(void)state;
	struct change c;
	compare(&c, "{\"acls\": []}", "{}", 5);
	assert_int_equal(c.kept, 5);
	assert_int_equal(c.count, SMALLNET_NODES * (SMALLNET_NODES - 1));
	for (size_t i = 0; i < c.kept; i++) {
		assert_int_not_equal(c.list[i].from, c.list[i].to);
		check_opening(&c.list[i], c.list[i].from, c.list[i].to, PROTO_ABSENT, 0, 65535);
	}
	compare_end(&c);
}

/* Ports of a router itself are not those of what lies behind it. */
static void behind_a_router_is_told(void **state)
{
	(void)state;
	struct change c;
	compare(&c, "{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:router:22\", \"10.33.1.0/24:22\"]") "]}",
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"tag:router:22\", \"10.33.0.0/16:22\"]") "]}", 10);
	assert_int_equal(c.count, 2);
	check_opening(&c.list[0], CLIENT, ROUTER, PROTO_ABSENT, 22, 22);
	check_opening(&c.list[1], CLIENT, STANDBY, PROTO_ABSENT, 22, 22);
	compare_end(&c);
	compare(&c, "{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"10.33.0.0/16:22\"]") "]}",
		"{" SMALLNET_TAGS ", \"acls\": [" ACL("tag:client", "\"dst\": [\"10.33.1.0/24:22\"]") "]}", 10);
	assert_int_equal(c.count, 0);
	compare_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_named_by_its_line),
		cmocka_unit_test(clients_judge_by_protocol),
		cmocka_unit_test(behind_a_router),
		cmocka_unit_test(an_address_of_nobody_is_judged_by_the_rules),
		cmocka_unit_test(no_rules_at_all_allow_everything),
		cmocka_unit_test(self_is_for_the_owner_alone),
		cmocka_unit_test(via_takes_the_router_of_the_grant),
		cmocka_unit_test(via_opens_prefix_by_prefix),
		cmocka_unit_test(an_added_port_is_told),
		cmocka_unit_test(ports_are_of_their_destination),
		cmocka_unit_test(a_wider_protocol_is_told),
		cmocka_unit_test(what_was_open_or_closes_is_not_told),
		cmocka_unit_test(the_cap_keeps_the_count),
		cmocka_unit_test(behind_a_router_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
