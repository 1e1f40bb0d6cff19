"""Ten machines of both releases under one policy: every pair and door, by real connections and by `explain`; then an edit, and again."""

import json

from actors.client import NEWEST, OLDEST
from actors.matrix import Try, connections_agree, explain, filters_agree, pairs
from actors.policies import allow, of, tagged, user
from actors.routing import EXIT, Outside, carried, prefs, router

INSIDE, FAR = "10.77.1.7", "198.19.200.7"
DOORS = [("tcp", 4, 7000), ("tcp", 4, 7001), ("udp", 4, 7000), ("tcp", 6, 7000), ("icmp", 4, 0)]
TAGS = ["server", "db", "ci", "gate", "exit"]


def document(dev, ends, seen_from, office):
    """What both policies have in common; the differences are the arguments."""
    return {
        "groups": {"group:dev": dev},
        "tagOwners": {f"tag:{t}": [] for t in TAGS},
        "hosts": {"inside": "10.77.1.0/24", "laptop": seen_from},
        "postures": {"posture:new": ["node:tsVersion >= '1.100.0'"], "posture:disk": ["custom:disk == 'encrypted'"]},
        "grants": [
            {"src": ["group:dev"], "dst": ["tag:server"], "ip": ends},
            {"src": ["freya@"], "dst": ["tag:db"], "ip": ["tcp:7001"], "srcPosture": ["posture:disk"]},
            {"src": ["autogroup:member"], "dst": ["tag:ci"], "ip": ["7000-7001"], "srcPosture": ["posture:new"]},
            {"src": ["tag:ci"], "dst": ["tag:server"], "ip": ["*"]},
        ],
        "acls": [
            allow("thor@", "tag:db:7000"),
            allow("tag:server", "tag:db:7000-7001", proto="tcp"),
            allow("autogroup:member", "autogroup:self:*"),
            allow("tag:ci", "laptop:7000", proto="udp"),
            allow(office, "inside:7000"),
            allow(["thor@", "tag:db"], "autogroup:internet:7000"),
        ],
    }


def put(net, text):
    return net.api("PUT", "/api/v1/policy", {"policy": json.dumps(text, indent=1)})


def machines(net):
    """Two processes, one of each release, with the nodes in them."""
    new, old = net.machine(), net.machine(OLDEST)
    users = {name: user(net, name) for name in ("odin", "freya", "thor")}
    made = {}
    for number, (name, machine, owner) in enumerate([
            ("pc", new, "odin"), ("tablet", old, "odin"), ("laptop", new, "freya"), ("desk", new, "freya"), ("phone", old, "thor"),
            ("server", new, "tag:server"), ("db", old, "tag:db"), ("ci", new, "tag:ci"), ("gate", new, "tag:gate"), ("exit", new, "tag:exit")]):
        key = of(net, owner) if owner in users else tagged(net, owner)
        made[name] = machine.node(name, url=net.url(number % 2), authkey=key)
    for n in made.values():
        n.running()
        for proto, port in {(proto, port) for proto, _, port in DOORS if port}:
            n.call("serve" if proto == "tcp" else "serve_udp", port=port if proto == "tcp" else str(port))
    return made


def everything(net, nodes):
    """All pairs, and from those who use routers what lies behind these."""
    tries = pairs(list(nodes.values()), DOORS)
    for name, n in nodes.items():
        if name not in ("gate", "exit"):
            tries += [Try(n, nodes["gate"], "tcp", INSIDE, port) for port in (7000, 7001)]
            tries += [Try(n, nodes["exit"], "tcp", FAR, port) for port in (7000, 7001)]
    return explain(net, tries)


def exits_follow(nodes):
    """Who may use the exit node does; the others have none to use."""
    for name, n in nodes.items():
        if name not in ("gate", "exit"):
            offered = n.view["peers"].get(nodes["exit"].id, {}).get("ExitNodeOption", False)
            prefs(n, ExitNodeID=nodes["exit"].id if offered else "")


def agree(net, nodes):
    tries = everything(net, nodes)
    filters_agree(tries)
    # The filter of the exit node stands; the same frame told or tells the others of it.
    wanted = {t.source.name for t in tries if t.ip == FAR and t.allowed}
    for name, n in nodes.items():
        if name not in ("gate", "exit"):
            n.wait(lambda v, may=name in wanted: bool(v["peers"].get(nodes["exit"].id, {}).get("ExitNodeOption")) == may, 15, "an exit node or none")
    exits_follow(nodes)
    rules = {line for t in tries for line in t.lines}
    assert len(rules) == 10, f"every rule opens something: {sorted(rules)}"
    return connections_agree(tries), {(t.source.name, t.target.name, t.proto, t.ip, t.port) for t in tries if t.allowed}


def test_every_pair(tailnet):
    outside = Outside(tailnet.machine(NEWEST))
    nodes = machines(tailnet)
    said = nodes["laptop"].call("local", method="PATCH", path="alpha-set-device-attrs", body={"custom:disk": "encrypted"})
    assert said["status"] == 200, said
    for name, routes in (("gate", ["10.77.1.0/24"]), ("exit", EXIT)):
        router(tailnet, nodes[name], routes, outside)
    for n in nodes.values():
        prefs(n, RouteAll=True)
    laptop = nodes["laptop"].ips[0]
    put(tailnet, document(["odin@", "freya@"], ["tcp:7000", "udp:7000"], laptop, "group:dev"))
    (allowed, denied), first = agree(tailnet, nodes)
    assert allowed > 40 and denied > 200
    # Of a group of two one goes and another comes, a port closes, and the office moves.
    put(tailnet, document(["thor@", "freya@"], ["tcp:7001"], laptop, "thor@"))
    (allowed, denied), second = agree(tailnet, nodes)
    assert len(first - second) > 5 and len(second - first) > 3 and denied > 200
    assert carried(nodes["gate"]) and carried(nodes["exit"])
