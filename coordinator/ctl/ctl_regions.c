#include "ctl_call.h"
#include "ctl_nouns.h"
#include "ctl_show.h"

static const struct ctl_column columns[] = {
	{"ID", "id", NULL, 0, 0},
	{"Code", "code", NULL, 0, 0},
	{"Name", "name", NULL, 10, 0},
	{"Relays", "relays", NULL, 0, 0},
	{"Last seen", "lastSeen", ctl_text_time, 0, 0},
	{0},
};

static json_t *region_of(json_t *regions, const json_t *relay)
{
	json_t *region;
	size_t i;

	json_array_foreach(regions, i, region) if (json_equal(json_object_get(region, "id"), json_object_get(relay, "regionId"))) return region;
	region = json_pack("{s:O, s:O, s:O, s:i, s:n}", "id", json_object_get(relay, "regionId"), "code", json_object_get(relay, "regionCode"), "name",
			   json_object_get(relay, "regionName"), "relays", 0, "lastSeen");
	if (region)
		json_array_append_new(regions, region);
	return region;
}

static void regions_list(struct ctl *c)
{
	const json_t *relays = ctl_call_list(c, "/api/fleetscale/v1/relays", "relays", 0), *relay;
	json_t *regions = json_array();
	size_t i;

	ctl_keep(c, regions);
	json_array_foreach(relays, i, relay)
	{
		json_t *region = region_of(regions, relay), *seen = json_object_get(relay, "lastSeen");
		const char *known = json_string_value(json_object_get(region, "lastSeen"));

		if (!region)
			continue;
		json_object_set_new(region, "relays", json_integer(json_integer_value(json_object_get(region, "relays")) + 1));
		/* RFC 3339 in UTC: the later one is the greater text. */
		if (json_is_string(seen) && (!known || strcmp(json_string_value(seen), known) > 0))
			json_object_set(region, "lastSeen", seen);
	}
	if (relays)
		ctl_show_list(c, regions, columns);
}

static const struct ctl_verb verbs[] = {
	{"list", "ls show", NULL, 0, 0, "Show the regions that have relays", NULL, regions_list},
	{0},
};

const struct ctl_noun ctl_noun_regions = {"regions", "region", "Where the relays are (operator)", verbs};
