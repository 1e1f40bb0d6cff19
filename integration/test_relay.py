"""The relay: whom it admits, what it carries, how it gets into the map."""

import pytest
from actors.client import Refused
from actors.waiting import until


def test_carries_between_nodes_of_a_tailnet(tailnet):
    relay = tailnet.cluster.relays[0]
    one = tailnet.raw("one").at_relay(relay)
    two = tailnet.raw("two", coordinator=1).at_relay(relay)
    one.send(two, "hello")
    two.packet(one, "hello")
    two.send(one, "x" * 60_000)
    one.packet(two, "x" * 60_000)


def test_foreign_key_is_refused(tailnet):
    """A key of no node may not use the relay."""
    stranger = tailnet.machine().raw("stranger", url=tailnet.url())
    with pytest.raises(Refused):
        stranger.at_relay(tailnet.cluster.relays[0])


def test_nobody_there(tailnet):
    """The sender is told that a peer is not here."""
    relay = tailnet.cluster.relays[0]
    one, absent = tailnet.raw("one").at_relay(relay), tailnet.raw("absent")
    one.send(absent, "TS💬" + "?" * 56)  # disco: data to nobody gets no answer
    one.await_true(lambda: [g for g in one.gone if g[0] == absent.keys["node_key"]], 5, "peer gone")


def test_in_the_map(tailnet):
    relay = tailnet.cluster.relays[0]
    node = tailnet.raw("node")
    regions = node.map["DERPMap"]["Regions"]
    assert len(regions) == 1
    at = next(iter(regions.values()))["Nodes"][0]
    assert (at["DERPPort"], at["STUNPort"], at["IPv4"]) == (relay.port("relay"), relay.port("stun"), relay.cluster.host)
    assert at["InsecureForTests"] is True


def test_wrong_token(clusters, traces):
    """A relay that nobody knows comes into no map, and says why."""
    cluster = clusters(1, 1, 1)
    relay = cluster.relays[0]
    relay.stop()
    wrong = traces / "wrong.token"
    wrong.write_text("nobody-gave-this-out\n")
    relay.extra = {"relay.token_file": wrong}
    relay.launch()
    until(lambda: "token" in relay.tail(50).lower(), 15, lambda: relay.tail(50))
    assert not relay.ready()


def test_restarts(broken):
    """Stopped in order and started again: its clients come back by themselves."""
    cluster, net = broken(1, 1, 1)
    one, two = (net.join(name, machine=net.machine(relay_only=True)) for name in ("one", "two"))
    two.serve()
    one.sees(two)
    one.exchange(two, 1)
    relay = cluster.relays[0]
    assert relay.stop() == 0
    relay.launch()
    relay.await_ready()
    one.path_to(two, direct=False, seconds=60)
    one.exchange(two, 1)
