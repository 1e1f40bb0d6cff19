#include "approve.h"

#include "smallnet.h"

static const char text[] =
	"{\"tagOwners\": {\"tag:a\": [\"odin@example.com\"], \"tag:b\": [\"tag:a\"], \"tag:c\": [\"tag:b\"], \"tag:d\": [\"tag:e\"],"
	" \"tag:e\": [\"tag:d\"], \"tag:f\": [\"group:g\"], \"tag:g\": [\"autogroup:admin\"], \"tag:h\": [], \"tag:i\": [\"autogroup:member\"],"
	" \"tag:router\": [], \"tag:exit\": []}, \"groups\": {\"group:g\": [\"thor@example.org\"]},"
	" \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:router\"], \"192.168.0.0/16\": [\"group:g\"], \"0.0.0.0/0\": [\"freya@example.com\"],"
	" \"fd00::/8\": [\"tag:router\"]}, \"exitNode\": [\"tag:exit\", \"odin@example.com\"]}}";

static void tags_have_owners(void **state)
{
	static const struct {
		const char *tag, *users; /* who may set it: o, f, t */
	} cases[] = {{"tag:a", "o"}, {"tag:b", "o"},  {"tag:c", "o"}, {"tag:d", ""},   {"tag:e", ""},
		     {"tag:f", "t"}, {"tag:g", "of"}, {"tag:h", ""},  {"tag:i", "oft"}};
	struct smallnet net;
	struct diag why;
	(void)state;
	smallnet_init(&net);
	struct document *document = smallnet_document(&net, text);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t user = 0; user < 3; user++) {
			enum err e = approve_tag(document, &net.roll, &net.roll_users[user], NULL, bytes_text(cases[i].tag), &why);
			if (e != (strchr(cases[i].users, "oft"[user]) ? ERR_NONE : ERR_DENIED))
				fail_msg("%s by %c: %s", cases[i].tag, "oft"[user], err_text(e));
		}
	assert_int_equal(approve_tag(document, &net.roll, &net.roll_users[0], NULL, BYTES("tag:none"), &why), ERR_NOT_FOUND);
	assert_int_equal(approve_tag(document, &net.roll, NULL, NULL, BYTES("tag:a"), &why), ERR_DENIED);
	smallnet_clear(&net);
}

static void carried_tags_own(void **state)
{
	struct bytes carried = BYTES("tag:a");
	struct node node = {.tags = &carried, .tag_count = 1};
	struct smallnet net;
	struct diag why;
	(void)state;
	smallnet_init(&net);
	struct document *document = smallnet_document(&net, text);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:b"), &why), ERR_NONE);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:c"), &why), ERR_NONE);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:d"), &why), ERR_DENIED);
	assert_int_equal(approve_tag(document, &net.roll, NULL, &node, BYTES("tag:h"), &why), ERR_DENIED);
	smallnet_clear(&net);
}

static void routes_have_approvers(void **state)
{
	static const struct {
		const char *route, *nodes;
	} cases[] = {{"10.1.0.0/16", "frx"}, {"10.0.0.0/8", "frx"}, {"10.0.0.0/7", "f"}, {"192.168.1.0/24", "ft"}, {"172.16.0.0/12", "f"},
		     {"fd00:1::/64", "rx"},  {"2001:db8::/32", ""}, {"0.0.0.0/0", "oe"}, {"::/0", "oe"},           {"10.1.2.3/16", "frx"}};
	struct smallnet net;
	(void)state;
	smallnet_init(&net);
	struct document *document = smallnet_document(&net, text);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t slot = 0; slot < SMALLNET_NODES; slot++) {
			struct prefix route;
			assert_int_equal(prefix_parse(bytes_text(cases[i].route), &route), ERR_NONE);
			if (approve_route(document, &net.roll, &net.nodes[slot], route) != (strchr(cases[i].nodes, "oftscrxe"[slot]) != NULL))
				fail_msg("%s at %c", cases[i].route, "oftscrxe"[slot]);
		}
	smallnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tags_have_owners), cmocka_unit_test(carried_tags_own), cmocka_unit_test(routes_have_approvers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
