#include "tailnet.h"

#include "dns.h"
#include "ipam.h"

enum err tailnet_check_name(struct bytes name, struct diag *why)
{
	if (!name.len || name.len > TAILNET_NAME_MAX)
		return diag_set(why, ERR_MALFORMED, "a tailnet name has 1 to %d characters", TAILNET_NAME_MAX);
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return diag_set(why, ERR_MALFORMED, "a tailnet name holds only lower-case letters, digits and hyphens");
	}
	if (name.at[0] == '-' || name.at[name.len - 1] == '-')
		return diag_set(why, ERR_MALFORMED, "a tailnet name neither starts nor ends with a hyphen");
	return ERR_NONE;
}

static enum err check_range(struct prefix range, struct prefix inside, const char *inside_text, struct diag *why)
{
	char text[PREFIX_TEXT_MAX];
	prefix_format(text, range);
	if (range.ip.family != inside.ip.family || range.bits < inside.bits || !prefix_has(inside, range.ip))
		return diag_set(why, ERR_MALFORMED, "range %s does not lie in %s, the only addresses that clients know as a tailnet's", text, inside_text);
	if (prefix_compare(range, prefix_masked(range)))
		return diag_set(why, ERR_MALFORMED, "range %s has bits set behind its length", text);
	struct ip first;
	uint64_t next;
	if (ipam_next(range, 0, &first, &next))
		return diag_set(why, ERR_MALFORMED, "range %s holds no address that may be given out", text);
	return ERR_NONE;
}

enum err tailnet_check_ranges(struct prefix range4, struct prefix range6, struct diag *why)
{
	static const struct prefix all4 = {{IP_V4, {100, 64}}, 10};
	static const struct prefix all6 = {{IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}}, 48};
	enum err e = check_range(range4, all4, "100.64.0.0/10", why);
	return e ? e : check_range(range6, all6, "fd7a:115c:a1e0::/48", why);
}

enum err tailnet_check_admission(const struct tailnet *tailnet, struct diag *why)
{
	static const int64_t minute = 60 * 1000, years = INT64_C(3650) * 24 * 3600 * 1000;
	int64_t lifetime = tailnet->key_lifetime_ms;
	struct ip ip;

	if (lifetime && (lifetime < minute || lifetime > years))
		return diag_set(why, ERR_MALFORMED, "keyLifetimeSeconds: 0 for never, or 60 (a minute) to %lld (ten years)", (long long)(years / 1000));
	if (tailnet->node_limit > TAILNET_MEMBERS_MAX)
		return diag_set(why, ERR_MALFORMED, "nodeLimit: 0 for none, or at most %d", TAILNET_MEMBERS_MAX);
	if (tailnet->user_limit > TAILNET_MEMBERS_MAX)
		return diag_set(why, ERR_MALFORMED, "userLimit: 0 for none, or at most %d", TAILNET_MEMBERS_MAX);
	if (tailnet->relay_rate > TAILNET_RATE_MAX)
		return diag_set(why, ERR_MALFORMED, "relayBytesPerSecond: 0 for that of the region, or at most %lld", (long long)TAILNET_RATE_MAX);
	if (tailnet->relay_burst > TAILNET_RATE_MAX)
		return diag_set(why, ERR_MALFORMED, "relayBurstBytes: at most %lld", (long long)TAILNET_RATE_MAX);
	if (tailnet->domain_count > TAILNET_DOMAINS_MAX)
		return diag_set(why, ERR_MALFORMED, "domains: at most %d", TAILNET_DOMAINS_MAX);
	for (size_t i = 0; i < tailnet->domain_count; i++)
		if (dns_name_fault(tailnet->domains[i]))
			return diag_set(why, ERR_MALFORMED, "domains[%zu]: a domain in lower case", i);
	if (!tailnet->login_host.len)
		return ERR_NONE;
	if (ip_parse(tailnet->login_host, &ip) == ERR_NONE)
		return diag_set(why, ERR_MALFORMED, "loginHost: a host name, not an address");
	return dns_name_fault(tailnet->login_host) ? diag_set(why, ERR_MALFORMED, "loginHost: a host name in lower case, without port") : ERR_NONE;
}
