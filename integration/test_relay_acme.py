"""A relay's certificate by certbot from a real authority: the texts are those of docs/relays.md."""

import http.client
import socket
import time

import pytest
from actors.acme import NAME, Authority, Certbot
from actors.client import NEWEST, OLDEST, Refused
from actors.relayconf import relay_by_recipe
from actors.tailnet import Tailnet

RELAY, AUTHORITY = "127.77.0.1", "127.77.0.2"  # nobody else in this namespace uses their ports 80 and 443


@pytest.fixture
def authority(traces):
    a = Authority(traces / "authority", AUTHORITY, RELAY)
    yield a.start()
    a.close()


@pytest.fixture
def waiting(clusters, traces, authority):
    """A relay without a certificate, and the certbot that shall get one."""
    cluster = clusters(1, 1, 0)
    folder = traces / "etc"
    changes = {f'"[::]:{port}"': f"{RELAY}:{port}" for port in (443, 80, 3478)}
    changes |= {"198.51.100.7": RELAY, "/etc/fleetscale": str(folder), "/var/lib/fleetscale": str(folder)}
    relay = relay_by_recipe(cluster, "relay", folder, lambda p: changes)
    return cluster, relay, Certbot(folder, authority)


def plain(path, method="GET", **headers):
    """(status, headers, body) of the plain port."""
    c = http.client.HTTPConnection(RELAY, 80, timeout=10)
    try:
        c.request(method, path, headers=headers)
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read().decode()
    finally:
        c.close()


def until(test, seconds, told):
    end = time.monotonic() + seconds
    while True:
        found = test()
        if found:
            return found
        assert time.monotonic() < end, told
        time.sleep(0.1)


def plain_is_open():
    try:
        return plain("/generate_204")[0] == 204
    except OSError:
        return False


def test_issued_and_renewed_while_it_runs(waiting, traces, authority, monkeypatch):
    cluster, relay, certbot = waiting
    net = Tailnet(cluster, "certified", traces / "net")
    before = net.raw("before")

    # Without a certificate: the plain port alone, and in no map.
    relay.launch()
    until(plain_is_open, 20, "the plain port")
    status, text = relay.get("/readyz")
    assert status == 503 and "waits for its first certificate" in text
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((RELAY, 443), timeout=5)
    assert not (before.map.get("DERPMap") or {}).get("Regions")
    mark = before.mark()

    done = certbot.issue()
    assert done.returncode == 0, done.stdout
    relay.await_ready()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root()))
    shown = before.frame(lambda m: (m.get("DERPMap") or {}).get("Regions"), mark, 20, "the relay in the map")[1]
    region = next(iter(shown["DERPMap"]["Regions"].values()))
    node = region["Nodes"][0]
    assert (node["HostName"], node["IPv4"], node.get("CanPort80")) == (NAME, RELAY, True)
    assert node.get("DERPPort", 0) in (0, 443) and not node.get("InsecureForTests") and not node.get("CertName")
    assert_renewal(net, relay, certbot, region)
    assert_strangers_get_nothing(certbot)
    net.close()
    assert relay.stop() == 0


def assert_renewal(net, relay, certbot, region):
    """New connections get the new certificate, those that stand live on. Official clients verify it, of both releases."""
    olds = [net.raw(f"old-{release}", machine=net.machine(release)) for release in (NEWEST, OLDEST)]
    first = [old.call("relay_official", region=region) for old in olds]
    assert first[0]["leaf"] == first[1]["leaf"]
    assert all(f["version"] == 0x304 and len(f["names"]) > 2 and f["names"][-1].startswith("derpkey") for f in first), first
    done = certbot.renew()
    assert done.returncode == 0, done.stdout

    fresh = net.raw("fresh", machine=olds[0].machine)

    def renewed():
        fresh.call("relay_close")
        return fresh.call("relay_official", region=region)["leaf"] != first[0]["leaf"]
    until(renewed, 20, "the old certificate is still shown")
    assert [old.call("relay_ping")["leaf"] for old in olds] == [first[0]["leaf"]] * 2
    assert not any(old.relay_ends for old in olds)
    olds[1].send(fresh, "across")
    fresh.packet(olds[1], "across")
    log = relay.log.read_text(errors="replace")
    assert "certificate read anew" in log and "old one stays" not in log
    assert relay.get("/readyz")[0] == 200


def assert_strangers_get_nothing(certbot):
    """Challenges are over; nothing else lies under their path, and certbot fails when it puts its files elsewhere."""
    (certbot.folder / "acme/secret").write_text("secret")
    (certbot.folder / "acme/.well-known/acme-challenge").mkdir(parents=True, exist_ok=True)
    (certbot.folder / "acme/.well-known/acme-challenge/link").symlink_to(certbot.folder / "relay.key")
    (certbot.folder / "acme/.well-known/acme-challenge/here").write_text("here.thumb")
    assert plain("/.well-known/acme-challenge/here")[::2] == (200, "here.thumb")
    for name in ("link", "..%2fsecret", "%2e%2e", "here%00", "x" * 200, "%2fetc%2fpasswd", "absent"):
        status, _, text = plain(f"/.well-known/acme-challenge/{name}")
        assert status in (400, 404) and "secret" not in text and "KEY" not in text, (name, status, text)
    assert plain("/.well-known/acme-challenge/../../secret")[0] in (302, 400, 404)
    (certbot.folder / "elsewhere").mkdir()
    done = certbot.issue({f"{certbot.folder}/acme": f"{certbot.folder}/elsewhere", f"--domain {NAME}": "--domain relay2.example.net"})
    assert done.returncode != 0 and "relay2.example.net" in done.stdout
    assert plain_is_open()
