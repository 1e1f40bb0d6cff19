#include "sshrule.h"

#include "smallnet.h"

static struct smallnet net;
static struct policy *policy;

static void start(const char *ssh)
{
	smallnet_init(&net);
	policy = smallnet_policy(&net, arena_format(net.arena, "{" SMALLNET_TAGS ", \"ssh\": [%s]}", ssh));
}

static void end(void)
{
	policy_free(&policy);
	smallnet_clear(&net);
}

/* "IP,IP login=local login=local" of each rule, one a line; a check begins with ?. */
static const char *told(uint32_t slot)
{
	struct sshrules rules = sshrules_of(policy, net.arena, slot);
	char *out = arena_format(net.arena, "%s", "");
	for (size_t i = 0; i < rules.count; i++) {
		const struct sshrule *rule = &rules.list[i];
		out = arena_format(net.arena, "%s%s", out, rule->rule->check ? "?" : "");
		for (size_t k = 0; k < rule->principal_count; k++) {
			char ip[IP_TEXT_MAX];
			ip_format(ip, rule->principals[k]);
			if (rule->principals[k].family == IP_V4)
				out = arena_format(net.arena, "%s%s ", out, ip + sizeof "100.64.0." - 1);
		}
		for (size_t k = 0; k < rule->user_count; k++)
			out = arena_format(net.arena, "%s%.*s=%.*s%s", out, BYTES_ARG(rule->users[k].login), BYTES_ARG(rule->users[k].local),
					   k + 1 < rule->user_count ? " " : "\n");
	}
	return out;
}

static void each_node_gets_its_rules(void **state)
{
	static const struct {
		const char *ssh;
		uint32_t slot;
		const char *told;
	} cases[] = {
		{"{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:server\"], \"users\": [\"root\", \"ubuntu\"]}", SERVER,
		 "1 2 3 root=root ubuntu=ubuntu\n"},
		{"{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}", ODIN, ""},
		{"{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"users\": [\"autogroup:nonroot\"]}", FREYA,
		 "2 root= *==\n"},
		{"{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"users\": [\"root\"]}", SERVER, ""},
		{"{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"a\"]},"
		 "{\"action\": \"check\", \"src\": [\"thor@example.org\"], \"dst\": [\"tag:server\"], \"users\": [\"b\"]}",
		 SERVER, "?3 root= b=b\n1 root= a=a\n"},
		{"{\"action\": \"accept\", \"src\": [\"autogroup:member\", \"tag:client\"], \"dst\": [\"tag:server\"],"
		 " \"users\": [\"localpart:*@example.com\", \"ubuntu\"]}",
		 SERVER, "1 root= ubuntu=ubuntu\n1 odin=odin\n2 root= ubuntu=ubuntu\n2 freya=freya\n3 root= ubuntu=ubuntu\n5 root= ubuntu=ubuntu\n"},
		{"{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:server\"], \"users\": [\"localpart:*@example.com\", \"ubuntu\"]}",
		 ODIN, "1 root= ubuntu=ubuntu\n1 odin=odin\n"},
		{"{\"action\": \"accept\", \"src\": [\"tag:client\"], \"dst\": [\"tag:server\"], \"users\": [\"localpart:*@example.com\"]}", CLIENT,
		 "5 root=\n"},
		{"{\"action\": \"accept\", \"src\": [], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}", SERVER, ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start(cases[i].ssh);
		assert_string_equal(told(cases[i].slot), cases[i].told);
		end();
	}
}

static void a_client_takes_the_first_that_maps(void **state)
{
	(void)state;
	start("{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"autogroup:nonroot\"]},"
	      "{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"], \"acceptEnv\": [\"LANG\"]}");
	struct sshrules rules = sshrules_of(policy, net.arena, SERVER);
	assert_int_equal(rules.count, 2);
	assert_ptr_equal(sshrules_judge(&rules, net.nodes[ODIN].ip4, BYTES("root")), &rules.list[1]);
	assert_ptr_equal(sshrules_judge(&rules, net.nodes[ODIN].ip6, BYTES("ubuntu")), &rules.list[0]);
	assert_null(sshrules_judge(&rules, net.nodes[FREYA].ip4, BYTES("ubuntu")));
	assert_int_equal(rules.list[1].rule->accept_env_count, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_node_gets_its_rules), cmocka_unit_test(a_client_takes_the_first_that_maps)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
