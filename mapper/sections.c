#include "sections.h"

#include "capver.h"

/* Without a policy everything passes between those who see each other. The empty list blocks all; an absent one would keep the old rules. */
static void write_filter(struct jsonw *w, const struct view *view)
{
	jsonw_object(w, "PacketFilters");
	jsonw_array(w, "base");
	if (view->kind == VIEW_EVERYBODY)
		jsonw_raw(w, NULL, BYTES("{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}"));
	jsonw_array_end(w);
	jsonw_object_end(w);
}

void sections_write(struct jsonw *w, const struct snapshot *s, unsigned sections, const struct view *view, unsigned features)
{
	if (sections & SECTION_RELAYS && s->relays)
		jsonw_raw(w, "DERPMap", body_bytes(s->relays));
	if (sections & SECTION_SETTINGS) {
		jsonw_raw(w, "DNSConfig", body_bytes(s->dns[!!(features & CAPVER_RESOLVER_EXIT)]));
		jsonw_text(w, "Domain", s->domain);
	}
	if (sections & SECTION_FILTER)
		write_filter(w, view);
}
