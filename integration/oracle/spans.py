"""Sets of addresses: lists of (family, first, last), ascending, IPv4 first, disjoint where `union` made them."""

import functools
import ipaddress

BITS = {4: 32, 6: 128}
EVERYTHING = [(4, 0, 2**32 - 1), (6, 0, 2**128 - 1)]


@functools.cache
def network(text):
    """An address or a prefix; a prefix is masked. ValueError when it is neither."""
    if "/" in text:
        address, length = text.split("/")
        if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length[0] == "0"):
            raise ValueError(text)
    if "%" in text:
        raise ValueError(text)
    return ipaddress.ip_network(text, strict=False)


def span(net):
    if isinstance(net, str):
        net = network(net)
    return (net.version, int(net.network_address), int(net.broadcast_address))


@functools.cache
def parse(text):
    """What a filter rule may hold: `*`, an address, a prefix or first-last."""
    if text == "*":
        return list(EVERYTHING)
    if "-" in text:
        first, last = (ipaddress.ip_address(x) for x in text.split("-"))
        return [(first.version, int(first), int(last))]
    return [span(text)]


def union(spans):
    out = []
    for family, first, last in sorted(spans):
        if out and out[-1][0] == family and first <= out[-1][2] + 1:
            out[-1] = (family, out[-1][1], max(out[-1][2], last))
        else:
            out.append((family, first, last))
    return out


def minus(spans, less):
    for family, first, last in less:
        kept = []
        for f, a, b in spans:
            if f != family or b < first or last < a:
                kept.append((f, a, b))
                continue
            if a < first:
                kept.append((f, a, first - 1))
            if last < b:
                kept.append((f, last + 1, b))
        spans = kept
    return union(spans)


def overlaps(spans, others):
    return any(f == g and a <= d and c <= b for f, a, b in spans for g, c, d in others)


def within(spans, others):
    """Every address of spans is in others."""
    return not minus(spans, others)


def address(family, number):
    return str(ipaddress.IPv4Address(number) if family == 4 else ipaddress.IPv6Address(number))


def prefixes(spans):
    """As few networks as possible, ascending."""
    out = []
    for family, first, last in spans:
        kind = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
        out += ipaddress.summarize_address_range(kind(first), kind(last))
    return out


def net_text(net):
    return str(net.network_address) if net.prefixlen == BITS[net.version] else str(net)


def range_text(one):
    """An address, a CIDR if the range is exactly one prefix, else first-last."""
    nets = prefixes([one])
    if len(nets) == 1:
        return net_text(nets[0])
    return f"{address(one[0], one[1])}-{address(one[0], one[2])}"


WILDCARD = union(minus([span("100.64.0.0/10")], [span("100.115.92.0/23")]) + [span("fd7a:115c:a1e0::/48")])
INTERNET = minus([span("0.0.0.0/0"), span("2000::/3")],
                 [span(x) for x in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
                                    "fc00::/7", "fe80::/10")])
