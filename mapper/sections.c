#include "sections.h"

static void write_dns(struct jsonw *w, const struct snapshot *s)
{
	jsonw_object(w, "DNSConfig");
	jsonw_array(w, "Domains");
	jsonw_text(w, NULL, s->domain);
	jsonw_array_end(w);
	if (s->magic_dns)
		jsonw_bool(w, "Proxied", true);
	jsonw_object_end(w);
}

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

void sections_write(struct jsonw *w, const struct snapshot *s, unsigned sections, const struct view *view)
{
	if (sections & SECTION_RELAYS && s->relays)
		jsonw_raw(w, "DERPMap", body_bytes(s->relays));
	if (sections & SECTION_SETTINGS) {
		write_dns(w, s);
		jsonw_text(w, "Domain", s->domain);
	}
	if (sections & SECTION_FILTER)
		write_filter(w, view);
}
