"""The members of a policy that are no rules, as maps tell them: by bare clients on the wire, by real ones where they obey."""

import json

import pytest
from actors.client import NEWEST, OLDEST
from actors.policies import allow
from actors.routing import reach
from actors.waiting import until

RANDOM, ONE, PER_PEER = "randomize-client-port", "one-cgnat?v=true", "one-cgnat?v=false"
PORTS, NO_HTTPS = "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000", "https://tailscale.com/cap/warn-funnel-no-https"


def put(net, **document):
    return net.api("PUT", "/api/v1/policy", {"policy": json.dumps(document)})


def own(raw, test, since=0, told="its own part"):
    """The node's own part of the first frame from `since` on that tells one which passes."""
    return raw.frame(lambda m: "Node" in m and test(m["Node"]), since, 15, told)[1]["Node"]


def now(raw):
    return next(m["Node"] for _, m, _ in reversed(raw.frames) if "Node" in m)


def test_capabilities_of_the_switches(tailnet):
    linux = tailnet.raw("linux")
    mac = tailnet.raw("mac", coordinator=1, Hostinfo={"Hostname": "mac", "OS": "macOS"})
    linux.frame(lambda m: any(p["ID"] == mac.number and p["Hostinfo"]["OS"] == "macOS" for p in m.get("PeersChanged", [])), told="the Mac")
    put(tailnet, randomizeClientPort=True, OneCGNATRoute="mac-always")
    assert own(mac, lambda n: ONE in n["CapMap"])["CapMap"][RANDOM] is None
    assert ONE not in own(linux, lambda n: RANDOM in n["CapMap"])["CapMap"], "it is for Macs"
    marks = {r: r.mark() for r in (linux, mac)}
    put(tailnet, randomizeClientPort=True, OneCGNATRoute="mac-never")
    caps = own(mac, lambda n: PER_PEER in n["CapMap"], marks[mac])["CapMap"]
    assert ONE not in caps and RANDOM in caps
    put(tailnet, OneCGNATRoute="")
    assert PER_PEER not in own(mac, lambda n: RANDOM not in n["CapMap"], marks[mac])["CapMap"]
    own(linux, lambda n: RANDOM not in n["CapMap"], marks[linux])
    for r in (linux, mac):
        r.assert_only_deltas(1)
        peers = [p for _, m, _ in r.frames for p in [*(m.get("Peers") or []), *(m.get("PeersChanged") or [])]]
        assert peers and not any("CapMap" in p for p in peers), "capabilities are the node's own business"


def test_a_machine_becomes_a_mac(tailnet):
    """The fact that decides moves after the policy does."""
    put(tailnet, OneCGNATRoute="mac-always")
    raw = tailnet.raw("raw")
    assert ONE not in raw.map["Node"]["CapMap"]
    mark = raw.mark()
    raw.lite(Hostinfo={"Hostname": "raw", "OS": "macOS"})
    own(raw, lambda n: ONE in n["CapMap"], mark)


def test_funnel_without_certificates(tailnet):
    """Certificates of node names are off: clients are told so next to funnel."""
    raw = tailnet.raw("raw")
    put(tailnet, nodeAttrs=[{"target": ["*"], "attr": ["funnel", "nextdns:abc?x=1"]}])
    caps = own(raw, lambda n: "funnel" in n["CapMap"])["CapMap"]
    assert caps["funnel"] is None and caps[PORTS] is None and caps[NO_HTTPS] is None and caps["nextdns:abc?x=1"] is None
    mark = raw.mark()
    put(tailnet, nodeAttrs=[])
    caps = own(raw, lambda n: "funnel" not in n["CapMap"], mark)["CapMap"]
    assert PORTS not in caps and NO_HTTPS not in caps


def families(node):
    return {":" in a for a in node["Addresses"]}


def test_no_ipv4_on_the_wire(tailnet):
    one, two = tailnet.raw("one"), tailnet.raw("two", coordinator=1)
    assert families(one.map["Node"]) == {True, False}
    put(tailnet, disableIPv4=True)
    assert families(own(two, lambda n: "disable-ipv4" in n["CapMap"])) == {True}
    peer, = own_peers(one, two)
    assert families(peer) == {True} and all(":" in a for a in peer.get("AllowedIPs", []))
    marks = one.mark()
    put(tailnet)
    assert families(own(one, lambda n: "disable-ipv4" not in n["CapMap"], marks)) == {True, False}


def own_peers(viewer, other):
    """How the other is shown once its addresses are of one family."""
    _, m, _ = viewer.frame(lambda m: any(p["ID"] == other.number and families(p) == {True} for p in m.get("PeersChanged", [])), told="IPv6 alone")
    return [p for p in m["PeersChanged"] if p["ID"] == other.number]


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_no_ipv4_in_real_clients(tailnet, release):
    machine = tailnet.machine(release)
    one, two = tailnet.join("one", machine=machine), tailnet.join("two", coordinator=1, machine=machine)
    two.serve()
    one.sees(two)
    until(lambda: reach(one, f"{two.ips[0]}:7000"), 20, "IPv4 at first")
    four, six = two.ips
    put(tailnet, disableIPv4=True, acls=[allow("*", "*:*")])
    for n, peer in ((one, two), (two, one)):
        n.wait(lambda v: all(":" in a for a in v["self"]["TailscaleIPs"]), 20, "no IPv4 of its own")
        n.wait(lambda v, p=peer: all(":" in a for a in v["peers"][p.id]["TailscaleIPs"]), 20, "no IPv4 of its peer")
    until(lambda: reach(one, f"[{six}]:7000"), 20, "IPv6 goes on")
    assert not reach(one, f"{four}:7000")
