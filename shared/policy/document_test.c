#include "document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct bytes domain = {(const uint8_t *)"example.com", 11}, outer = {(const uint8_t *)"group:eng@corp", 14};
static const struct surroundings around = {.domains = &domain, .domain_count = 1, .groups = &outer, .group_count = 1};

static enum err read_text(struct arena *arena, const char *text, struct document **doc, struct diag *why)
{
	*why = (struct diag){0};
	return document_read(arena, bytes_text(text), &around, doc, why);
}

static struct document *must_read(struct arena *arena, const char *text)
{
	struct document *doc;
	struct diag why;
	if (read_text(arena, text, &doc, &why))
		fail_msg("%s: %u:%u %s", text, why.line, why.column, why.text);
	return doc;
}

struct refusal {
	const char *text, *sentence;
	unsigned column; /* of the first line; 0: not asked */
};

static void must_refuse(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct arena *arena = arena_new();
		struct document *doc;
		struct diag why;
		enum err e = read_text(arena, refusals[i].text, &doc, &why);
		if (e != ERR_MALFORMED)
			fail_msg("%s: %s", refusals[i].text, err_text(e));
		assert_null(doc);
		assert_string_equal(why.text, refusals[i].sentence);
		if (why.line != 1 || (refusals[i].column && why.column != refusals[i].column))
			fail_msg("%s: %u:%u", refusals[i].text, why.line, why.column);
		arena_free(&arena);
	}
}

#define TAGS "\"tagOwners\":{\"tag:a\":[]}"
#define ACL(members) "{" TAGS ",\"acls\":[{\"action\":\"accept\"," members "}]}"
#define GRANT(members) "{" TAGS ",\"grants\":[{" members "}]}"
#define SSH(members) "{" TAGS ",\"hosts\":{\"web\":\"10.0.0.1\"},\"ssh\":[{" members "}]}"
#define SSH_OF(members) SSH("\"action\":\"accept\",\"src\":[\"a@b\"],\"dst\":[\"tag:a\"]," members)
#define CHECK(period) SSH("\"action\":\"check\",\"src\":[\"a@b\"],\"dst\":[\"tag:a\"],\"users\":[\"root\"],\"checkPeriod\":" period)
#define SELF_SRC "autogroup:self can only be used with users, groups, or supported autogroups"
#define FOREIGN " is not associated with this Tailnet and cannot be used in user:*@<domain> expressions"
#define NO_ZERO "first port must be >0, or use '*' for wildcard"

static void acls_are_refused_with_the_sentence_of_the_service(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{"{\"acls\":[{\"action\":\"deny\"}]}", "action=\"deny\" is not supported", 20},
		{"{\"acls\":[{\"src\":[]}]}", "action=\"\" is not supported", 10},
		{ACL("\"src\":[\"tag:x\"]"), "src=tag not found: \"tag:x\"", 0},
		{ACL("\"dst\":[\"tag:x:22\"]"), "dst=\"tag:x\": tag not found: \"tag:x\"", 0},
		{ACL("\"src\":[\"autogroup:self\"]"), "\"autogroup:self\" not valid on the src side of a rule", 0},
		{ACL("\"src\":[\"autogroup:internet\"]"), "autogroup:internet can only be used in ACL destinations", 0},
		{ACL("\"dst\":[\"autogroup:danger-all:*\"]"), "cannot use autogroup:danger-all as a dst", 0},
		{ACL("\"src\":[\"tag:a\"],\"dst\":[\"autogroup:self:*\"]"), SELF_SRC, 0},
		{ACL("\"src\":[\"autogroup:tagged\"],\"dst\":[\"autogroup:self:*\"]"), SELF_SRC, 0},
		{ACL("\"src\":[\"a@b\",\"10.0.0.1\"],\"dst\":[\"*:*\",\"autogroup:self:*\"]"), SELF_SRC, 0},
		{ACL("\"dst\":[\"tag:a\"]"), "dst=\"tag:a\": port range \"a\": invalid first integer", 0},
		{ACL("\"dst\":[\"tag:a:0\"]"), "dst=\"tag:a:0\": port range \"0\": " NO_ZERO, 0},
		{ACL("\"dst\":[\"tag:a:0-100\"]"), "dst=\"tag:a:0-100\": port range \"0-100\": " NO_ZERO, 0},
		{ACL("\"dst\":[\"tag:a:22,80-70\"]"), "dst=\"tag:a:22,80-70\": port range \"22,80-70\": first port must be >= last port", 0},
		{ACL("\"dst\":[\"tag:a:1-2-3\"]"), "dst=\"tag:a:1-2-3\": port range \"1-2-3\": too many dashes(-)", 0},
		{ACL("\"dst\":[\"tag:a:65536\"]"), "dst=\"tag:a:65536\": port range \"65536\": invalid first integer", 0},
		{ACL("\"dst\":[\"tag:a:1-65536\"]"), "dst=\"tag:a:1-65536\": port range \"1-65536\": invalid last integer", 0},
		{ACL("\"dst\":[\"tag:a:-1\"]"), "dst=\"tag:a:-1\": port range \"-1\": invalid first integer", 0},
		{ACL("\"dst\":[\"tag:a:ssh\"]"), "dst=\"tag:a:ssh\": port range \"ssh\": invalid first integer", 0},
		{ACL("\"dst\":[\"tag:a:\"]"), "dst=\"tag:a:\": invalid port list: \"\"", 0},
		{ACL("\"dst\":[\"tag:a:22,\"]"), "dst=\"tag:a:22,\": invalid port list: \"\"", 0},
		{ACL("\"proto\":\"nope\""), "proto name \"nope\" not known; use protocol number 0-255", 0},
		{ACL("\"proto\":\"256\""), "proto name \"256\" not known; use protocol number 0-255", 0},
		{ACL("\"proto\":\"*\""), "proto name \"*\" not known; use protocol number 0-255", 0},
		{ACL("\"proto\":\"icmp\",\"dst\":[\"tag:a:22\"]"), "protocol does not support specific ports: \"icmp\", only \"*\" is allowed", 0},
		{ACL("\"source\":[]"), "unknown field: \"source\"", 0},
		{ACL("\"src\":[],\"SRC\":[]"), "duplicate field: \"src\"", 0},
		{ACL("\"src\":\"*\""), "src: a list is wanted, not a string", 0},
		{ACL("\"src\":[1]"), "src: a string is wanted, not a number", 0},
		{ACL("\"src\":[],\"users\":[]"), "src and users, or dst and ports, say the same: one of them", 0},
		{ACL("\"src\":[\"group:x\"]"), "group not found: \"group:x\"", 0},
		{ACL("\"src\":[\"nobody\"]"), "\"nobody\": invalid address", 0},
		{ACL("\"src\":[\"autogroup:nonroot\"]"), "\"autogroup:nonroot\": invalid address", 0},
		{ACL("\"src\":[\"10.0.0.0/33\"]"), "\"10.0.0.0/33\": invalid address", 0},
		{ACL("\"src\":[\"user:*@Example.com\"]"), "Example.com" FOREIGN, 0},
		{ACL("\"src\":[\"a\\n\\u0001\\\"\\u200b\\u00e9\"]"), "\"a\\n\\x01\\\"\\u200b\xc3\xa9\": invalid address", 0},
	};
	must_refuse(cases, COUNT_OF(cases));
}

static void grants_are_refused_with_the_sentence_of_the_service(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{GRANT("\"src\":[\"*\"]"), "ip and app can not both be empty", 0},
		{GRANT("\"ip\":[],\"app\":{}"), "ip and app can not both be empty", 0},
		{GRANT("\"app\":{\"https://tailscale.com/cap/ingress\":[{}]}"), "capability name must have the form {domain}/{path}", 0},
		{GRANT("\"app\":{\"drive\":[]}"), "capability name must have the form {domain}/{path}", 0},
		{GRANT("\"app\":{\"tailscale.com/cap/funnel\":[]}"), "capability name must not be in the tailscale.com domain", 0},
		{GRANT("\"app\":{\"tailscale.com/cap/relay-target\":[]}"), "capability name must not be in the tailscale.com domain", 0},
		{GRANT("\"dst\":[\"autogroup:internet\"],\"app\":{\"a.b/c\":[]}"), "cannot use app grants with autogroup:internet", 0},
		{GRANT("\"dst\":[\"0.0.0.0/0\"],\"ip\":[\"*\"]"), "dst \"0.0.0.0/0\": to allow all IP addresses, use \"*\" or \"autogroup:internet\"", 0},
		{GRANT("\"dst\":[\"::/0\"],\"ip\":[\"*\"],\"via\":[\"tag:a\"]"), "dst \"::/0\": to allow all IP addresses, use \"*\" or \"autogroup:internet\"",
		 0},
		{GRANT("\"src\":[\"*\"],\"dst\":[\"autogroup:self\"],\"ip\":[\"*\"]"), SELF_SRC, 0},
		{GRANT("\"dst\":[\"tag:x\"],\"ip\":[\"*\"]"), "tag not found: \"tag:x\"", 0},
		{GRANT("\"src\":[\"tag:x\"],\"ip\":[\"*\"]"), "src=tag not found: \"tag:x\"", 0},
		{GRANT("\"ip\":[\"*\"],\"via\":[\"autogroup:tagged\"]"), "via can only be a tag", 0},
		{GRANT("\"ip\":[\"*\"],\"via\":[\"tag:a\",\"tag:x\"]"), "tag \"tag:x\" not found", 0},
		{GRANT("\"ip\":[\"tcp:0\"]"), "port range \"0\": " NO_ZERO, 0},
		{GRANT("\"ip\":[\"22,80\"]"), "port range \"22,80\": invalid first integer", 0},
		{GRANT("\"ip\":[\"icmp\"]"), "port range \"icmp\": invalid first integer", 0},
		{GRANT("\"ip\":[\"\"]"), "empty string", 0},
		{GRANT("\"ip\":[\":80\"]"), "empty protocol", 0},
		{GRANT("\"ip\":[\"a:b:80\"]"), "proto name \"a:b\" not known; use protocol number 0-255", 0},
		{GRANT("\"ip\":[\"*\"],\"srcPosture\":[\"posture:x\"]"), "posture not found: \"posture:x\"", 0},
		{GRANT("\"ip\":[\"*\"],\"#x\":1"), "unknown field: \"#x\"", 0},
	};
	must_refuse(cases, COUNT_OF(cases));
}

static void ssh_is_refused_with_the_sentence_of_the_service(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{SSH("\"src\":[]"), "action must be specified", 0},
		{SSH("\"action\":\" \""), "action must be specified", 0},
		{SSH("\"action\":\"Accept\""), "\"Accept\" is not a valid action", 0},
		{SSH("\"action\":\"accept\",\"src\":[\"user:*@example.org\"]"), "[ssh] example.org" FOREIGN, 0},
		{SSH("\"action\":\"accept\",\"src\":[\"*\"]"), "invalid src \"*\"", 0},
		{SSH("\"action\":\"accept\",\"dst\":[\"web\"]"), "invalid dst \"web\"", 0},
		{SSH("\"action\":\"accept\",\"dst\":[\"*\"]"), "invalid dst \"*\"", 0},
		{SSH("\"action\":\"accept\",\"dst\":[\"tag:x\"]"), "tag not found: \"tag:x\"", 0},
		{SSH_OF("\"users\":null"), "users must be specified", 0},
		{SSH_OF("\"users\":[]"), "users must be specified", 0},
		{SSH_OF("\"users\":[\"root\",\"*\"]"), "user \"*\" is not valid", 0},
		{SSH_OF("\"users\":[\" \"]"), "user \"\" is not valid", 0},
		{SSH_OF("\"users\":[\"localpart:*@*\"]"), "*" FOREIGN, 0},
		{SSH_OF("\"users\":[\"root\"],\"acceptEnv\":[\"\"]"), "acceptEnv values cannot be empty", 0},
		{SSH_OF("\"users\":[\"root\"],\"checkPeriod\":\"1h\""), "checkPeriod is only valid with action \"check\"", 0},
		{SSH_OF("\"users\":[\"root\"],\"recorder\":[\"a@b\"]"), "\"a@b\" is not legal here", 0},
		{CHECK("\"200h\""), "checkPeriod 200h0m0s is above the max (168h)", 0},
		{CHECK("\"168h0.5s\""), "checkPeriod 168h0m0.5s is above the max (168h)", 0},
		{CHECK("\"168h1ns\""), "checkPeriod 168h0m0.000000001s is above the max (168h)", 0},
		{CHECK("\"-90s\""), "checkPeriod -1m30s must be a positive duration", 0},
		{CHECK("\"-1500us\""), "checkPeriod -1.5ms must be a positive duration", 0},
		{CHECK("\"-20ns\""), "checkPeriod -20ns must be a positive duration", 0},
		{CHECK("\"-1.5us\""), "checkPeriod -1.5\xc2\xb5s must be a positive duration", 0},
		{CHECK("\"7d\""), "time: invalid duration \"7d\"", 0},
		{CHECK("\"12\""), "time: invalid duration \"12\"", 0},
		{CHECK("\"\""), "time: invalid duration \"\"", 0},
		{CHECK("\".s\""), "time: invalid duration \".s\"", 0},
		{CHECK("\"99999999999999999999h\""), "time: invalid duration \"99999999999999999999h\"", 0},
		{CHECK("\"2562048h\""), "time: invalid duration \"2562048h\"", 0},
		{SSH("\"action\":\"accept\",\"src\":[\"a@b\"],\"dst\":[\"c@d\"],\"users\":[\"root\"]"),
		 "dst \"c@d\": a user can only be reached by the same user", 0},
		{SSH("\"action\":\"accept\",\"src\":[\"tag:a\"],\"dst\":[\"autogroup:self\"],\"users\":[\"root\"]"),
		 "tagged sources cannot be used with dst \"autogroup:self\"", 0},
	};
	must_refuse(cases, COUNT_OF(cases));
}

static void names_are_refused_with_the_sentence_of_the_service(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{"{\"tagOwners\":{\"tag:\":[]}}", "tagOwners[\"tag:\"]: tag names must not be empty", 15},
		{"{\"tagOwners\":{\"tag:1\":[]}}", "tagOwners[\"tag:1\"]: tag names must start with a letter, after 'tag:'", 15},
		{"{\"tagOwners\":{\"tag:\xd1\x81\":[]}}", "tagOwners[\"tag:\xd1\x81\"]: tag names must start with a letter, after 'tag:'", 15},
		{"{\"tagOwners\":{\"tag:a.b\":[]}}", "tagOwners[\"tag:a.b\"]: tag names can only contain numbers, letters, or dashes", 15},
		{"{\"tagOwners\":{\"tag:a\":[\"a@b\",\"tag:b\"]}}", "tag \"tag:a\" references undefined tag \"tag:b\"", 30},
		{"{\"tagOwners\":{\"tag:a\":[\"*\"]}}", "\"*\" is not legal here", 24},
		{"{\"tagOwners\":{\"tag:a\":[],\"tag:a \":[]}}", "duplicate field: \"tag:a\"", 26},
		{"{\"groups\":{\"group:a\":[\"group:b\"],\"group:b\":[\"group:a\"]}}", "groups[\"group:b\"]: \"group:a\": group members cannot be recursive",
		 45},
		{"{\"groups\":{\"group:a\":[\"tag:a\"]}}", "groups[\"group:a\"]: \"tag:a\": group members must be users", 23},
		{"{\"groups\":{\"dev\":[]}}", "groups[\"dev\"]: group names are written group:NAME", 12},
		{"{\"groups\":[]}", "groups: an object is wanted", 11},
		{"{\"hosts\":{\"a:b\":\"10.0.0.1\"}}", "hosts[\"a:b\"]: a host name has no @ and no colon", 11},
		{"{\"hosts\":{\"a\":\"10.0.0\"}}", "hosts[\"a\"]: \"10.0.0\": invalid address", 15},
		{"{\"ipsets\":{\"ipset:a\":[\"ipset:b\"],\"ipset:b\":[\"ipset:a\"]}}", "ipsets[\"ipset:a\"]: the set contains itself", 12},
		{"{\"ipsets\":{\"ipset:a\":[\"add ipset:a\"]}}", "ipsets[\"ipset:a\"]: the set contains itself", 12},
		{"{\"ipsets\":{\"ipset:a\":[\"ipset:x\"]}}", "\"ipset:x\": invalid address", 23},
		{"{\"ipsets\":{\"ipset:a\":[\"host:10.0.0.1\"]}}", "\"host:10.0.0.1\": no such host", 23},
		{"{\"ipsets\":{\"ipset:a\":[\"*\"]}}", "\"*\" is not legal here", 23},
		{"{\"postures\":{\"posture:a\":[\"node:os ~ 'x'\"]}}",
		 "postures[\"posture:a\"]: \"node:os ~ 'x'\" is not a condition: ATTRIBUTE, then ==, !=, <, <=, >, >=, IN, NOT IN, IS SET or NOT SET", 27},
		{"{\"nodeAttrs\":[{\"target\":[\"tag:x\"]}]}", "tag not found: \"tag:x\"", 26},
		{"{\"nodeAttrs\":[{\"target\":[\"%bogus%\"]}]}", "\"%bogus%\": invalid address", 26},
		{"{\"nodeAttrs\":[{\"ipPool\":[\"100.100.100.0/24\"]}]}", "IPPool(100.100.100.0/24): network within reserved range", 26},
		{"{\"nodeAttrs\":[{\"ipPool\":[\"100.64.0.0/10\"]}]}", "IPPool(100.64.0.0/10): network within reserved range", 26},
		{"{\"nodeAttrs\":[{\"ipPool\":[\"10.0.0.0/8\"]}]}", "IPPool(10.0.0.0/8): network is not inside 100.64.0.0/10", 26},
		{"{\"autoApprovers\":{\"routes\":{\"10.0.0.0/8\":[\"tag:x\"]}}}", "tag not found: \"tag:x\"", 43},
		{"{\"autoApprovers\":{\"routes\":{\"web\":[]}}}", "\"web\": invalid prefix", 29},
		{"{\"autoApprovers\":{\"exitNode\":[\"group:x\"]}}", "group not found: \"group:x\"", 31},
		{"{\"OneCGNATRoute\":\"maybe\"}", "OneCGNATRoute is \"\", \"mac-always\" or \"mac-never\"", 18},
		{"{\"disableIPv4\":1}", "disableIPv4: true or false is wanted, not a number", 16},
		{"{\"derpMap\":[]}", "derpMap: an object is wanted", 12},
		{"{\"bogus\":1}", "unknown field: \"bogus\"", 2},
		{"{\"acls\":[],\"ACLs\":[]}", "duplicate field: \"ACLs\"", 12},
		{"[]", "a policy is an object", 1},
		{"{} x", "something follows the document", 4},
	};
	must_refuse(cases, COUNT_OF(cases));
}

static void tests_of_ssh_refuse_destinations(void **state)
{
	(void)state;
#define SSH_TEST(dst) "{\"hosts\":{\"net\":\"10.0.0.0/8\"},\"sshTests\":[{\"src\":\"a@b\",\"accept\":[\"root\"],\"dst\":[\"" dst "\"]}]}"
	static const struct refusal cases[] = {
		{SSH_TEST("autogroup:internet"), "SSH tests dst contains disallowed element \"autogroup:internet\"", 0},
		{SSH_TEST("100.64.0.0/24"), "SSH tests dst contains disallowed element \"100.64.0.0/24\"", 0},
		{SSH_TEST("net"), "SSH tests dst contains disallowed element \"net\"", 0},
		{SSH_TEST("tag:server:22"), "SSH tests dst contains unknown tag \"tag:server:22\"", 0},
	};
	must_refuse(cases, COUNT_OF(cases));
}

static void the_first_fault_in_the_file_is_told(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{"{\"acls\":[{\"action\":\"deny\"}],\"bogus\":1}", "action=\"deny\" is not supported", 0},
		{"{\"bogus\":1,\"acls\":[{\"action\":\"deny\"}]}", "unknown field: \"bogus\"", 0},
		{"{\"acls\":[{\"action\":\"deny\"}],\"groups\":1}", "action=\"deny\" is not supported", 0},
		{"{\"groups\":1,\"acls\":[{\"action\":\"deny\"}]}", "groups: an object is wanted", 0},
		{"{\"acls\":[{\"action\":\"deny\"}],\"grants\":1,\"hosts\":{\"a\":\"x\"},\"defaultSrcPosture\":[\"posture:x\"]}",
		 "action=\"deny\" is not supported", 0},
		{"{\"defaultSrcPosture\":[\"posture:x\"],\"acls\":[{\"action\":\"deny\"}]}", "posture not found: \"posture:x\"", 0},
		{"{\"sshTests\":[{\"dst\":[\"tag:x\"]}],\"ssh\":[{\"action\":\"deny\"}]}", "\"deny\" is not a valid action", 0},
	};
	must_refuse(cases, COUNT_OF(cases));
}

static void places_are_lines_and_columns(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc;
	struct diag why;
	assert_int_equal(
		read_text(arena, "{\n\t// rules\n\t\"acls\": [\n\t\t{\"action\": \"accept\",\n\t\t \"src\": [\"*\", \"tag:x\"]},\n\t],\n}", &doc, &why),
		ERR_MALFORMED);
	assert_int_equal(why.line, 5);
	assert_int_equal(why.column, 17);
	doc = must_read(arena, "{\n\t\"acls\": [\n\t\t{\"action\": \"accept\",\n\t\t \"src\": [\"*\"]},\n\t],\n}");
	assert_int_equal(doc->rules[0].at.line, 3);
	assert_int_equal(doc->rules[0].at.column, 3);
	assert_int_equal(doc->rules[0].end.line, 4);
	assert_int_equal(doc->rules[0].src.list[0].at.column, 12);
	assert_int_equal(read_text(arena, "", &doc, &why), ERR_MALFORMED);
	assert_int_equal(read_text(arena, "{\"nodeAttrs\":[{\"target\":[\"autogroup:self\"]}]}", &doc, &why), ERR_BUG);
	assert_string_equal(why.text, "internal server error");
	arena_free(&arena);
}

static void what_looks_wrong_is_taken(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"{}",
		"{\"acls\":null,\"groups\":null,\"ssh\":null}",
		"{\"GROUPS\":{\"group:a\":[]},\"tagowners\":{\"tag:a\":null}}",
		ACL("\"src\":[],\"dst\":[]"),
		ACL("\"src\":[\" tag:a\\t\"],\"dst\":[\" tag:a:22 \"]"),
		ACL("\"#note\":1,\"#\":{\"a\":[]},\"users\":[\"*\"],\"ports\":[\"*:*\"]"),
		ACL("\"src\":[\"*\"],\"dst\":[\"autogroup:self:*\"]"),
		ACL("\"proto\":\"icmp\",\"dst\":[\"*:*\"]"),
		ACL("\"proto\":\"006\",\"dst\":[\"*:22\"]"),
		ACL("\"dst\":[\"0.0.0.0/0:*\",\"[fd00::1]:80\",\"[fd00::]/64:80\",\"fd00:1::/64:443\",\"tag:a:1-65535\"]"),
		ACL("\"src\":[\"group:eng@corp\",\"nobody@nowhere\",\"user:*@example.com\",\"autogroup:members\",\"autogroup:shared\"]"),
		GRANT("\"src\":[],\"dst\":[],\"app\":{\"tailscale.com/cap/tsidp\":[]}"),
		GRANT("\"src\":[\"autogroup:danger-all\"],\"dst\":[\"*\"],\"ip\":[\"*:22\",\"ICMP:*\",\"tcp:1-2\",\"47:*\"],\"app\":{}"),
		"{\"tagOwners\":{\"tag:a\":[\"tag:b\",\"autogroup:admin\"],\"tag:b\":[\"tag:a\",\"tag:b\"]}}",
		"{\"nodeAttrs\":[{},{\"target\":[]},{\"target\":[\"*\"],\"attr\":[\"whatever?x=1\"],\"app\":{\"tailscale.com/app-connectors\":[{}]}}]}",
		SSH("\"action\":\" check "
		    "\",\"src\":null,\"dst\":[],\"users\":[\"group:x\",\"localpart:foo\",\"localpart:*@\",\"autogroup:member\",\"\xf0\x9f\x98\x80\"]"),
		"{\"tests\":[{},{\"src\":\"\",\"accept\":[\"nobody:x\"],\"proto\":\"icmp\"}],\"sshTests\":[{}]}",
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		must_read(arena, cases[i]);
	arena_free(&arena);
}

static void absent_rules_are_not_empty_rules(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc = must_read(arena, "{\"acls\":null}");
	assert_true(doc->open);
	assert_int_equal(doc->rule_count, 1);
	assert_int_equal(doc->rules[0].at.line, 0);
	assert_int_equal(doc->rules[0].src.list[0].kind, ALIAS_ANY);
	assert_int_equal(doc->rules[0].dst[0].ports[0].last, 65535);
	doc = must_read(arena, "{\"grants\":[]}");
	assert_false(doc->open);
	assert_int_equal(doc->rule_count, 0);
	arena_free(&arena);
}

static void must_be_ports(const struct target *target, const char *name, const char *ports)
{
	char text[200] = "";
	for (size_t i = 0; i < target->port_count; i++)
		sprintf(text + strlen(text), "%s%u-%u", i ? "," : "", target->ports[i].first, target->ports[i].last);
	if (!bytes_equal_text(target->alias.text, name))
		fail_msg("%.*s is not %s", BYTES_ARG(target->alias.text), name);
	assert_string_equal(text, ports);
}

static void destinations_are_joined_and_ordered(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc =
		must_read(arena, "{\"tagOwners\":{\"tag:a\":[],\"tag:b\":[]},\"groups\":{\"group:g\":[]},\"hosts\":{\"example.com\":\"10.0.0.1\"},\"acls\":["
				 "{\"action\":\"accept\",\"src\":[\"a@b\"],\"dst\":[\"autogroup:self:1\",\"tag:a:22\",\"tag:b:80,90-91\",\"group:g:2\","
				 "\"tag:a:443\",\"u@x:3\",\"*:4\",\"[fd00::]/64:5\"]},"
				 "{\"action\":\"accept\",\"src\":[\"a@b\"],\"dst\":[\"autogroup:self:1\",\"autogroup:member:2\"]},"
				 "{\"action\":\"accept\",\"dst\":[\"user:*@example.com:1\",\"example.com:2\"]}]}");
	const struct rule *rule = &doc->rules[0];
	assert_int_equal(rule->dst_count, 7);
	must_be_ports(&rule->dst[0], "*", "4-4");
	must_be_ports(&rule->dst[1], "u@x", "3-3");
	must_be_ports(&rule->dst[2], "group:g", "2-2");
	must_be_ports(&rule->dst[3], "tag:a", "22-22,443-443");
	must_be_ports(&rule->dst[4], "tag:b", "80-80,90-91");
	must_be_ports(&rule->dst[5], "fd00::/64", "5-5");
	must_be_ports(&rule->dst[6], "autogroup:self", "1-1");
	assert_int_equal(doc->rules[1].dst[0].alias.kind, ALIAS_SELF);
	assert_int_equal(doc->rules[2].dst_count, 2);
	arena_free(&arena);
}

static void grants_come_first(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc =
		must_read(arena, "{\"acls\":[{\"action\":\"accept\",\"proto\":\"UDP\"}],\"grants\":[{\"src\":[\"*\"],\"dst\":[\"*\"],"
				 "\"ip\":[\"tcp:22\",\"80\",\"6:443\",\"*\"],\"app\":{\"a.b/c\":[ 1 , {} ],\"a.b/d\":null},\"via\":[\"tag:a\"]}]," TAGS "}");
	const struct rule *grant = &doc->rules[0];
	assert_true(grant->is_grant);
	assert_false(doc->rules[1].is_grant);
	assert_int_equal(doc->rules[1].passes[0].proto, 17);
	assert_int_equal(grant->pass_count, 2);
	assert_int_equal(grant->passes[0].proto, 6);
	assert_int_equal(grant->passes[0].port_count, 2);
	assert_int_equal(grant->passes[1].proto, PROTO_ABSENT);
	assert_int_equal(grant->passes[1].ports[1].first, 0);
	assert_int_equal(grant->passes[1].ports[1].last, 65535);
	assert_true(bytes_equal_text(grant->app[0].values, "[1,{}]"));
	assert_true(bytes_equal_text(grant->app[1].values, "null"));
	assert_int_equal(grant->via[0], document_find_tag(doc, BYTES("tag:a")));
	arena_free(&arena);
}

static void names_are_found(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc = must_read(
		arena,
		"{\"tagOwners\":{\"tag:c\":[],\"tag:a\":[],\"tag:b\":[\"group:eng@corp\"]},\"groups\":{\"group:z\":[\" a@b \",\"odin@\"],\"group:a\":[]}}");
	assert_int_equal(document_find_tag(doc, BYTES("tag:a")), 1);
	assert_int_equal(document_find_tag(doc, BYTES("tag:b")), 2);
	assert_int_equal(document_find_tag(doc, BYTES("tag:c")), 0);
	assert_int_equal(document_find_tag(doc, BYTES("tag:d")), UINT32_MAX);
	assert_int_equal(document_find_group(doc, BYTES("group:z")), 0);
	assert_int_equal(document_find_group(doc, outer), 2);
	assert_int_equal(doc->groups[2].users.count, 0);
	assert_int_equal(doc->tags[2].owners.list[0].kind, ALIAS_GROUP);
	assert_true(bytes_equal_text(doc->groups[0].users.list[0].text, "a@b"));
	assert_true(bytes_equal_text(doc->groups[0].users.list[1].text, "odin@"));
	assert_int_equal(document_read(arena, BYTES("{\"acls\":[]}"), NULL, &doc, NULL), ERR_NONE);
	assert_int_equal(document_find_group(doc, outer), UINT32_MAX);
	arena_free(&arena);
}

static void postures_apply_to_rules_without_their_own(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc = must_read(
		arena, "{\"acls\":[{\"action\":\"accept\"},{\"action\":\"accept\",\"srcPosture\":[\"posture:b\"]},{\"action\":\"accept\",\"srcPosture\":[]}],"
		       "\"defaultSrcPosture\":[\"posture:a\"],\"postures\":{\"posture:a\":[\"node:os IN ['macos', \\\"linux\\\",ios]\","
		       "\"node:tsVersion >= '1.40'\",\"custom:x NOT SET\"],\"posture:b\":[\"custom:y!=true\"]}}");
	assert_int_equal(doc->rules[0].posture_count, 1);
	assert_int_equal(doc->rules[0].postures[0], 0);
	assert_int_equal(doc->rules[1].posture_count, 1);
	assert_int_equal(doc->rules[1].postures[0], 1);
	assert_int_equal(doc->rules[2].posture_count, 0);
	const struct posture *posture = &doc->postures[0];
	assert_int_equal(posture->claim_count, 3);
	assert_int_equal(posture->claims[0].op, POSTURE_IN);
	assert_int_equal(posture->claims[0].value_count, 3);
	assert_true(bytes_equal_text(posture->claims[0].values[1], "linux"));
	assert_true(bytes_equal_text(posture->claims[0].values[2], "ios"));
	assert_int_equal(posture->claims[1].op, POSTURE_AT_LEAST);
	assert_true(bytes_equal_text(posture->claims[1].values[0], "1.40"));
	assert_int_equal(posture->claims[2].op, POSTURE_NOT_SET);
	assert_int_equal(doc->postures[1].claims[0].op, POSTURE_NOT_EQUAL);
	assert_true(bytes_equal_text(doc->postures[1].claims[0].attribute, "custom:y"));
	arena_free(&arena);
}

static void quoted_values_are_one_value(void **state)
{
	(void)state;
	static const struct {
		const char *claim;
		size_t count; /* 0: no condition */
		const char *first, *last;
	} claims[] = {
		{"custom:a IN ['x, y', \\\"it's\\\" , z]", 3, "x, y", "z"},
		{"custom:a IN [ 'x' ]", 1, "x", "x"},
		{"custom:a IN [ it's , '' ]", 2, "it's", ""},
		{"custom:a == 'x, y'", 1, "x, y", "x, y"},
		{"custom:a == x, y", 1, "x, y", "x, y"},
		{"custom:a IN ['x' 'y']", 0, NULL, NULL},
		{"custom:a IN ['x', ]", 0, NULL, NULL},
		{"custom:a IN ['x, y]", 0, NULL, NULL},
		{"custom:a == 'x", 0, NULL, NULL},
		{"custom:a == 'x' y", 0, NULL, NULL},
		{"custom:a == ", 0, NULL, NULL},
	};
	for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
		struct arena *arena = arena_new();
		struct document *doc;
		struct diag why;
		enum err e = read_text(arena, arena_format(arena, "{\"postures\":{\"posture:a\":[\"%s\"]}}", claims[i].claim), &doc, &why);
		if (!e != (claims[i].count > 0))
			fail_msg("%s: %s", claims[i].claim, e ? why.text : "is taken");
		if (!e) {
			const struct posture_claim *claim = &doc->postures[0].claims[0];
			assert_int_equal(claim->value_count, claims[i].count);
			assert_true(bytes_equal_text(claim->values[0], claims[i].first));
			assert_true(bytes_equal_text(claim->values[claim->value_count - 1], claims[i].last));
		}
		arena_free(&arena);
	}
}

static void ssh_rules_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} periods[] = {{CHECK("\"always\""), SSH_CHECK_ALWAYS},
		       {CHECK("null"), SSH_CHECK_DEFAULT_MS},
		       {CHECK("\"1h30m\""), 5400000},
		       {CHECK("\"168h\""), 604800000},
		       {CHECK("\"0\""), 0},
		       {CHECK("\"1ns\""), 1},
		       {CHECK("\"+1.5s.5s\""), 2000},
		       {CHECK("\"-0s\""), 0}};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(periods); i++)
		assert_int_equal(must_read(arena, periods[i].text)->ssh[0].check_period_ms, periods[i].ms);
	const struct ssh_rule *rule =
		must_read(arena, SSH_OF("\"users\":[\" root \",\"autogroup:nonroot\",\"localpart:*@example.com\",\"ubuntu\"],\"acceptEnv\":[\"GIT_*\"],"
					"\"recorder\":[\"tag:a\"],\"enforceRecorder\":true"))
			->ssh;
	assert_false(rule->check);
	assert_int_equal(rule->users[0].kind, SSH_USER_ROOT);
	assert_int_equal(rule->users[1].kind, SSH_USER_NONROOT);
	assert_int_equal(rule->users[2].kind, SSH_USER_LOCALPART);
	assert_true(bytes_equal_text(rule->users[2].text, "example.com"));
	assert_int_equal(rule->users[3].kind, SSH_USER_NAME);
	assert_true(bytes_equal_text(rule->accept_env[0], "GIT_*"));
	assert_int_equal(rule->recorders.list[0].kind, ALIAS_TAG);
	assert_true(rule->enforce_recorder);
	arena_free(&arena);
}

static void malformed_tests_fail_and_do_not_refuse(void **state)
{
	(void)state;
#define TEST(src, dst) "{\"hosts\":{\"web\":\"100.64.0.9\",\"net\":\"10.0.0.0/8\"}," TAGS ",\"tests\":[{\"src\":\"" src "\",\"accept\":[\"" dst "\"]}]}"
	static const struct {
		const char *text;
		bool source, target; /* which is at fault */
	} cases[] = {
		{TEST("a@b", "web:22"), false, false},
		{TEST("a@b", "100.64.0.1:22"), false, false},
		{TEST("a@b", "[fd00::1]:22"), false, false},
		{TEST("*", "tag:a:65535"), false, false},
		{TEST("a@b", "autogroup:self:1"), false, false},
		{TEST("", "web:22"), true, false},
		{TEST("nobody", "web:22"), true, false},
		{TEST("tag:x", "web:22"), true, false},
		{TEST("autogroup:self", "web:22"), true, false},
		{TEST("a@b", "web"), false, true},
		{TEST("a@b", "web:*"), false, true},
		{TEST("a@b", "web:1-2"), false, true},
		{TEST("a@b", "web:22,80"), false, true},
		{TEST("a@b", "web:ssh"), false, true},
		{TEST("a@b", "web:-1"), false, true},
		{TEST("a@b", "web:65536"), false, true},
		{TEST("a@b", "web:0"), false, true},
		{TEST("a@b", "100.64.0.1/32:22"), false, true},
		{TEST("a@b", "net:22"), false, true},
		{TEST("a@b", "autogroup:internet:22"), false, true},
		{TEST("a@b", "*:22"), false, true},
		{TEST("a@b", "tag:x:22"), false, true},
		{TEST("tag:a", "autogroup:self:22"), false, true},
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct test *test = must_read(arena, cases[i].text)->tests;
		if (!test->fault == cases[i].source || !test->accept[0].fault == cases[i].target)
			fail_msg("%s: %s, %s", cases[i].text, test->fault ? test->fault : "good", test->accept[0].fault ? test->accept[0].fault : "good");
	}
	const struct document *doc = must_read(arena, "{\"tests\":[{\"src\":\"a@b\"},{\"user\":\"a@b\",\"proto\":\"icmp\",\"allow\":[\"c@d:1\"]},{\"user\":\"a@"
						      "b\",\"proto\":\"17\",\"deny\":[\"c@d:1\"]}]}");
	assert_non_null(doc->tests[0].fault);
	assert_non_null(doc->tests[1].fault);
	assert_null(doc->tests[2].fault);
	assert_int_equal(doc->tests[2].proto, 17);
	doc = must_read(arena, "{\"sshTests\":[{\"src\":\"a@b\",\"dst\":[\"a@b\"]},{\"src\":\"a@b\",\"accept\":[\"root\"]},{\"src\":\"a@b\",\"dst\":[\"a@b\"],"
			       "\"deny\":[\"\"]},"
			       "{\"dst\":[\"a@b\"],\"deny\":[\"x\"]},{\"src\":\"a@b\",\"dst\":[\"nowhere\"],\"check\":[\"x\"]},{\"src\":\"a@b\",\"dst\":[\"a@"
			       "b\"],\"check\":[\"x\"]}]}");
	for (size_t i = 0; i < 5; i++)
		assert_non_null(doc->ssh_tests[i].fault);
	assert_null(doc->ssh_tests[5].fault);
	arena_free(&arena);
}

/* `begin`, then `piece` with its number `count` times, then `end`. */
static struct bytes many(struct arena *arena, const char *begin, const char *piece, size_t count, const char *end)
{
	size_t room = strlen(begin) + strlen(end) + count * (strlen(piece) + 24), len;
	char *text = arena_alloc(arena, room);
	len = (size_t)sprintf(text, "%s", begin);
	for (size_t i = 0; i < count; i++) {
		len += (size_t)sprintf(text + len, "%s", i ? "," : "");
		for (const char *at = piece; *at; at++)
			len += *at == '#'   ? (size_t)sprintf(text + len, "%zu", i)
			       : *at == '+' ? (size_t)sprintf(text + len, "%zu", (i + 1) % count)
					    : (text[len] = *at, 1);
	}
	len += (size_t)sprintf(text + len, "%s", end);
	return bytes_of(text, len);
}

/* The time limit of the test judges what is not linear. */
static void large_policies_end(void **state)
{
	(void)state;
	static const struct {
		const char *begin, *piece;
		size_t count;
		const char *end;
		enum err e;
	} cases[] = {
		{"{\"acls\":[", "{\"action\":\"accept\",\"src\":[\"10.0.0.#\"],\"dst\":[\"*:22\"]}", 1, "]}", ERR_NONE},
		{"{\"acls\":[", "{\"action\":\"accept\",\"src\":[\"a#@b\"],\"dst\":[\"*:22\"]}", DOCUMENT_RULES_MAX, "]}", ERR_NONE},
		{"{\"grants\":[{\"ip\":[\"*\"]}],\"acls\":[", "{\"action\":\"accept\"}", DOCUMENT_RULES_MAX, "]}", ERR_TOO_BIG},
		{"{\"ssh\":[", "{}", DOCUMENT_RULES_MAX + 1, "]}", ERR_TOO_BIG},
		{"{\"groups\":{\"group:a\":[", "\"a@b\"", DOCUMENT_ALIASES_MAX + 1, "]}}", ERR_TOO_BIG},
		{"{\"groups\":{\"group:a\":[", "\"u#@b\"", 500000, "]}}", ERR_NONE},
		{"{\"groups\":{", "\"group:#\":[\"group:+\"]", 200000, "}}", ERR_MALFORMED},
		{"{\"tagOwners\":{", "\"tag:a#\":[\"tag:a+\"]", 200000, "}}", ERR_NONE},
		{"{\"ipsets\":{", "\"ipset:#\":[\"ipset:+\"]", 200000, "}}", ERR_MALFORMED},
		{"{\"ipsets\":{\"ipset:last\":[],", "\"ipset:#\":[\"ipset:last\",\"ipset:last\"]", 100000, "}}", ERR_NONE},
		{"{\"acls\":[{\"action\":\"accept\",\"dst\":[", "\"a#@b:1\"", 400000, "]}]}", ERR_NONE},
		{"{\"acls\":[{\"action\":\"accept\",\"dst\":[", "\"*:1,2\"", 400000, "]}]}", ERR_NONE},
		{"{\"acls\":[{\"action\":\"accept\",\"dst\":[\"*:1,", "1", 2000000, "\"]}]}", ERR_NONE},
		{"{\"grants\":[{\"ip\":[", "\"#:1\"", 256, "]}]}", ERR_NONE},
		{"{", "\"a#\":1", 300000, "}", ERR_MALFORMED},
		{"{\"postures\":{\"posture:a\":[\"node:os IN [", "'a'", 1000000, "]\"]}}", ERR_NONE},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct arena *arena = arena_new();
		struct document *doc;
		struct diag why = {0};
		enum err e = document_read(arena, many(arena, cases[i].begin, cases[i].piece, cases[i].count, cases[i].end), &around, &doc, &why);
		if (e != cases[i].e)
			fail_msg("%s%s: %s, %u:%u %s", cases[i].begin, cases[i].piece, err_text(e), why.line, why.column, why.text);
		arena_free(&arena);
	}
}

static void size_is_bounded(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct document *doc;
	struct diag why = {0};
	char *text = arena_alloc(arena, DOCUMENT_MAX + 1);
	memset(text, ' ', DOCUMENT_MAX + 1);
	memcpy(text, "{}", 2);
	assert_int_equal(document_read(arena, bytes_of(text, DOCUMENT_MAX), &around, &doc, &why), ERR_NONE);
	assert_int_equal(document_read(arena, bytes_of(text, DOCUMENT_MAX + 1), &around, &doc, &why), ERR_TOO_BIG);
	assert_null(doc);
	arena_free(&arena);
}

/* Long values are cut at the end of a character: a sentence is always text. */
static void long_values_are_cut(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	for (size_t count = 60; count < 70; count++) {
		struct document *doc;
		struct diag why = {0};
		struct bytes name = many(arena, "", "\xe2\x82\xac", count, "");
		char *text = arena_format(arena, "{\"acls\":[{\"action\":\"accept\",\"dst\":[\"%.*s:%.*s\"]}]}", BYTES_ARG(name), BYTES_ARG(name));
		assert_int_equal(document_read(arena, bytes_text(text), &around, &doc, &why), ERR_MALFORMED);
		assert_true(bytes_is_utf8(bytes_text(why.text)) && strlen(why.text) > 100);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acls_are_refused_with_the_sentence_of_the_service),
		cmocka_unit_test(grants_are_refused_with_the_sentence_of_the_service),
		cmocka_unit_test(ssh_is_refused_with_the_sentence_of_the_service),
		cmocka_unit_test(names_are_refused_with_the_sentence_of_the_service),
		cmocka_unit_test(tests_of_ssh_refuse_destinations),
		cmocka_unit_test(the_first_fault_in_the_file_is_told),
		cmocka_unit_test(places_are_lines_and_columns),
		cmocka_unit_test(what_looks_wrong_is_taken),
		cmocka_unit_test(absent_rules_are_not_empty_rules),
		cmocka_unit_test(destinations_are_joined_and_ordered),
		cmocka_unit_test(grants_come_first),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(postures_apply_to_rules_without_their_own),
		cmocka_unit_test(quoted_values_are_one_value),
		cmocka_unit_test(ssh_rules_are_read),
		cmocka_unit_test(malformed_tests_fail_and_do_not_refuse),
		cmocka_unit_test(large_policies_end),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(long_values_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
