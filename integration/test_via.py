"""Grants with `via`: of two routers of one subnet, and two exit nodes, each source has the one that its grant names."""

import pytest
from actors.client import NEWEST, OLDEST
from actors.policies import knows, of, put, tagged
from actors.routing import EXIT, Outside, carried, prefs, reach, router, shows
from actors.waiting import until

SUBNET, INSIDE, FAR = "10.66.1.0/24", "10.66.1.7:7000", "198.19.200.7:7000"
TAGS = {"tag:client": [], "tag:west": [], "tag:east": []}


def steer(net, client, mine):
    """The grants: which tag serves whom."""
    grants = [{"src": [src], "dst": [dst], "ip": ["*"], "via": [via]}
              for src, via in (("tag:client", client), ("odin@", mine)) for dst in (SUBNET, "autogroup:internet")]
    put(net, tagOwners=TAGS, grants=grants)


def goes_by(node, gate, other):
    """Both the subnet and the Internet answer, and it is the gate that carries them."""
    knows(node, gate)
    shows(node, gate, SUBNET)
    node.wait(lambda v: v["peers"][gate.id].get("ExitNodeOption"), 15, "an exit node to choose")
    prefs(node, ExitNodeID=gate.id)
    for to in (INSIDE, FAR):
        ours, theirs = carried(gate), carried(other)
        until(lambda at=to: reach(node, at), 30, f"an answer of {to} by {gate.name}")
        assert carried(gate) > ours and carried(other) == theirs


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_each_has_its_own_router(tailnet, release):
    outside = Outside(tailnet.machine())
    machine, gates = tailnet.machine(release), tailnet.machine()
    client = tailnet.join("client", machine=machine, authkey=tagged(tailnet, "tag:client"))
    mine = tailnet.join("mine", coordinator=1, machine=machine, authkey=of(tailnet, "odin"))
    west, east = (tailnet.join(n, machine=gates, authkey=tagged(tailnet, f"tag:{n}")) for n in ("west", "east"))
    for n in (client, mine):
        prefs(n, RouteAll=True)
    for n in (west, east):
        router(tailnet, n, [SUBNET, *EXIT], outside)
    steer(tailnet, "tag:west", "tag:east")
    goes_by(client, west, east)
    goes_by(mine, east, west)
    steer(tailnet, "tag:east", "tag:west")
    goes_by(client, east, west)
    goes_by(mine, west, east)
    steer(tailnet, "tag:west", "tag:west")
    knows(east)
    goes_by(client, west, east)
    goes_by(mine, west, east)
