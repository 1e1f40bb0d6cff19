"""What relays and coordinators know each other by, while it changes: keys that sign answers, and the name that belongs to one process."""

import pytest
from actors.client import Refused
from actors.recipes import RELAYS, blocks
from actors.relays import QUICK
from actors.waiting import until


def keys_of(cluster, coordinator):
    return cluster.api("GET", "/api/fleetscale/v1/relay-key", coordinator=coordinator)


def test_signing_key_rotates(broken):
    """With an overlap, and without a restart of anybody: told, then signing, then alone; a relay that is given the new key believes it."""
    cluster, net = broken(2, 1, 2, **QUICK)
    relay, later = cluster.relays
    old = cluster.cli("relays", "key")["coordinatorsKey"]
    for r in cluster.relays:
        r.restart(**{"relay.coordinators_key": old})
    pids = [p.pid for p in (*cluster.coordinators, relay)]
    sql = cluster.postgres.sql

    def everywhere(what):
        until(lambda: all(what(keys_of(cluster, c)) for c in cluster.coordinators), 60, lambda: "\n".join(str(keys_of(cluster, c)) for c in cluster.coordinators))

    begin, end = blocks(RELAYS, "sql")
    sql("fleetscale", begin)
    everywhere(lambda k: len(k["keys"]) == 2 and k["coordinatorsKey"] == old)
    new = keys_of(cluster, cluster.coordinators[0])["keys"][0]["key"]
    assert new != old
    for r in cluster.relays:
        until(lambda r=r: "learned what coordinators sign their answers by" in r.log.read_text(), 60, lambda r=r: r.tail(15))
    sql("fleetscale", "UPDATE fleetscale.serverkeys SET valid_from = now() WHERE kind = 'relays' AND valid_from > now()")
    everywhere(lambda k: k["coordinatorsKey"] == new)
    net.raw("during").at_relay(relay)
    sql("fleetscale", end)
    everywhere(lambda k: [key["key"] for key in k["keys"]] == [new])
    assert cluster.cli("relays", "token", "--region", "900")["coordinatorsKey"] == new
    net.raw("after").at_relay(relay)
    gone = net.raw("gone")
    net.delete(gone.number)
    with pytest.raises(Refused):
        gone.at_relay(relay)
    assert relay.metric("derp_answers_unsigned_total") == later.metric("derp_answers_unsigned_total") == 0
    assert [p.pid for p in (*cluster.coordinators, relay)] == pids
    # Who knows the old one alone believes nobody; with the new one he does.
    later.stop()
    later.launch()
    until(lambda: "has signed is not believed" in later.log.read_text(), 30, lambda: later.tail(15))
    until(lambda: later.metric("derp_answers_unsigned_total") > 0, 30, lambda: later.tail(15))
    assert not later.ready()
    later.restart(**{"relay.coordinators_key": new})
    net.raw("later").at_relay(later)


def test_a_relay_moves(broken):
    """A relay that is killed and begins elsewhere waits until the one before is silent, says so, and then has its name; nobody else has to do anything."""
    cluster, _ = broken(2, 1, 1, **{**QUICK, "relays.dead": "60s"})
    relay = cluster.relays[0]
    # As young as can be: it has just said where it is.
    relay.restart()
    relay.kill()
    relay.extra = {**relay.extra, "listen.relay": f"{cluster.host}:{cluster.ports.get('moved.relay')}"}
    relay.launch()
    until(lambda: "is alive already" in relay.log.read_text(), 20, lambda: relay.tail(15))
    relay.await_ready(60)
    assert cluster.cli("relays", "list")[0]["derpPort"] == cluster.ports.get("moved.relay")
