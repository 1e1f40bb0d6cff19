#include "hostinfo.h"

#include <stdlib.h>

#include "authkey.h"
#include "jsonr.h"
#include "jsonw.h"
#include "node.h"

enum {
	TOLD = 1,           /* peers may see it */
	REGION_MAX = 65535, /* peer relays carry region numbers in 16 bits */
	SERVICES_MAX = 256, /* a client lists its peer API, and listening ports only when asked to collect them */
	TEXTS_MAX = 256
};

#define TEXT(n, ...) \
	{ \
		.name = n, .type = JSONR_TEXT, __VA_ARGS__ \
	}
#define BOOL(n, ...) \
	{ \
		.name = n, .type = JSONR_BOOL, __VA_ARGS__ \
	}
#define INT(n, l, m) \
	{ \
		.name = n, .type = JSONR_INT, .least = l, .most = m \
	}

/* The types are the client's own: a member of another type, once relayed, makes every peer fail to decode its whole map. */
static const struct jsonr_member service_shape[] = {
	TEXT("Proto", .flags = TOLD),
	{.name = "Port", .type = JSONR_INT, .most = UINT16_MAX, .flags = TOLD},
	TEXT("Description", .flags = TOLD),
	{0},
};

static const struct jsonr_member location_shape[] = {
	TEXT("Country", .flags = TOLD),
	TEXT("CountryCode", .flags = TOLD),
	TEXT("City", .flags = TOLD),
	TEXT("CityCode", .flags = TOLD),
	{.name = "Latitude", .type = JSONR_NUMBER, .flags = TOLD},
	{.name = "Longitude", .type = JSONR_NUMBER, .flags = TOLD},
	{.name = "Priority", .type = JSONR_INT, .most = INT32_MAX, .flags = TOLD},
	{0},
};

static const struct jsonr_member tpm_shape[] = {
	TEXT("Manufacturer"),
	TEXT("Vendor"),
	INT("Model", INT64_MIN, INT64_MAX),
	INT("FirmwareVersion", 0, INT64_MAX),
	INT("SpecRevision", INT64_MIN, INT64_MAX),
	TEXT("FamilyIndicator"),
	{0},
};

static const struct jsonr_member net_info_shape[] = {
	BOOL("MappingVariesByDestIP"),
	BOOL("WorkingIPv6"),
	BOOL("OSHasIPv6"),
	BOOL("WorkingUDP"),
	BOOL("WorkingICMPv4"),
	BOOL("HavePortMap"),
	BOOL("UPnP"),
	BOOL("PMP"),
	BOOL("PCP"),
	INT("PreferredDERP", 0, REGION_MAX),
	TEXT("LinkType"),
	{.name = "DERPLatency", .type = JSONR_NUMBERS},
	TEXT("FirewallMode"),
	{0},
};

/* TOLD is what clients read of a peer: status and Taildrop (OS, Hostname, Services), app connectors, exit node choice (Location), SSH. */
static const struct jsonr_member shape[] = {
	TEXT("IPNVersion"),
	TEXT("FrontendLogID"),
	TEXT("BackendLogID"),
	TEXT("OS", .flags = TOLD),
	TEXT("OSVersion"),
	BOOL("Container"),
	TEXT("Env"),
	TEXT("Distro"),
	TEXT("DistroVersion"),
	TEXT("DistroCodeName"),
	TEXT("App"),
	BOOL("Desktop"),
	TEXT("Package"),
	TEXT("DeviceModel"),
	TEXT("PushDeviceToken"),
	TEXT("Hostname", .flags = TOLD),
	BOOL("ShieldsUp"),
	BOOL("ShareeNode"),
	BOOL("NoLogsNoSupport"),
	BOOL("RemoteConfig"),
	BOOL("WireIngress"),
	BOOL("IngressEnabled"),
	BOOL("AllowsUpdate"),
	TEXT("Machine"),
	TEXT("GoArch"),
	TEXT("GoArchVar"),
	TEXT("GoVersion"),
	{.name = "RoutableIPs", .type = JSONR_TEXTS, .most = NODE_ROUTES_MAX},
	{.name = "RequestTags", .type = JSONR_TEXTS, .most = TAGS_MAX},
	{.name = "WoLMACs", .type = JSONR_TEXTS, .most = TEXTS_MAX},
	{.name = "Services", .type = JSONR_OBJECTS, .most = SERVICES_MAX, .nested = service_shape, .flags = TOLD},
	{.name = "NetInfo", .type = JSONR_OBJECT, .nested = net_info_shape},
	{.name = "sshHostKeys", .type = JSONR_TEXTS, .most = TEXTS_MAX, .flags = TOLD},
	TEXT("Cloud"),
	BOOL("Userspace"),
	BOOL("UserspaceRouter"),
	BOOL("AppConnector", .flags = TOLD),
	TEXT("ServicesHash"),
	BOOL("PeerRelay"),
	TEXT("ExitNodeID"),
	{.name = "Location", .type = JSONR_OBJECT, .nested = location_shape, .flags = TOLD},
	{.name = "TPM", .type = JSONR_OBJECT, .nested = tpm_shape},
	BOOL("StateEncrypted"),
	{0},
};

/* Sorted members: an unchanged Hostinfo has an unchanged text, whatever order the client wrote it in. */
enum { DUMP_FLAGS = JSON_COMPACT | JSON_SORT_KEYS };

static int by_prefix(const void *a, const void *b)
{
	return prefix_compare(*(const struct prefix *)a, *(const struct prefix *)b);
}
static int by_bytes(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static enum err take_routes(const json_t *list, struct arena *arena, struct hostinfo *h, struct diag *why)
{
	size_t count = json_array_size(list), kept = 0;
	if (!count)
		return ERR_NONE;
	h->routes = ARENA_ARRAY(arena, struct prefix, count);
	for (size_t i = 0; i < count; i++) {
		struct bytes text = jsonr_text_of(json_array_get(list, i));
		struct prefix p;
		if (!memchr(text.len ? (const char *)text.at : "", '/', text.len) || prefix_parse(text, &p))
			return diag_set(why, ERR_MALFORMED, "Hostinfo.RoutableIPs[%zu] is not an address with a prefix length", i);
		h->routes[i] = prefix_masked(p);
	}
	qsort(h->routes, count, sizeof *h->routes, by_prefix);
	for (size_t i = 0; i < count; i++)
		if (!kept || prefix_compare(h->routes[kept - 1], h->routes[i]))
			h->routes[kept++] = h->routes[i];
	h->route_count = kept;
	return ERR_NONE;
}

static size_t read_tags(const json_t *list, struct arena *arena, struct bytes **tags)
{
	size_t count = json_array_size(list), kept = 0;
	struct bytes *out = *tags = count ? ARENA_ARRAY(arena, struct bytes, count) : NULL;
	for (size_t i = 0; i < count; i++)
		out[i] = arena_copy(arena, jsonr_text_of(json_array_get(list, i)));
	if (count)
		qsort(out, count, sizeof *out, by_bytes);
	for (size_t i = 0; i < count; i++)
		if (!kept || !bytes_equal(out[kept - 1], out[i]))
			out[kept++] = out[i];
	return kept;
}

static enum err take_json(const json_t *object, struct arena *arena, struct hostinfo *h, struct diag *why)
{
	/* The token lets its holder push to the user's phone: it is not kept at all. */
	json_t *kept = json_copy((json_t *)object);
	if (!kept)
		return ERR_BUG;
	json_object_del(kept, "PushDeviceToken");
	size_t len = json_dumpb(kept, NULL, 0, DUMP_FLAGS);
	enum err e = ERR_NONE;
	if (!len) {
		e = diag_set(why, ERR_MALFORMED, "Hostinfo cannot be written as JSON");
	} else if (len > HOSTINFO_MAX) {
		e = diag_set(why, ERR_TOO_BIG, "Hostinfo is larger than %d bytes", HOSTINFO_MAX);
	} else {
		char *text = arena_alloc(arena, len + 1);
		json_dumpb(kept, text, len, DUMP_FLAGS);
		h->json = bytes_of(text, len);
	}
	json_decref(kept);
	return e;
}

static struct bytes copy_text(const json_t *object, const char *name, struct arena *arena)
{
	struct bytes text = jsonr_text(object, name);
	return text.len ? arena_copy(arena, text) : BYTES_NONE;
}

enum err hostinfo_decode(const json_t *object, struct arena *arena, struct hostinfo *h, struct diag *why)
{
	*h = (struct hostinfo){0};
	if (!object || json_is_null(object))
		return ERR_NONE;
	enum err e = jsonr_check(object, shape, &(struct jsonr_place){NULL, "Hostinfo", 0}, why);
	if (!e)
		e = take_json(object, arena, h, why);
	if (!e)
		e = take_routes(json_object_get(object, "RoutableIPs"), arena, h, why);
	if (e)
		return e;
	const json_t *net_info = json_object_get(object, "NetInfo");
	h->request_tag_count = read_tags(json_object_get(object, "RequestTags"), arena, &h->request_tags);
	h->present = true;
	h->hostname = copy_text(object, "Hostname", arena);
	h->os = copy_text(object, "OS", arena);
	h->os_version = copy_text(object, "OSVersion", arena);
	h->ipn_version = copy_text(object, "IPNVersion", arena);
	h->has_net_info = json_is_object(net_info);
	h->preferred_derp = h->has_net_info ? (unsigned)jsonr_int(net_info, "PreferredDERP") : 0;
	return ERR_NONE;
}

static void write_told(struct jsonw *w, const json_t *object, const struct jsonr_member *members);

static void write_told_array(struct jsonw *w, const struct jsonr_member *m, const json_t *list)
{
	if (!json_array_size(list))
		return;
	jsonw_array(w, m->name);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		if (m->type == JSONR_TEXTS) {
			jsonw_text(w, NULL, jsonr_text_of(item));
		} else {
			jsonw_object(w, NULL);
			write_told(w, item, m->nested);
			jsonw_object_end(w);
		}
	}
	jsonw_array_end(w);
}

static void write_told_object(struct jsonw *w, const struct jsonr_member *m, const json_t *object)
{
	jsonw_object(w, m->name);
	write_told(w, object, m->nested);
	jsonw_object_end(w);
}

static void write_told_member(struct jsonw *w, const struct jsonr_member *m, const json_t *value)
{
	switch (m->type) {
	case JSONR_TEXT:
		if (json_string_length(value))
			jsonw_text(w, m->name, jsonr_text_of(value));
		break;
	case JSONR_BOOL:
		jsonw_bool(w, m->name, json_is_true(value));
		break;
	case JSONR_INT:
		if (json_integer_value(value))
			jsonw_int(w, m->name, json_integer_value(value));
		break;
	case JSONR_NUMBER:
		jsonw_double(w, m->name, json_number_value(value));
		break;
	case JSONR_TEXTS:
	case JSONR_OBJECTS:
		write_told_array(w, m, value);
		break;
	case JSONR_OBJECT:
		write_told_object(w, m, value);
		break;
	default:
		break;
	}
}

/* Only members that we know, under exactly their names: clients match names without case, so that a stranger's "os": 5 would spoil the maps
 * of all peers. Checked again here, since a stored text may be older than the table. */
static void write_told(struct jsonw *w, const json_t *object, const struct jsonr_member *members)
{
	for (const struct jsonr_member *m = members; m->name; m++) {
		const json_t *value = json_object_get(object, m->name);
		if (m->flags & TOLD && value && !json_is_null(value) && !jsonr_check_member(value, m, NULL, NULL))
			write_told_member(w, m, value);
	}
}

static enum err parse_stored(struct bytes json, json_t **object)
{
	enum err e = jsonr_parse(json, 2 * HOSTINFO_MAX, object, NULL);
	if (!e && !json_is_object(*object)) {
		json_decref(*object);
		e = ERR_MALFORMED;
	}
	return e;
}

enum err hostinfo_for_peers(struct bytes json, struct buffer *out)
{
	json_t *object;
	enum err e = parse_stored(json, &object);
	if (e)
		return e;
	size_t before = out->len;
	struct jsonw w;
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	write_told(&w, object, shape);
	jsonw_object_end(&w);
	json_decref(object);
	e = jsonw_end(&w);
	if (e)
		buffer_cut(out, before);
	return e;
}

static enum err add_dump(const json_t *object, struct buffer *out)
{
	size_t len = json_dumpb(object, NULL, 0, DUMP_FLAGS);
	uint8_t *at = len && len <= HOSTINFO_MAX ? buffer_reserve(out, len) : NULL;
	if (!at)
		return ERR_TOO_BIG;
	json_dumpb(object, (char *)at, len, DUMP_FLAGS);
	buffer_filled(out, len);
	return ERR_NONE;
}

enum err hostinfo_merge(struct bytes old_json, struct bytes new_json, struct buffer *out)
{
	json_t *object, *old;
	enum err e = parse_stored(new_json, &object);
	if (e)
		return e;
	if (!json_is_object(json_object_get(object, "NetInfo")) && !parse_stored(old_json, &old)) {
		json_t *net_info = json_object_get(old, "NetInfo");
		if (json_is_object(net_info))
			json_object_set(object, "NetInfo", net_info);
		json_decref(old);
	}
	e = add_dump(object, out);
	if (e == ERR_TOO_BIG) {
		/* Both were in their cap, together they are not: what is new counts. */
		json_object_del(object, "NetInfo");
		e = add_dump(object, out);
	}
	json_decref(object);
	return e;
}

struct bytes hostinfo_text(struct bytes json, const char *member, struct arena *arena)
{
	json_t *object = json_loadb((const char *)json.at, json.len, 0, NULL);
	const json_t *value = json_object_get(object, member);
	struct bytes text = json_is_string(value) ? arena_copy(arena, bytes_of(json_string_value(value), json_string_length(value))) : BYTES_NONE;
	json_decref(object);
	return text;
}

size_t hostinfo_request_tags(struct bytes json, struct arena *arena, struct bytes **tags)
{
	json_t *object = json_loadb((const char *)json.at, json.len, 0, NULL);
	size_t count = read_tags(json_object_get(object, "RequestTags"), arena, tags);
	json_decref(object);
	return count;
}
