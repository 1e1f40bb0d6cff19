/* document_read_stored: what it reads as the strict reading does, and what is left of texts that this one refuses. */
#include "approve.h"
#include "attrs.h"
#include "explain.h"
#include "samedocument.h"
#include "smallnet.h"
#include "sshrule.h"

#define RULE "{\"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"ip\": [\"tcp:22\"]}"
#define ALL "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]"
#define LAN "\"dst\": [\"ipset:lan\"], \"ip\": [\"*\"]"
#define DOC(members) "{" SMALLNET_TAGS "," members "}"
#define ONE(rule) DOC("\"grants\": [" RULE "," rule "]")
#define ACL(members) DOC("\"acls\": [{\"action\": \"accept\"," members "}]")
#define SSH_ALL "{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}"
#define CHECK(more) "{\"action\": \"check\", \"src\": [\"odin@example.com\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]" more "}"
#define POSTURE(claim) "\"postures\": {\"posture:p\": [" claim "]},"
#define SETS(sets) DOC("\"ipsets\": {" sets "}, \"grants\": [" RULE ", {\"src\": [\"*\"]," LAN "}]")
#define WIDE "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]"

/* A text that is refused, the text that is left of it, and how many faults it has. */
static const struct {
	const char *stored, *left;
	size_t lapses;
} broken[] = {
	{DOC("\"futures\": {}, \"grants\": [" RULE "]"), ONE(""), 1},
	{"{\"rules\": []}", "{\"acls\": []}", 1},
	{"{\"grants\": 5}", "{\"acls\": []}", 1},
	{"{\"acls\": {}, \"rules\": null}", "{\"acls\": []}", 2},
	{ONE("7"), ONE(""), 1},
	{ONE(WIDE ", \"until\": \"noon\"}"), ONE(""), 1},
	{ONE(WIDE ", \"via\": [\"tag:gone\"]}"), ONE(""), 1},
	{ONE(WIDE ", \"via\": [\"tag:router\", \"tag:gone\"]}"), ONE(""), 1},
	{ONE(WIDE ", \"srcPosture\": [\"posture:gone\"]}"), ONE(""), 1},
	{ONE(WIDE ", \"app\": {\"nonsense\": []}}"), ONE(""), 1},
	{ONE("{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"tcp:22\", \"quic:443\"]}"), ONE(""), 1},
	{ONE("{\"src\": [\"nobody\", \"thor@\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}"), ONE("{\"src\": [\"thor@\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}"), 1},
	{ONE("{\"src\": [\"group:gone\", \"thor@\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}"), ONE("{\"src\": [\"thor@\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}"), 1},
	{ONE("{\"src\": [\"user:*@gone.com\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}"), ONE(""), 1},
	{ONE("{\"src\": [\"*\"], \"dst\": [\"tag:gone\", \"tag:client\"], \"ip\": [\"*\"]}"),
	 ONE("{\"src\": [\"*\"], \"dst\": [\"tag:client\"], \"ip\": [\"*\"]}"), 1},
	{ACL("\"src\": [\"*\"], \"dst\": [\"tag:server:22x\", \"tag:client:80\"]"), ACL("\"src\": [\"*\"], \"dst\": [\"tag:client:80\"]"), 1},
	{ACL("\"src\": [\"*\"], \"dst\": [\"tag:server\", \"tag:client:80\", \"tag:client:443\"]"), ACL("\"src\": [\"*\"], \"dst\": [\"tag:client:80,443\"]"),
	 1},
	{ACL("\"src\": [\"*\"], \"dst\": [\"*:*\"], \"proto\": \"quic\""), "{\"acls\": []}", 1},
	{DOC("\"acls\": [{\"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]"), "{\"acls\": []}", 1},
	{DOC("\"acls\": [], \"ACLS\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]"), "{\"acls\": []}", 1},
	/* postures */
	{DOC(POSTURE("\"node:os ~ 'linux'\"") "\"grants\": [" WIDE ", \"srcPosture\": [\"posture:p\"]}]"), "{\"acls\": []}", 2},
	{DOC(POSTURE("\"node:os ~ 'linux'\"") "\"defaultSrcPosture\": [\"posture:p\"]," ALL), "{\"acls\": []}", 3},
	{DOC("\"defaultSrcPosture\": [\"posture:gone\"]," ALL), "{\"acls\": []}", 2},
	{DOC("\"defaultSrcPosture\": \"posture:p\"," ALL), "{\"acls\": []}", 2},
	{DOC("\"defaultSrcPosture\": [], \"DefaultSrcPosture\": [\"posture:p\"]," ALL), "{\"acls\": []}", 2},
	/* sets: never without what they take away */
	{SETS("\"ipset:lan\": [\"10.33.0.0/16\", \"remove nonsense\"]"), ONE(""), 2},
	{SETS("\"ipset:in\": [\"nonsense\"], \"ipset:lan\": [\"10.33.0.0/16\", \"remove ipset:in\"]"), ONE(""), 2},
	{SETS("\"ipset:lan\": [\"10.33.0.0/16\", \"remove ipset:in\"], \"ipset:in\": [\"nonsense\"]"), ONE(""), 2},
	{SETS("\"ipset:lan\": [\"10.33.0.0/16\", \"remove ipset:a\"], \"ipset:a\": [\"ipset:b\"], \"ipset:b\": [\"ipset:a\"]"), ONE(""), 2},
	{SETS("\"ipset:lan\": [\"10.33.0.0/16\"], \" ipset:lan\": [\"0.0.0.0/0\"]"), ONE(""), 2},
	{DOC("\"groups\": {\"group:g\": [\"nobody\"]}, \"ipsets\": {\"ipset:lan\": [\"autogroup:member\", \"remove group:g\"]},"
	     "\"grants\": [" RULE ", {\"src\": [\"*\"]," LAN "}]"),
	 ONE(""), 3},
	{DOC("\"groups\": {}, \"Groups\": {\"group:g\": [\"odin@\"]}, \"ipsets\": {\"ipset:lan\": [\"autogroup:member\", \"remove group:g\"]},"
	     "\"grants\": [" RULE ", {\"src\": [\"*\"]," LAN "}]"),
	 ONE(""), 3},
	{DOC("\"groups\": [], \"ipsets\": {\"ipset:lan\": [\"autogroup:member\", \"remove group:g\"]}, \"grants\": [" RULE ", {\"src\": [\"*\"]," LAN "}]"),
	 ONE(""), 3},
	/* names */
	{DOC("\"hosts\": {\"web\": \"10.33.0.300\"}, \"grants\": [" RULE ", {\"src\": [\"*\"], \"dst\": [\"web\"], \"ip\": [\"*\"]}]"), ONE(""), 2},
	{DOC("\"groups\": {\"group:a\": [\"group:b\"], \"group:b\": [\"thor@\"]}, \"grants\": [" RULE
	     ", {\"src\": [\"group:a\", \"group:b\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]"),
	 ONE("{\"src\": [\"thor@\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}"), 2},
	{"{\"tagOwners\": {\"tag:server\": [\"nobody\"], \"tag:1\": [], \"tag:client\": []}, \"grants\": [" RULE
	 ", {\"src\": [\"tag:1\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}",
	 ONE(""), 3},
	/* SSH is read in order: with a rule that is not understood none is left */
	{DOC("\"acls\": [], \"ssh\": [" SSH_ALL "," CHECK(", \"until\": \"noon\"") "]"), DOC("\"acls\": []"), 1},
	{DOC("\"acls\": [], \"ssh\": [" CHECK(", \"recorder\": [\"tag:gone\"]") "," SSH_ALL "]"), DOC("\"acls\": []"), 1},
	{DOC("\"acls\": [], \"ssh\": [{\"action\": \"accept\", \"src\": [\"group:gone\"], \"dst\": [\"tag:server\"], \"users\": [\"root\"]}," SSH_ALL "]"),
	 DOC("\"acls\": [], \"ssh\": [" SSH_ALL "]"), 1},
	/* the rest */
	{DOC("\"acls\": [], \"nodeAttrs\": [{\"target\": [\"*\", \"nonsense\"], \"attr\": [\"a\"]}, {\"target\": [\"*\"], \"attr\": [\"b\"], \"x\": 1}]"),
	 DOC("\"acls\": [], \"nodeAttrs\": [{\"target\": [\"*\"], \"attr\": [\"a\"]}]"), 2},
	{DOC("\"acls\": [], \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:gone\"], \"10.33.0.0/33\": [\"tag:router\"]}, \"exitNode\": [\"tag:exit\", "
	     "\"x\"]}"),
	 DOC("\"acls\": [], \"autoApprovers\": {\"exitNode\": [\"tag:exit\"]}"), 3},
	{DOC("\"acls\": [], \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:router\"]}, \"all\": {}}"), DOC("\"acls\": []"), 1},
	{DOC("\"acls\": [], \"OneCGNATRoute\": \"never\", \"derpMap\": 1, \"randomizeClientPort\": 1, \"disableIPv4\": 1"), DOC("\"acls\": []"), 4},
	{DOC("\"grants\": [" RULE "], \"tests\": [{\"x\": 1}], \"sshTests\": 1"), ONE(""), 2},
};

static struct document *read_stored(struct smallnet *net, const char *text, struct lapses *lapses)
{
	struct surroundings around = {.domains = &net->domain, .domain_count = 1};
	struct document *document;
	struct diag why = {{0}, 0, 0};
	if (document_read_stored(net->arena, bytes_text(text), &around, &document, lapses, &why))
		fail_msg("%s: %u:%u: %s", text, why.line, why.column, why.text);
	return document;
}

static void must_be_shut(struct smallnet *net, struct policy *from, struct policy *to, const char *text)
{
	struct explain_opening *openings;
	size_t count;
	explain_opened(from, to, net->arena, 10, &openings, &count);
	if (count)
		fail_msg("%s: %zu pairs are opened, %u to %u", text, count, openings[0].from, openings[0].to);
}

static void must_tell_nodes_the_same(struct smallnet *net, struct policy *a, struct policy *b, const char *text)
{
	for (uint32_t slot = 0; slot < SMALLNET_NODES; slot++) {
		const struct node *node = &net->nodes[slot];
		if (sshrules_of(a, net->arena, slot).count != sshrules_of(b, net->arena, slot).count)
			fail_msg("%s: SSH at %u", text, slot);
		if (attrs_of(a, net->arena, slot, false).count != attrs_of(b, net->arena, slot, false).count)
			fail_msg("%s: attributes of %u", text, slot);
		for (size_t i = 0; i < node->advertised_count; i++)
			assert_int_equal(approve_route(a->document, &net->roll, node, node->routes_advertised[i]),
					 approve_route(b->document, &net->roll, node, node->routes_advertised[i]));
	}
}

static void what_is_not_understood_counts_for_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct smallnet net;
		struct surroundings around;
		struct lapses lapses;
		struct document *document, *strict;
		struct diag why = {{0}, 0, 0};
		smallnet_init(&net);
		around = (struct surroundings){.domains = &net.domain, .domain_count = 1};
		assert_int_not_equal(document_read(net.arena, bytes_text(broken[i].stored), &around, &strict, &why), ERR_NONE);
		document = read_stored(&net, broken[i].stored, &lapses);
		if (lapses.count != broken[i].lapses)
			fail_msg("%s: %zu faults, of %zu; %s", broken[i].stored, lapses.count, broken[i].lapses, lapses.first.text);
		assert_true(lapses.first.text[0] && lapses.first.line == 1 && lapses.first.column);
		struct policy *stored = policy_compile(document, &net.roll), *left = smallnet_policy(&net, broken[i].left);
		must_be_shut(&net, stored, left, broken[i].stored);
		must_be_shut(&net, left, stored, broken[i].stored);
		must_tell_nodes_the_same(&net, stored, left, broken[i].stored);
		policy_free(&stored);
		policy_free(&left);
		smallnet_clear(&net);
	}
}

static void the_first_fault_in_the_file_is_told(void **state)
{
	(void)state;
	struct smallnet net;
	struct lapses lapses;
	smallnet_init(&net);
	read_stored(&net, "{\"acls\": [{\"action\": \"deny\"}],\n\"groups\": {\"x\": []},\n\"zebra\": 1}", &lapses);
	assert_int_equal(lapses.count, 3);
	assert_string_equal(lapses.first.text, "action=\"deny\" is not supported");
	assert_int_equal(lapses.first.line, 1);
	smallnet_clear(&net);
}

static void a_text_that_is_accepted_is_read_the_same(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{}",
		"{\"acls\": null}",
		ONE(""),
		DOC("\"groups\": {\"group:g\": [\"odin@\"]}, \"hosts\": {\"web\": \"10.33.1.1\"}, \"ipsets\": {\"ipset:a\": [\"ipset:b\", \"remove web\"],"
		    "\"ipset:b\": [\"10.33.0.0/16\"]}, " POSTURE(
			    "\"node:os == 'linux'\"") "\"defaultSrcPosture\": [\"posture:p\"],"
						      "\"acls\": [{\"action\": \"accept\", \"src\": [\"group:g\"], \"dst\": [\"ipset:a:80,90-99\", "
						      "\"tag:server:*\", \"ipset:a:1\"]}],"
						      "\"grants\": [" RULE "," WIDE ", \"via\": [\"tag:router\"], \"srcPosture\": []}], \"ssh\": [" CHECK(
							      ", \"checkPeriod\": \"2h\"") "," SSH_ALL "],"
											   "\"nodeAttrs\": [{\"target\": [\"*\"], \"attr\": [\"a\"], "
											   "\"ipPool\": [\"100.81.0.0/16\"]}],"
											   "\"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": "
											   "[\"tag:router\"]}, \"exitNode\": [\"tag:exit\"]},"
											   "\"tests\": [{\"src\": \"odin@example.com\", \"accept\": "
											   "[\"tag:server:22\"]}], \"derpMap\": {\"Regions\": {\"1\": null}}, "
											   "\"disableIPv4\": "
											   "true"),
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct smallnet net;
		struct lapses lapses;
		smallnet_init(&net);
		assert_true(same_document(smallnet_document(&net, texts[i]), read_stored(&net, texts[i], &lapses)));
		assert_int_equal(lapses.count, 0);
		smallnet_clear(&net);
	}
}

static void only_what_is_no_policy_at_all_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "// nothing", "[]", "{\"acls\": [}", "{\"acls\": [], \"acls\": []}", "7"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct smallnet net;
		struct lapses lapses;
		struct document *document;
		struct diag why = {{0}, 0, 0};
		smallnet_init(&net);
		assert_int_equal(document_read_stored(net.arena, bytes_text(texts[i]), NULL, &document, &lapses, &why), ERR_MALFORMED);
		assert_null(document);
		assert_true(why.text[0]);
		smallnet_clear(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_understood_counts_for_nothing),
		cmocka_unit_test(the_first_fault_in_the_file_is_told),
		cmocka_unit_test(a_text_that_is_accepted_is_read_the_same),
		cmocka_unit_test(only_what_is_no_policy_at_all_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
