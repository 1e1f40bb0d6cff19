#include "filter.h"

#include <stdlib.h>

#include "buffer.h"
#include "smallnet.h"

/* Filters as lines: "sources > entries /protocol" or "sources > {dsts: names}"; node n of the small tailnet has 100.64.0.(n + 1) and fd7a:115c:a1e0::(n + 1).
 * In the expected lines ~ stands for fd7a:115c:a1e0::, W for the texts of the wildcard set. */
static void put(struct buffer *out, const char *text)
{
	assert_int_equal(buffer_add_text(out, text), ERR_NONE);
}

static void put_bytes(struct buffer *out, struct bytes b)
{
	assert_int_equal(buffer_add(out, b), ERR_NONE);
}

static void put_rule(struct buffer *out, const struct filter_rule *rule)
{
	char text[PREFIX_TEXT_MAX];
	for (size_t i = 0; i < rule->source->text_count; i++) {
		put_bytes(out, rule->source->texts[i]);
		put(out, " ");
	}
	put(out, ">");
	for (size_t i = 0; i < rule->dst_count; i++) {
		struct port_range ports = rule->dst[i].ports;
		put(out, " ");
		put_bytes(out, rule->dst[i].ip);
		if (ports.first == ports.last)
			assert_int_equal(buffer_format(out, ":%u", ports.first), ERR_NONE);
		else if (ports.first || ports.last != 65535)
			assert_int_equal(buffer_format(out, ":%u-%u", ports.first, ports.last), ERR_NONE);
	}
	for (size_t i = 0; i < rule->grant_count; i++) {
		put(out, " {");
		for (size_t k = 0; k < rule->grants[i].dst_count; k++) {
			prefix_format(text, rule->grants[i].dsts[k]);
			put(out, text);
			put(out, " ");
		}
		for (size_t k = 0; k < rule->grants[i].app_count; k++) {
			put(out, k ? " " : ": ");
			put_bytes(out, rule->grants[i].app[k].name);
			put(out, "=");
			put_bytes(out, rule->grants[i].app[k].values);
		}
		put(out, "}");
	}
	if (rule->proto != PROTO_ABSENT)
		assert_int_equal(buffer_format(out, " /%d", rule->proto), ERR_NONE);
	put(out, "\n");
}

static void put_expected(struct buffer *out, const char *line)
{
	for (; *line; line++) {
		if (*line == '~')
			put(out, "fd7a:115c:a1e0::");
		else if (*line == 'W')
			put(out, "100.115.94.0-100.127.255.255 100.64.0.0-100.115.91.255 fd7a:115c:a1e0::/48");
		else
			put_bytes(out, bytes_of(line, 1));
	}
}

static void must_be(struct smallnet *net, struct filter filter, const char *expected)
{
	struct buffer have, want;
	buffer_init(&have, 1 << 20);
	buffer_init(&want, 1 << 20);
	for (size_t i = 0; i < filter.count; i++)
		put_rule(&have, &filter.rules[i]);
	put_expected(&want, expected);
	assert_string_equal(arena_text(net->arena, buffer_bytes(&have)), arena_text(net->arena, buffer_bytes(&want)));
	buffer_clear(&have);
	buffer_clear(&want);
}

struct seen {
	uint32_t slot;
	const char *lines;
};

struct example {
	const char *name, *policy;
	struct seen seen[4]; /* the first without lines ends */
};

static void run(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct smallnet net;
		smallnet_init(&net);
		struct policy *policy = smallnet_policy(&net, arena_format(net.arena, "{" SMALLNET_TAGS ", %s}", examples[i].policy));
		for (size_t k = 0; k < COUNT_OF(examples[i].seen) && examples[i].seen[k].lines; k++) {
			print_message("%s, node %u\n", examples[i].name, examples[i].seen[k].slot);
			must_be(&net, filter_of(policy, net.arena, examples[i].seen[k].slot), examples[i].seen[k].lines);
		}
		policy_free(&policy);
		smallnet_clear(&net);
	}
}

#define ACL(src, dst) "{\"action\": \"accept\", \"src\": [" src "], \"dst\": [" dst "]}"
#define ACL_PROTO(proto, src, dst) "{\"action\": \"accept\", \"proto\": \"" proto "\", \"src\": [" src "], \"dst\": [" dst "]}"
#define GRANT(src, dst, more) "{\"src\": [" src "], \"dst\": [" dst "], " more "}"
#define R "10.33.0.0/16 W"

static const struct example acls[] = {
	{"one tag to one",
	 "\"acls\": [" ACL("\"tag:client\"", "\"tag:server:22\"") "]",
	 {{SERVER, "100.64.0.5 ~5 > 100.64.0.4:22 ~4:22\n"}, {CLIENT, ""}, {ROUTER, ""}}},
	{"rules that are absent let everything pass", "\"groups\": {}", {{SERVER, R " > *\n"}, {ODIN, R " > *\n"}}},
	{"rules that are empty let nothing pass", "\"acls\": []", {{SERVER, ""}}},
	{"from everywhere, and the named sources with it",
	 "\"acls\": [" ACL("\"*\", \"tag:client\", \"odin@example.com\"", "\"tag:server:22,80-443\"") "]",
	 {{SERVER, "10.33.0.0/16 100.115.94.0-100.127.255.255 100.64.0.0-100.115.91.255 100.64.0.1 100.64.0.5 ~/48 ~1 ~5 > "
		   "100.64.0.4:22 100.64.0.4:80-443 ~4:22 ~4:80-443\n"}}},
	{"neighbours are a range, four aligned ones a prefix",
	 "\"acls\": [" ACL("\"tag:server\", \"tag:client\", \"tag:router\"", "\"tag:exit:1\"") "]",
	 {{EXIT, "100.64.0.4/30 ~4/126 > 100.64.0.8:1 ~8:1\n"}}},
	{"three neighbours are a range",
	 "\"acls\": [" ACL("\"autogroup:member\"", "\"tag:exit:1\"") "]",
	 {{EXIT, "100.64.0.1-100.64.0.3 ~1-~3 > 100.64.0.8:1 ~8:1\n"}}},
	{"all addresses there are",
	 "\"acls\": [" ACL("\"autogroup:danger-all\", \"tag:client\"", "\"tag:server:1\"") "]",
	 {{SERVER, "* > 100.64.0.4:1 ~4:1\n"}}},
	{"an address says nothing about the other family",
	 "\"acls\": [" ACL("\"100.64.0.1\"", "\"100.64.0.4:22\"") "]",
	 {{SERVER, "100.64.0.1 > 100.64.0.4:22\n"}, {ODIN, ""}}},
	{"equal sources merge over what is between; the place is that of the first, though nothing of it is left",
	 "\"acls\": [" ACL("\"tag:client\"", "\"tag:exit:1\"") ", " ACL("\"odin@example.com\"", "\"tag:server:2\"") ", " ACL(
		 "\"100.64.0.5\", \"fd7a:115c:a1e0::5\"",
		 "\"tag:server:3\"") ", " ACL_PROTO("udp", "\"tag:client\"", "\"tag:server:4\"") ", " ACL("\"tag:client\"", "\"tag:server:5\"") "]",
	 {{SERVER, "100.64.0.5 ~5 > 100.64.0.4:3 ~4:3 100.64.0.4:5 ~4:5\n100.64.0.1 ~1 > 100.64.0.4:2 ~4:2\n100.64.0.5 ~5 > 100.64.0.4:4 ~4:4 /17\n"},
	  {EXIT, "100.64.0.5 ~5 > 100.64.0.8:1 ~8:1\n"}}},
	{"self stands behind, and merges with its own kind alone",
	 "\"acls\": [" ACL("\"*\"", "\"autogroup:self:22\", \"odin@example.com:22\"") "]",
	 {{ODIN, R " > 100.64.0.1:22 ~1:22\n100.64.0.1 ~1 > 100.64.0.1:22 ~1:22\n"}, {FREYA, "100.64.0.2 ~2 > 100.64.0.2:22 ~2:22\n"}, {SERVER, ""}}},
	{"a rule of self gives its place to nobody whom it is not for",
	 "\"acls\": [" ACL("\"odin@example.com\"", "\"autogroup:self:1\"") ", " ACL(
		 "\"freya@example.com\"", "\"tag:server:2\", \"odin@example.com:2\"") ", " ACL("\"odin@example.com\"",
											       "\"tag:server:3\", \"odin@example.com:3\"") "]",
	 {{SERVER, "100.64.0.2 ~2 > 100.64.0.4:2 ~4:2\n100.64.0.1 ~1 > 100.64.0.4:3 ~4:3\n"},
	  {ODIN, "100.64.0.1 ~1 > 100.64.0.1:1 ~1:1 100.64.0.1:3 ~1:3\n100.64.0.2 ~2 > 100.64.0.1:2 ~1:2\n"}}},
};

static const struct example routes[] = {
	{"both routers of a route, and what is inside and outside of it",
	 "\"acls\": [" ACL("\"tag:client\"", "\"10.33.0.0/16:1\", \"10.33.1.0/24:2\", \"10.0.0.0/8:3\", \"10.34.0.0/16:4\", \"169.254.0.1:5\"") "]",
	 {{ROUTER, "100.64.0.5 ~5 > 10.33.0.0/16:1 10.33.1.0/24:2 10.0.0.0/8:3\n"},
	  {STANDBY, "100.64.0.5 ~5 > 10.33.0.0/16:1 10.33.1.0/24:2 10.0.0.0/8:3\n"},
	  {SERVER, ""},
	  {EXIT, ""}}},
	{"from one subnet to another",
	 "\"acls\": [" ACL("\"10.33.0.0/16\"", "\"tag:server:1\"") "]",
	 {{SERVER, "10.33.0.0/16 > 100.64.0.4:1 ~4:1\n"}, {ROUTER, ""}}},
	{"the Internet is for exit nodes",
	 "\"acls\": [" ACL("\"odin@example.com\"", "\"autogroup:internet:53\"") "]",
	 {{EXIT, "100.64.0.1 ~1 > 0.0.0.0-9.255.255.255:53 11.0.0.0-100.63.255.255:53 100.128.0.0-169.253.255.255:53 169.255.0.0-172.15.255.255:53 "
		 "172.32.0.0-192.167.255.255:53 192.169.0.0-255.255.255.255:53 2000::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:53\n"},
	  {ROUTER, ""},
	  {ODIN, ""}}},
	{"so are prefixes inside it, whole or not at all",
	 "\"acls\": [" ACL("\"odin@example.com\"", "\"8.8.8.0/24:53\", \"10.0.0.0/8:54\", \"0.0.0.0/2:55\", \"2600::/32:56\"") "]",
	 {{EXIT, "100.64.0.1 ~1 > 8.8.8.0/24:53 2600::/32:56\n"}, {ROUTER, "100.64.0.1 ~1 > 10.0.0.0/8:54 0.0.0.0/2:55\n"}}},
	{"an ipset is its prefixes",
	 "\"ipsets\": {\"ipset:a\": [\"10.33.0.0/24\", \"10.33.1.0/24\", \"10.33.2.0/24\", \"remove 10.33.0.128/25\", \"100.64.0.4\"]}, "
	 "\"acls\": [" ACL("\"odin@example.com\"", "\"ipset:a:1\"") "]",
	 {{ROUTER, "100.64.0.1 ~1 > 10.33.0.0/25:1 10.33.1.0/24:1 10.33.2.0/24:1\n"}, {SERVER, "100.64.0.1 ~1 > 100.64.0.4:1\n"}}},
};

static const struct example grants[] = {
	{"the worked example",
	 "\"grants\": [" GRANT("\"tag:client\"", "\"tag:server\"", "\"ip\": [\"22\"]") ", " GRANT(
		 "\"tag:client\"", "\"tag:server\"", "\"ip\": [\"80\", \"443\"]") ", " GRANT("\"*\"", "\"tag:server\"", "\"ip\": [\"udp:53\"]") "]",
	 {{SERVER, "100.64.0.5 ~5 > 100.64.0.4:22 ~4:22 100.64.0.4:80 100.64.0.4:443 ~4:80 ~4:443\n" R " > 100.64.0.4:53 ~4:53 /17\n"}}},
	{"grants stand before acls",
	 "\"acls\": [" ACL("\"odin@example.com\"", "\"tag:server:1\"") "], \"grants\": [" GRANT("\"tag:client\"", "\"tag:server\"",
												"\"ip\": [\"tcp:2\", \"3\"]") "]",
	 {{SERVER, "100.64.0.5 ~5 > 100.64.0.4:2 ~4:2 /6\n100.64.0.5 ~5 > 100.64.0.4:3 ~4:3\n100.64.0.1 ~1 > 100.64.0.4:1 ~4:1\n"}}},
	{"a capability goes to own addresses alone",
	 "\"grants\": [" GRANT("\"*\"", "\"*\"", "\"app\": {\"tailscale.com/cap/drive\": [{\"access\": \"ro\"}]}") "]",
	 {{ROUTER, R " > {100.64.0.6/32 ~6/128 : tailscale.com/cap/drive=[{\"access\":\"ro\"}]}\n" R
		     " > {100.64.0.6/32 ~6/128 : tailscale.com/cap/drive-sharer=null}\n"}}},
	{"sharers and targets are told the other way round",
	 "\"grants\": [" GRANT("\"tag:client\", \"odin@example.com\"", "\"tag:server\", \"10.33.0.0/24\"",
			       "\"app\": {\"tailscale.com/cap/relay\": [], \"example.com/x\": [1]}") "]",
	 {{CLIENT, "10.33.0.0/24 100.64.0.4 ~4 > {100.64.0.5/32 ~5/128 : tailscale.com/cap/relay-target=null}\n"},
	  {SERVER, "100.64.0.1 100.64.0.5 ~1 ~5 > {100.64.0.4/32 ~4/128 : tailscale.com/cap/relay=[] example.com/x=[1]}\n"},
	  {ROUTER, "100.64.0.1 100.64.0.5 ~1 ~5 > {10.33.0.0/24 : tailscale.com/cap/relay=[] example.com/x=[1]}\n"}}},
	{"self, with ports and a capability",
	 "\"grants\": [" GRANT("\"autogroup:member\"", "\"autogroup:self\"", "\"ip\": [\"*\"], \"app\": {\"tailscale.com/cap/drive\": []}") "]",
	 {{THOR, "100.64.0.3 ~3 > 100.64.0.3 ~3\n100.64.0.3 ~3 > {100.64.0.3/32 ~3/128 : tailscale.com/cap/drive=[]}\n"
		 "100.64.0.3 ~3 > {100.64.0.3/32 ~3/128 : tailscale.com/cap/drive-sharer=null}\n"},
	  {SERVER, ""}}},
	{"a capability without a source stays, ports without one do not",
	 "\"groups\": {\"group:none\": []}, \"grants\": [" GRANT("\"group:none\"", "\"tag:server\"", "\"ip\": [\"1\"], \"app\": {\"example.com/x\": [1]}") "]",
	 {{SERVER, "> {100.64.0.4/32 ~4/128 : example.com/x=[1]}\n"}}},
	{"via shows what was written, to routers with the tag and the route",
	 "\"grants\": [" GRANT("\"tag:client\"", "\"10.33.1.0/24\", \"10.40.0.0/16\", \"tag:server\"",
			       "\"ip\": [\"*\"], \"via\": [\"tag:router\"], \"app\": {\"example.com/x\": [1]}") "]",
	 {{ROUTER, "100.64.0.5 ~5 > 10.33.1.0/24\n"}, {SERVER, ""}, {EXIT, ""}}},
	{"via without the tag",
	 "\"grants\": [" GRANT("\"tag:client\"", "\"10.33.0.0/16\"", "\"ip\": [\"*\"], \"via\": [\"tag:exit\"]") "]",
	 {{ROUTER, ""}, {EXIT, ""}}},
};

static void acls_as_in_the_reference(void **state)
{
	(void)state;
	run(acls, COUNT_OF(acls));
}

static void routes_as_in_the_reference(void **state)
{
	(void)state;
	run(routes, COUNT_OF(routes));
}

static void grants_as_in_the_reference(void **state)
{
	(void)state;
	run(grants, COUNT_OF(grants));
}

static void the_whole_list_is_not_narrowed(void **state)
{
	(void)state;
	struct smallnet net;
	smallnet_init(&net);
	struct policy *policy = smallnet_policy(&net, "{" SMALLNET_TAGS ", \"acls\": [" ACL("\"tag:client\"", "\"tag:router:1\", \"10.40.0.0/16:2\"") ", " ACL(
							      "\"autogroup:member\"", "\"autogroup:self:3\"") "]}");
	must_be(&net, filter_unreduced(policy, net.arena, SERVER), "100.64.0.5 ~5 > 100.64.0.6:1 100.64.0.7:1 ~6:1 ~7:1 10.40.0.0/16:2\n");
	must_be(&net, filter_unreduced(policy, net.arena, ODIN),
		"100.64.0.5 ~5 > 100.64.0.6:1 100.64.0.7:1 ~6:1 ~7:1 10.40.0.0/16:2\n100.64.0.1 ~1 > 100.64.0.1:3 ~1:3\n");
	must_be(&net, filter_of(policy, net.arena, SMALLNET_NODES), "");
	policy_free(&policy);
	smallnet_clear(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acls_as_in_the_reference),
		cmocka_unit_test(routes_as_in_the_reference),
		cmocka_unit_test(grants_as_in_the_reference),
		cmocka_unit_test(the_whole_list_is_not_narrowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
