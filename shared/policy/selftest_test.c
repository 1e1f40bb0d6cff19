#include "selftest.h"

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
		if ((e == ERR_NONE) != !ssh_cases[i].why || (e && strcmp(why.text, ssh_cases[i].why)))
			fail_msg("%s: %s", ssh_cases[i].test, why.text);
		smallnet_clear(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tests_pass_or_fail), cmocka_unit_test(ssh_tests_pass_or_fail)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
