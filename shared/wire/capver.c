#include "capver.h"

#include <stddef.h>

#include "mem.h"

/* Versions at which what we send in a map changes. A band reaches from one row to the next. */
static const struct {
	unsigned since, feature;
} steps[] = {
	{109, CAPVER_CAP_SOURCES},      {111, CAPVER_HOME_DERP},     {112, CAPVER_OMIT_ALLOWED_IPS}, {115, CAPVER_NO_MEASURE_NO_HOME},
	{117, CAPVER_DISPLAY_MESSAGES}, {125, CAPVER_RESOLVER_EXIT}, {131, CAPVER_AUTO_UPDATE_CAP},  {148, CAPVER_STABLE_TAILNET},
};

/* What matters outside maps only, and so must not split the bands. */
static const unsigned register_429_since = 137;

static const struct {
	unsigned version;
	const char *release;
} releases[] = {
	{74, "1.50"},  {82, "1.56"},  {90, "1.64"},  {95, "1.66"},  {97, "1.68"},   {102, "1.70"},  {104, "1.72"},
	{106, "1.76"}, {109, "1.78"}, {113, "1.80"}, {115, "1.82"}, {116, "1.84"},  {122, "1.86"},  {125, "1.88"},
	{130, "1.90"}, {131, "1.94"}, {133, "1.96"}, {138, "1.98"}, {141, "1.100"}, {142, "1.102"}, {148, "1.104"},
};

unsigned capver_band(unsigned capver)
{
	unsigned band = 0;
	while (band < COUNT_OF(steps) && capver >= steps[band].since)
		band++;
	return band;
}

unsigned capver_band_count(void)
{
	return COUNT_OF(steps) + 1;
}

unsigned capver_band_features(unsigned band)
{
	unsigned features = 0;
	for (unsigned i = 0; i < band && i < COUNT_OF(steps); i++)
		features |= steps[i].feature;
	return features;
}

bool capver_has(unsigned capver, enum capver_feature feature)
{
	if (feature == CAPVER_REGISTER_429)
		return capver >= register_429_since;
	return capver_band_features(capver_band(capver)) & feature;
}

bool capver_accepted(unsigned capver)
{
	return capver >= CAPVER_OLDEST;
}
const char *capver_refusal(void)
{
	return "this server needs Tailscale 1.64 or newer";
}

const char *capver_release(unsigned capver)
{
	const char *release = "older than 1.50";
	for (size_t i = 0; i < COUNT_OF(releases) && releases[i].version <= capver; i++)
		release = releases[i].release;
	return release;
}
