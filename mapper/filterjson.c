#include "filterjson.h"

static void write_ports(struct jsonw *w, const struct filter_rule *rule)
{
	jsonw_array(w, "DstPorts");
	for (size_t i = 0; i < rule->dst_count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "IP", rule->dst[i].ip);
		jsonw_object(w, "Ports");
		jsonw_uint(w, "First", rule->dst[i].ports.first);
		jsonw_uint(w, "Last", rule->dst[i].ports.last);
		jsonw_object_end(w);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void write_grant(struct jsonw *w, const struct filter_grant *grant)
{
	jsonw_object(w, NULL);
	jsonw_array(w, "Dsts");
	for (size_t i = 0; i < grant->dst_count; i++)
		jsonw_prefix(w, NULL, grant->dsts[i]);
	jsonw_array_end(w);
	jsonw_object(w, "CapMap");
	for (size_t i = 0; i < grant->app_count; i++) {
		jsonw_key(w, grant->app[i].name);
		jsonw_raw(w, NULL, grant->app[i].values);
	}
	jsonw_object_end(w);
	jsonw_object_end(w);
}

/* A rule has ports or grants, never both. */
static void write_rest(struct jsonw *w, const struct filter_rule *rule)
{
	if (rule->dst_count)
		write_ports(w, rule);
	if (rule->proto != PROTO_ABSENT) {
		jsonw_array(w, "IPProto");
		jsonw_int(w, NULL, rule->proto);
		jsonw_array_end(w);
	}
	if (!rule->grant_count)
		return;
	jsonw_array(w, "CapGrant");
	for (size_t i = 0; i < rule->grant_count; i++)
		write_grant(w, &rule->grants[i]);
	jsonw_array_end(w);
}

void filterjson_rest(struct jsonw *w, const struct filter_rule *rule)
{
	jsonw_object(w, NULL);
	write_rest(w, rule);
	jsonw_object_end(w);
}

void filterjson_rule(struct jsonw *w, const struct bytes *sources, size_t count, const struct filter_rule *rule)
{
	jsonw_object(w, NULL);
	jsonw_array(w, "SrcIPs");
	for (size_t i = 0; i < count; i++)
		jsonw_text(w, NULL, sources[i]);
	jsonw_array_end(w);
	write_rest(w, rule);
	jsonw_object_end(w);
}
