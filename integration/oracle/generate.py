"""Random tailnets and policies over the accepted language, by seed. Left out is what the reference leaves open without a
decision of its own: postures, services, several localpart entries, autogroup:tagged beside tags as ssh source."""

import json
import random

USERS = (("odin", "example.com", ["owner", "admin"]), ("thor", "example.org", ["admin"]), ("freya", "example.com", []),
         ("loki", "example.net", []))
TAGS = ("tag:a", "tag:b", "tag:c", "tag:r", "tag:x")
ROUTES = ("10.0.0.0/8", "10.33.0.0/16", "10.33.1.0/24", "10.44.0.0/16", "192.168.1.0/24", "172.16.0.0/12", "172.16.5.0/24",
          "fd00:1::/64", "fd00:1::/48", "fd00:2::/64", "8.8.8.0/24")
EXITS = ("0.0.0.0/0", "::/0")
PREFIXES = (*ROUTES, "10.33.1.7", "192.168.0.0/16", "192.168.1.0/25", "8.8.8.8", "8.8.8.0/24", "2001:db8::/32", "fd00:1::5",
            "100.64.0.0/10", "100.64.0.0/29", "8.8.0.0/16", "127.0.0.1", "10.33.7.7/16", "fd7a:115c:a1e0::/48")
APPS = ("tailscale.com/cap/drive", "tailscale.com/cap/relay", "example.com/cap/some", "tailscale.com/cap/webui")
PORTS = ("*", "22", "80", "443", "1-65535", "80-443", "53", "8000-8100")
PROBES = ((6, 22), (6, 80), (6, 8050), (17, 53), (17, 65535), (132, 443), (1, 0), (58, 0), (47, 0), (51, 0))


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.steering = self.chance(0.25)  # many routers with via, few rules beside it

    def chance(self, p):
        return self.r.random() < p

    def some(self, pool, low, high):
        return [self.r.choice(pool) for _ in range(self.r.randint(low, high))]

    # --- the tailnet

    def tailnet(self):
        r, nodes = self.r, {}
        numbers = r.sample(range(1, 40), 14) if self.chance(0.5) else list(range(1, 15))
        order = r.sample(range(14), 14)
        routes = [*(ROUTES[:4] if self.steering else ROUTES), *(["100.64.0.0/28"] if self.chance(0.04) else [])]
        for i in range(r.randint(2, 14)):
            tagged = self.chance(0.6 if self.steering else 0.5)
            tags = sorted(set(self.some(TAGS[2:] if self.steering else TAGS, 1, 3))) if tagged else []
            routable = []
            if self.chance(0.7 if self.steering else 0.45):
                routable += sorted(set(self.some(routes, 1, 3)))
            if self.chance(0.4 if self.steering else 0.25):
                routable += list(EXITS) if self.chance(0.8) else [r.choice(EXITS)]
            approved = [x for x in routable if self.chance(0.8)]
            nodes[f"n{i:02}"] = {
                "user": None if tagged else r.choice(USERS)[0], "tags": tags, "ipv4": f"100.64.0.{numbers[i]}",
                "ipv6": f"fd7a:115c:a1e0::{numbers[i]:x}", "routable_ips": routable, "approved_routes": approved,
                "id": 1000 + numbers[i], "created": f"2026-04-10T20:18:{order[i] + 10}.000000000Z"}
        self.nodes = nodes
        return nodes

    # --- aliases

    def identity(self):
        return self.r.choice([*(f"{n}@{d}" for n, d, _ in USERS), "nobody@example.com", "group:dev", "group:ops", "group:empty",
                              *TAGS, *TAGS, "autogroup:member", "autogroup:tagged", "autogroup:admin", "autogroup:owner"])

    def address(self):
        node = self.r.choice(list(self.nodes.values()))
        return self.r.choice([*PREFIXES, node["ipv4"], node["ipv6"], "web", "net", "deep", "ipset:some", "ipset:more"])

    def src(self):
        if self.chance(0.25):
            return ["*"] if self.chance(0.7) else ["*", self.identity(), self.address()]
        if self.chance(0.03):
            return ["autogroup:danger-all"]
        return [self.address() if self.chance(0.3) else self.identity() for _ in range(self.r.randint(1, 3))]

    def dst(self):
        n = self.r.random()
        if n < 0.12:
            return "*"
        if n < 0.22:
            return "autogroup:internet"
        return self.address() if n < 0.55 else self.identity()

    def self_src(self):
        return self.some([*(f"{n}@{d}" for n, d, _ in USERS), "group:dev", "autogroup:member"], 1, 2)

    # --- rules

    def acl(self):
        proto = self.r.choice(["", "", "", "tcp", "udp", "icmp", "sctp", "6", "GRE", "51"])
        ported = proto in ("", "tcp", "udp", "sctp", "6")

        def ports():
            if not ported:
                return "*"
            return ",".join(self.some([p for p in PORTS if p != "*"], 1, 2)) if self.chance(0.6) else "*"

        def target():
            alias = self.dst()
            return f"[{alias}]" if alias.count(":") > 1 and "/" not in alias and self.chance(0.5) else alias

        dst = [f"{target()}:{ports()}" for _ in range(self.r.randint(1, 3))]
        src = self.src()
        if self.chance(0.12):
            dst.insert(self.r.randint(0, len(dst)), f"autogroup:self:{ports()}")
            src = ["*"] if self.chance(0.4) else self.self_src()
        if self.chance(0.03):
            dst.append(f"{self.r.choice(EXITS)}:{ports()}")
        out = {"action": "accept", "src": src, "dst": dst}
        if proto:
            out["proto"] = proto
        return self.spelled(out)

    def spelled(self, rule):
        """The same rule in another spelling."""
        if self.chance(0.1):
            rule["src"] = [f" {a}\t" for a in rule["src"]]
        if "action" in rule and self.chance(0.05):
            rule["#note"] = ["nothing"]
        if self.chance(0.05):
            rule = {{"src": "Src", "dst": "DST", "action": "Action"}.get(k, k): v for k, v in rule.items()}
        elif "action" in rule and self.chance(0.05):
            rule = {{"src": "users", "dst": "ports"}.get(k, k): v for k, v in rule.items()}
        return rule

    def ips(self):
        return self.some(["*", "*", "22", "80-443", "tcp:22", "tcp:80", "tcp:*", "udp:53", "icmp:*", "gre:*", "*:443", "sctp:443"],
                         1, 3)

    def grant(self):
        out = {"src": self.src(), "dst": [self.dst() for _ in range(self.r.randint(1, 3))]}
        if self.chance(0.08):
            out["src"], out["dst"] = self.some(["user:*@example.com", "autogroup:member"], 1, 2), ["user:*@example.com"]
        if self.chance(0.12):
            out["src"] = self.self_src()
            out["dst"].insert(self.r.randint(0, len(out["dst"])), "autogroup:self")
        elif self.chance(0.8 if self.steering else 0.4):
            out["via"] = sorted(set(self.some(TAGS[2:] if self.steering else TAGS, 1, 2)))
            out["dst"] = [self.r.choice([*PREFIXES[:14], *ROUTES[:4], "net", "deep", *["autogroup:internet"] * 4, "*"])
                          for _ in range(self.r.randint(1, 2))]
        if self.chance(0.35):
            out["app"] = {name: [{"n": self.r.randint(0, 9)}] for name in set(self.some(APPS, 1, 2))}
            out["dst"] = [d for d in out["dst"] if d != "autogroup:internet"] or ["tag:a"]
            if "autogroup:danger-all" in out["src"] or "*" in out["src"] and len(out["src"]) > 1:
                out["src"] = ["*"]
        if "app" not in out or self.chance(0.5):
            out["ip"] = self.ips()
        return self.spelled(out)

    def ssh(self):
        out = {"action": self.r.choice(["accept", "accept", "check"])}
        users = self.some(["root", "autogroup:nonroot", "ubuntu", "admin", "localpart:foo"], 1, 3)
        if self.chance(0.5):
            out["src"], out["dst"] = self.self_src(), self.r.choice([["autogroup:self"], ["tag:a"], ["tag:a", "autogroup:self"]])
        else:
            people = ["odin@example.com", "group:dev", "autogroup:member", "user:*@example.com"]
            out["src"] = self.r.choice([self.some(people, 1, 2), self.some(TAGS, 1, 2), [self.r.choice(people), "tag:b"],
                                        ["autogroup:tagged"]])
            out["dst"] = self.some([*TAGS, "autogroup:tagged"], 1, 2)
        if self.chance(0.05):
            out["src"] = out["dst"] = ["odin@example.com"]
        if "autogroup:tagged" not in out["src"] and self.chance(0.3):
            users.append("localpart:*@example.com")
        if out["action"] == "check" and self.chance(0.5):
            out["checkPeriod"] = self.r.choice(["always", "12h", "1h30m", "168h"])
        if self.chance(0.2):
            out["acceptEnv"] = ["GIT_*", "LANG"]
        out["users"] = users
        return out

    def attr(self):
        target = self.some(["*", "tag:a", "tag:b", "odin@example.com", "group:dev", "autogroup:member", "autogroup:tagged",
                            "autogroup:admin", "web"], 1, 2)
        return {"target": target, "attr": self.some(["randomize-client-port", "funnel", "nextdns:abc123", "made-up", "made-up",
                                                     "disable-ipv4"], 1, 2)}

    def test(self):
        places = ["tag:a", "odin@example.com", "web", "100.64.0.3", "tag:b", "10.33.1.7", "autogroup:tagged", "fd00:1::5", "group:dev"]
        src = self.r.choice(["tag:a", "odin@example.com", "group:dev", "autogroup:member", "web", "100.64.0.2", "10.33.1.9", "*"])
        if src == "odin@example.com":
            places.append("autogroup:self")
        out = {"src": src, self.r.choice(["accept", "deny", "deny"]): [f"{self.r.choice(places)}:{self.r.choice([22, 80, 443])}"]}
        return dict(out, proto=self.r.choice(["tcp", "udp"])) if self.chance(0.4) else out

    def ssh_test(self):
        return {"src": self.r.choice(["odin@example.com", "tag:b", "group:dev"]),
                "dst": [self.r.choice(["tag:a", "odin@example.com", "tag:c"])],
                self.r.choice(["accept", "deny", "check"]): [self.r.choice(["root", "ubuntu", "odin"])]}

    # --- the policy

    def policy(self):
        r = self.r
        out = {
            "groups": {"group:dev": ["thor@example.org", "odin@example.com"], "group:ops": self.some(
                ["odin@example.com", "freya@example.com", "loki@example.net", "nobody@example.com"], 1, 3), "group:empty": []},
            "hosts": {"web": r.choice(list(self.nodes.values()))["ipv4"], "net": r.choice(ROUTES), "deep": "10.33.1.3/28"},
            "ipsets": {"ipset:some": ["10.0.0.0/8", "remove 10.33.0.0/16", "add 10.33.1.0/24"],
                       "ipset:more": ["ipset:some", "host:web", "remove 10.44.0.0/14", "fd00:1::/63"]},
            "tagOwners": {t: self.some(["odin@example.com", "group:dev", "tag:a", "autogroup:admin"], 0, 2) for t in TAGS}}
        if self.chance(0.75):
            out["acls"] = [self.acl() for _ in range(r.randint(0, 1 if self.steering else 4))]
        if self.steering or self.chance(0.75):
            out["grants"] = [self.grant() for _ in range(r.randint(0, 4))]
        if self.chance(0.4):
            out["ssh"] = [self.ssh() for _ in range(r.randint(1, 3))]
        if self.chance(0.3):
            out["nodeAttrs"] = [self.attr() for _ in range(r.randint(1, 2))]
        if self.chance(0.5):
            who = [*TAGS, "group:dev", "odin@example.com", "autogroup:member", "autogroup:tagged"]
            out["autoApprovers"] = {"routes": {k: self.some(who, 1, 2) for k in set(self.some([*ROUTES, *EXITS], 1, 3))},
                                    "exitNode": self.some(who, 0, 2)}
        if self.chance(0.12):
            out["tests"] = [self.test()]
        if self.chance(0.06):
            out["sshTests"] = [self.ssh_test()]
        if self.chance(0.06):
            out[r.choice(["randomizeClientPort", "disableIPv4"])] = self.chance(0.7)
        while self.chance(0.06):
            self.spoil(out)
        keys = list(out)
        r.shuffle(keys)
        return {k: out[k] for k in keys}

    def spoil(self, out):
        """One fault, whose text the reference gives."""
        accept = {"action": "accept", "src": ["tag:a"], "dst": ["tag:b:22"]}
        grant = {"src": ["tag:a"], "dst": ["tag:b"], "ip": ["22"]}
        ssh = {"action": "accept", "src": ["tag:a"], "dst": ["tag:b"], "users": ["root"]}
        if self.chance(0.25):
            key, member, value = self.r.choice([
                ("groups", "group:nested", ["group:dev"]), ("tagOwners", "tag:9", []), ("tagOwners", "tag:", []),
                ("tagOwners", "tag:a_b", []), ("tagOwners", "tag:lost", ["tag:none"]), ("hosts", "bad", "10.0.0.0/33"),
                ("ipsets", "ipset:loop", ["ipset:loop"]), ("ipsets", "ipset:lost", ["ipset:none"]), ("unheard", "of", 1)])
            out.setdefault(key, {})[member] = value
            out.pop("tests", None), out.pop("sshTests", None)
            return
        key, entry = self.r.choice([
            ("acls", dict(accept, src=["tag:none"])), ("acls", dict(accept, dst=["tag:none:22"])),
            ("acls", dict(accept, action="deny")), ("acls", dict(accept, dst=["tag:b:0-100"])),
            ("acls", dict(accept, dst=["tag:b:9-3"])), ("acls", dict(accept, dst=["tag:b"])),
            ("acls", dict(accept, dst=["autogroup:danger-all:*"])), ("acls", dict(accept, dst=["autogroup:self:*"])),
            ("acls", dict(accept, src=["autogroup:self"])), ("acls", dict(accept, proto="300")),
            ("acls", dict(accept, proto="icmp")), ("acls", dict(accept, dst=["tag:b:1-2-3"])),
            ("grants", dict(grant, ip=[])), ("grants", dict(grant, ip=["icmp"])), ("grants", dict(grant, dst=["::/0"])),
            ("grants", dict(grant, via=["tag:none"])), ("grants", dict(grant, via=["group:dev"])),
            ("grants", dict(grant, dst=["autogroup:self"], src=["*"])), ("grants", dict(grant, app={"nodomain": [{}]})),
            ("grants", dict(grant, app={"tailscale.com/cap/funnel": [{}]})), ("grants", dict(grant, extra=1)),
            ("grants", dict(grant, dst=["autogroup:internet"], app={"a.b/c": [{}]})),
            ("ssh", dict(ssh, action="deny")), ("ssh", dict(ssh, action="")), ("ssh", dict(ssh, users=["*"])),
            ("ssh", dict(ssh, users=[])), ("ssh", dict(ssh, dst=["web"])), ("ssh", dict(ssh, acceptEnv=[""])),
            ("ssh", dict(ssh, action="check", checkPeriod="200h")), ("ssh", dict(ssh, action="check", checkPeriod="-1m")),
            ("ssh", dict(ssh, action="check", checkPeriod="1x")), ("ssh", dict(ssh, users=["localpart:*@example.org"])),
            ("ssh", dict(ssh, src=["user:*@EXAMPLE.com"])), ("nodeAttrs", {"target": ["autogroup:self"], "attr": ["x"]}),
            ("nodeAttrs", {"target": ["tag:none"], "attr": ["x"]}), ("nodeAttrs", {"target": ["*"], "ipPool": ["100.100.100.0/24"]}),
            ("tests", {"src": "tag:a", "accept": ["tag:b:*"]}), ("sshTests", {"src": "tag:a", "dst": ["tag:none"], "deny": ["x"]})])
        out.setdefault(key, []).append(entry)
        if key not in ("tests", "sshTests"):
            out.pop("tests", None), out.pop("sshTests", None)


def questions(case):
    """Every ordered pair of nodes, over both families, with ports and protocols that tell."""
    nodes = case["nodes"].values()
    return [{"src": a[f], "dst": b[f], "proto": proto, "port": port}
            for a in nodes for b in nodes if a is not b for f in ("ipv4", "ipv6") for proto, port in PROBES]


def decorate(text, rng):
    """Comments and trailing commas between the lines of a policy: they change nothing."""
    lines, out = text.split("\n"), []
    for line, after in zip(lines, [*lines[1:], ""]):
        if rng.random() < 0.1:
            out.append(rng.choice(["// a \"comment\", with } and ]", "/* one\n * more: ,] */"]))
        last = after.lstrip().startswith(("}", "]")) and not line.endswith(("{", "["))
        out.append(line + "," if last and rng.random() < 0.3 else line)
    return "\n".join(out)


def case(seed):
    maker = Maker(seed)
    nodes, policy = maker.tailnet(), maker.policy()
    text = json.dumps(policy, indent=1)
    return make(seed, nodes, policy, decorate(text, maker.r) if maker.chance(0.3) else text)


def make(seed, nodes, policy, text=None):
    out = {"format": 1, "id": f"seed-{seed}", "category": "random", "policy": text or json.dumps(policy),
           "settings": {"dns": {}, "settings": {}, "associated_domains": ["example.com"]},
           "users": [{"id": i + 1, "name": n, "email": f"{n}@{d}", "roles": roles} for i, (n, d, roles) in enumerate(USERS)],
           "nodes": nodes}
    out["questions"] = questions(out)
    return out
