"""Two real clients join, find each other by name and exchange data: direct, and through the relay only."""

import pytest
from actors.client import NEWEST, OLDEST
from actors.tailnet import Tailnet

MEGABYTES = 10


def exchange_direct(net, release):
    one = net.machine(release)
    two = net.machine(release)
    alice = net.join("alice", coordinator=0, machine=one)
    bob = net.join("bob", coordinator=1, machine=two).serve()
    alice.sees(bob)
    bob.sees(alice)
    assert alice.fqdn == f"alice.{net.domain}"
    done = alice.exchange(bob, MEGABYTES)
    assert done["remote"].rpartition(":")[0].strip("[]") in bob.ips
    assert alice.path_to(bob, direct=True)["Endpoint"]
    alice.exchange(bob, 1)
    assert alice.status()["Peer"][bob.id]["CurAddr"], "the data went direct"
    return alice, bob


def exchange_relayed(net, release):
    carol = net.join("carol", coordinator=0, machine=net.machine(release, relay_only=True))
    dave = net.join("dave", coordinator=1, machine=net.machine(release, relay_only=True)).serve()
    carol.sees(dave)
    dave.sees(carol)
    carol.exchange(dave, MEGABYTES)
    assert carol.path_to(dave, direct=False)["DERPRegionID"]
    assert not carol.status()["Peer"][dave.id]["CurAddr"], "there is no direct way"
    return carol, dave


def test_smallest_installation(clusters, traces):
    """One of each, the newest release, relay only."""
    cluster = clusters(1, 1, 1)
    net = Tailnet(cluster, "smallest", traces / "net")
    try:
        exchange_relayed(net, NEWEST)
    finally:
        net.close()


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_direct(tailnet, release):
    alice, bob = exchange_direct(tailnet, release)
    who = alice.whois(bob.ips[0])
    assert who["UserProfile"]["LoginName"].startswith("default")
    assert who["Node"]["StableID"] == bob.id


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_relay_only(tailnet, release):
    exchange_relayed(tailnet, release)


def test_short_name(tailnet):
    """The bare label resolves by the tailnet's search domain."""
    alice = tailnet.join("alice", coordinator=0)
    bob = tailnet.join("bob", coordinator=1).serve()
    alice.sees(bob)
    alice.exchange("bob", 0.1)


def test_both_address_families(tailnet):
    alice = tailnet.join("alice")
    four, six = sorted(alice.ips, key=lambda ip: ":" in ip)
    assert four.startswith("100.") and six.startswith("fd7a:115c:a1e0:")


def test_same_host_name_twice(tailnet):
    """The second machine of a name gets another label; the first keeps its own."""
    first = tailnet.join("first", hostname="laptop")
    second = tailnet.join("second", coordinator=1, hostname="laptop")
    assert first.fqdn.split(".")[0] == "laptop"
    assert second.fqdn.split(".")[0] == "laptop-1"
    assert set(first.ips).isdisjoint(second.ips)
