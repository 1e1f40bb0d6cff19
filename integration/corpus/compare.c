#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"

struct comparing {
	const json_t *recorded;
	char *difference;
	const char *node;
};

static bool asserts(const struct comparing *c, const char *what)
{
	const json_t *list = json_object_get(c->recorded, "asserts");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));
		if (word && !strcmp(word, what))
			return true;
	}
	return false;
}

/* Whether everything that the case asserts can be compared, so that no misspelt case passes. */
static bool is_comparable(const struct comparing *c)
{
	static const char *const words[] = {"status", "error", "approved_routes", "packet_filter", "peers", "allowed_ips", "self", "ssh_rules", "cap_map"};
	const size_t of_nodes = 3;
	bool nodes = false;
	const json_t *list = json_object_get(c->recorded, "asserts"), *expect = json_object_get(c->recorded, "expect");
	const char *how = json_string_value(json_object_get(c->recorded, "packet_filter_compare")), *fault = NULL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));
		size_t k = 0;
		while (word && k < sizeof words / sizeof *words && strcmp(word, words[k]) != 0)
			k++;
		nodes |= k >= of_nodes;
		if (!word || k == sizeof words / sizeof *words)
			fault = "asserts names what is not known";
	}
	if (!json_is_array(list) || !json_array_size(list))
		fault = "asserts is a list with something in it";
	else if (!json_is_integer(json_object_get(c->recorded, "status")))
		fault = "status is a number";
	else if (asserts(c, "packet_filter") && (!how || (strcmp(how, "exact") != 0 && strcmp(how, "sets") != 0)))
		fault = "packet_filter_compare is exact or sets";
	else if (nodes && json_integer_value(json_object_get(c->recorded, "status")) == 200 && (!json_is_object(expect) || !json_object_size(expect)))
		fault = "expect is an object with nodes when the policy is accepted";
	if (fault)
		snprintf(c->difference, DIFFERENCE_MAX, "not a case: %s", fault);
	return !fault;
}

static bool differs(struct comparing *c, const char *what, const json_t *expected, const json_t *got)
{
	char *a = expected ? json_dumps(expected, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL, *b = got ? json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
	snprintf(c->difference, DIFFERENCE_MAX, "%s%s%s: expected %.800s, got %.800s", c->node, *c->node ? ": " : "", what, a ? a : "nothing",
		 b ? b : "nothing");
	free(a);
	free(b);
	return false;
}

static bool is_empty(const json_t *value)
{
	return !value || json_is_null(value) || (json_is_array(value) && !json_array_size(value)) || (json_is_object(value) && !json_object_size(value));
}

/* The list without what is in it twice, in one order; NULL and null are empty. */
static json_t *as_bag(const json_t *list, bool unique)
{
	json_t *bag = json_object();
	for (size_t i = 0; i < json_array_size(list); i++) {
		char *key = json_dumps(json_array_get(list, i), JSON_ENCODE_ANY | JSON_SORT_KEYS);
		json_int_t count = json_integer_value(json_object_get(bag, key));
		json_object_set_new(bag, key, json_integer(unique ? 1 : count + 1));
		free(key);
	}
	return bag;
}

static bool same_bag(const json_t *a, const json_t *b, bool unique)
{
	json_t *x = as_bag(a, unique), *y = as_bag(b, unique);
	bool same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

static bool same_or_empty(const json_t *a, const json_t *b)
{
	return (is_empty(a) && is_empty(b)) || (a && b && json_equal(a, b));
}

static bool same_status(struct comparing *c, const json_t *answer)
{
	const json_t *status = json_object_get(c->recorded, "status"), *got = json_object_get(answer, "status");
	if (json_equal(status, got))
		return true;
	json_t *a = json_pack("[O, O?]", status, json_object_get(c->recorded, "error")), *b = json_pack("[O?, O?]", got, json_object_get(answer, "error"));
	differs(c, "status", a, b);
	json_decref(a);
	json_decref(b);
	return false;
}

/* "first-last", a prefix, an address, or everything. */
static bool parse_source(const char *text, struct span out[2], size_t *count)
{
	struct bytes rest, first = bytes_split(bytes_text(text), '-', &rest);
	struct prefix prefix;
	*count = 1;
	if (!strcmp(text, "*")) {
		*count = 2;
		out[0] = span_of((struct prefix){{IP_V4, {0}}, 0});
		out[1] = span_of((struct prefix){{IP_V6, {0}}, 0});
		return true;
	}
	if (rest.at)
		return !ip_parse(first, &out[0].first) && !ip_parse(rest, &out[0].last);
	if (prefix_parse(first, &prefix))
		return false;
	out[0] = span_of(prefix_masked(prefix));
	return true;
}

static bool union_of(struct arena *arena, const json_t *list, struct spans *out)
{
	struct span *spans = ARENA_ARRAY(arena, struct span, 2 * json_array_size(list) + 1);
	size_t count = 0, more;
	for (size_t i = 0; i < json_array_size(list); i++, count += more) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text || !parse_source(text, spans + count, &more))
			return false;
	}
	*out = spans_of(spans, count);
	return true;
}

static bool same_union(const json_t *a, const json_t *b)
{
	struct arena *arena = arena_new();
	struct spans x, y;
	bool same = union_of(arena, a, &x) && union_of(arena, b, &y) && x.count == y.count;
	for (size_t i = 0; same && i < x.count; i++)
		same = ip_equal(x.list[i].first, y.list[i].first) && ip_equal(x.list[i].last, y.list[i].last);
	arena_free(&arena);
	return same;
}

static bool same_grants(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
		if (!same_bag(json_object_get(x, "Dsts"), json_object_get(y, "Dsts"), true) ||
		    !json_equal(json_object_get(x, "CapMap"), json_object_get(y, "CapMap")))
			return false;
	}
	return true;
}

static bool same_rule(const json_t *a, const json_t *b, bool sets)
{
	const json_t *x = json_object_get(a, "SrcIPs"), *y = json_object_get(b, "SrcIPs");
	return (sets ? same_union(x, y) : same_or_empty(x, y)) && same_or_empty(json_object_get(a, "DstPorts"), json_object_get(b, "DstPorts")) &&
	       same_or_empty(json_object_get(a, "IPProto"), json_object_get(b, "IPProto")) &&
	       same_grants(json_object_get(a, "CapGrant"), json_object_get(b, "CapGrant"));
}

static bool same_ssh_rule(const json_t *a, const json_t *b)
{
	json_t *x = json_copy(json_object_get(a, "action")), *y = json_copy(json_object_get(b, "action"));
	bool held = json_object_get(x, "holdAndDelegate") != NULL, same = held == (json_object_get(y, "holdAndDelegate") != NULL);
	json_object_del(x, "holdAndDelegate");
	json_object_del(y, "holdAndDelegate");
	same = same && json_equal(x, y) && same_bag(json_object_get(a, "principals"), json_object_get(b, "principals"), false) &&
	       json_equal(json_object_get(a, "sshUsers"), json_object_get(b, "sshUsers")) &&
	       same_or_empty(json_object_get(a, "acceptEnv"), json_object_get(b, "acceptEnv"));
	json_decref(x);
	json_decref(y);
	return same;
}

static bool same_rules(struct comparing *c, const char *what, const json_t *a, const json_t *b, bool ssh)
{
	const char *how = json_string_value(json_object_get(c->recorded, "packet_filter_compare"));
	bool sets = how && !strcmp(how, "sets");
	if (json_array_size(a) != json_array_size(b))
		return differs(c, what, a, b);
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
		if (!(ssh ? same_ssh_rule(x, y) : same_rule(x, y, sets)))
			return differs(c, what, x, y);
	}
	return true;
}

/* Of the service's own state, not of the policy. */
static const char *const state_caps[] = {"probe-udp-lifetime",
					 "ssh-behavior-v1",
					 "ssh-env-vars",
					 "store-appc-routes",
					 "tailnet-display-name",
					 "https://tailscale.com/cap/tailnet-lock",
					 "https://tailscale.com/cap/is-owner",
					 "https://tailscale.com/cap/is-admin"};

static json_t *caps_of(const json_t *caps, bool drop_update)
{
	json_t *out = json_object();
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)caps, name, value) json_object_set_new(out, name, is_empty(value) ? json_null() : json_incref(value));
	for (size_t i = 0; i < sizeof state_caps / sizeof *state_caps; i++)
		json_object_del(out, state_caps[i]);
	if (drop_update)
		json_object_del(out, "default-auto-update");
	return out;
}

static bool same_caps(struct comparing *c, const char *what, const json_t *a, const json_t *b)
{
	json_t *x, *y;
	bool drop_update = !json_object_get(a, "default-auto-update");
	x = caps_of(a, drop_update);
	y = caps_of(b, drop_update);
	bool same = json_equal(x, y) || differs(c, what, x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

static bool same_set(struct comparing *c, const char *of, const char *what, const json_t *a, const json_t *b)
{
	char where[256];
	const json_t *x = json_object_get(a, what), *y = json_object_get(b, what);
	snprintf(where, sizeof where, "%s %s", of, what);
	return same_bag(x, y, true) || differs(c, where, x, y);
}

static bool same_self(struct comparing *c, const json_t *a, const json_t *b)
{
	if (asserts(c, "self") &&
	    !(same_set(c, "self", "addresses", a, b) && same_set(c, "self", "allowed_ips", a, b) && same_set(c, "self", "primary_routes", a, b)))
		return false;
	return !asserts(c, "cap_map") || same_caps(c, "self cap_map", json_object_get(a, "cap_map"), json_object_get(b, "cap_map"));
}

/* A peer's addresses are told only where they are not its IPv4 and IPv6. */
static bool same_addresses(struct comparing *c, const char *name, const json_t *a, const json_t *b)
{
	const json_t *node = json_object_get(json_object_get(c->recorded, "nodes"), name);
	json_t *both = json_pack("[o, o]", json_sprintf("%s/32", json_string_value(json_object_get(node, "ipv4"))),
				 json_sprintf("%s/128", json_string_value(json_object_get(node, "ipv6"))));
	const json_t *want = json_object_get(a, "addresses") ? json_object_get(a, "addresses") : both;
	bool same = same_bag(want, json_object_get(b, "addresses"), true) || differs(c, name, want, json_object_get(b, "addresses"));
	json_decref(both);
	return same;
}

static bool same_peer(struct comparing *c, const char *name, const json_t *a, const json_t *b)
{
	if (asserts(c, "allowed_ips") &&
	    !(same_set(c, name, "allowed_ips", a, b) && same_set(c, name, "primary_routes", a, b) && same_addresses(c, name, a, b)))
		return false;
	return !asserts(c, "cap_map") || same_caps(c, name, json_object_get(a, "cap_map"), json_object_get(b, "cap_map"));
}

static bool same_peers(struct comparing *c, const json_t *a, const json_t *b)
{
	const char *name;
	json_t *peer;
	bool strict = asserts(c, "peers");
	json_object_foreach((json_t *)(uintptr_t)a, name, peer)
	{
		const json_t *other = json_object_get(b, name);
		if (!other && strict)
			return differs(c, name, peer, NULL);
		if (other && !same_peer(c, name, peer, other))
			return false;
	}
	json_object_foreach((json_t *)(uintptr_t)b, name, peer) if (strict && !json_object_get(a, name)) return differs(c, name, NULL, peer);
	return true;
}

static bool same_node(struct comparing *c, const json_t *a, const json_t *b)
{
	if (!b)
		return differs(c, "answer", a, b);
	if (asserts(c, "packet_filter") && !same_rules(c, "packet_filter", json_object_get(a, "packet_filter"), json_object_get(b, "packet_filter"), false))
		return false;
	if (!same_peers(c, json_object_get(a, "peers"), json_object_get(b, "peers")) || !same_self(c, json_object_get(a, "self"), json_object_get(b, "self")))
		return false;
	return !asserts(c, "ssh_rules") || same_rules(c, "ssh_rules", json_object_get(a, "ssh_rules"), json_object_get(b, "ssh_rules"), true);
}

static bool same_approvals(struct comparing *c, const json_t *answer)
{
	const char *name;
	json_t *node;
	json_object_foreach(json_object_get(c->recorded, "nodes"), name, node)
	{
		const json_t *want = json_object_get(node, "approved_routes"), *got = json_object_get(json_object_get(answer, "approved_routes"), name);
		c->node = name;
		if (!same_bag(want, got, true))
			return differs(c, "approved_routes", want, got);
	}
	return true;
}

bool compare_case(const json_t *recorded, const json_t *answer, char difference[static DIFFERENCE_MAX])
{
	struct comparing c = {.recorded = recorded, .difference = difference, .node = ""};
	const json_t *error = json_object_get(recorded, "error");
	const char *name;
	json_t *expected;
	if (!is_comparable(&c) || !same_status(&c, answer))
		return false;
	if (asserts(&c, "error") && !json_equal(error, json_object_get(answer, "error")))
		return differs(&c, "error", error, json_object_get(answer, "error"));
	if (json_integer_value(json_object_get(recorded, "status")) != 200)
		return true;
	if (asserts(&c, "approved_routes") && !same_approvals(&c, answer))
		return false;
	json_object_foreach(json_object_get(recorded, "expect"), name, expected)
	{
		c.node = name;
		if (!same_node(&c, expected, json_object_get(json_object_get(answer, "expect"), name)))
			return false;
	}
	return true;
}
