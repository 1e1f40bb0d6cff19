#include "capver.h"

#include "mem.h"

/* Versions at which what we send in a map changes. A band reaches from one row to the next. */
static const struct {
	unsigned since, feature;
} steps[] = {
	{109, CAPVER_CAP_SOURCES},      {111, CAPVER_HOME_DERP},     {112, CAPVER_OMIT_ALLOWED_IPS}, {115, CAPVER_NO_MEASURE_NO_HOME},
	{117, CAPVER_DISPLAY_MESSAGES}, {125, CAPVER_RESOLVER_EXIT}, {131, CAPVER_AUTO_UPDATE_CAP},  {148, CAPVER_STABLE_TAILNET},
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

bool capver_accepted(unsigned capver)
{
	return capver >= CAPVER_OLDEST;
}

const char *capver_refusal(void)
{
	return "this server needs Tailscale 1.64 or newer";
}
