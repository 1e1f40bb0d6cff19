"""Switches and commands of the client that have an effect at others, by the local API as `tailscale set`, `up`, `down`, `ping` and `switch` use it."""

import json

import pytest
from actors.client import NEWEST, OLDEST, Refused

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])


def local(node, method, path, body=None, status=200):
    said = node.call("local", method=method, path=path, body=body)
    assert said["status"] == status, said
    return json.loads(said["text"]) if said["text"].strip() else None


def prefs(node, **fields):
    """`tailscale set`: only these."""
    return local(node, "PATCH", "prefs", {**fields, **{f"{name}Set": True for name in fields}})


@BOTH
def test_hostname(tailnet, release):
    node, other = tailnet.join("before", machine=tailnet.machine(release)), tailnet.join("other", coordinator=1)
    other.sees(node)
    prefs(node, Hostname="After This")
    node.wait(lambda v: v["self"]["DNSName"].startswith("after-this."), 15, "its own new name")
    other.wait(lambda v: v["peers"][node.id]["DNSName"].startswith("after-this."), 15, "the new name")
    assert tailnet.node(node.id)["givenName"] == "after-this"


@BOTH
def test_down_and_up(tailnet, release):
    node, other = tailnet.join("node", machine=tailnet.machine(release)), tailnet.join("other", coordinator=1)
    other.sees(node)
    before = (node.id, node.ips)
    node.set(running=False)
    node.state("Stopped")
    other.sees(before[0], online=False)
    node.set(running=True)
    node.running()
    other.sees(before[0])
    assert (node.id, node.ips) == before


@BOTH
def test_shields_up(tailnet, release):
    node, other = tailnet.join("node", machine=tailnet.machine(release)).serve(), tailnet.join("other", coordinator=1).serve()
    for a, b in ((node, other), (other, node)):
        a.sees(b)
    other.exchange(node, 0.1)
    prefs(node, ShieldsUp=True)
    with pytest.raises(Refused):
        other.call("exchange", 20, to=f"{node.ips[0]}:7000", bytes=1000, seconds=4)
    node.exchange(other, 0.1)
    prefs(node, ShieldsUp=False)
    other.exchange(node, 0.1)


@BOTH
@pytest.mark.parametrize("kind", ["disco", "TSMP", "peerapi"])
def test_ping(tailnet, release, kind):
    node, other = tailnet.join("node", machine=tailnet.machine(release)), tailnet.join("other", coordinator=1)
    node.sees(other)
    node.knows_home(other)
    other.sees(node)
    answer = node.await_true(lambda: pinged(node, other, kind), 20, f"an answer to a {kind} ping")
    assert answer["NodeName"].split(".")[0] == "other"


def pinged(node, other, kind):
    try:
        return node.ping(other, kind)
    except Refused:
        return None


@BOTH
def test_profiles_of_one_server_live_side_by_side(tailnets, release):
    """Two tailnets, one login server, users of one name: the client tells profiles apart by ids, or it would drop the older."""
    here, there = tailnets("a"), tailnets("b")
    node = here.join("laptop", machine=here.machine(release))
    first, mine = local(node, "GET", "profiles/current"), node.id
    local(node, "PUT", "profiles/", status=201)
    local(node, "POST", "start", {"AuthKey": there.authkey(), "UpdatePrefs": {"ControlURL": there.url(), "WantRunning": True, "Hostname": "laptop"}}, 204)
    local(node, "POST", "login-interactive", status=204)
    node.wait(lambda v: v["state"] == "Running" and v["suffix"] == there.domain, 30, "the other tailnet")
    second = local(node, "GET", "profiles/current")
    profiles = local(node, "GET", "profiles/")
    assert {p["ID"] for p in profiles} >= {first["ID"], second["ID"]} and first["ID"] != second["ID"]
    assert node.id != mine
    local(node, "POST", f"profiles/{first['ID']}", status=204)
    node.wait(lambda v: v["state"] == "Running" and v["suffix"] == here.domain, 30, "the first tailnet again")
    assert node.id == mine
    assert [len(net.nodes()) for net in (here, there)] == [1, 1]
