"""Relays probe each other: who answers whom, how fast, and what a relay's own door says of its health."""

import socket
import struct

import pytest
from actors.relays import QUICK, in_region
from actors.stockrelay import pinned
from actors.waiting import until

OFTEN = {**QUICK, "relays.dead": "60s", "probe.interval": "2s"}


def matrix(cluster):
    return {(p["fromName"], p["toName"]): p for p in cluster.cli("relays", "matrix")}


def whole(cluster, pairs, good=lambda p: p["error"] is None):
    def complete():
        found = matrix(cluster)
        return found if set(pairs) <= set(found) and all(good(found[p]) for p in pairs) else None
    return until(complete, 60, lambda: "\n".join(map(str, matrix(cluster).items())))


def test_matrix(broken, stock, traces):
    """Three relays of two regions, one of them a stock one: every pair, and the row and column of one that dies."""
    cluster, _ = broken(2, 1, 2, **OFTEN)
    near, far = cluster.relays
    in_region(cluster, far, 901, "far", "far-a")
    derper = stock(cluster, near, pinned(near, traces / "ours"))
    pairs = [("relay-0", "far-a"), ("relay-0", "stock"), ("far-a", "relay-0"), ("far-a", "stock")]
    # A machine that stands still in the midst of one makes its figures strange; those of the next are as they are.
    found = whole(cluster, pairs, lambda p: p["error"] is None and p["tripMs"] / 10 < p["connectMs"])
    assert set(found) == set(pairs), "a stock relay probes nobody, and nobody himself"
    for (a, b), p in found.items():
        siblings = (a, b) == ("relay-0", "stock")
        assert p["relay"] == p["stun"] == "ok" and p["mesh"] == ("ok" if siblings else None), p
        assert 0 < p["tripMs"] < 2000 and 0 < p["stunMs"] < 2000, p
        assert (p["meshMs"] is not None) == siblings
    assert near.metric("derp_probe_seconds") > 0
    assert near.metric("derp_probe_good", target="far-a") == 1 and near.metric("derp_probe_seconds", target="stock", part="mesh") > 0
    # Probers are nobody's home, and none of theirs stays.
    assert near.metric("derp_current_home_connections") == far.metric("derp_current_home_connections") == 0
    table = cluster.command("--socket", cluster.admin_socket(0), "relays", "matrix").stdout
    assert "From \\ to" in table and "Packet ms" in table and table.count("far-a") >= 5, table

    far.kill()
    gone = whole(cluster, [("relay-0", "far-a")], lambda p: p["relay"] == "unreachable" and p["stun"] == "lost")  # the first may be of both its lives
    assert gone["relay-0", "far-a"]["error"] == "cannot be dialed"
    assert gone["relay-0", "stock"]["error"] is None
    until(lambda: matrix(cluster)["far-a", "stock"]["fromState"] == "silent", 60, "its own figures are marked")
    assert [v for labels, v in near.series("derp_probe_good") if labels["target"] == "far-a"] == [0]
    assert "a relay does not answer as it should" in near.log.read_text(errors="replace")

    far.launch()
    whole(cluster, pairs)
    derper.process.kill()
    whole(cluster, [("relay-0", "stock"), ("far-a", "stock")], lambda p: p["relay"] == "unreachable")
    cluster.cli("relays", "delete", derper.id, "--force")
    cluster.api("DELETE", f"/api/fleetscale/v1/relays/{derper.id}", expect=None)
    until(lambda: not [p for p in matrix(cluster) if "stock" in p], 30, "the relay is gone from the matrix")


def test_a_relay_that_does_not_admit_probers(broken, stock, traces):
    """Its handshakes and STUN are measured, and it says so; so does one whose certificate is not the one that is listed."""
    cluster, _ = broken(1, 1, 1, **OFTEN)
    ours = cluster.relays[0]
    derper = stock(cluster, ours, pinned(ours, traces / "ours"))
    derper.process.kill()
    derper.process.wait(10)
    at = derper.argv.index("-verify-client-url")
    # Nobody is asked there, and that is a refusal.
    argv = derper.argv[:at] + ["-verify-client-url", f"{cluster.login_servers()[0]}/nothing", "-verify-client-url-fail-open=false"]
    derper.process.start([a for a in argv if a not in ("-mesh-psk-file", derper.argv[derper.argv.index("-mesh-psk-file") + 1])
                          and a not in ("-mesh-with", derper.argv[derper.argv.index("-mesh-with") + 1])], derper.env)
    p = whole(cluster, [("relay-0", "stock")], lambda p: p["relay"] == "refused")["relay-0", "stock"]
    assert p["error"] == "does not admit the prober" and p["connectMs"] > 0 and p["tripMs"] is None and p["stun"] == "ok", p
    cluster.cli("relays", "create", "wrong", "--region-id", "905", "--region-code", "w", "--foreign", "--hostname", derper.host, "--ipv4", derper.host,
                "--port", str(derper.ports[0]), "--stun-port=-1", "--cert-name", "sha256-raw:" + "00" * 32)
    p = whole(cluster, [("relay-0", "wrong")], lambda p: p["relay"] == "tls")["relay-0", "wrong"]
    assert p["stun"] is None and p["connectMs"] is None, p


@pytest.mark.parametrize("kind", ["own certificate", "proxy protocol", "plain"])
def test_health(broken, traces, kind):
    """A packet to itself, whatever the listener is like; and a reason when it does not come back."""
    cluster, _ = broken(1, 1, 1, **QUICK)
    relay = cluster.relays[0]
    (traces / "own").mkdir()
    relay.restart(**{"limits.connections": "8", "threads": "1"}, **{
        "own certificate": {"relay.unsafe_self_signed": "false", "relay.own_certificate": str(traces / "own")},
        "proxy protocol": {"listen.proxy_protocol": "true", "proxies.trusted": cluster.host},
        "plain": {"relay.unsafe_self_signed": "false"}}[kind])
    status, text = relay.get("/healthz")
    assert (status, text.split(",")[0]) == (200, "a packet to itself came back"), text
    # Answers are shared for a second: no load on the relay.
    before = relay.metric("derp_accepts_total")
    for _ in range(50):
        assert relay.get("/healthz")[0] == 200
    assert relay.metric("derp_accepts_total") <= before + 10
    # All connections that it may have are taken: it would not take a client either.
    taken = [socket.create_connection((cluster.host, relay.port("relay"))) for _ in range(16)]
    status, text = until(lambda: (lambda a: a if a[0] == 503 else None)(relay.get("/healthz")), 20, "it says that it takes nobody")
    assert text.startswith("not healthy: "), text
    for s in taken:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    until(lambda: relay.get("/healthz")[0] == 200, 20, "healthy again")


def test_health_while_it_drains(broken):
    """As long as its doors are open it passes packets on, and says that it drains; afterwards it says that its doors are shut."""
    cluster, _ = broken(1, 1, 2, **QUICK)
    relay = cluster.relays[0]
    other = cluster.relays[1]
    cluster.cli("relays", "drain", next(r["id"] for r in cluster.cli("relays", "list") if r["name"] == "relay-0"))
    text = until(lambda: (lambda a: a[1] if a[0] == 503 else None)(relay.get("/healthz")), 30, "its doors are shut")
    assert text == "not healthy: it drains: its doors are shut\n"
    assert other.get("/healthz")[0] == 200
    # Coordinators do not matter for it, those of readiness alone.
    for c in cluster.coordinators:
        c.kill()
    until(lambda: other.get("/healthz")[0] == 200, 10, "healthy without coordinators")


def test_matrix_of_a_large_fleet(broken):
    """Pages are of pairs, however many relays there are: each pair on one of them, in order; the command puts them together."""
    cluster, _ = broken(1, 1, 0)
    count = 300
    sql = cluster.postgres.sql
    sql("fleetscale", "INSERT INTO fleetscale.regions (id, code, name) VALUES (931, 'many', 'Many')")
    sql("fleetscale", f"INSERT INTO fleetscale.relays (region_id, name, host_name) SELECT 931, 'm' || n, 'h' FROM generate_series(1, {count}) n")
    sql("fleetscale", "INSERT INTO fleetscale.relay_probes (from_id, to_id, at, relay, stun, mesh) SELECT a.id, b.id, now(), 'ok', 'ok', '' "
        "FROM fleetscale.relays a JOIN fleetscale.relays b ON a.id <> b.id")
    pairs, cursor, pages = [], "", 0
    while cursor is not None:
        answer = cluster.api("GET", f"/api/fleetscale/v1/relay-probes?limit=1000{cursor and '&cursor=' + cursor}")
        assert len(answer["probes"]) == 1000 or answer["nextCursor"] is None
        pairs += [(int(p["fromId"]), int(p["toId"])) for p in answer["probes"]]
        cursor, pages = answer["nextCursor"], pages + 1
        assert pages <= 90
    assert pages == 90 and len(pairs) == count * (count - 1) and pairs == sorted(set(pairs))
    assert len(matrix(cluster)) == count * (count - 1)
    assert len(cluster.cli("relays", "list")) == count
