"""Relays as a fleet: a mesh inside a region, regions that come and go, drain, revocation, and who is cut off."""

import shlex
import time

import pytest
from actors.client import Refused
from actors.recipes import RELAYS, blocks
from actors.relays import QUICK, in_region, meshed, number_of, reaches, regions, relays_of
from actors.stockrelay import pinned
from actors.waiting import until


def test_mesh(broken):
    """Clients of one region on different nodes reach each other; who leaves is told; a key may change while links stand."""
    cluster, net = broken(2, 1, 3, **QUICK)
    first, second, third = cluster.relays
    meshed(first, second, third)
    one, two, three = (net.raw(n).at_relay(r) for n, r in (("one", first), ("two", second), ("three", third)))
    for a, b in ((one, two), (two, one), (one, three), (three, two)):
        reaches(a, b, f"{a.name} to {b.name}")
    reaches(one, two, "x" * 60_000)
    assert first.metric("derp_packets_forwarded_out_total") >= 3 and second.metric("derp_packets_forwarded_in_total") >= 3
    two.call("relay_close")
    one.await_true(lambda: [g for g in one.gone if g[0] == two.keys["node_key"]], 10, "peer gone")
    two.at_relay(third)
    reaches(one, two, "moved to the third")
    # Past a rotation and its overlap: nobody seems to leave meanwhile, and the links stand by the next key.
    gone = len(one.gone)
    answer = cluster.cli("regions", "mesh-key", "900", "--rotate", "--overlap", "30s")
    assert answer["meshKey"] != answer["meshKeyBefore"]
    for relay in cluster.relays:
        until(lambda r=relay: r.log.read_text().count("link to a sibling by the next key") == 2, 60, lambda r=relay: r.tail(15))
    until(lambda: not cluster.cli("regions", "mesh-key", "900").get("meshKeyBefore"), 60, "the end of the overlap")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        reaches(one, two, f"overlapped {end - time.monotonic()}")
        assert all(r.metric("derp_siblings") == 2 for r in cluster.relays)
    assert len(one.gone) == gone
    second.kill()
    second.launch()
    second.await_ready()
    meshed(first, second, third)
    two.call("relay_close")
    two.at_relay(second)
    reaches(one, two, "with the next key")


def test_signed(broken):
    """A relay that knows what coordinators sign by believes them, and nobody else; one that knows another key believes nobody."""
    cluster, net = broken(2, 1, 1, **QUICK)
    relay = cluster.relays[0]
    key = cluster.cli("relays", "key")
    assert [k["key"] for k in key["keys"]] == [key["coordinatorsKey"]]
    assert cluster.cli("relays", "token", "--region", "900")["coordinatorsKey"] == key["coordinatorsKey"]
    known, deleted = net.raw("known"), net.raw("deleted")
    relay.restart(**{"relay.coordinators_key": key["coordinatorsKey"]})
    known.at_relay(relay)
    net.delete(deleted.number)
    with pytest.raises(Refused):
        deleted.at_relay(relay)
    assert relay.metric("derp_answers_unsigned_total") == 0
    relay.stop()
    relay.extra = {**relay.extra, "relay.coordinators_key": "ed25519:" + "5a" * 32}
    relay.launch()
    until(lambda: "has signed is not believed" in relay.log.read_text(), 20, lambda: relay.tail(15))
    until(lambda: relay.metric("derp_answers_unsigned_total") > 1, 20, lambda: relay.tail(15))
    assert not relay.ready()
    with pytest.raises(Refused):
        known.at_relay(relay)


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
    until(lambda: relays_of(cluster)["far-a"]["state"] == "drained", 10, "drained")
    with pytest.raises((Refused, OSError)):
        client.at_relay(goes)
    mark = watcher.mark()
    cluster.cli("relays", "resume", number_of(cluster, goes))
    watcher.frame(lambda m: set(regions(m)) == {"900", "901"} and not m["DERPMap"]["HomeParams"]["RegionScore"], mark, 20, "the region again")
    until(goes.ready, 15, "ready again")
    client.at_relay(goes)
    # The last one of all is no use to anybody drained.
    mark = watcher.mark()
    cluster.cli("relays", "drain", number_of(cluster, goes))
    watcher.frame(lambda m: set(regions(m)) == {"900"}, mark, 30, "the region gone")
    mark = watcher.mark()
    cluster.cli("relays", "drain", number_of(cluster, stays))
    net.raw("later").at_relay(stays)
    assert not [m for _, m, _ in watcher.frames[mark:] if "DERPMap" in m and "900" not in regions(m)]


def test_stock_sibling(broken, stock, traces):
    """derper as a sibling: packets and news go both ways, and it asks us whom to admit."""
    cluster, net = broken(1, 1, 1, **QUICK)
    ours = cluster.relays[0]
    derper = stock(cluster, ours, pinned(ours, traces / "ours"))
    until(lambda: ours.metric("derp_siblings") == 1 and ours.metric("derp_watchers") == 1, 40,
         lambda: ours.tail(15) + derper.process.log.read_text()[-3000:])
    one, two = net.raw("one").at_relay(ours), net.raw("two").at_relay(derper)
    reaches(one, two, "to the stock one")
    reaches(two, one, "from the stock one")
    two.call("relay_close")
    one.await_true(lambda: [g for g in one.gone if g[0] == two.keys["node_key"]], 10, "peer gone")
    two.at_relay(derper)
    reaches(one, two, "it is back")
    net.delete(two.number)
    two.call("relay_close")
    with pytest.raises(Refused):
        two.at_relay(derper)


def test_fence(broken):
    """A tailnet's relays stay in the regions that it chose; another tailnet's map is as before; nobody is left without a home."""
    cluster, net = broken(2, 1, 2, **QUICK)
    in_region(cluster, cluster.relays[1], 901, "far", "far-a")
    watcher = net.raw("watcher")
    watcher.frame(lambda m: set(regions(m)) == {"900", "901"}, 0, 20, "both regions")
    steps = [({"fence": ["901"]}, {"901"}), ({"fence": [], "omit": ["901"]}, {"900"}), ({"omit": []}, {"900", "901"})]
    for change, want in steps:
        mark = watcher.mark()
        net.api("PATCH", "/api/fleetscale/v1/settings", {"relays": change})
        watcher.frame(lambda m, w=want: set(regions(m)) == w, mark, 20, f"the regions {want}")
        assert set(net.raw(f"late-{len(want)}-{min(want)}").map["DERPMap"]["Regions"]) == want
    mark = watcher.mark()
    net.api("PATCH", "/api/fleetscale/v1/settings", {"relays": {"fence": ["902"]}})
    # Marked only when those who are at home there have left: a mark does not move them, a score does.
    def at_home(region):
        watcher.lite(Hostinfo={"Hostname": "watcher", "OS": "linux", "NetInfo": {"PreferredDERP": region}})
    at_home(901)
    net.api("PATCH", "/api/fleetscale/v1/settings", {"relays": {"fence": [], "noHome": ["901"]}})
    scored = watcher.frame(lambda m: (m.get("DERPMap") or {}).get("HomeParams", {}).get("RegionScore", {}).get("901") == 1000, mark, 20, "a score")[1]
    assert set(regions(scored)) == {"900", "901"} and "NoMeasureNoHome" not in regions(scored)["901"]
    at_home(900)
    found = watcher.frame(lambda m: regions(m).get("901", {}).get("NoMeasureNoHome"), mark, 20, "nobody's home")[1]
    assert "NoMeasureNoHome" not in regions(found)["900"]
    assert not [m for _, m, _ in watcher.frames if "DERPMap" in m and not regions(m)], "an empty map"
    # A region of one tailnet's own.
    mark = watcher.mark()
    cluster.api("PATCH", "/api/fleetscale/v1/regions/901", {"tailnets": ["default"]})
    watcher.frame(lambda m: set(regions(m)) == {"900"}, mark, 20, "the region of others gone")
    with pytest.raises(Refused):
        watcher.at_relay(cluster.relays[1])
    # Nor does it come back for who claims to be at home there.
    at_home(901)
    mark = watcher.mark()
    cluster.api("PATCH", "/api/fleetscale/v1/regions/900", {"name": "Renamed"})
    shown = watcher.frame(lambda m: regions(m).get("900", {}).get("RegionName") == "Renamed", mark, 20, "the name")[1]
    assert set(regions(shown)) == {"900"}


def test_three_relays_two_regions(broken, stock, traces):
    """Real clients by relay alone: one relay dies, one drains, a region comes, a token ends; data flows again each time."""
    cluster, net = broken(2, 1, 3, **QUICK)
    near, far, later = cluster.relays
    token = in_region(cluster, far, 901, "far", "far-a")
    later.stop()
    derper = stock(cluster, near, pinned(near, traces / "ours"))
    until(lambda: near.metric("derp_siblings") == 1 and near.metric("derp_watchers") == 1, 60, lambda: near.tail(15))
    clients = [net.join(n, coordinator=i % 2, machine=net.machine(relay_only=True)) for i, n in enumerate(("one", "two", "three"))]
    clients[0].serve()
    clients[1].serve()

    def flows(seconds=90):
        for a, b in ((clients[1], clients[0]), (clients[2], clients[0]), (clients[2], clients[1])):
            a.path_to(b, direct=False, seconds=seconds)
            a.exchange(b, 1)

    for a in clients:
        for b in clients:
            if a is not b:
                a.sees(b)
    flows()
    near.kill()
    flows()
    cluster.cli("relays", "drain", number_of(cluster, far))
    until(lambda: relays_of(cluster)["far-a"]["state"] == "drained", 60, lambda: str(relays_of(cluster)))
    flows()
    in_region(cluster, later, 902, "third", "third-a")
    near.launch()
    near.await_ready()
    cluster.cli("relays", "resume", number_of(cluster, far))
    until(lambda: relays_of(cluster)["far-a"]["state"] == "serving", 60, lambda: str(relays_of(cluster)))
    flows()
    cluster.cli("relays", "revoke", token, "--force")
    until(lambda: not relays_of(cluster)["far-a"]["shown"], 60, lambda: str(relays_of(cluster)))
    flows()
    assert derper.process.alive()


def test_the_operators_guide(clusters):
    """Every command of docs/relays.md, as it stands there."""
    cluster = clusters(1, 1, 0, **QUICK)
    commands = [shlex.split(line)[1:] for block in blocks(RELAYS, "sh") for line in block.splitlines() if line.startswith("fleetscale ")]
    assert len(commands) > 15 and all(c[0] in ("relays", "regions", "settings", "tailnets") for c in commands)
    for words in commands:
        assert cluster.cli(*words) is not None, words
