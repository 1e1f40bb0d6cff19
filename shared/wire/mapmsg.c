#include "mapmsg.h"

#include "jsonr.h"
#include "node.h"

static const struct jsonr_member shape[] = {
	{.name = "Version", .type = JSONR_INT, .most = INT32_MAX},
	{.name = "Compress", .type = JSONR_TEXT},
	{.name = "KeepAlive", .type = JSONR_BOOL},
	{.name = "NodeKey", .type = JSONR_TEXT},
	{.name = "DiscoKey", .type = JSONR_TEXT},
	{.name = "HardwareAttestationKey", .type = JSONR_TEXT},
	{.name = "HardwareAttestationKeySignature", .type = JSONR_TEXT},
	{.name = "HardwareAttestationKeySignatureTimestamp", .type = JSONR_TEXT},
	{.name = "Stream", .type = JSONR_BOOL},
	{.name = "MapSessionHandle", .type = JSONR_TEXT},
	{.name = "MapSessionSeq", .type = JSONR_INT, .least = INT64_MIN, .most = INT64_MAX},
	{.name = "Endpoints", .type = JSONR_TEXTS},
	{.name = "EndpointTypes", .type = JSONR_INTS, .least = INT32_MIN, .most = INT32_MAX},
	{.name = "TKAHead", .type = JSONR_TEXT},
	{.name = "ReadOnly", .type = JSONR_BOOL},
	{.name = "OmitPeers", .type = JSONR_BOOL},
	{.name = "DebugFlags", .type = JSONR_TEXTS},
	{.name = "ConnectionHandleForTest", .type = JSONR_TEXT},
	{0},
};

static enum err take_keys(const json_t *object, struct map_request *r, struct diag *why)
{
	if (key_parse_node(jsonr_text(object, "NodeKey"), &r->node_key))
		return diag_set(why, ERR_MALFORMED, "NodeKey is not a node key");
	if (key_is_zero(r->node_key.raw))
		return diag_set(why, ERR_MALFORMED, "NodeKey is zero");
	if (json_is_string(json_object_get(object, "DiscoKey")) && key_parse_disco(jsonr_text(object, "DiscoKey"), &r->disco_key))
		return diag_set(why, ERR_MALFORMED, "DiscoKey is not a disco key");
	return ERR_NONE;
}

static enum err take_compress(const json_t *object, struct map_request *r, struct diag *why)
{
	struct bytes name = jsonr_text(object, "Compress");
	r->zstd = bytes_equal_text(name, "zstd");
	if (name.len && !r->zstd)
		return diag_set(why, ERR_MALFORMED, "Compress is neither \"zstd\" nor empty");
	return ERR_NONE;
}

static enum map_kind kind_of(const json_t *object)
{
	bool omit_peers = jsonr_bool(object, "OmitPeers");
	if (jsonr_bool(object, "Stream"))
		return MAP_STREAM;
	if (jsonr_bool(object, "ReadOnly"))
		return omit_peers ? MAP_READ_SELF : MAP_READ;
	return omit_peers ? MAP_LITE : MAP_FULL;
}

static bool has_endpoint(const struct map_request *r, struct endpoint endpoint)
{
	for (size_t i = 0; i < r->endpoint_count; i++)
		if (endpoint_equal(r->endpoints[i], endpoint))
			return true;
	return false;
}

/* Past the cap the client's first ones stay: it lists what it thinks best first, and a host with hundreds of addresses must not lose its
 * map. */
static enum err take_endpoints(const json_t *list, struct arena *arena, struct map_request *r, struct diag *why)
{
	size_t count = json_array_size(list);
	if (!count)
		return ERR_NONE;
	r->endpoints = ARENA_ARRAY(arena, struct endpoint, count < NODE_ENDPOINTS_MAX ? count : NODE_ENDPOINTS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct bytes text = jsonr_text_of(json_array_get(list, i));
		struct endpoint endpoint;
		/* An address with a zone means something on the client's own host only. */
		if (text.len && memchr(text.at, '%', text.len))
			continue;
		if (endpoint_parse(text, &endpoint))
			return diag_set(why, ERR_MALFORMED, "Endpoints[%zu] is not an address with a port", i);
		bool local = endpoint.ip.family == IP_V6 && ip_is_link_local(endpoint.ip);
		if (!local && r->endpoint_count < NODE_ENDPOINTS_MAX && !has_endpoint(r, endpoint))
			r->endpoints[r->endpoint_count++] = endpoint;
	}
	return ERR_NONE;
}

static enum err take_all(const json_t *object, struct arena *arena, struct map_request *r, struct diag *why)
{
	enum err e = jsonr_check(object, shape, NULL, why);
	if (e || (e = take_keys(object, r, why)) || (e = take_compress(object, r, why)) ||
	    (e = take_endpoints(json_object_get(object, "Endpoints"), arena, r, why)))
		return e;
	r->kind = kind_of(object);
	r->capver = (unsigned)jsonr_int(object, "Version");
	return hostinfo_decode(json_object_get(object, "Hostinfo"), arena, &r->hostinfo, why);
}

enum err mapmsg_decode(struct bytes body, struct arena *arena, struct map_request *r, struct diag *why)
{
	json_t *object;
	*r = (struct map_request){0};
	enum err e = jsonr_parse(body, MAPMSG_MAX, &object, why);
	if (e)
		return e;
	e = take_all(object, arena, r, why);
	json_decref(object);
	return e;
}
