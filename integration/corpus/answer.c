#include "answer.h"

#include <string.h>

#include "answer_filter.h"
#include "approve.h"
#include "attrs.h"
#include "explain.h"
#include "filter.h"
#include "route.h"
#include "selftest.h"
#include "sshrule.h"
#include "visible.h"

struct asking {
	struct arena *arena;
	const struct recorded *recorded;
	struct policy *policy;
	struct attrs *attrs; /* by slot */
};

static json_t *text(struct bytes b)
{
	return json_stringn((const char *)b.at, b.len);
}

static json_t *prefix_json(struct prefix prefix)
{
	char out[PREFIX_TEXT_MAX];
	prefix_format(out, prefix);
	return json_string(out);
}

static void add_prefixes(json_t *list, const struct prefix *prefixes, size_t count, bool exits)
{
	for (size_t i = 0; i < count; i++)
		if (exits || !route_is_exit(prefixes[i]))
			json_array_append_new(list, prefix_json(prefixes[i]));
}

/* Addresses of a node: without IPv4 where it, or who looks at it, has that off. */
static json_t *addresses_json(const struct asking *a, uint32_t slot, uint32_t viewer)
{
	json_t *list = json_array();
	const struct node *node = &a->recorded->nodes[slot];
	if (!a->attrs[slot].disable_ipv4 && !a->attrs[viewer].disable_ipv4)
		json_array_append_new(list, prefix_json(ip_prefix(node->ip4)));
	json_array_append_new(list, prefix_json(ip_prefix(node->ip6)));
	return list;
}

static json_t *caps_json(const struct asking *a, uint32_t slot)
{
	json_t *caps = json_object();
	const struct attrs *attrs = &a->attrs[slot];
	json_object_set_new(caps, "https://tailscale.com/cap/file-sharing", json_null());
	json_object_set_new(caps, "https://tailscale.com/cap/ssh", json_null());
	json_object_set_new(caps, "default-auto-update", json_pack("[b]", a->recorded->auto_updates));
	for (size_t i = 0; i < attrs->count; i++) {
		struct bytes values = attrs->list[i].values;
		json_t *value = values.len ? json_loadb((const char *)values.at, values.len, JSON_DECODE_ANY, NULL) : json_null();
		json_object_setn_new(caps, (const char *)attrs->list[i].name.at, attrs->list[i].name.len, value);
	}
	return caps;
}

static json_t *self_json(const struct asking *a, uint32_t slot)
{
	const struct node *node = &a->recorded->nodes[slot];
	json_t *allowed = addresses_json(a, slot, slot), *primary = json_array();
	for (size_t i = 0; i < node->advertised_count; i++)
		for (size_t k = 0; k < node->approved_count; k++)
			if (!prefix_compare(prefix_masked(node->routes_advertised[i]), prefix_masked(node->routes_approved[k])))
				json_array_append_new(allowed, prefix_json(prefix_masked(node->routes_approved[k])));
	add_prefixes(primary, node->routes_primary, node->primary_count, true);
	return json_pack("{s:o, s:o, s:o, s:o}", "addresses", addresses_json(a, slot, slot), "allowed_ips", allowed, "primary_routes", primary, "cap_map",
			 caps_json(a, slot));
}

static json_t *peer_json(const struct asking *a, const struct sight *sight, uint32_t slot, uint32_t viewer)
{
	json_t *allowed = addresses_json(a, slot, viewer), *primary = json_array();
	const struct sight_router *router = sight_find(sight, slot);
	bool exit = false;
	for (size_t i = 0; router && i < router->count; i++)
		exit |= route_is_exit(router->routes[i]);
	if (router) {
		add_prefixes(allowed, router->routes, router->count, true);
		add_prefixes(primary, router->routes, router->count, false);
	}
	json_t *peer = json_pack("{s:o, s:o, s:o}", "addresses", addresses_json(a, slot, viewer), "allowed_ips", allowed, "primary_routes", primary);
	if (exit)
		json_object_set_new(peer, "cap_map", json_pack("{s:n}", "suggest-exit-node"));
	return peer;
}

static json_t *peers_json(const struct asking *a, uint32_t viewer)
{
	json_t *peers = json_object();
	const struct sight *sight = visible_sight(a->policy, viewer);
	BITSET_EACH(&sight->row, slot)
		if (slot != viewer)
			json_object_set_new(peers, a->recorded->names[slot], peer_json(a, sight, (uint32_t)slot, viewer));
	return peers;
}

static json_t *ssh_rule_json(const struct sshrule *rule)
{
	json_t *principals = json_array(), *users = json_object(), *action, *out;
	for (size_t i = 0; i < rule->principal_count; i++) {
		char ip[IP_TEXT_MAX];
		ip_format(ip, rule->principals[i]);
		json_array_append_new(principals, json_pack("{s:s}", "nodeIP", ip));
	}
	for (size_t i = 0; i < rule->user_count; i++)
		json_object_setn_new(users, (const char *)rule->users[i].login.at, rule->users[i].login.len, text(rule->users[i].local));
	action = rule->rule->check ? json_pack("{s:s}", "holdAndDelegate", "https://server/")
				   : json_pack("{s:b, s:b, s:b, s:b}", "accept", 1, "allowAgentForwarding", 1, "allowLocalPortForwarding", 1,
					       "allowRemotePortForwarding", 1);
	out = json_pack("{s:o, s:o, s:o}", "principals", principals, "sshUsers", users, "action", action);
	if (rule->rule->accept_env_count) {
		json_t *env = json_array();
		for (size_t i = 0; i < rule->rule->accept_env_count; i++)
			json_array_append_new(env, text(rule->rule->accept_env[i]));
		json_object_set_new(out, "acceptEnv", env);
	}
	return out;
}

static json_t *ssh_json(const struct asking *a, uint32_t slot)
{
	struct sshrules rules = sshrules_of(a->policy, a->arena, slot);
	json_t *list = json_array();
	for (size_t i = 0; i < rules.count; i++)
		json_array_append_new(list, ssh_rule_json(&rules.list[i]));
	return list;
}

static json_t *expect_json(const struct asking *a)
{
	json_t *expect = json_object();
	for (uint32_t slot = 0; slot < a->recorded->roll.node_count; slot++)
		json_object_set_new(expect, a->recorded->names[slot],
				    json_pack("{s:o, s:o, s:o, s:o}", "packet_filter", answer_filter(filter_of(a->policy, a->arena, slot)), "self",
					      self_json(a, slot), "peers", peers_json(a, slot), "ssh_rules", ssh_json(a, slot)));
	return expect;
}

static json_t *approved_json(const struct asking *a, const struct document *document)
{
	json_t *all = json_object();
	for (size_t slot = 0; slot < a->recorded->roll.node_count; slot++) {
		const struct node *node = &a->recorded->nodes[slot];
		json_t *routes = json_array();
		for (size_t i = 0; i < node->advertised_count; i++)
			if (approve_route(document, &a->recorded->roll, node, node->routes_advertised[i]))
				json_array_append_new(routes, prefix_json(node->routes_advertised[i]));
		json_object_set_new(all, a->recorded->names[slot], routes);
	}
	return all;
}

static json_t *verdicts_json(const struct asking *a, const json_t *questions)
{
	json_t *answers = json_array();
	for (size_t i = 0; i < json_array_size(questions); i++) {
		const json_t *one = json_array_get(questions, i), *proto = json_object_get(one, "proto");
		json_int_t port = json_integer_value(json_object_get(one, "port")),
			   number = proto && !json_is_null(proto) ? json_integer_value(proto) : PROTO_ABSENT;
		const char *from = json_string_value(json_object_get(one, "src")), *to = json_string_value(json_object_get(one, "dst"));
		struct explain_question question = {.proto = (int)number, .port = (uint16_t)port};
		bool good = from && to && port >= 0 && port <= UINT16_MAX && number >= PROTO_ABSENT && number <= 255 &&
			    !ip_parse(bytes_text(from), &question.source) && !ip_parse(bytes_text(to), &question.destination);
		json_array_append_new(answers, good ? json_boolean(explain_ask(a->policy, a->arena, &question).allowed) : json_null());
	}
	return answers;
}

json_t *answer_text(const char *why)
{
	json_t *out = NULL;
	for (size_t len = strlen(why); !out; len--)
		out = json_stringn(why, len);
	return out;
}

static json_t *refusal(enum err e, const char *why)
{
	return json_pack("{s:i, s:o, s:n}", "status", e == ERR_BUG ? 500 : 400, "error", answer_text(why), "expect");
}

static json_t *compiled_answer(struct asking *a, const struct document *document)
{
	struct selftest tests;
	struct diag why = {0};
	const json_t *questions = json_object_get(a->recorded->json, "questions");
	enum err e = selftest_run(a->policy, a->arena, &tests, &why);
	if (e)
		return refusal(e, why.text);
	a->attrs = ARENA_ARRAY(a->arena, struct attrs, a->recorded->roll.node_count);
	for (uint32_t slot = 0; slot < a->recorded->roll.node_count; slot++)
		a->attrs[slot] = attrs_of(a->policy, a->arena, slot, false);
	json_t *answer = json_pack("{s:i, s:n, s:o, s:o}", "status", 200, "error", "approved_routes", approved_json(a, document), "expect", expect_json(a));
	if (questions)
		json_object_set_new(answer, "answers", verdicts_json(a, questions));
	return answer;
}

json_t *answer_of(struct arena *arena, const struct recorded *recorded)
{
	struct surroundings around = {.domains = recorded->domains, .domain_count = recorded->roll.domain_count};
	struct asking a = {.arena = arena, .recorded = recorded};
	struct document *document;
	struct diag why = {0};
	enum err e = document_read(arena, recorded->policy, &around, &document, &why);
	if (e)
		return refusal(e, why.text);
	a.policy = policy_compile(document, &recorded->roll);
	json_t *answer = compiled_answer(&a, document);
	policy_free(&a.policy);
	return answer;
}
