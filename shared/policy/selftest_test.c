#include "selftest.h"

#include "buffer.h"
#include "smallnet.h"

static const char rules[] =
	"\"tagOwners\": {\"tag:server\": [], \"tag:client\": [], \"tag:router\": [], \"tag:exit\": []},"
	"\"hosts\": {\"wide\": \"10.33.0.0/16\", \"one\": \"10.33.0.7\"},"
	"\"acls\": [{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server:22,80-90\", \"one:443\"]},"
	" {\"action\": \"accept\", \"proto\": \"udp\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:client:53\"]},"
	" {\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:*\"]}],"
	"\"ssh\": [{\"action\": \"accept\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"autogroup:nonroot\"]},"
	" {\"action\": \"check\", \"src\": [\"freya@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}]";

static const struct {
	const char *test;
	bool passes;
} cases[] = {
	{"'src': 'odin@example.com', 'accept': ['tag:server:22', 'tag:server:85', 'one:443', '10.33.0.7:443']", true},
	{"'src': 'odin@example.com', 'accept': ['tag:server:79']", false},
	{"'src': 'odin@example.com', 'deny': ['tag:server:79', 'tag:client:22']", true},
	{"'src': 'odin@example.com', 'deny': ['tag:server:22']", false},
	{"'src': 'autogroup:member', 'accept': ['tag:server:22']", false},
	{"'src': 'freya@example.com', 'deny': ['tag:server:22']", true},
	{"'src': '*', 'accept': ['tag:client:53']", false},
	{"'src': 'freya@example.com', 'proto': 'udp', 'accept': ['tag:client:53']", true},
	{"'src': 'freya@example.com', 'proto': 'tcp', 'deny': ['tag:client:53']", true},
	{"'src': 'freya@example.com', 'accept': ['tag:client:53']", true},
	{"'src': 'freya@example.com', 'proto': 'icmp', 'accept': ['tag:client:53']", false},
	{"'src': 'freya@example.com', 'accept': ['autogroup:self:5']", true},
	{"'src': '100.64.0.1', 'accept': ['100.64.0.4:22']", true},
	{"'src': 'odin@example.com', 'accept': ['100.64.0.4/32:22']", false},
	{"'src': 'odin@example.com', 'accept': ['tag:server:22-23']", false},
	{"'src': 'odin@example.com', 'accept': ['wide:443']", false},
	{"'src': 'odin@example.com', 'deny': ['autogroup:internet:443']", false},
	{"'src': 'nobody@example.com', 'deny': ['tag:server:22']", false},
	{"'src': 'tag:none', 'deny': ['tag:server:22']", false},
	{"'src': 'odin@example.com'", false},
	{"'deny': ['tag:server:22']", false},
};

static const struct {
	const char *test, *why; /* NULL: passes */
} ssh_cases[] = {
	{"'src': 'odin@example.com', 'dst': ['tag:server'], 'accept': ['ubuntu', 'ann'], 'deny': ['root']", NULL},
	{"'src': 'odin@example.com', 'dst': ['tag:server'], 'accept': ['root']", "test(s) failed"},
	{"'src': 'odin@example.com', 'dst': ['tag:server'], 'check': ['ubuntu']", "test(s) failed"},
	{"'src': 'freya@example.com', 'dst': ['tag:server'], 'check': ['root'], 'accept': ['root'], 'deny': ['ubuntu']", NULL},
	{"'src': 'thor@example.org', 'dst': ['100.64.0.4'], 'deny': ['root', 'ubuntu']", NULL},
	{"'src': 'odin@example.com', 'dst': ['100.64.0.4'], 'accept': ['ubuntu']", NULL},
	{"'src': 'odin@example.com', 'dst': ['100.64.0.99'], 'deny': ['ubuntu']", "test(s) failed"},
	{"'src': 'odin@example.com', 'dst': ['tag:server']", "test(s) failed"},
	{"'src': 'odin@example.com', 'dst': [], 'accept': ['ubuntu']", "test(s) failed"},
	{"'src': 'odin@example.com', 'dst': ['tag:server'], 'accept': ['']", "test(s) failed"},
	{"'src': 'odin@example.com', 'dst': ['tag:none'], 'accept': ['x']", "SSH tests dst contains unknown tag \"tag:none\""},
	{"'src': 'odin@example.com', 'dst': ['wide'], 'accept': ['x']", "SSH tests dst contains disallowed element \"wide\""},
};

static const char *with_test(struct smallnet *net, const char *name, const char *test)
{
	char *text = arena_format(net->arena, "{%s, \"%s\": [{%s}]}", rules, name, test);
	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	return text;
}

/* The sentence of a refusal, wherever it is found; "" when all passes. */
static enum err outcome(struct smallnet *net, const char *text, struct selftest *result, struct diag *why)
{
	struct surroundings around = {.domains = &net->domain, .domain_count = 1};
	struct document *document;
	*why = (struct diag){{0}, 0, 0};
	enum err e = document_read(net->arena, bytes_text(text), &around, &document, why);
	if (e)
		return e;
	struct policy *policy = policy_compile(document, &net->roll);
	e = selftest_run(policy, net->arena, result, why);
	policy_free(&policy);
	return e;
}

static void tests_pass_or_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smallnet net;
		struct selftest result = {0};
		struct diag why;
		smallnet_init(&net);
		enum err e = outcome(&net, with_test(&net, "tests", cases[i].test), &result, &why);
		if (e != (cases[i].passes ? ERR_NONE : ERR_MALFORMED))
			fail_msg("%s: %s", cases[i].test, why.text);
		if (!cases[i].passes) {
			assert_string_equal(why.text, "test(s) failed");
			assert_true(result.failure_count == 1 && result.failures[0].error_count && why.line == 1 && result.ran == 1);
		}
		smallnet_clear(&net);
	}
}

static void ssh_tests_pass_or_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ssh_cases / sizeof *ssh_cases; i++) {
		struct smallnet net;
		struct selftest result = {0};
		struct diag why;
		smallnet_init(&net);
		enum err e = outcome(&net, with_test(&net, "sshTests", ssh_cases[i].test), &result, &why);
		if ((e == ERR_NONE) != !ssh_cases[i].why || (e && strcmp(why.text, ssh_cases[i].why) != 0))
			fail_msg("%s: %s", ssh_cases[i].test, why.text);
		smallnet_clear(&net);
	}
}

/* Rules of their own for one test: sources that several rules cover together, protocols, via, self. */
static const struct {
	const char *policy, *test;
	bool passes;
} own[] = {
	{"'acls': [{'action': 'accept', 'src': ['odin@example.com'], 'dst': ['tag:server:22']},"
	 "{'action': 'accept', 'src': ['freya@example.com', 'thor@example.org'], 'dst': ['tag:server:*']}]",
	 "'src': 'autogroup:member', 'accept': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'src': ['odin@example.com'], 'dst': ['tag:server:22']},"
	 "{'action': 'accept', 'src': ['thor@example.org'], 'dst': ['tag:server:*']}]",
	 "'src': 'autogroup:member', 'accept': ['tag:server:22']", false},
	{"'acls': [{'action': 'accept', 'src': ['10.33.0.0/17'], 'dst': ['tag:server:22']},"
	 "{'action': 'accept', 'src': ['10.33.128.0/17'], 'dst': ['tag:server:22']}]",
	 "'src': '10.33.0.0/16', 'accept': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'src': ['10.33.0.0/17', '10.33.129.0/24'], 'dst': ['tag:server:22']}]",
	 "'src': '10.33.0.0/16', 'accept': ['tag:server:22']", false},
	{"'acls': [{'action': 'accept', 'src': ['*'], 'dst': ['*:*']}]", "'src': '*', 'accept': ['tag:server:22', '8.8.8.8:53', 'thor@example.org:1']", true},
	{"'acls': [{'action': 'accept', 'src': ['autogroup:danger-all'], 'dst': ['tag:server:22']}]",
	 "'src': '8.8.8.8', 'accept': ['tag:server:22'], 'deny': ['tag:server:23']", true},
	{"'acls': []", "'src': '*', 'deny': ['tag:server:22']", true},
	{"", "'src': '*', 'accept': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'proto': 'icmp', 'src': ['*'], 'dst': ['tag:server:*']}]", "'src': 'tag:client', 'accept': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'proto': 'icmp', 'src': ['*'], 'dst': ['tag:server:*']}]",
	 "'src': 'tag:client', 'proto': 'tcp', 'accept': ['tag:server:22']", false},
	{"'acls': [{'action': 'accept', 'proto': '47', 'src': ['*'], 'dst': ['tag:server:*']}]", "'src': 'tag:client', 'deny': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'src': ['*'], 'dst': ['tag:server:22']}]", "'src': 'tag:client', 'proto': '132', 'accept': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'src': ['tag:client'], 'dst': ['100.64.0.4:22']}]", "'src': 'tag:client', 'accept': ['tag:server:22']", true},
	{"'acls': [{'action': 'accept', 'src': ['100.64.0.5'], 'dst': ['tag:server:22']}]", "'src': 'tag:client', 'accept': ['tag:server:22']", false},
	{"'grants': [{'src': ['tag:client'], 'dst': ['tag:server'], 'app': {'example.com/cap': []}, 'ip': []}]",
	 "'src': 'tag:client', 'deny': ['tag:server:22']", true},
	{"'grants': [{'src': ['tag:client'], 'dst': ['10.33.0.0/16'], 'ip': ['22'], 'via': ['tag:router']}]",
	 "'src': 'tag:client', 'accept': ['10.33.0.1:22'], 'deny': ['10.34.0.1:22']", true},
	{"'grants': [{'src': ['tag:client'], 'dst': ['10.33.0.0/16', '10.34.0.0/16'], 'ip': ['22'], 'via': ['tag:router']}]",
	 "'src': 'tag:client', 'accept': ['10.33.0.1:22'], 'deny': ['10.34.0.1:22']", true},
	{"'grants': [{'src': ['tag:client'], 'dst': ['autogroup:internet'], 'ip': ['22'], 'via': ['tag:exit']}]",
	 "'src': 'tag:client', 'accept': ['8.8.8.8:22'], 'deny': ['10.34.0.1:22']", true},
	{"'grants': [{'src': ['tag:client'], 'dst': ['autogroup:internet'], 'ip': ['22'], 'via': ['tag:router']}]",
	 "'src': 'tag:client', 'deny': ['8.8.8.8:22']", true},
	{"'grants': [{'src': ['tag:client'], 'dst': ['10.33.0.0/16'], 'ip': ['22'], 'via': ['tag:server']}]", "'src': 'tag:client', 'deny': ['10.33.0.1:22']",
	 true},
	{"'acls': [{'action': 'accept', 'src': ['*'], 'dst': ['autogroup:self:22']}]",
	 "'src': 'odin@example.com', 'accept': ['autogroup:self:22', '100.64.0.1:22'], 'deny': ['100.64.0.2:22', 'freya@example.com:22']", true},
	{"'acls': [{'action': 'accept', 'src': ['*'], 'dst': ['*:*']}]", "'src': 'tag:client', 'accept': ['autogroup:self:22']", false},
};

static void whole_sources_find_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(own); i++) {
		struct smallnet net;
		struct selftest result = {0};
		struct diag why;
		smallnet_init(&net);
		char *text = arena_format(net.arena, "{" SMALLNET_TAGS "%s%s, \"tests\": [{%s}]}", *own[i].policy ? ", " : "", own[i].policy, own[i].test);
		for (char *at = text; *at; at++)
			*at = *at == '\'' ? '"' : *at;
		enum err e = outcome(&net, text, &result, &why);
		if (e != (own[i].passes ? ERR_NONE : ERR_MALFORMED))
			fail_msg("%s with %s: %s", own[i].test, own[i].policy, why.text);
		smallnet_clear(&net);
	}
}

/* A router whose route holds somebody's address is not one of his nodes. */
static void self_is_not_the_router(void **state)
{
	(void)state;
	struct smallnet net;
	struct selftest result = {0};
	struct diag why;
	smallnet_init(&net);
	net.route = (struct prefix){smallnet_ip("100.64.0.0"), 30};
	assert_int_equal(outcome(&net,
				 "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"autogroup:self:22\"]}], \"tests\": ["
				 "{\"src\": \"odin@example.com\", \"accept\": [\"100.64.0.1:22\"], \"deny\": [\"100.64.0.6:22\"]}]}",
				 &result, &why),
			 ERR_NONE);
	smallnet_clear(&net);
}

/* odin, freya and thor have neighbouring addresses: who is in the middle is asked too. */
static void every_source_of_an_ssh_test_is_asked(void **state)
{
	(void)state;
	struct smallnet net;
	struct selftest result = {0};
	struct diag why;
	smallnet_init(&net);
	const char *text = "{" SMALLNET_TAGS ", \"ssh\": [{\"action\": \"accept\", \"src\": [\"odin@example.com\", \"thor@example.org\"],"
			   "\"dst\": [\"tag:server\"], \"users\": [\"root\"]}], \"sshTests\": ["
			   "{\"src\": \"autogroup:member\", \"dst\": [\"tag:server\"], \"accept\": [\"root\"]},"
			   "{\"src\": \"odin@example.com\", \"dst\": [\"tag:server\"], \"accept\": [\"root\"]},"
			   "{\"src\": \"autogroup:member\", \"dst\": [\"tag:server\"], \"deny\": [\"root\", \"web\"]}]}";
	static const char *const wanted[] = {"accept \"root\": is refused", "deny \"root\": is let in"};
	assert_int_equal(outcome(&net, text, &result, &why), ERR_MALFORMED);
	assert_int_equal(result.ran, 3);
	assert_int_equal(result.failure_count, COUNT_OF(wanted));
	for (size_t i = 0; i < COUNT_OF(wanted) && i < result.failure_count; i++) {
		assert_int_equal(result.failures[i].error_count, 1);
		assert_true(bytes_equal_text(result.failures[i].user, "autogroup:member"));
		assert_true(bytes_equal_text(result.failures[i].errors[0], wanted[i]));
	}
	smallnet_clear(&net);
}

static void sentences_are_capped(void **state)
{
	(void)state;
	struct smallnet net;
	struct buffer text;
	struct selftest result = {0};
	struct diag why;
	smallnet_init(&net);
	buffer_init(&text, DOCUMENT_MAX);
	assert_int_equal(buffer_add(&text, BYTES("{\"acls\": [], \"tests\": [{\"src\": \"*\", \"accept\": [\"*:1\"")), ERR_NONE);
	for (size_t i = 0; i < 3 * SELFTEST_TOLD_MAX; i++)
		assert_int_equal(buffer_add(&text, BYTES(",\"*:1\"")), ERR_NONE);
	assert_int_equal(buffer_add(&text, BYTES("]}, {\"src\": \"*\"}]}")), ERR_NONE);
	assert_int_equal(outcome(&net, arena_text(net.arena, buffer_bytes(&text)), &result, &why), ERR_MALFORMED);
	assert_int_equal(result.ran, 1);
	assert_int_equal(result.failure_count, 1);
	assert_int_equal(result.failures[0].error_count, SELFTEST_TOLD_MAX);
	buffer_clear(&text);
	smallnet_clear(&net);
}

/* Rules and tests, each of a source of its own. */
static enum err many(struct smallnet *net, size_t rule_count, size_t test_count, struct selftest *result, struct diag *why)
{
	struct buffer text;
	buffer_init(&text, DOCUMENT_MAX);
	assert_int_equal(buffer_add(&text, BYTES("{\"acls\": [")), ERR_NONE);
	for (size_t i = 0; i < rule_count; i++)
		assert_int_equal(
			buffer_add(&text, bytes_text(arena_format(net->arena, "%s{\"action\":\"accept\",\"src\":[\"10.%zu.%zu.%zu\"],\"dst\":[\"*:1\"]}",
								  i ? "," : "", i >> 16, i >> 8 & 255, i & 255))),
			ERR_NONE);
	assert_int_equal(buffer_add(&text, BYTES("], \"tests\": [")), ERR_NONE);
	for (size_t i = 0; i < test_count; i++)
		assert_int_equal(buffer_add(&text, bytes_text(arena_format(net->arena, "%s{\"src\":\"10.%zu.%zu.%zu\",\"accept\":[\"1.1.1.1:1\"]}",
									   i ? "," : "", i >> 16, i >> 8 & 255, i & 255))),
				 ERR_NONE);
	assert_int_equal(buffer_add(&text, BYTES("]}")), ERR_NONE);
	enum err e = outcome(net, arena_text(net->arena, buffer_bytes(&text)), result, why);
	buffer_clear(&text);
	return e;
}

static void many_tests_are_bounded(void **state)
{
	(void)state;
	struct smallnet net;
	struct selftest result = {0};
	struct diag why;
	smallnet_init(&net);
	assert_int_equal(many(&net, 1000, 1000, &result, &why), ERR_NONE);
	assert_int_equal(result.ran, 1000);
	assert_int_equal(many(&net, 60000, 60000, &result, &why), ERR_TOO_BIG);
	assert_non_null(strstr(why.text, "take too long"));
	assert_int_equal(result.failure_count, 0);
	smallnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tests_pass_or_fail),
		cmocka_unit_test(ssh_tests_pass_or_fail),
		cmocka_unit_test(whole_sources_find_rules),
		cmocka_unit_test(self_is_not_the_router),
		cmocka_unit_test(every_source_of_an_ssh_test_is_asked),
		cmocka_unit_test(sentences_are_capped),
		cmocka_unit_test(many_tests_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
