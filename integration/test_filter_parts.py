"""A node that joins a big group costs the servers of the group a few addresses; and real clients join the parts of their filter."""

import json

import pytest
from actors.client import NEWEST, OLDEST
from actors.policies import allow, tagged
from actors.waiting import until

PAIRS = 34  # two addresses each, none next to another: 68 texts, past the length from which lists are told in parts


def crowd(net):
    """Nodes of two users in turn, so that the addresses of one are no ranges; none has a stream."""
    machine = net.machine()
    keys = {name: net.authkey(user=net.cluster.user(name, net.name), reusable=True) for name in ("odin", "freya")}
    count = iter(range(10_000))

    def join(name):
        r = machine.raw(f"{name}-{next(count)}", url=net.url())
        answer = r.register(keys[name])
        assert answer["status"] == 200 and not answer["json"].get("Error"), answer
        return r

    for _ in range(PAIRS):
        join("odin")
        join("freya")
    return join


def put(net, *dst):
    net.api("PUT", "/api/v1/policy", {"policy": json.dumps(
        {"groups": {"group:big": ["odin@"]}, "tagOwners": {"tag:server": []}, "acls": [allow("group:big", *dst)]})})


def addresses(net):
    return {n["id"]: n["ipAddresses"] for n in net.nodes()}


def test_a_join_is_a_few_addresses(tailnet):
    join = crowd(tailnet)
    server = tailnet.raw("server", authkey=tagged(tailnet, "tag:server"))
    put(tailnet, "tag:server:443")
    _, told, _ = server.frame(lambda m: "PacketFilters" in m and "Node" not in m, told="the policy")
    assert set(told["PacketFilters"]) == {"base"} and len(told["PacketFilters"]["base"][0]["SrcIPs"]) == 2 * PAIRS
    before, mark = addresses(tailnet), server.mark()
    join("odin")
    joined = {i: a for i, a in addresses(tailnet).items() if i not in before}
    (number, ips), = joined.items()
    _, told, size = server.frame(lambda m: "PacketFilters" in m, mark, told="who joined")
    rule, = told["PacketFilters"]["late"]
    assert set(told["PacketFilters"]) == {"late"} and rule["SrcIPs"] == sorted(ips) and size < 1500
    assert [p["ID"] for p in told["PeersChanged"]] == [int(number)], "peer and filter move in one frame"
    assert {d["Ports"]["First"] for d in rule["DstPorts"]} == {443}
    again = tailnet.raw("again", authkey=tagged(tailnet, "tag:server"))
    assert set(again.map["PacketFilters"]) == {"base", "late"}
    mark = server.mark()
    tailnet.delete(number)
    _, told, _ = server.frame(lambda m: "PacketFilters" in m, mark, told="who left")
    assert told["PacketFilters"] == {"late": None} and told["PeersRemoved"] == [int(number)]
    # One of the first goes: the list is told anew.
    mark = server.mark()
    tailnet.delete(next(i for i, a in before.items() if a[0] == told_first(server)))
    _, told, _ = server.frame(lambda m: "PacketFilters" in m, mark, told="one less")
    assert set(told["PacketFilters"]) == {"base"} and len(told["PacketFilters"]["base"][0]["SrcIPs"]) == 2 * PAIRS - 2
    server.assert_only_deltas(1)


def told_first(server):
    """The first IPv4 address of its sources."""
    sources = next(m["PacketFilters"]["base"] for _, m, _ in reversed(server.frames) if m.get("PacketFilters", {}).get("base"))[0]["SrcIPs"]
    return next(s for s in sources if "." in s)


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_real_clients_join_the_parts(tailnet, release):
    join = crowd(tailnet)
    server = tailnet.join("server", machine=tailnet.machine(release), authkey=tagged(tailnet, "tag:server"))
    put(tailnet, "tag:server:443")

    def admits(ips):
        packets = [{"src": ip, "dst": server.ips[":" in ip], "port": port, "proto": 6} for ip in ips for port in (443, 80)]
        return server.call("admits", packets=packets)["admitted"]

    before = addresses(tailnet)
    members = [a for n in tailnet.nodes() if n.get("user", {}).get("name") == "odin" for a in n["ipAddresses"]]
    assert len(members) == 2 * PAIRS
    until(lambda: admits(members) == [True, False] * len(members), 20, "all of the group, by that port")
    join("odin")
    (number, ips), = ((i, a) for i, a in addresses(tailnet).items() if i not in before)
    until(lambda: admits(ips) == [True, False] * 2, 20, "who came late")
    assert admits(members) == [True, False] * len(members)
    tailnet.delete(number)
    until(lambda: not any(admits(ips)), 20, "who left")
    assert admits(members) == [True, False] * len(members)
    put(tailnet, "tag:server:80")
    until(lambda: admits(members) == [False, True] * len(members), 20, "another port")
