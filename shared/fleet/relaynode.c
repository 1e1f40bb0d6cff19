#include "relaynode.h"

#include "text.h"

enum { LABEL_MAX = 63, DIGEST_LEN = 32 };

static bool is_label(struct bytes label)
{
	if (!label.len || label.len > LABEL_MAX || label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.at[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

bool relaynode_is_host(struct bytes text)
{
	for (struct bytes rest = text; rest.at;)
		if (!is_label(bytes_split(rest, '.', &rest)))
			return false;
	return text.len && text.len <= RELAY_HOST_MAX;
}

bool relaynode_is_certificate(struct bytes text)
{
	static const char prefix[] = "sha256-raw:";
	uint8_t digest[DIGEST_LEN];
	if (!bytes_starts(text, prefix))
		return !text.len || relaynode_is_host(text);
	return hex_decode(bytes_skip(text, sizeof prefix - 1), digest, sizeof digest) == ERR_NONE;
}

bool relaynode_is_address(struct bytes text, enum ip_family family)
{
	struct ip ip;
	return !text.len || bytes_equal_text(text, "none") || (!ip_parse(text, &ip) && ip.family == family);
}

enum err relaynode_check(const struct relay_node *n, struct diag *why)
{
	if (!relaynode_is_host(n->host_name))
		return diag_set(why, ERR_MALFORMED,
				"a relay's host name: labels of letters, digits and hyphens, or an IPv4 address, are wanted, of at most %d bytes",
				RELAY_HOST_MAX);
	if (!relaynode_is_certificate(n->cert_name))
		return diag_set(why, ERR_MALFORMED, "a relay's certificate name: a host name, or sha256-raw: and 64 hexadecimal digits, is wanted");
	if (!relaynode_is_address(n->ipv4, IP_V4))
		return diag_set(why, ERR_MALFORMED, "a relay's IPv4: an IPv4 address, \"none\" or nothing is wanted");
	if (!relaynode_is_address(n->ipv6, IP_V6))
		return diag_set(why, ERR_MALFORMED, "a relay's IPv6: an IPv6 address, \"none\" or nothing is wanted");
	if (n->relay_port > RELAY_PORT_MAX || n->stun_port < -1 || n->stun_port > RELAY_PORT_MAX)
		return diag_set(why, ERR_MALFORMED, "a relay's ports go to %d; a STUN port of -1 is none", RELAY_PORT_MAX);
	return ERR_NONE;
}
