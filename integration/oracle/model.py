"""Section 1: the tailnet a policy is compiled for, from a case of the corpus' form."""

from oracle import spans

EXITS = ("0.0.0.0/0", "::/0")


class Node:
    def __init__(self, name, fields, users):
        self.name = name
        self.tags = list(fields.get("tags") or [])
        self.user = None if self.tags else users.get(fields.get("user"))
        self.ipv4, self.ipv6 = fields["ipv4"], fields["ipv6"]
        self.own = [spans.span(self.ipv4), spans.span(self.ipv6)]
        self.created = fields.get("created") or "9999"
        self.advertised = list(dict.fromkeys(fields.get("routable_ips") or []))
        self.approved = [r for r in self.advertised if r in (fields.get("approved_routes") or [])]
        self.subnets = [r for r in self.approved if r not in EXITS]
        self.exits = [r for r in self.approved if r in EXITS]
        self.subnet_spans = [spans.span(r) for r in self.subnets]

    @property
    def addresses(self):
        return [f"{self.ipv4}/32", f"{self.ipv6}/128"]


class Tailnet:
    def __init__(self, case):
        settings = case.get("settings") or {}
        self.domains = settings.get("associated_domains") or []
        self.settings = settings.get("settings") or {}
        self.users = {u["name"]: u for u in case["users"]}
        self.nodes = {name: Node(name, fields, self.users) for name, fields in case["nodes"].items()}
        self.owners = sorted(case["users"], key=lambda u: u["id"])

    def user_nodes(self, test=lambda user: True):
        return [n for n in self.nodes.values() if n.user and test(n.user)]

    def tagged(self, tag=None):
        return [n for n in self.nodes.values() if (tag in n.tags if tag else n.tags)]

    def approved_subnets(self):
        """Every distinct approved subnet route of the whole tailnet."""
        return list(dict.fromkeys(str(spans.network(r)) for n in self.nodes.values() for r in n.subnets))

    def primary(self, route):
        """15.4, with every node available: the one created first."""
        return min((n for n in self.nodes.values() if route in n.subnets), key=lambda n: n.created, default=None)
