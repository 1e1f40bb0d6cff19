"""Relays as a fleet: a mesh inside a region, regions that come and go, drain, revocation, and who is cut off."""

import json
import time

import pytest
from actors.client import Refused
from fleet.cluster import secret_file

QUICK = {"relays.settle": "2s", "relays.patience": "20s", "relays.steady": "1s", "relays.dead": "10s", "drain": "20s"}


def relays_of(cluster):
    return {r["name"]: r for r in cluster.api("GET", "/api/fleetscale/v1/relays")["relays"]}


def number_of(cluster, relay):
    return relays_of(cluster)[relay.extra.get("relay.name", f"relay-{relay.index}")]["id"]


def metric(relay, name):
    """Of one relay; 0 while it is not there."""
    lines = relay.get("/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"fleetscale_{name}") and line[len("fleetscale_" + name)] in " {")


def wait(what, seconds, sentence):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, sentence() if callable(sentence) else sentence
        time.sleep(0.1)
    return found


def meshed(*relays):
    """Each has a link to each other and is watched by all."""
    def whole():
        return all(metric(r, "derp_siblings") == len(relays) - 1 and metric(r, "derp_watchers") >= len(relays) - 1 for r in relays)
    wait(whole, 30, lambda: "\n".join(r.tail(15) for r in relays))


def in_region(cluster, relay, region, code, name):
    """The relay program becomes another one, in a region of its own; by a token of the region."""
    relay.stop()
    old = number_of(cluster, relay)
    for _ in range(2):
        cluster.api("DELETE", f"/api/fleetscale/v1/relays/{old}")
    if region not in [g["id"] for g in cluster.api("GET", "/api/fleetscale/v1/regions")["regions"]]:
        cluster.api("POST", "/api/fleetscale/v1/regions", {"id": region, "code": code, "name": code.title()})
    token = cluster.api("POST", "/api/fleetscale/v1/relay-tokens", {"regionId": region})
    path = cluster.key_path(f"{name}.token")
    secret_file(path, token["token"])
    relay.extra = {**relay.extra, "relay.token_file": path, "relay.name": name}
    relay.launch()
    relay.await_ready()
    return token["relayToken"]["id"]


def regions(message):
    return (message.get("DERPMap") or {}).get("Regions", {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fleet")


def reaches(sender, receiver, text, seconds=20):
    """Presence spreads: what is sent before is lost."""
    end = time.monotonic() + seconds
    while True:
        sender.send(receiver, text)
        if [p for p in receiver.packets if p[1] == text]:
            return
        assert time.monotonic() < end, f"nothing of {text!r} arrives"
        time.sleep(0.2)


def test_mesh(broken):
    """Clients of one region on different nodes reach each other; who leaves is told; a key may change while links stand."""
    cluster, net = broken(2, 1, 3, **QUICK)
    first, second, third = cluster.relays
    meshed(first, second, third)
    one, two, three = (net.raw(n).at_relay(r) for n, r in (("one", first), ("two", second), ("three", third)))
    for a, b in ((one, two), (two, one), (one, three), (three, two)):
        reaches(a, b, f"{a.name} to {b.name}")
    reaches(one, two, "x" * 60_000)
    assert metric(first, "derp_packets_forwarded_out_total") >= 3 and metric(second, "derp_packets_forwarded_in_total") >= 3
    two.call("relay_close")
    one.await_true(lambda: [g for g in one.gone if g[0] == two.keys["node_key"]], 10, "peer gone")
    two.at_relay(third)
    reaches(one, two, "moved to the third")
    answer = cluster.cli("regions", "mesh-key", "900", "--rotate", "--overlap", "1m")
    assert answer["meshKey"] != answer["meshKeyBefore"]
    second.kill()
    second.launch()
    second.await_ready()
    meshed(first, second, third)
    two.call("relay_close")
    two.at_relay(second)
    reaches(one, two, "with the next key")


def test_cut_off(broken):
    """Whoever is deleted, expires or is suspended loses his relay within seconds; the others keep theirs."""
    cluster, net = broken(2, 1, 1, **QUICK)
    relay = cluster.relays[0]
    deleted, expired, stays = (net.raw(n).at_relay(relay) for n in ("deleted", "expired", "stays"))
    net.delete(deleted.number)
    deleted.await_true(lambda: deleted.relay_ends, 15, "the relay's end")
    net.expire(expired.number)
    expired.await_true(lambda: expired.relay_ends, 15, "the relay's end")
    assert not stays.relay_ends
    with pytest.raises(Refused):
        expired.at_relay(relay)
    cluster.api("PATCH", f"/api/fleetscale/v1/tailnets/{net.name}", {"suspended": True})
    stays.await_true(lambda: stays.relay_ends, 15, "the relay's end")


def test_drain_by_wish(broken):
    """A region leaves in order, its doors close, and it comes back."""
    cluster, net = broken(2, 1, 2, **QUICK)
    stays, goes = cluster.relays
    in_region(cluster, goes, 901, "far", "far-a")
    watcher = net.raw("watcher")
    watcher.frame(lambda m: set(regions(m)) == {"900", "901"}, 0, 20, "both regions")
    client = net.raw("client").at_relay(goes)
    mark = watcher.mark()
    cluster.cli("relays", "drain", number_of(cluster, goes))
    at = [watcher.frame(lambda m, w=want: (m.get("DERPMap") or {}) and w(m["DERPMap"]), mark, 20, what)[0] for want, what in (
        (lambda d: d["HomeParams"]["RegionScore"] == {"901": 1000} and not d["Regions"]["901"].get("NoMeasureNoHome"), "a score"),
        (lambda d: d["Regions"].get("901", {}).get("NoMeasureNoHome"), "nobody's home"),
        (lambda d: set(d["Regions"]) == {"900"}, "the region gone"))]
    assert at == sorted(at)
    client.await_true(lambda: client.relay_ends, 15, "the relay's end")
    wait(lambda: relays_of(cluster)["far-a"]["state"] == "drained", 10, "drained")
    with pytest.raises((Refused, OSError)):
        client.at_relay(goes)
    mark = watcher.mark()
    cluster.cli("relays", "resume", number_of(cluster, goes))
    watcher.frame(lambda m: set(regions(m)) == {"900", "901"} and not m["DERPMap"]["HomeParams"]["RegionScore"], mark, 20, "the region again")
    wait(goes.ready, 15, "ready again")
    client.at_relay(goes)
    # The last one of all is no use to anybody drained.
    cluster.cli("relays", "drain", number_of(cluster, goes))
    watcher.frame(lambda m: set(regions(m)) == {"900"}, mark, 30, "the region gone")
    mark = watcher.mark()
    cluster.cli("relays", "drain", number_of(cluster, stays))
    net.raw("later").at_relay(stays)
    assert not [m for _, m, _ in watcher.frames[mark:] if "DERPMap" in m and "900" not in regions(m)]
