#include "self.h"

#include <stdio.h>

#include "relay.h"

/* What a listener on all addresses can be reached at from here. */
static struct ip local(struct ip at)
{
	static const struct ip any4 = {.family = IP_V4}, any6 = {.family = IP_V6};
	return ip_equal(at, any4) || ip_equal(at, any6) ? (struct ip){.family = IP_V4, .byte = {127, 0, 0, 1}} : at;
}

void self_wish(const struct relay *r, struct outward_wish *wish)
{
	struct ip ip = local(r->port.at.ip);
	*wish = (struct outward_wish){.to = {.port = r->port.at.port, .insecure_for_tests = true}, .plain = !relay_certificate(r)};
	*(ip.family == IP_V4 ? &wish->to.ip4 : &wish->to.ip6) = ip;
	snprintf(wish->to.host, sizeof wish->to.host, "%s", r->options->relay_hostname);
	/* We dial from the address that we dial. */
	if (r->options->listen_proxy_protocol && trusted_has(&r->proxies, ip))
		wish->first = BYTES("PROXY UNKNOWN\r\n");
}
