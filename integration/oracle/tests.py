"""Sections 20 and 21: the tests that a policy carries. Any that fails or is malformed refuses the policy."""

from oracle import spans, sshrules
from oracle.document import INTERNET, SELF, AclDst, Refused, fields, kind, proto_number, quote, strings

FAILED = "test(s) failed"


def run(e):
    top, results = e.doc.top, []
    for key in top:
        if key == "sshTests":
            for entry in top[key]:
                check_ssh_dst(e, fields(entry, ("src", "dst", "accept", "deny", "check"), "sshTests"))
    for key in top:
        if key == "tests":
            results += [passes(e, fields(t, ("src", "user", "proto", "accept", "allow", "deny", "srcPostureAttrs"), "tests"))
                        for t in top[key]]
        if key == "sshTests":
            results += [ssh_passes(e, fields(t, ("src", "dst", "accept", "deny", "check"), "sshTests")) for t in top[key]]
    if not all(results):
        raise Refused(FAILED)


def resolve(e, alias):
    """The addresses of an alias, or [] where it is nothing a test may name."""
    try:
        e.doc.check_alias(alias)
    except Refused:
        return []
    if alias == "*":
        return sorted(s for n in e.net.nodes.values() for s in n.own)
    if alias in (SELF, INTERNET, "autogroup:danger-all"):
        return []
    return e.doc.addresses(alias)


def passes(e, t):
    src, proto = t.get("src", t.get("user", "")).strip(" \t"), t.get("proto", "")
    accept, deny = strings(t.get("accept", t.get("allow", []))), strings(t.get("deny", []))
    addresses = resolve(e, src)
    if not addresses or not (accept or deny):
        return False
    try:
        number = proto_number(proto)
        if number not in (None, 6, 17, 132):
            return False
        wanted = [(target(e, d, src), True) for d in accept] + [(target(e, d, src), False) for d in deny]
    except Refused:
        return False
    protocols = [number] if number is not None else [6, 17, 1, 58]
    return all(dst and reaches(e, addresses, dst, port, protocols) == wish for (dst, port), wish in wanted)


def target(e, text, src):
    """(addresses, port); no addresses where the dst is malformed."""
    d = AclDst(text)
    after = text.rpartition(":")[2]
    if not after.isdigit() or d.ports[0][0] != d.ports[0][1]:
        return [], 0
    port = d.ports[0][0]
    if d.alias == SELF:
        return (e.doc.addresses(src) if kind(src) == "user" else []), port
    if d.alias == "*" or kind(d.alias) == "net" and "/" in d.alias:
        return [], 0
    found = resolve(e, d.alias)
    if kind(d.alias) == "host" and found and found[0][1] != found[0][2]:
        return [], 0
    return found, port


def whole_list(e):
    return [rule for rules in e.lists.values() for rule in rules if not rule.is_cap]


def reaches(e, addresses, dst, port, protocols):
    """Every address of src finds a rule."""
    rules = [r for r in whole_list(e) if (r.proto is None or r.proto in protocols) and opens(r, dst, port)]
    return all(any(spans.within([a], r.src_spans) for r in rules) for a in addresses)


def opens(rule, dst, port):
    return any(spans.overlaps(d.spans, dst) and any(a <= port <= b for a, b in d.ports) for d in rule.dests)


# --- 21

def check_ssh_dst(e, t):
    for alias in strings(t.get("dst", [])):
        wide = False
        if alias in e.doc.hosts:
            one = spans.span(e.doc.hosts[alias])
            wide = one[1] != one[2]
        elif kind(alias) == "net":
            one = spans.span(alias)
            wide = one[1] != one[2]
        if wide or alias == INTERNET:
            raise Refused(f"SSH tests dst contains disallowed element {quote(alias)}")
        if alias.startswith("tag:") and alias not in e.doc.tag_owners:
            raise Refused(f"SSH tests dst contains unknown tag {quote(alias)}")


def ssh_passes(e, t):
    lists = {k: strings(t.get(k, [])) for k in ("accept", "deny", "check")}
    src, dst = t.get("src", "").strip(" \t"), strings(t.get("dst", []))
    addresses = resolve(e, src)
    if not addresses or not dst or not any(lists.values()) or any(not x for some in lists.values() for x in some):
        return False
    for alias in dst:
        nodes = ssh_targets(e, alias, addresses)
        if not nodes:
            return False
        for node in nodes:
            rules = sshrules.rules(e, node)
            for what, some in lists.items():
                if not all(ssh_verdict(rules, a, login, what) for login in some for a in addresses):
                    return False
    return True


def ssh_targets(e, alias, addresses):
    if alias == SELF:
        owners = {n.user["id"] for n in e.net.nodes.values() if n.user and spans.overlaps(n.own, addresses)}
        return e.net.user_nodes(lambda u: u["id"] in owners)
    found = resolve(e, alias)
    return [n for n in e.net.nodes.values() if spans.overlaps(n.own, found)]


def ssh_verdict(rules, address, login, what):
    hits = [r for r in rules if sshrules.applies(r, spans.address(address[0], address[1]), login)]
    if what == "deny":
        return not hits
    return any("holdAndDelegate" in r["action"] for r in hits) if what == "check" else bool(hits)
