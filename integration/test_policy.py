"""What a policy allows, by what real connections do and what clients know."""

import json

import pytest
from actors.cli import Cli
from actors.client import NEWEST, OLDEST
from actors.policies import allow, knows, of, put, reaches, tagged
from actors.routing import EXIT, Outside, carried, prefs, reach, router
from actors.waiting import until

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])
SUBNET, INSIDE = "198.18.1.0/24", "198.18.1.7:7000"
FAR = "198.19.200.7:7000"
TAGS = {"tag:client": [], "tag:server": [], "tag:router": []}


def trio(net, release=NEWEST):
    """A client and a server by tags, and somebody's own machine; each answers on port 7000."""
    client = net.join("client", machine=net.machine(release), authkey=tagged(net, "tag:client"))
    server = net.join("server", coordinator=1, machine=net.machine(release), authkey=tagged(net, "tag:server"))
    mine = net.join("mine", authkey=of(net, "odin"))
    for n in (client, server, mine):
        n.serve()
    return client, server, mine


@BOTH
def test_allow_deny_and_one_way(tailnet, release):
    client, server, mine = trio(tailnet, release)
    knows(client, server, mine)
    until(lambda: reaches(server, client), 20, "no policy: everything is open")
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", "tag:server:*")])
    knows(client, server)
    knows(server, client)
    knows(mine)
    until(lambda: reaches(client, server), 20, "allowed")
    assert not reaches(server, client), "the way back is not open by itself"
    put(tailnet, tagOwners=TAGS, acls=[])
    for n in (client, server, mine):
        knows(n)
    assert not reaches(client, server), "nobody may reach anybody"
    put(tailnet)
    knows(client, server, mine)
    until(lambda: reaches(server, client), 20, "without rules everything is allowed")


def test_a_write_past_the_server_is_seen(tailnet, traces, tmp_path):
    """Straight in PostgreSQL, with a bell and without: whoever follows the tailnet hears of it."""
    client, server, mine = trio(tailnet)
    knows(client, server, mine)
    cluster, text = tailnet.cluster, tmp_path / "policy.hujson"
    past = Cli(cluster, traces, "--tailnet", tailnet.name, FLEETSCALE_DATABASE_URL=cluster.postgres.url("fleetscale_coordinator"))
    for tags, env in (("tag:client", {"FLEETSCALE_REDIS_URL": cluster.redis.url}), ("tag:server", {})):
        text.write_text(json.dumps({"tagOwners": TAGS, "acls": [allow(tags, "tag:server:*")]}))
        past.run("policy", "set", str(text), "--bypass-server-and-access-database-directly", **env)
        knows(client, *([server] if tags == "tag:client" else []))
        knows(mine)


def test_ports_and_protocols(tailnet):
    client, server, _ = trio(tailnet)
    server.serve(7001)
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", "tag:server:7001", proto="tcp")])
    knows(client, server)
    until(lambda: reaches(client, server, 7001), 20, "the port that is open")
    assert not reaches(client, server, 7000), "the port that is not"
    put(tailnet, tagOwners=TAGS, grants=[{"src": ["tag:client"], "dst": ["tag:server"], "ip": ["tcp:7000"]}])
    until(lambda: reaches(client, server, 7000), 20, "the other port")
    assert not reaches(client, server, 7001), "which closed this one"


def test_own_machines(tailnet):
    first, second = (tailnet.join(n, coordinator=i, authkey=of(tailnet, "odin")) for i, n in enumerate(("first", "second")))
    strange = tailnet.join("strange", authkey=of(tailnet, "freya"))
    for n in (first, second, strange):
        n.serve()
    knows(strange, first, second)
    put(tailnet, acls=[allow("autogroup:member", "autogroup:self:*")])
    knows(first, second)
    knows(strange)
    until(lambda: reaches(first, second) and reaches(second, first), 30, "both of one owner")
    assert not reach(strange, f"{first.ips[0]}:7000")


def test_a_tag_moves_a_machine(tailnet):
    client, server, mine = trio(tailnet)
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", "tag:server:*")])
    knows(mine)
    tailnet.tag(mine.id, "tag:server")
    knows(client, server, mine)
    until(lambda: reaches(client, mine), 20, "a server as any other")
    tailnet.tag(mine.id, "tag:router")
    knows(client, server)
    knows(mine)
    assert not reach(client, f"{mine.ips[0]}:7000")


@BOTH
def test_an_app_capability(tailnet, release):
    client, server, _ = trio(tailnet, release)
    value = {"role": "reader", "paths": ["/a"]}
    put(tailnet, tagOwners=TAGS, grants=[{"src": ["tag:client"], "dst": ["tag:server"], "ip": ["*"], "app": {"example.com/cap": [value]}}])
    knows(server, client)
    server.await_true(lambda: server.whois(client.ips[0]).get("CapMap"), 15, "a capability")
    assert server.whois(client.ips[0])["CapMap"]["example.com/cap"] == [value]
    assert not client.whois(server.ips[0]).get("CapMap"), "it is granted to the source alone"
    put(tailnet, tagOwners=TAGS, grants=[{"src": ["tag:client"], "dst": ["tag:server"], "ip": ["*"]}])
    until(lambda: not server.whois(client.ips[0]).get("CapMap"), 15, "taken back")


def test_subnet_router_by_rule(tailnet):
    outside = Outside(tailnet.machine())
    client, server, mine = trio(tailnet)
    gate = tailnet.join("gate", authkey=tagged(tailnet, "tag:router"))
    for n in (client, mine):
        prefs(n, RouteAll=True)
    router(tailnet, gate, [SUBNET], outside)
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", f"{SUBNET}:7000"), allow("odin@", "tag:router:*", "tag:server:*")])
    knows(client, gate)
    knows(mine, gate, server)
    client.wait(lambda v: v["peers"][gate.id].get("PrimaryRoutes") == [SUBNET], 15, "the route for who may use it")
    mine.wait(lambda v: not v["peers"][gate.id].get("PrimaryRoutes"), 15, "no route for who may not")
    until(lambda: reach(client, INSIDE), 20, "an answer from behind the router")
    before = carried(gate)
    assert not reach(mine, INSIDE) and carried(gate) == before
    put(tailnet, tagOwners=TAGS, acls=[allow("odin@", f"{SUBNET}:7000", "tag:router:*", "tag:server:*")])
    knows(client)
    mine.wait(lambda v: v["peers"][gate.id].get("PrimaryRoutes") == [SUBNET], 15, "only the route moved")
    until(lambda: reach(mine, INSIDE), 20, "now it may")
    assert not reach(client, INSIDE)


def test_exit_node_by_rule(tailnet):
    outside = Outside(tailnet.machine())
    client, _, mine = trio(tailnet)
    gate = tailnet.join("gate", authkey=tagged(tailnet, "tag:router"))
    router(tailnet, gate, EXIT, outside)
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", "autogroup:internet:*"), allow("odin@", "tag:router:*")])
    knows(mine, gate)
    for n in (client, mine):
        n.wait(lambda v: v["peers"].get(gate.id, {}).get("ExitNodeOption"), 15, "an exit node to choose")
        prefs(n, ExitNodeID=gate.id)
    until(lambda: reach(client, FAR), 20, "an answer from the Internet")
    before = carried(gate)
    assert not reach(mine, FAR) and carried(gate) == before, "a rule to the exit node is none to the Internet"
    put(tailnet, tagOwners=TAGS, acls=[allow("odin@", "autogroup:internet:*")])
    knows(client)
    until(lambda: reach(mine, FAR), 20, "now it is")
    before = carried(gate)
    assert not reach(client, FAR) and carried(gate) == before


@BOTH
def test_an_edit_while_traffic_flows(tailnet, release):
    client, server, mine = trio(tailnet, release)
    both = [allow("tag:client", "tag:server:*"), allow("odin@", "tag:server:*")]
    put(tailnet, tagOwners=TAGS, acls=both)
    knows(server, client, mine)
    client.exchange(server, megabytes=1)
    mine.exchange(server, megabytes=1)
    put(tailnet, tagOwners=TAGS, acls=both[1:])
    knows(client)
    knows(server, mine)
    assert not reaches(client, server), "revoked at both ends"
    mine.exchange(server, megabytes=1)
    put(tailnet, tagOwners=TAGS, acls=both)
    knows(client, server)
    until(lambda: reaches(client, server), 20, "given back")


def test_an_edit_is_a_small_delta(tailnet):
    """On the wire: who loses a peer hears of that and of its filter in one frame, who loses nothing hears nothing."""
    client = tailnet.raw("client", authkey=tagged(tailnet, "tag:client"))
    server = tailnet.raw("server", coordinator=1, authkey=tagged(tailnet, "tag:server"))
    other = tailnet.raw("other", authkey=tagged(tailnet, "tag:router"))
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", "tag:server:*"), allow("tag:router", "tag:server:22")])
    for r in (client, server, other):
        r.frame(lambda m: "PacketFilters" in m and "Node" not in m, told="the policy")
    client.frame(lambda m: other.number in m.get("PeersRemoved", []), told="a peer that it may not see")
    marks = {r: r.mark() for r in (client, server, other)}
    put(tailnet, tagOwners=TAGS, acls=[allow("tag:client", "tag:server:*")])
    _, told, _ = server.frame(lambda m: m.get("PeersRemoved"), marks[server])
    assert told["PeersRemoved"] == [other.number] and len(told["PacketFilters"]["base"]) == 1
    assert other.frame(lambda m: m.get("PeersRemoved"), marks[other])[1]["PeersRemoved"] == [server.number]
    server.frame(lambda m: m.get("PeersRemoved") == [other.number], marks[server])
    assert not [m for _, m, _ in client.frames[marks[client]:] if not m.get("KeepAlive")], "nothing changed for it"
    for r in (client, server, other):
        r.assert_only_deltas(marks[r])
