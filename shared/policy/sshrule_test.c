#include "sshrule.h"

#include "smallnet.h"

/* What a node gets, one rule after the other: "check" or "accept", principals by the letter of their node (its IPv4) or a digit (its IPv6), logins. */
static const char letters[] = "oftscrxe";

static char letter_of(const struct smallnet *net, struct ip ip)
{
	for (size_t i = 0; i < SMALLNET_NODES; i++) {
		if (ip_equal(ip, net->nodes[i].ip4))
			return letters[i];
		if (ip_equal(ip, net->nodes[i].ip6))
			return (char)('0' + i);
	}
	return '?';
}

static const char *rules_text(struct smallnet *net, struct policy *policy, uint32_t slot)
{
	const char *text = "";
	struct sshrules rules = sshrules_of(policy, net->arena, slot);
	for (size_t i = 0; i < rules.count; i++) {
		const struct sshrule *rule = &rules.list[i];
		text = arena_format(net->arena, "%s%s%s ", text, i ? "; " : "", rule->rule->check ? "check" : "accept");
		for (size_t k = 0; k < rule->principal_count; k++)
			text = arena_format(net->arena, "%s%c", text, letter_of(net, rule->principals[k]));
		for (size_t k = 0; k < rule->user_count; k++)
			text = arena_format(net->arena, "%s %.*s=%.*s", text, BYTES_ARG(rule->users[k].login), BYTES_ARG(rule->users[k].local));
	}
	return text;
}

static struct policy *policy_of(struct smallnet *net, const char *ssh)
{
	return smallnet_policy(
		net, arena_format(net->arena, "{" SMALLNET_TAGS ", \"groups\": {\"group:gods\": [\"odin@example.com\", \"thor@example.org\"]}, \"ssh\": [%s]}",
				  ssh));
}

static void nodes_get_their_rules(void **state)
{
	(void)state;
	struct smallnet net;
	static const struct {
		const char *ssh;
		uint32_t slot;
		const char *rules;
	} cases[] = {
		{"{'action': 'accept', 'src': ['autogroup:member'], 'dst': ['autogroup:self'], 'users': ['root']}", ODIN, "accept o0 root=root"},
		{"{'action': 'accept', 'src': ['autogroup:member'], 'dst': ['autogroup:self'], 'users': ['root']}", FREYA, "accept f1 root=root"},
		{"{'action': 'accept', 'src': ['autogroup:member'], 'dst': ['autogroup:self'], 'users': ['root']}", SERVER, ""},
		{"{'action': 'accept', 'src': ['group:gods'], 'dst': ['autogroup:self'], 'users': ['root']}", FREYA, ""},
		{"{'action': 'accept', 'src': ['group:gods'], 'dst': ['tag:server'], 'users': ['autogroup:nonroot']}", SERVER, "accept o0t2 root= *=="},
		{"{'action': 'accept', 'src': ['group:gods'], 'dst': ['tag:server'], 'users': ['autogroup:nonroot']}", CLIENT, ""},
		{"{'action': 'accept', 'src': ['tag:client'], 'dst': ['tag:server'], 'users': ['root', 'ubuntu', 'ubuntu']}", SERVER,
		 "accept c4 root=root ubuntu=ubuntu"},
		{"{'action': 'accept', 'src': ['tag:client'], 'dst': ['tag:server'], 'users': ['a']},"
		 "{'action': 'check', 'src': ['tag:client'], 'dst': ['tag:server'], 'users': ['b']},"
		 "{'action': 'accept', 'src': ['tag:client'], 'dst': ['tag:server'], 'users': ['a']}",
		 SERVER, "check c4 root= b=b; accept c4 root= a=a; accept c4 root= a=a"},
		{"{'action': 'accept', 'src': [], 'dst': ['tag:server'], 'users': ['root']}", SERVER, ""},
		{"{'action': 'accept', 'src': ['odin@example.com'], 'dst': ['odin@example.com', 'autogroup:self'], 'users': ['root']}", ODIN,
		 "accept o0 root=root"},
		{"{'action': 'accept', 'src': ['autogroup:member'], 'dst': ['autogroup:self', 'autogroup:member'], 'users': ['root']}", FREYA,
		 "accept o0f1t2 root=root"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		smallnet_init(&net);
		char *ssh = arena_text(net.arena, bytes_text(cases[i].ssh));
		for (char *at = ssh; *at; at++)
			*at = *at == '\'' ? '"' : *at;
		struct policy *policy = policy_of(&net, ssh);
		assert_string_equal(rules_text(&net, policy, cases[i].slot), cases[i].rules);
		assert_string_equal(rules_text(&net, policy, cases[i].slot), cases[i].rules);
		policy_free(&policy);
		smallnet_clear(&net);
	}
}

static void a_tagged_source_stands_once_for_each_of_its_tags(void **state)
{
	(void)state;
	struct smallnet net;
	struct bytes two[] = {BYTES("tag:client"), BYTES("tag:router")};
	smallnet_init(&net);
	net.nodes[CLIENT].tags = two;
	net.nodes[CLIENT].tag_count = 2;
	struct policy *policy =
		policy_of(&net, "{\"action\": \"accept\", \"src\": [\"autogroup:tagged\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]},"
				"{\"action\": \"accept\", \"src\": [\"tag:client\", \"tag:router\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}");
	assert_string_equal(rules_text(&net, policy, SERVER), "accept s3c4c4r5x6e7 root=root; accept c4r5x6 root=root");
	policy_free(&policy);
	smallnet_clear(&net);
}

static const char *recorders_text(struct smallnet *net, const char *recorder)
{
	struct policy *policy = policy_of(
		net, arena_format(net->arena,
				  "{\"action\": \"accept\", \"src\": [\"tag:client\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"], \"recorder\": [%s]}",
				  recorder));
	struct endpoint *list;
	size_t count = sshrule_recorders(policy, net->arena, &policy->document->ssh[0], &list);
	const char *text = "";
	for (size_t i = 0; i < count; i++) {
		char address[ENDPOINT_TEXT_MAX];
		char letter = letter_of(net, list[i].ip);
		assert_int_equal(list[i].port, SSHRULE_RECORDER_PORT);
		endpoint_format(address, list[i]);
		text = letter == '?' ? arena_format(net->arena, "%s %s", text, address) : arena_format(net->arena, "%s %c", text, letter);
	}
	policy_free(&policy);
	return text;
}

static void recorders_are_addresses_and_nodes_of_tags(void **state)
{
	(void)state;
	struct smallnet net;
	struct bytes tag[] = {BYTES("tag:router")};
	smallnet_init(&net);
	assert_string_equal(recorders_text(&net, ""), "");
	assert_string_equal(recorders_text(&net, "\"10.0.0.9\", \"fd7a::9\""), " 10.0.0.9:80 [fd7a::9]:80");
	assert_string_equal(recorders_text(&net, "\"tag:router\", \"10.0.0.9\""), " r 5 x 6 10.0.0.9:80");
	net.nodes[CLIENT].tags = tag;
	assert_string_equal(recorders_text(&net, "\"tag:router\""), " c 4 r 5 x 6");
	assert_string_equal(recorders_text(&net, "\"tag:client\""), "");
	smallnet_clear(&net);
}

static void localpart_makes_rules_per_user(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	struct policy *policy = policy_of(&net, "{\"action\": \"accept\", \"src\": [\"autogroup:member\", \"tag:client\"], \"dst\": [\"tag:server\"],"
						"\"users\": [\"localpart:*@example.com\", \"ubuntu\"]}");
	assert_string_equal(rules_text(&net, policy, SERVER), "accept o0 root= ubuntu=ubuntu; accept o0 odin=odin; accept f1 root= ubuntu=ubuntu;"
							      " accept f1 freya=freya; accept t2 root= ubuntu=ubuntu; accept c4 root= ubuntu=ubuntu");
	assert_string_equal(rules_text(&net, policy, ODIN), "accept o0 root= ubuntu=ubuntu; accept o0 odin=odin");
	assert_string_equal(rules_text(&net, policy, THOR), "accept t2 root= ubuntu=ubuntu");
	assert_string_equal(rules_text(&net, policy, CLIENT), "accept c4 root= ubuntu=ubuntu");
	assert_string_equal(rules_text(&net, policy, ROUTER), "");
	policy_free(&policy);
	smallnet_clear(&net);
}

static void the_first_rule_that_maps_the_login_wins(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	struct policy *policy =
		policy_of(&net, "{\"action\": \"accept\", \"src\": [\"group:gods\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]},"
				"{\"action\": \"check\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"autogroup:nonroot\"]}");
	struct sshrules rules = sshrules_of(policy, net.arena, SERVER);
	static const struct {
		unsigned node;
		const char *login;
		char verdict; /* accept, check, refused */
	} cases[] = {{ODIN, "root", 'a'}, {ODIN, "web", 'c'}, {THOR, "root", 'a'}, {THOR, "web", 'r'}, {FREYA, "root", 'r'}, {ODIN, "", 'c'}};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (unsigned six = 0; six < 2; six++) {
			const struct node *node = &net.nodes[cases[i].node];
			const struct sshrule *rule = sshrules_judge(&rules, six ? node->ip6 : node->ip4, bytes_text(cases[i].login));
			assert_int_equal(!rule ? 'r' : rule->rule->check ? 'c' : 'a', cases[i].verdict);
		}
	assert_false(sshrule_applies(&rules.list[0], net.nodes[ODIN].ip4, BYTES("root")));
	assert_true(sshrule_applies(&rules.list[1], net.nodes[ODIN].ip4, BYTES("root")));
	policy_free(&policy);
	smallnet_clear(&net);
}

static void empty_slots_and_nodes_without_ipv4(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	net.slots[FREYA].node = NULL;
	net.nodes[ODIN].ip4 = (struct ip){0};
	struct policy *policy = policy_of(&net, "{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}");
	assert_string_equal(rules_text(&net, policy, SERVER), "accept 0t2 root=root");
	assert_string_equal(rules_text(&net, policy, FREYA), "");
	policy_free(&policy);
	smallnet_clear(&net);
}

/* Rules whose principals would not fit into any map end the list: an accept rule never stands in for a check that was left out. */
static void too_many_principals_refuse(void **state)
{
	(void)state;
	enum { MANY = 3000 };
	struct arena *arena = arena_new();
	struct user user = {.id = 1, .name = BYTES("odin"), .email = BYTES("odin@example.com")};
	struct roll_user one = {.user = &user};
	struct node *nodes = ARENA_ARRAY(arena, struct node, MANY);
	struct roll_node *slots = ARENA_ARRAY(arena, struct roll_node, MANY);
	struct bytes tag = BYTES("tag:server");
	for (size_t i = 0; i < MANY; i++) {
		nodes[i] =
			(struct node){.id = 10 + i, .user = 1, .ip4 = ip_add(smallnet_ip("100.64.0.1"), i), .ip6 = ip_add(smallnet_ip("fd7a:115c:a1e0::1"), i)};
		slots[i].node = &nodes[i];
	}
	nodes[0].tags = &tag;
	nodes[0].tag_count = 1;
	const char *text = "{\"tagOwners\": {\"tag:server\": []}, \"ssh\": [";
	char *rules = arena_text(arena, bytes_of(text, strlen(text)));
	for (size_t i = 0; i < 400; i++)
		rules = arena_format(arena, "%s%s{\"action\": \"check\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:server\"], \"users\": [\"u%zu\"]}",
				     rules, i ? "," : "", i);
	rules = arena_format(arena, "%s,{\"action\": \"accept\", \"src\": [\"tag:server\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}]}", rules);
	struct roll roll = {.users = &one, .user_count = 1, .nodes = slots, .node_count = MANY};
	struct surroundings around = {0};
	struct document *document;
	assert_int_equal(document_read(arena, bytes_text(rules), &around, &document, NULL), ERR_NONE);
	struct policy *policy = policy_compile(document, &roll);
	struct sshrules got = sshrules_of(policy, arena, 0);
	assert_int_equal(got.count, SSHRULE_PRINCIPALS_MAX / (2 * (MANY - 1)));
	for (size_t i = 0; i < got.count; i++)
		assert_true(got.list[i].rule->check);
	policy_free(&policy);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_get_their_rules),
		cmocka_unit_test(a_tagged_source_stands_once_for_each_of_its_tags),
		cmocka_unit_test(recorders_are_addresses_and_nodes_of_tags),
		cmocka_unit_test(localpart_makes_rules_per_user),
		cmocka_unit_test(the_first_rule_that_maps_the_login_wins),
		cmocka_unit_test(empty_slots_and_nodes_without_ipv4),
		cmocka_unit_test(too_many_principals_refuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
