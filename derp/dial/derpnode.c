#include "derpnode.h"

#include "jsonr.h"

/* Names go into requests and logs as they are. */
static void copy_text(char *out, size_t most, const json_t *object, const char *name)
{
	struct bytes text = jsonr_text(object, name);
	*out = '\0';
	if (text.len > most)
		return;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
			return;
	if (text.len)
		memcpy(out, text.at, text.len);
	out[text.len] = '\0';
}

static struct ip ip_of(const json_t *object, const char *name, enum ip_family family)
{
	struct ip ip;
	return ip_parse(jsonr_text(object, name), &ip) || ip.family != family ? (struct ip){.family = IP_NONE} : ip;
}

bool derpnode_read(const json_t *object, struct derpnode *n)
{
	json_int_t port = json_integer_value(json_object_get(object, "DERPPort"));
	*n = (struct derpnode){.ip4 = ip_of(object, "IPv4", IP_V4), .ip6 = ip_of(object, "IPv6", IP_V6)};
	copy_text(n->name, DERPNODE_NAME_MAX, object, "Name");
	copy_text(n->host, DERPNODE_HOST_MAX, object, "HostName");
	copy_text(n->cert_name, DERPNODE_HOST_MAX, object, "CertName");
	n->port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 443;
	n->insecure_for_tests = json_is_true(json_object_get(object, "InsecureForTests"));
	return *n->name && *n->host;
}

bool derpnode_equal(const struct derpnode *a, const struct derpnode *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->host, b->host) && !strcmp(a->cert_name, b->cert_name) && ip_equal(a->ip4, b->ip4) &&
	       ip_equal(a->ip6, b->ip6) && a->port == b->port && a->insecure_for_tests == b->insecure_for_tests;
}
