"""Sections 8 to 16 and 19: what every node of a tailnet receives under a policy. Slow and plain; one function per section."""

from oracle import spans, sshrules, tests
from oracle.document import INTERNET, SELF, DANGER, Document, Refused, kind
from oracle.model import EXITS, Tailnet

ALL_PORTS = (0, 65535)


class Dest:
    """One dst alias of a DstPorts rule: pairs of text and addresses, in the order of the wire."""

    def __init__(self, parts, ports, star=False):
        self.parts, self.ports, self.star = parts, ports, star
        self.spans = [s for _, one in parts for s in one]


class Cap:
    """One entry of a CapGrant rule. star: it came from `*`, which matches no route there (13)."""

    def __init__(self, nets, caps, star=False):
        self.nets, self.caps, self.star = nets, caps, star
        self.spans = [spans.span(n) for n in nets]


class Rule:
    """An unreduced rule; of DstPorts and CapGrant one is filled."""

    def __init__(self, src, proto=None, dests=(), caps=(), via=False):
        self.src, self.proto, self.dests, self.caps, self.via = src, proto, list(dests), list(caps), via
        self.src_spans = [s for text in src for s in spans.parse(text)]

    @property
    def is_cap(self):
        return bool(self.caps)

    def dst_spans(self, routes=False):
        """All its destinations; for routes without the `*` of an app."""
        out = [s for d in self.dests for s in d.spans]
        return out + [s for c in self.caps for s in c.spans if not (routes and c.star)]


class Evaluator:
    def __init__(self, case, validate=True):
        self.net = Tailnet(case)
        self.doc = Document(case["policy"], self.net)
        self.lists = {n.name: self.rules_for(n) for n in self.net.nodes.values()}
        self.filters = {n.name: self.packet_filter(n) for n in self.net.nodes.values()}
        if validate:
            tests.run(self)

    # --- 8.2, 8.3

    def src_texts(self, aliases, nodes=None):
        """SrcIPs. With nodes given (12): only those of them that the aliases name."""
        if nodes is not None:
            return sorted(spans.range_text(s) for s in spans.union([x for n in nodes for x in n.own]))
        if DANGER in aliases:
            return ["*"]
        if "*" not in aliases:
            return sorted(spans.range_text(s) for s in spans.union([x for a in aliases for x in self.doc.addresses(a)]))
        texts = {spans.range_text(s) for s in spans.WILDCARD}
        texts.update(spans.net_text(spans.network(r)) for r in self.net.approved_subnets())
        for alias in aliases:
            if alias != "*":
                texts.update(spans.range_text(s) for s in spans.union(self.doc.addresses(alias)))
        return sorted(texts)

    def parts(self, alias):
        """8.3: (text, addresses) of a dst alias."""
        if alias == "*":
            return [("*", list(spans.EVERYTHING))]
        if alias == INTERNET:
            return [(f"{spans.address(f, a)}-{spans.address(f, b)}", [(f, a, b)]) for f, a, b in spans.INTERNET]
        return [(spans.net_text(n), [spans.span(n)]) for n in self.dst_nets(alias)]

    def dst_nets(self, alias):
        """Single addresses of nodes are not joined; sets of addresses are cut into prefixes."""
        return [n for s in self.doc.addresses(alias) for n in spans.prefixes([s])]

    # --- 8.1

    def rules_for(self, node):
        """Unreduced and unmerged, in order; they differ between nodes only for self and via."""
        if self.doc.open:
            return [Rule(self.src_texts(["*"]), dests=[Dest(self.parts("*"), [ALL_PORTS], star=True)])]
        out = []
        for grant in self.doc.grants:
            out += self.grant_rules(grant, node)
        for acl in self.doc.acls:
            out += self.acl_rules(acl, node)
        return out

    def acl_rules(self, acl, node):
        joined = {}  # 8.1.3
        for d in acl["dst"]:
            joined.setdefault(d.alias, []).extend(d.ports)
        order = list(joined)
        if not all(kind(a) == "autogroup" for a in order):  # 8.1.2
            ranks = {"*": 0, "user": 1, "group": 2}
            order.sort(key=lambda a: 4 if a == SELF else ranks.get(kind(a), 3))
        out = []
        for alias in order:
            if alias == SELF:
                out += self.self_rules(acl["src"], [(acl["proto"], p) for p in joined[alias]], {}, node)
                continue
            src = self.src_texts(acl["src"])
            if src:
                out.append(Rule(src, acl["proto"], [Dest(self.parts(alias), joined[alias], alias == "*")]))
        return out

    def grant_rules(self, grant, node):
        src, others = grant["src"], [a for a in grant["dst"] if a != SELF]
        out, texts = [], self.src_texts(src)
        if grant["via"]:
            return self.via_rules(grant, node, texts)
        for proto in dict.fromkeys(p for p, _ in grant["ip"]):  # 8.1.4
            ports = [r for p, r in grant["ip"] if p == proto]
            if texts and others:
                out.append(Rule(texts, proto, [Dest(self.parts(a), ports, a == "*") for a in others]))
        if grant["app"] and src and others:
            out.append(Rule(texts, caps=[self.cap(a, grant["app"]) for a in others]))
            out += self.companions(grant["app"], self.src_texts(others), self.swapped(src))
        if SELF in grant["dst"]:
            out += self.self_rules(src, grant["ip"], grant["app"], node)
        return out

    # --- 13

    def cap(self, alias, caps):
        if alias == "*":
            return Cap(spans.prefixes(spans.WILDCARD), caps, star=True)
        return Cap(self.dst_nets(alias), caps)

    def swapped(self, src):
        """All of a grant's src as one entry of Dsts."""
        star = "*" in src
        nets = list(spans.prefixes(spans.WILDCARD)) if star else []
        if DANGER in src:
            nets, star = spans.prefixes(spans.EVERYTHING), True
        for alias in src:
            if alias not in ("*", DANGER):
                nets += self.dst_nets(alias)
        return nets, star

    @staticmethod
    def companions(app, src, dsts):
        nets, star = dsts
        pairs = (("drive", "drive-sharer"), ("relay", "relay-target"))
        return [Rule(src, caps=[Cap(nets, {f"tailscale.com/cap/{other}": None}, star)])
                for cap, other in pairs if f"tailscale.com/cap/{cap}" in app]

    # --- 12

    def self_rules(self, src, ips, app, node):
        if node.tags:
            return []
        mine = self.net.user_nodes(lambda u: u["id"] == node.user["id"])
        named = {n.name for a in src for n in (mine if a == "*" else self.doc.nodes(a))}
        sources = [n for n in mine if n.name in named]
        if not sources:
            return []
        texts, out = self.src_texts([], sources), []
        pairs = sorted({s for n in mine for s in n.own})
        nets = [n for s in pairs for n in spans.prefixes([s])]
        for proto in dict.fromkeys(p for p, _ in ips):
            ports = [r for p, r in ips if p == proto]
            out.append(Rule(texts, proto, [Dest([(spans.net_text(n), [spans.span(n)]) for n in nets], ports)]))
        if app:
            out.append(Rule(texts, caps=[Cap(nets, app)]))
            back = [n for one in sources for s in one.own for n in spans.prefixes([s])]
            out += self.companions(app, self.src_texts([], mine), (back, False))
        return out

    # --- 11

    def via_rules(self, grant, node, texts):
        if not texts or not set(grant["via"]) & set(node.tags):
            return []
        out = []
        for proto in dict.fromkeys(p for p, _ in grant["ip"]):
            ports, dests = [r for p, r in grant["ip"] if p == proto], []
            for alias in grant["dst"]:
                parts = self.via_parts(alias, node)
                if parts:
                    dests.append(Dest(parts, ports))
            if dests:
                out.append(Rule(texts, proto, dests, via=True))
        return out

    def via_parts(self, alias, node):
        if alias == INTERNET:
            return self.parts(alias) if node.exits else []
        if alias == SELF:
            return []
        if alias == "*":
            parts = [(str(n), [spans.span(n)]) for n in spans.prefixes(spans.WILDCARD)]
        else:
            parts = self.parts(alias)
        return [(text, one) for text, one in parts if spans.overlaps(one, node.subnet_spans)]

    # --- 8.1.5 and 9

    def packet_filter(self, node):
        merged, places = [], {}
        for rule in self.lists[node.name]:
            key = (tuple(rule.src), rule.proto)
            if not rule.is_cap and key in places:
                merged[places[key]].dests += rule.dests
                continue
            if not rule.is_cap:
                places[key] = len(merged)
            merged.append(Rule(rule.src, rule.proto, rule.dests, rule.caps))
        return [wire for rule in merged if (wire := self.reduced(rule, node))]

    def reduced(self, rule, node):
        if rule.is_cap:
            return self.narrowed(rule, node)
        ports = []
        for dest in rule.dests:
            for text, one in dest.parts:
                if self.kept(one, node):
                    ports += [{"IP": text, "Ports": {"First": a, "Last": b}} for a, b in dest.ports]
        if not ports:
            return None
        out = {"SrcIPs": rule.src, "DstPorts": ports}
        if rule.proto is not None:
            out["IPProto"] = [rule.proto]
        return out

    @staticmethod
    def kept(one, node):
        return spans.overlaps(one, node.own) or spans.overlaps(one, node.subnet_spans) or \
            bool(node.exits) and spans.within(one, spans.INTERNET)

    @staticmethod
    def narrowed(rule, node):
        grants = []
        for cap in rule.caps:
            dsts = {text for text, own in zip(node.addresses, node.own) if spans.overlaps([own], cap.spans)}
            if not cap.star:
                dsts |= {str(n) for n in cap.nets if spans.overlaps([spans.span(n)], node.subnet_spans)}
            if dsts:
                grants.append({"Dsts": sorted(dsts), "CapMap": cap.caps})
        return {"SrcIPs": rule.src, "CapGrant": grants} if grants else None

    # --- 14

    def sees(self, a, b):
        """A rule of via leads to the router that has it alone."""
        for x, y in ((a, b), (b, a)):
            if any(self.connects(r, x, y) for r in self.lists[y.name] + [r for r in self.lists[x.name] if not r.via]):
                return True
        return any(self.via_meets(grant, x, y) for grant in self.doc.grants if grant["via"] for x, y in ((a, b), (b, a)))

    @staticmethod
    def is_source(src, x):
        return spans.overlaps(src, x.own) or spans.overlaps(src, x.subnet_spans)

    def connects(self, rule, x, y):
        if not self.is_source(rule.src_spans, x):
            return False
        dst, routed = rule.dst_spans(), rule.dst_spans(routes=True)
        return spans.overlaps(dst, y.own) or spans.overlaps(routed, y.subnet_spans) or \
            bool(y.exits) and self.covers_internet(routed)

    @staticmethod
    def covers_internet(dst):
        return spans.within(spans.INTERNET, spans.union(dst)) or any(spans.span(r) in dst for r in EXITS)

    def via_meets(self, grant, x, y):
        """x is a source of the grant, y a via-tagged node with a matching approved route."""
        if not set(grant["via"]) & set(y.tags) or not self.via_routes(grant, y):
            return False
        return self.is_source([s for t in self.src_texts(grant["src"]) for s in spans.parse(t)], x)

    def via_routes(self, grant, node):
        dst = [s for a in grant["dst"] for s in self.via_spans(a)]
        out = [r for r in node.subnets if spans.overlaps(dst, [spans.span(r)])]
        return out + (node.exits if INTERNET in grant["dst"] else [])

    def via_spans(self, alias):
        if alias == "*":
            return spans.WILDCARD
        return [] if alias in (INTERNET, SELF) else self.doc.addresses(alias)

    # --- 15

    def primary_routes(self, node):
        return [r for r in node.subnets if self.net.primary(r) is node]

    def peer_routes(self, v, p):
        given, lost = self.steered(v, p)
        out = []
        for r in dict.fromkeys(self.primary_routes(p) + p.exits + given):
            if r in given or (r not in lost and r in self.primary_routes(p) + p.exits and self.route_visible(v, r)):
                out.append(r)
        return out

    def route_visible(self, v, r):
        """15.2"""
        route = [spans.span(r)]
        if r in v.subnets:
            return True
        for rule in self.lists[v.name]:
            if rule.via:
                continue
            dst = rule.dst_spans(routes=True)
            if self.is_source(rule.src_spans, v) and spans.overlaps(route, dst):
                return True
            if spans.overlaps(route, rule.src_spans):
                if spans.overlaps(rule.dst_spans(), v.own) or spans.overlaps(dst, v.subnet_spans):
                    return True
                if v.exits and self.covers_internet(dst):
                    return True
        return False

    def steered(self, v, p):
        """15.3: the routes via gives to p, and those it takes from p, for this viewer."""
        given, lost = [], []
        for grant in self.doc.grants:
            if not grant["via"]:
                continue
            src = [s for t in self.src_texts(grant["src"]) for s in spans.parse(t)]
            if not spans.overlaps(src, v.own):
                continue
            group = [n for n in self.net.nodes.values() if set(grant["via"]) & set(n.tags)]
            for r in self.via_routes(grant, p):
                if self.covered(v, r):
                    continue
                lost.append(r)
                if p not in group:
                    continue
                if r in EXITS or min((n for n in group if r in n.subnets), key=lambda n: n.created) is p:
                    given.append(r)
        return given, lost

    def covered(self, v, r):
        """A rule without via from the viewer's own address covers the route."""
        return any(not rule.via and spans.overlaps(rule.src_spans, v.own) and
                   spans.overlaps(rule.dst_spans(routes=True), [spans.span(r)]) for rule in self.lists[v.name])

    # --- 16

    def approved(self, node):
        top = {k.lower(): v for k, v in (self.doc.top.get("autoApprovers") or {}).items()}
        routes, exits = top.get("routes") or {}, top.get("exitnode") or []
        out = []
        for r in node.advertised:
            if r in EXITS:
                entries = exits
            else:
                net = spans.network(r)
                entries = [e for key, some in routes.items() for e in some or []
                           if (k := spans.network(key.strip(" \t"))).version == net.version and net.subnet_of(k)]
            if any(node in (self.doc.nodes(e.strip(" \t")) or []) for e in entries):
                out.append(r)
        return out

    # --- 19

    def attributes(self, node):
        out = set()
        for entry in self.doc.attrs:
            if any(self.is_target(alias, node) for alias in entry["target"]):
                out.update(entry["attr"])
        if self.doc.top.get("randomizeClientPort"):
            out.add("randomize-client-port")
        if self.doc.top.get("disableIPv4"):
            out.add("disable-ipv4")
        return out

    def is_target(self, alias, node):
        if alias == "*":
            return True
        nodes = self.doc.nodes(alias)
        return node in nodes if nodes is not None else spans.overlaps(self.doc.addresses(alias), node.own)

    def cap_map(self, node):
        attrs = self.attributes(node)
        out = dict.fromkeys(attrs)
        if "funnel" in attrs:
            out["https://tailscale.com/cap/funnel-ports?ports=443,8443,10000"] = None
            out["https://tailscale.com/cap/warn-funnel-no-https"] = None
        out["https://tailscale.com/cap/file-sharing"] = None
        out["https://tailscale.com/cap/ssh"] = None
        out["default-auto-update"] = [bool(self.net.settings.get("devices_auto_updates_on"))]
        return out

    def addresses(self, node, viewer=None):
        off = "disable-ipv4" in self.attributes(node) or (viewer and "disable-ipv4" in self.attributes(viewer))
        return node.addresses[1:] if off else list(node.addresses)

    # --- everything of one node

    def expect(self, node):
        own = self.addresses(node)
        peers = {}
        for p in self.net.nodes.values():
            if p is node or not self.sees(node, p):
                continue
            routes, own_p = self.peer_routes(node, p), self.addresses(p, node)
            peers[p.name] = {"addresses": own_p, "allowed_ips": own_p + routes,
                             "primary_routes": [r for r in routes if r not in EXITS]}
            if any(r in EXITS for r in routes):
                peers[p.name]["cap_map"] = {"suggest-exit-node": None}
        return {"packet_filter": self.filters[node.name],
                "self": {"addresses": own, "allowed_ips": own + node.approved, "primary_routes": self.primary_routes(node),
                         "cap_map": self.cap_map(node)},
                "peers": peers, "ssh_rules": sshrules.rules(self, node)}


def answer(case):
    """The answer to a case in the corpus' form; `exact` tells whether the error text is promised."""
    try:
        e = Evaluator(case)
    except Refused as refused:
        return {"status": refused.status, "error": refused.text, "exact": refused.exact, "expect": None}
    nodes = e.net.nodes.values()
    out = {"status": 200, "error": None, "approved_routes": {n.name: e.approved(n) for n in nodes},
           "expect": {n.name: e.expect(n) for n in nodes}}
    if "questions" in case:
        from oracle import verdict
        out["answers"] = [verdict.allowed(e, q) for q in case["questions"]]
    return out
