#include "report.h"

#include "hostname.h"
#include "text.h"

static bool endpoints_have(const struct endpoint *list, size_t count, struct endpoint one)
{
	for (size_t i = 0; i < count; i++)
		if (endpoint_equal(list[i], one))
			return true;
	return false;
}

/* Clients reorder their endpoints at will: as sets they are compared. */
static bool endpoints_same(const struct node *node, const struct map_request *request)
{
	if (node->endpoint_count != request->endpoint_count)
		return false;
	for (size_t i = 0; i < node->endpoint_count; i++)
		if (!endpoints_have(request->endpoints, request->endpoint_count, node->endpoints[i]))
			return false;
	return true;
}

static bool routes_same(const struct node *node, const struct hostinfo *hostinfo)
{
	if (node->advertised_count != hostinfo->route_count)
		return false;
	for (size_t i = 0; i < hostinfo->route_count; i++)
		if (prefix_compare(node->routes_advertised[i], hostinfo->routes[i]) != 0)
			return false;
	return true;
}

static struct bytes merged(struct bytes old_json, struct bytes new_json, struct arena *arena)
{
	struct buffer out;
	struct bytes copy;

	buffer_init(&out, HOSTINFO_MAX);
	copy = hostinfo_merge(old_json, new_json, &out) ? new_json : arena_copy(arena, buffer_bytes(&out));
	buffer_clear(&out);
	return copy;
}

/* `base` itself, or a numbered one of it. */
static bool label_is_of(struct bytes label, struct bytes base)
{
	struct bytes rest;
	uint64_t number;

	if (bytes_equal(label, base))
		return true;
	if (label.len <= base.len + 1 || !bytes_equal(bytes_take(label, base.len), base) || label.at[base.len] != '-')
		return false;
	rest = bytes_skip(label, base.len + 1);
	return !text_parse_u64(rest, UINT32_MAX, &number);
}

static void compare_hostinfo(const struct node *node, const struct hostinfo *hostinfo, struct arena *arena, struct report_moves *moves)
{
	struct node_report *report = &moves->report;
	struct bytes json = hostinfo->has_net_info ? hostinfo->json : merged(node->hostinfo, hostinfo->json, arena);

	if (!bytes_equal(json, node->hostinfo)) {
		report->hostinfo = json;
		moves->write = true;
	}
	if (!routes_same(node, hostinfo)) {
		report->has_routes = true;
		report->routes = hostinfo->routes;
		report->route_count = hostinfo->route_count;
		moves->write = true;
	}
	/* "Not known now" does not take a known home away (pitfall 42). */
	if (hostinfo->preferred_derp && hostinfo->preferred_derp != node->home_relay) {
		report->home_relay = hostinfo->preferred_derp;
		moves->write = true;
	}
	hostname_label(hostinfo->hostname, moves->label);
	moves->relabel = !node->renamed && !label_is_of(node->label, bytes_text(moves->label));
}

void report_compare(const struct node *node, const struct map_request *request, uint64_t epoch, struct wall now, struct arena *arena,
		    struct report_moves *moves)
{
	struct node_report *report = &moves->report;

	*moves = (struct report_moves){.report = {.node = node->id, .epoch = epoch, .at = now}};
	if (request->hostinfo.present)
		compare_hostinfo(node, &request->hostinfo, arena, moves);
	if (!key_is_zero(request->disco_key.raw) && !key_equal(request->disco_key.raw, node->disco_key.raw)) {
		report->disco_key = request->disco_key;
		moves->write = true;
	}
	if (!endpoints_same(node, request)) {
		report->has_endpoints = true;
		report->endpoints = request->endpoints;
		report->endpoint_count = request->endpoint_count;
		moves->write = true;
	}
	if (node->capver != request->capver) {
		report->capver = request->capver;
		moves->write = true;
	}
}
