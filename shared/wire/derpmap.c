#include "derpmap.h"

#include "text.h"

/* Clients compare a digest as text, in lower case. */
static void write_certificate(struct jsonw *w, struct bytes name)
{
	char text[RELAY_HOST_MAX + 1];
	if (!bytes_starts(name, "sha256-raw:") || name.len >= sizeof text) {
		jsonw_text(w, "CertName", name);
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		text[i] = (char)(name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] - 'A' + 'a' : name.at[i]);
	jsonw_text(w, "CertName", bytes_of(text, name.len));
}

/* Zero values are left out: clients reopen their relay connection when a definition's meaning changes, and read absence as zero. */
void derpmap_write_node(struct jsonw *w, const struct relay_node *node, unsigned region)
{
	jsonw_text(w, "Name", node->name);
	if (region)
		jsonw_uint(w, "RegionID", region);
	jsonw_text(w, "HostName", node->host_name);
	if (node->cert_name.len)
		write_certificate(w, node->cert_name);
	if (node->ipv4.len)
		jsonw_text(w, "IPv4", node->ipv4);
	if (node->ipv6.len)
		jsonw_text(w, "IPv6", node->ipv6);
	if (node->stun_port)
		jsonw_int(w, "STUNPort", node->stun_port);
	if (node->stun_only)
		jsonw_bool(w, "STUNOnly", true);
	if (node->relay_port)
		jsonw_uint(w, "DERPPort", node->relay_port);
	if (node->insecure_for_tests)
		jsonw_bool(w, "InsecureForTests", true);
	if (node->can_port80)
		jsonw_bool(w, "CanPort80", true);
}

static void write_region(struct jsonw *w, const struct relay_region *region)
{
	jsonw_object(w, NULL);
	jsonw_uint(w, "RegionID", region->id);
	jsonw_text(w, "RegionCode", region->code);
	jsonw_text(w, "RegionName", region->name);
	if (region->latitude != 0)
		jsonw_double(w, "Latitude", region->latitude);
	if (region->longitude != 0)
		jsonw_double(w, "Longitude", region->longitude);
	if (region->no_measure_no_home) {
		/* Clients below 115 know only the older name. */
		jsonw_bool(w, "Avoid", true);
		jsonw_bool(w, "NoMeasureNoHome", true);
	}
	jsonw_array(w, "Nodes");
	for (size_t i = 0; i < region->node_count; i++) {
		jsonw_object(w, NULL);
		derpmap_write_node(w, &region->nodes[i], region->id);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	jsonw_object_end(w);
}

enum err derpmap_encode_region(const struct relay_region *region, struct buffer *out)
{
	size_t before = out->len;
	struct jsonw w;
	jsonw_start(&w, out);
	write_region(&w, region);
	if (jsonw_end(&w))
		buffer_cut(out, before);
	return jsonw_end(&w);
}

/* Always there: absent scores would leave those that a client knows as they are. */
static void write_scores(struct jsonw *w, const struct relay_region *regions, size_t count)
{
	jsonw_object(w, "HomeParams");
	jsonw_object(w, "RegionScore");
	for (size_t i = 0; i < count; i++) {
		char id[U64_DIGITS_MAX];
		if (!regions[i].node_count || regions[i].score <= 0 || regions[i].score == 1)
			continue;
		jsonw_key(w, bytes_of(id, text_put_u64(id, regions[i].id)));
		jsonw_double(w, NULL, regions[i].score);
	}
	jsonw_object_end(w);
	jsonw_object_end(w);
}

static void write_regions(struct jsonw *w, const char *name, const struct relay_region *regions, size_t count)
{
	jsonw_object(w, name);
	for (size_t i = 0; i < count; i++) {
		char id[U64_DIGITS_MAX];
		if (!regions[i].node_count)
			continue;
		jsonw_key(w, bytes_of(id, text_put_u64(id, regions[i].id)));
		write_region(w, &regions[i]);
	}
	jsonw_object_end(w);
}

enum err derpmap_encode_leaving(const struct relay_region *regions, size_t count, const struct relay_region *leaving, size_t leaving_count, struct buffer *out)
{
	size_t before = out->len;
	struct jsonw w;
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	write_scores(&w, regions, count);
	write_regions(&w, "Regions", regions, count);
	if (leaving_count)
		write_regions(&w, "Leaving", leaving, leaving_count);
	jsonw_bool(&w, "omitDefaultRegions", true);
	jsonw_object_end(&w);
	if (jsonw_end(&w))
		buffer_cut(out, before);
	return jsonw_end(&w);
}

enum err derpmap_encode(const struct relay_region *regions, size_t count, struct buffer *out)
{
	return derpmap_encode_leaving(regions, count, NULL, 0, out);
}
