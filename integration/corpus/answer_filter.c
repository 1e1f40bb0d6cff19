#include "answer_filter.h"

static json_t *text(struct bytes b)
{
	return json_stringn((const char *)b.at, b.len);
}

static json_t *ports_json(const struct filter_rule *rule)
{
	json_t *list = json_array();
	for (size_t i = 0; i < rule->dst_count; i++) {
		const struct filter_dst *dst = &rule->dst[i];
		json_array_append_new(
			list, json_pack("{s:o, s:{s:i, s:i}}", "IP", text(dst->ip), "Ports", "First", (int)dst->ports.first, "Last", (int)dst->ports.last));
	}
	return list;
}

static json_t *caps_json(const struct capability *app, size_t count)
{
	json_t *caps = json_object();
	for (size_t i = 0; i < count; i++)
		json_object_setn_new(caps, (const char *)app[i].name.at, app[i].name.len,
				     json_loadb((const char *)app[i].values.at, app[i].values.len, JSON_DECODE_ANY, NULL));
	return caps;
}

static json_t *grants_json(const struct filter_rule *rule)
{
	json_t *list = json_array();
	for (size_t i = 0; i < rule->grant_count; i++) {
		const struct filter_grant *grant = &rule->grants[i];
		json_t *dsts = json_array();
		for (size_t k = 0; k < grant->dst_count; k++) {
			char out[PREFIX_TEXT_MAX];
			prefix_format(out, grant->dsts[k]);
			json_array_append_new(dsts, json_string(out));
		}
		json_array_append_new(list, json_pack("{s:o, s:o}", "Dsts", dsts, "CapMap", caps_json(grant->app, grant->app_count)));
	}
	return list;
}

static json_t *rule_json(const struct filter_rule *rule)
{
	json_t *out = json_object(), *sources = json_array();
	for (size_t i = 0; i < rule->source->text_count; i++)
		json_array_append_new(sources, text(rule->source->texts[i]));
	json_object_set_new(out, "SrcIPs", sources);
	if (rule->dst_count)
		json_object_set_new(out, "DstPorts", ports_json(rule));
	if (rule->dst_count && rule->proto != PROTO_ABSENT)
		json_object_set_new(out, "IPProto", json_pack("[i]", rule->proto));
	if (rule->grant_count)
		json_object_set_new(out, "CapGrant", grants_json(rule));
	return out;
}

json_t *answer_filter(struct filter filter)
{
	json_t *list = json_array();
	for (size_t i = 0; i < filter.count; i++)
		json_array_append_new(list, rule_json(&filter.rules[i]));
	return list;
}
