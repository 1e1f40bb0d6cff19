"""A relay behind HAProxy, nginx and Caddy: the configurations are those of docs/relays.md, word for word."""

import socket
import ssl
import time

import pytest
from actors.acme import NAME
from actors.certificate import certificate
from actors.client import NEWEST, OLDEST, Refused
from actors.proxies import RelayFront
from actors.relayconf import relay_by_recipe
from actors.tailnet import Tailnet, label
from conftest import BUILD, TRACES, clean
from fleet.cluster import Cluster

HERE = "127.0.0.1"  # the relay listens here, fronts come from here; clients come from elsewhere
PASSING, ENDING = ["haproxy-passing", "nginx-passing"], ["haproxy-ending", "nginx-ending", "caddy-ending"]


@pytest.fixture(scope="module")
def pair():
    folder = TRACES / "relay-front"
    folder.mkdir(parents=True, exist_ok=True)
    return certificate(folder, None, 1, [NAME])


def fronted(recipe, name, address, ports, pair):
    """A cluster whose relay is told at a front's port; the front itself comes with each test."""
    folder = TRACES / f"relay-front-{name}"
    c = Cluster(folder, BUILD, address, coordinators=1, mappers=1, relays=0, first_port=next(ports))
    c.front_port, c.pair = next(ports), pair

    def changes(p):
        inside = {"127.0.0.1:8443": f"{HERE}:{p.port('relay')}", "/etc/fleetscale/relay.pem": str(pair[0]),
                  "/etc/fleetscale/relay.key": str(pair[1])} if name == "passing" else {"127.0.0.1:8480": f"{HERE}:{p.port('relay')}"}
        return {**inside, '"[::]:3478"': f"{address}:{p.port('stun')}", "198.51.100.7": address, "port: 443": f"port: {c.front_port}"}
    c.start()
    c.relay = relay_by_recipe(c, recipe, folder, changes)
    c.start_programs([c.relay])
    return c


def end(c):
    drained = c.relay.stop()  # while somebody hears it say so
    statuses, faults = c.stop(), c.faults()
    clean(c)
    assert drained == 0 and not faults, "\n".join(faults)
    assert not [s for s in statuses.items() if s[1] not in (0, None)]


@pytest.fixture(scope="module")
def passing(address, ports, pair):
    c = fronted("relay-behind", "passing", address, ports, pair)
    yield c
    end(c)


@pytest.fixture(scope="module")
def ending(address, ports, pair):
    c = fronted("relay-plain", "ending", address, ports, pair)
    yield c
    end(c)


@pytest.fixture
def net(request, traces, address, monkeypatch, pair):
    """A tailnet of the cluster whose front is asked for by the test's parameter `name`; `net.front` runs."""
    name = request.getfixturevalue("name")
    cluster = request.getfixturevalue("passing" if name in PASSING else "ending")
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    request.node.clusters = [cluster]
    front = RelayFront(name, traces / "front", address, cluster.front_port, [f"{HERE}:{cluster.relay.port('relay')}"], pair,
                       getattr(request, "param", None))
    n = Tailnet(cluster, label(request.node.name[5:], 40), traces / "net")
    n.front = front.start()
    yield n
    n.close()
    front.close()


def region_of(raw):
    return next(iter(raw.map["DERPMap"]["Regions"].values()))


@pytest.mark.parametrize("name", PASSING + ENDING)
def test_official_clients_of_both_releases(net, address, name):
    """They verify the name, and are let in; the fast start is there only where TLS ends at the relay."""
    new, old = (net.raw(label(r), machine=net.machine(r)) for r in (NEWEST, OLDEST))
    node = region_of(new)["Nodes"][0]
    assert (node["HostName"], node["IPv4"], node["DERPPort"]) == (NAME, address, net.front.port)
    shown = [r.call("relay_official", region=region_of(r)) for r in (new, old)]
    assert [s["names"][-1].startswith("derpkey") for s in shown] == [name in PASSING] * 2
    assert net.cluster.relay.get("/healthz")[0] == 200, "it reaches itself without the front"
    assert shown[0]["leaf"] == shown[1]["leaf"] and all(s["version"] == 0x304 for s in shown)
    new.send(old, "by a front")
    old.packet(new, "by a front")
    old.send(new, "y" * 60_000)
    new.packet(old, "y" * 60_000)

    browser = net.raw("browser", machine=new.machine)
    browser.call("relay_websocket", url=f"wss://{NAME}/derp", address=f"{address}:{net.front.port}")
    browser.send(old, "from a browser")
    old.packet(browser, "from a browser")
    old.send(browser, "z" * 60_000)
    browser.packet(old, "z" * 60_000)


@pytest.mark.parametrize("name", PASSING + ENDING)
def test_the_clients_own_address_is_seen(net, address, name):
    """Nobody's key is refused by the address it came from, not the front's."""
    relay = net.cluster.relay
    known = net.raw("known")
    since = relay.log.stat().st_size
    stranger = net.machine().raw("stranger", url=net.url())
    with pytest.raises(Refused):
        stranger.call("relay_official", region=region_of(known))
    told = [line for line in relay.log.read_bytes()[since:].decode(errors="replace").splitlines() if "client refused" in line]
    assert told and all(f"source={address} " in line for line in told), told


@pytest.mark.parametrize("name", ["haproxy-passing", "nginx-ending"])
def test_real_nodes_are_at_home_there(net, name):
    one, two = (net.join(n, machine=net.machine(relay_only=True)) for n in ("one", "two"))
    two.serve()
    one.sees(two)
    one.exchange(two, megabytes=1)
    assert one.path_to(two, direct=False)


@pytest.mark.parametrize("name", PASSING)
def test_other_names_go_elsewhere(net, address, name, pair):
    """By the name in the greeting, also of one that comes in pieces; nobody but the relay hears of it."""
    context = ssl.create_default_context(cafile=str(pair[0]))

    def greet(server_name):
        with socket.create_connection((address, net.front.port), timeout=10) as s, context.wrap_socket(s, server_hostname=server_name) as t:
            return t.getpeercert()
    assert greet(NAME)
    assert greet(NAME.upper())
    with pytest.raises((OSError, ssl.SSLError)):
        greet("www.example.net")


# --- what breaks, as the page says


@pytest.mark.parametrize(("name", "net"), [("nginx-ending", {"default upgrade;     # any Upgrade, not only websocket": "websocket upgrade; default close;",
                                                             "    ''      '';\n": ""})], indirect=["net"])
def test_a_map_for_websockets_only_locks_native_clients_out(net, address, name):
    raw = net.raw("native")
    with pytest.raises(Refused, match="requires connection upgrade"):
        raw.call("relay_official", region=region_of(raw))
    raw.call("relay_websocket", url=f"wss://{NAME}/derp", address=f"{address}:{net.front.port}")


@pytest.mark.parametrize(("name", "net"), [
    ("haproxy-passing", {"timeout client 1h": "timeout client 1s", "timeout server 1h": "timeout server 1s"}),
    ("nginx-passing", {"proxy_timeout 1h": "proxy_timeout 1s"}),
    ("haproxy-ending", {"    timeout tunnel 1h\n": "", "timeout server 1m": "timeout server 1s"}),
    ("nginx-ending", {"proxy_read_timeout 1h": "proxy_read_timeout 1s"}),
], indirect=["net"])
def test_impatient_fronts_cut_what_waits(net, name):
    """The very lines of the recipes are what holds connections."""
    raw = net.raw("waiting")
    raw.call("relay_official", region=region_of(raw))
    raw.await_true(lambda: raw.relay_ends, 20, "the connection's end")


@pytest.mark.parametrize("name", PASSING + ENDING)
def test_idle_connections_live(net, name):
    raw = net.raw("idle")
    raw.call("relay_official", region=region_of(raw))
    time.sleep(3)  # longer than the impatient ones above hold
    raw.call("relay_ping")
    assert not raw.relay_ends
