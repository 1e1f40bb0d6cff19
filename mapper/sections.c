#include "sections.h"

#include "capver.h"

void sections_write(struct jsonw *w, const struct snapshot *s, const struct relaymap *relays, unsigned sections, unsigned features)
{
	if (sections & SECTION_RELAYS && relays->shown)
		jsonw_raw(w, "DERPMap", body_bytes(relays->shown));
	if (sections & SECTION_SETTINGS) {
		jsonw_raw(w, "DNSConfig", body_bytes(s->dns[!!(features & CAPVER_RESOLVER_EXIT)]));
		jsonw_text(w, "Domain", s->domain);
	}
}
