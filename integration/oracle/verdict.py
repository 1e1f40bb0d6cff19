"""Section 23: a client's verdict on the first packet from one address to another."""

from oracle import spans

PORTED = (6, 17, 132)
DEFAULT = (6, 17, 1, 58)
PING = (1, 58)


def allowed(e, question):
    """question: src and dst (addresses), proto (number), port. The filter is that of the node behind dst."""
    src, dst = [spans.span(question["src"])], [spans.span(question["dst"])]
    node = next((n for n in e.net.nodes.values() if spans.overlaps(n.own, dst)), None)
    return node is not None and passes(e.filters[node.name], src, dst, question["proto"], question["port"])


def passes(rules, src, dst, proto, port):
    for rule in rules:
        if not any(spans.overlaps(src, spans.parse(s)) for s in rule["SrcIPs"]):
            continue
        for d in rule.get("DstPorts", []):
            if not spans.overlaps(dst, spans.parse(d["IP"])):
                continue
            first, last = d["Ports"]["First"], d["Ports"]["Last"]
            if proto in PING:
                return True
            if proto not in rule.get("IPProto", DEFAULT):
                continue
            if first <= port <= last if proto in PORTED else (first, last) == (0, 65535):
                return True
    return False
