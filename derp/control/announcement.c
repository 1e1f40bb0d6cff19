#include "announcement.h"

static void encode_probes(struct jsonw *w, const struct announcement *a, struct mono now)
{
	if (!a->probe_key)
		return;
	jsonw_string(w, "ProbeKey", a->probe_key);
	if (a->wants_peers)
		jsonw_uint(w, "PeersFrom", a->peers_from);
	if (!a->figure_count)
		return;
	jsonw_array(w, "Probes");
	for (size_t i = 0; i < a->figure_count; i++)
		figure_write(w, &a->figures[i], now);
	jsonw_array_end(w);
}

enum err announcement_encode(const struct announcement *a, struct mono now, struct buffer *out)
{
	struct jsonw w;
	jsonw_start(&w, out);
	jsonw_object(&w, NULL);
	if (*a->name)
		jsonw_string(&w, "Name", a->name);
	jsonw_string(&w, "HostName", a->host_name);
	jsonw_string(&w, "IPv4", a->ipv4);
	jsonw_string(&w, "IPv6", a->ipv6);
	jsonw_uint(&w, "DERPPort", a->relay_port);
	jsonw_int(&w, "STUNPort", a->stun_port);
	jsonw_string(&w, "CertName", a->cert_name);
	jsonw_bool(&w, "InsecureForTests", a->insecure_for_tests);
	jsonw_bool(&w, "CanPort80", a->can_port80);
	jsonw_string(&w, "Version", FLEETSCALE_VERSION);
	jsonw_string(&w, "Instance", a->instance);
	jsonw_uint(&w, "Homes", a->homes);
	jsonw_uint(&w, "RechecksFrom", a->rechecks_from);
	if (a->draining)
		jsonw_bool(&w, "Draining", true);
	encode_probes(&w, a, now);
	jsonw_object_end(&w);
	return jsonw_end(&w);
}
