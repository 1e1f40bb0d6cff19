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

/* `base` itself, or a numbered one of it, shortened where it would not fit. */
static bool label_is_of(struct bytes label, const char *base)
{
	char candidate[NODE_LABEL_MAX + 1];
	size_t digits = 0;
	uint64_t number;

	if (bytes_equal_text(label, base))
		return true;
	while (digits < label.len && label.at[label.len - 1 - digits] >= '0' && label.at[label.len - 1 - digits] <= '9')
		digits++;
	if (text_parse_u64(bytes_skip(label, label.len - digits), UINT32_MAX, &number))
		return false;
	hostname_candidate(base, (unsigned)number, candidate);
	return bytes_equal_text(label, candidate);
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
	moves->relabel = !node->renamed && !label_is_of(node->label, moves->label);
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
