/* The derpMap section. Regions reach clients, so what a client would misread is refused here. */
#include <math.h>
#include <stdlib.h>

#include "addr.h"
#include "reading.h"
#include "text.h"

enum { NUMBER_TEXT_MAX = 40 };

/* Members of a region or node are read one after the other; the first fault stays. */
struct derp_reading {
	struct reading *r;
	const char *region; /* quoted, for sentences */
	struct table *names;
};

static enum err bad(struct derp_reading *d, struct place at, const char *what, const char *wanted)
{
	return refuse_at(d->r, at, "derpMap: region %s: %s: %s is wanted", d->region, what, wanted);
}

static enum err text_of(struct derp_reading *d, const struct json *value, const char *what, struct bytes *out)
{
	*out = BYTES_NONE;
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_STRING || value->text.len > DERP_NAME_MAX)
		return bad(d, value->at, what, "a string of at most 255 bytes");
	for (size_t i = 0; i < value->text.len; i++)
		if (value->text.at[i] < ' ' || value->text.at[i] == 0x7f)
			return bad(d, value->at, what, "a string without control characters");
	*out = value->text;
	return ERR_NONE;
}

static enum err flag_of(struct derp_reading *d, const struct json *value, const char *what, bool *out)
{
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_BOOL)
		return bad(d, value->at, what, "true or false");
	*out = value->truth;
	return ERR_NONE;
}

static enum err number_of(struct derp_reading *d, const struct json *value, const char *what, const char *wanted, int64_t least, int64_t most, int64_t *out)
{
	*out = 0;
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_NUMBER || text_parse_i64(value->text, out) || *out < least || *out > most)
		return bad(d, value->at, what, wanted);
	return ERR_NONE;
}

static enum err degrees_of(struct derp_reading *d, const struct json *value, const char *what, const char *wanted, double most, double *out)
{
	char text[NUMBER_TEXT_MAX];
	*out = 0;
	if (!value)
		return ERR_NONE;
	if (value->kind != JSON_NUMBER || value->text.len >= sizeof text)
		return bad(d, value->at, what, wanted);
	memcpy(text, value->text.at, value->text.len);
	text[value->text.len] = 0;
	*out = strtod(text, NULL);
	return isfinite(*out) && fabs(*out) <= most ? ERR_NONE : bad(d, value->at, what, wanted);
}

static enum err address_of(struct derp_reading *d, const struct json *value, const char *what, const char *wanted, enum ip_family family, struct bytes *out)
{
	enum err e = text_of(d, value, what, out);
	return !e && !relaynode_is_address(*out, family) ? bad(d, value->at, what, wanted) : e;
}

static enum err names_of(struct derp_reading *d, const struct json *at, const struct json *const *in, struct relay_node *node)
{
	enum err e;
	if ((e = text_of(d, in[0], "Name", &node->name)) || (e = text_of(d, in[2], "HostName", &node->host_name)) ||
	    (e = text_of(d, in[3], "CertName", &node->cert_name)))
		return e;
	if (!node->name.len)
		return bad(d, in[0] ? in[0]->at : at->at, "Name", "a name of the node");
	if (table_put(d->names, node->name, d))
		return refuse_at(d->r, in[0]->at, "derpMap: two nodes have the name %s", quoted(d->r, node->name));
	if (!relaynode_is_host(node->host_name))
		return bad(d, in[2] ? in[2]->at : at->at, "HostName", "a host name or address of the relay");
	return relaynode_is_certificate(node->cert_name) ? ERR_NONE : bad(d, in[3]->at, "CertName", "a host name, or sha256-raw: and 64 hexadecimal digits");
}

static enum err node_read(struct derp_reading *d, const struct json *value, unsigned region, struct relay_node *node)
{
	static const char *const names[] = {"Name",     "RegionID", "HostName", "CertName",         "IPv4",     "IPv6",
					    "STUNPort", "STUNOnly", "DERPPort", "InsecureForTests", "CanPort80"};
	const struct json *in[11];
	int64_t id, stun, port;
	enum err e;
	if ((e = read_fields(d->r, value, names, 11, false, in)) || (e = names_of(d, value, in, node)) ||
	    (e = number_of(d, in[1], "RegionID", "the number of its region", 0, RELAY_REGION_ID_MAX, &id)) ||
	    (e = address_of(d, in[4], "IPv4", "an IPv4 address, \"none\" or \"\"", IP_V4, &node->ipv4)) ||
	    (e = address_of(d, in[5], "IPv6", "an IPv6 address, \"none\" or \"\"", IP_V6, &node->ipv6)) ||
	    (e = number_of(d, in[6], "STUNPort", "a port, or -1 for none", -1, RELAY_PORT_MAX, &stun)) ||
	    (e = flag_of(d, in[7], "STUNOnly", &node->stun_only)) || (e = number_of(d, in[8], "DERPPort", "a port", 0, RELAY_PORT_MAX, &port)) ||
	    (e = flag_of(d, in[9], "InsecureForTests", &node->insecure_for_tests)) || (e = flag_of(d, in[10], "CanPort80", &node->can_port80)))
		return e;
	if (id && id != region)
		return bad(d, in[1]->at, "RegionID", "the number of its region");
	node->stun_port = (int)stun;
	node->relay_port = (unsigned)port;
	return ERR_NONE;
}

static enum err nodes_read(struct derp_reading *d, const struct json *region_at, const struct json *list, struct derp_region *region)
{
	if (!list || list->kind != JSON_LIST || !list->count || list->count > DERP_REGION_NODES_MAX)
		return bad(d, list ? list->at : region_at->at, "Nodes", "a list of 1 to 32 nodes");
	region->nodes = ARENA_ARRAY(d->r->arena, struct relay_node, list->count);
	for (size_t i = 0; i < list->count; i++) {
		enum err e = node_read(d, &list->items[i], region->id, &region->nodes[region->node_count++]);
		if (e)
			return e;
	}
	return ERR_NONE;
}

static enum err region_read(struct derp_reading *d, const struct json *value, struct derp_region *region)
{
	static const char *const names[] = {"RegionID", "RegionCode", "RegionName", "Latitude", "Longitude", "Avoid", "NoMeasureNoHome", "Nodes"};
	const struct json *in[8];
	bool avoid = false;
	int64_t id;
	enum err e;
	region->removed = value->kind == JSON_NULL;
	if (region->removed)
		return ERR_NONE;
	if ((e = read_fields(d->r, value, names, 8, false, in)) || (e = number_of(d, in[0], "RegionID", "its own number", 0, RELAY_REGION_ID_MAX, &id)) ||
	    (e = text_of(d, in[1], "RegionCode", &region->code)) || (e = text_of(d, in[2], "RegionName", &region->name)) ||
	    (e = degrees_of(d, in[3], "Latitude", "a number from -90 to 90", 90, &region->latitude)) ||
	    (e = degrees_of(d, in[4], "Longitude", "a number from -180 to 180", 180, &region->longitude)) || (e = flag_of(d, in[5], "Avoid", &avoid)) ||
	    (e = flag_of(d, in[6], "NoMeasureNoHome", &region->no_measure_no_home)))
		return e;
	if (id && id != region->id)
		return bad(d, in[0]->at, "RegionID", "its own number");
	region->no_measure_no_home |= avoid;
	return nodes_read(d, value, in[7], region);
}

static enum err regions_read(struct derp_reading *d, const struct json *object, struct derp_section *derp)
{
	if (object->kind != JSON_OBJECT)
		return refuse_at(d->r, object->at, "derpMap: Regions: an object is wanted");
	if (object->count > DERP_REGIONS_MAX)
		return refuse_at(d->r, object->at, "derpMap: more than %d regions", DERP_REGIONS_MAX);
	derp->regions = ARENA_ARRAY(d->r->arena, struct derp_region, object->count);
	for (size_t i = 0; i < object->count; i++) {
		const struct json_member *member = &object->members[i];
		uint64_t id;
		enum err e;
		d->region = quoted(d->r, member->name);
		if (text_parse_u64(member->name, RELAY_REGION_ID_MAX, &id) || !id)
			return refuse_at(d->r, member->at, "derpMap: region %s: regions are named by numbers from 1 to 65535", d->region);
		derp->regions[i].id = (unsigned)id;
		if ((e = region_read(d, &member->value, &derp->regions[i])))
			return e;
		derp->region_count++;
	}
	return ERR_NONE;
}

static bool has_home(const struct derp_section *derp)
{
	for (size_t i = 0; i < derp->region_count; i++)
		if (!derp->regions[i].removed && !derp->regions[i].no_measure_no_home)
			return true;
	return false;
}

enum err derp_read(struct reading *r, const struct json *value)
{
	static const char *const names[] = {"OmitDefaultRegions", "Regions"};
	struct derp_reading d = {.r = r};
	struct derp_section *derp = ARENA_NEW(r->arena, struct derp_section);
	const struct json *in[2];
	enum err e;
	if (value->kind != JSON_OBJECT)
		return refuse_at(r, value->at, "derpMap: an object is wanted");
	if ((e = read_fields(r, value, names, 2, false, in)) || (e = read_bool(r, in[0], "derpMap: OmitDefaultRegions", &derp->omit_default)))
		return e;
	d.names = table_new();
	e = in[1] ? regions_read(&d, in[1], derp) : ERR_NONE;
	table_free(&d.names);
	if (e)
		return e;
	if (derp->omit_default && !has_home(derp))
		return refuse_at(r, value->at, "derpMap: without the default regions there is none that a client could be at home in");
	r->doc->derp = derp;
	return ERR_NONE;
}
