"""Two coordinators behind nginx, HAProxy and Caddy: the configurations are those of docs/proxies.md, word for word."""

import http.client
import os
import socket
import ssl
import subprocess
import time

import pytest
from actors.certificate import certificate
from actors.client import OLDEST, Raw, Refused
from actors.proxies import Proxy
from actors.tailnet import Tailnet, label
from conftest import BUILD, TRACES, clean
from fleet.cluster import Cluster

HERE = "127.0.0.1"  # coordinators listen here, proxies come from here; clients come from elsewhere
ENDING, PASSING = ["nginx", "haproxy", "caddy"], ["nginx-stream", "haproxy-proxy", "haproxy-proxy-v1"]
REFUSALS = 5


def prepare(cluster, address, pair):
    """The plain door serves the admin API too; the TLS door expects PROXY headers. Relays are reached without a proxy."""
    for p in cluster.coordinators:
        cluster.ports.kept[f"{p.name}.admin"] = p.port("clients")
        p.tls = f"{HERE}:{cluster.ports.get(p.name + '.tls')}"
        p.extra = {"listen.clients_tls": p.tls, "tls.certificate": pair[0], "tls.key": pair[1], "listen.proxy_protocol": "clients_tls",
                   "proxies.trusted": HERE, "log.level": "debug", "refusals.per_minute": REFUSALS, "session.idle": "5m"}
    for p in cluster.relays:
        p.extra = {"listen.relay": f"{address}:{p.port('relay')}", "listen.stun": f"{address}:{p.port('stun')}",
                   "relay.hostname": address, "relay.ipv4": address, "proxies.trusted": HERE, "listen.proxy_protocol": "true",
                   "log.level": "debug"}


@pytest.fixture(scope="module")
def cluster(address, ports):
    folder = TRACES / "proxies"
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        pair = certificate(folder, address, 1)
        patch.setenv("SSL_CERT_FILE", str(pair[0]))
        c = Cluster(folder, BUILD, HERE, coordinators=2, mappers=1, relays=1, first_port=next(ports))
        c.pair, c.proxies_from = pair, next(ports)
        prepare(c, address, pair)
        c.start()
        yield c
        statuses, faults = c.stop(), c.faults()
        clean(c)
    assert not faults, "\n".join(faults)
    assert not [s for s in statuses.items() if s[1] not in (0, None)]


@pytest.fixture
def front(cluster, address, traces):
    """Starts a proxy by its recipe's name, with further replacements in the recipe; always on the same few ports."""
    started = []

    def start(name, changes=None):
        recipe = name.removesuffix("-v1")
        if name.endswith("-v1"):
            changes = {"send-proxy-v2": "send-proxy"}
        passing = recipe in PASSING
        backends = [p.tls if passing else p.at("clients") for p in cluster.coordinators]
        p = Proxy(recipe, traces / f"{name}-{len(started)}", address, cluster.proxies_from + len(started), backends, cluster.pair, changes)
        started.append(p)
        return p.start()
    yield start
    for p in started:
        p.close()


@pytest.fixture
def tailnet(request, cluster, traces):
    """Its clients come through the proxy given."""
    made = []

    def make(proxy):
        net = Tailnet(cluster, label(request.node.name[5:], 40), traces / "net", [proxy.url])
        made.append(net)
        request.node.clusters = [cluster]
        return net
    yield make
    for net in made:
        net.close()


def logged(cluster, *words, since=(0, 0)):
    """Lines of each coordinator's log that have all the words; `since`: from that byte on."""
    return [[line for line in p.log.read_bytes()[start:].decode(errors="replace").splitlines() if all(w in line for w in words)]
            for p, start in zip(cluster.coordinators, since, strict=True)]


def ask(proxy, method, path, source=HERE, **headers):
    """(status, body) through the proxy, from an address of our own."""
    c = http.client.HTTPSConnection(proxy.address, proxy.port, timeout=10, source_address=(source, 0),
                                    context=ssl.create_default_context())
    try:
        c.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        return r.status, r.read().decode()
    finally:
        c.close()


@pytest.mark.parametrize("name", ENDING + PASSING)
def test_join_and_exchange(front, tailnet, cluster, address, name):
    since = [p.log.stat().st_size for p in cluster.coordinators]
    proxy = front(name)
    net = tailnet(proxy)
    new = net.join("new")
    old = net.join("old", machine=net.machine(OLDEST))
    new.sees(old)
    old.sees(new)
    old.serve()
    new.exchange(old, megabytes=1)

    # What was dialled, and from where; the proxy itself came from another address. Both coordinators get their share.
    def sessions():
        return logged(cluster, "session opened", f"peer={address}:", f"host={address}:{proxy.port}", "scheme=https", since=since)
    for i in range(10):
        if all(sessions()):
            break
        net.raw(f"more-{i}")
    told = sessions()
    assert all(told), told
    assert all((f"peer={address}:0 " in line) == (name in ENDING) for line in told[0] + told[1])
    assert not any(logged(cluster, "session opened", f"peer={HERE}:", since=since))


@pytest.mark.parametrize("name", ENDING + PASSING)
def test_idle_connections_live(front, tailnet, name):
    """A map stream and a connection that only waits, native and WebSocket, outlive a pause; what is said afterwards still comes."""
    net = tailnet(front(name))
    native = net.raw("native")
    browser = Raw(net.machine(), "browser").open_websocket(net.url())
    browser.join(net.authkey())
    time.sleep(2)
    assert native.lite()["status"] == 200 and browser.lite()["status"] == 200
    marks = native.mark(), browser.mark()
    net.rename(native.number, "after-the-pause")
    browser.frame(lambda m: "after-the-pause" in str(m), marks[1], 10, "the new name")
    native.frame(lambda m: "after-the-pause" in str(m), marks[0], 10, "its own new name")
    assert not native.ends and not browser.ends


def guess(proxy, source, i=0):
    """The status for somebody who guesses a relay's token, and says that he is somebody else each time."""
    lies = {"X_Forwarded_For": f"6.6.6.{i % 200}", "X_Real_IP": f"6.6.7.{i % 200}", "Forwarded": f"for=6.6.8.{i % 200}"}
    return ask(proxy, "POST", "/relay/v1/verify", source, Authorization="Bearer hskey-relay-aaaaaaaaaaaa-" + "0" * 64, **lies)[0]


@pytest.mark.parametrize("name", ENDING + PASSING)
def test_limits_go_by_the_clients_address(front, name):
    proxy = front(name)
    net = f"127.0.{1 + (ENDING + PASSING).index(name)}"
    statuses = set()
    for i in range(20 * REFUSALS):
        statuses.add(guess(proxy, f"{net}.5", i))
        if 429 in statuses:
            break
    assert statuses == {401, 429}
    assert guess(proxy, f"{net}.6") == 401, "the neighbour is not limited"


@pytest.mark.parametrize("name", ENDING)
def test_admin_api(front, cluster, name):
    proxy = front(name)
    key = f"Bearer {cluster.key('admin.key')}"
    for _ in range(4):
        status, body = ask(proxy, "GET", "/api/v1/user", Authorization=key)
        assert status == 200 and "users" in body
    assert ask(proxy, "GET", "/api/v1/user", source="127.0.9.9")[0] == 401
    assert ask(proxy, "GET", "/version")[0] == 200


@pytest.mark.parametrize("name", ENDING + PASSING)
def test_login_pages_are_behind_it_too(front, tailnet, address, name):
    """The URL that a client shows is the proxy's, and the page names the machine's own address."""
    proxy = front(name)
    net = tailnet(proxy)
    answer = net.machine().raw("asks", url=net.url()).register()
    url = answer["json"]["AuthURL"]
    assert url.startswith(proxy.url + "/"), answer
    status, page = ask(proxy, "GET", url.removeprefix(proxy.url), source="127.0.8.8")
    assert status == 200 and "asks" in page and address in page
    assert HERE not in page and "127.0.8.8" not in page, "neither the proxy nor who looks is the machine"


@pytest.mark.parametrize("name", [*ENDING, "nginx-stream", "haproxy-proxy"])
def test_a_coordinator_dies_behind_it(front, tailnet, cluster, name):
    """Whoever comes goes to the one that lives."""
    net = tailnet(front(name))
    dead = cluster.coordinators[0]
    dead.kill()
    try:
        for i in range(6):
            assert join_soon(net, f"late-{i}").map["Node"]["ID"]
    finally:
        dead.launch()
        dead.await_ready()


def join_soon(net, name, seconds=15):
    end = time.monotonic() + seconds
    while True:
        try:
            return net.raw(name)
        except Refused:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


# --- what breaks, as the page says


def test_a_map_for_websockets_only_locks_native_clients_out(front, tailnet):
    net = tailnet(front("nginx", {"default upgrade;     # any Upgrade, not only websocket": "websocket upgrade; default close;",
                                  "    ''      '';\n": ""}))
    with pytest.raises(Refused, match="/ts2021: 400"):
        net.machine().raw("native", url=net.url())
    Raw(net.machine(), "browser").open_websocket(net.url()).join(net.authkey())


@pytest.mark.parametrize(("name", "changes"), [
    ("nginx", {"proxy_read_timeout 1h": "proxy_read_timeout 1s"}),
    ("nginx-stream", {"proxy_timeout 1h": "proxy_timeout 1s"}),
    ("haproxy", {"    timeout tunnel 1h\n": "", "timeout server 1m": "timeout server 1s"}),
    ("haproxy-proxy", {"timeout client 1h": "timeout client 1s", "timeout server 1h": "timeout server 1s"}),
])
def test_impatient_proxies_cut_what_waits(front, tailnet, name, changes):
    """The very lines of the recipes are what holds connections."""
    raw = tailnet(front(name, changes)).raw("waiting")
    raw.await_true(lambda: raw.ends, 10, "the map stream's end")


# --- strangers


def talk(at, text, source):
    """What a door says to bytes from an address of ours."""
    host, port = at.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10, source_address=(source, 0)) as s:
        s.sendall(text)
        got = b""
        try:
            while more := s.recv(4096):
                got += more
        except ConnectionResetError:
            pass
        return got


def test_headers_of_strangers_mean_nothing(cluster, address):
    """Straight to a coordinator, not from a trusted address: PROXY headers are refused, X-Forwarded-For is ignored."""
    c = cluster.coordinators[0]
    request = b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    header = b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"
    assert b"200 OK" in talk(c.at("clients"), request, address)
    assert b"200 OK" not in talk(c.at("clients"), header + request, address)
    hello = b"\x16\x03\x01\x00\x05hello"
    assert talk(c.tls, header + hello, address)[:1] in (b"", b"\x15"), "no more than an alert"
    lie = b"POST /ts2021 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tailscale-control-protocol\r\nX-Forwarded-For: 6.6.6.6\r\n" \
          b"X-Tailscale-Handshake: AAAA\r\nContent-Length: 0\r\n\r\n"
    assert b" 101 " in talk(c.at("clients"), lie, "127.0.0.77")
    assert logged(cluster, "handshake refused", "peer=127.0.0.77:")[0] and not any(logged(cluster, "peer=6.6.6.6"))


def test_trusted_proxies_must_say_who_comes(cluster):
    """At a door for PROXY headers: none, nonsense, and one that never ends."""
    c = cluster.coordinators[0]
    assert talk(c.tls, b"\x16\x03\x01\x02\x00\x01", HERE) == b""
    assert talk(c.tls, b"PROXY TCP9 1 2 3 4\r\n", HERE) == b""
    begun = time.monotonic()
    assert talk(c.tls, b"PROXY TCP4 1.2.3.4", HERE) == b""
    assert 3 < time.monotonic() - begun < 9
    assert logged(cluster, "PROXY header from a proxy")[0]


def test_relays_believe_proxies_too(cluster, address):
    """A handshake that fails is logged with the address that the PROXY header told."""
    p = cluster.relays[0]
    with socket.create_connection((address, p.port("relay")), timeout=10, source_address=(HERE, 0)) as s:
        s.sendall(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(s) as t:
            t.sendall(b"GET /derp HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: DERP\r\n\r\n")
            assert b" 101 " in t.recv(4096)
            t.sendall(b"\xff" * 100)
            while t.recv(4096):
                pass
    assert [line for line in p.log.read_text(errors="replace").splitlines() if "handshake failed" in line and "source=1.2.3.4" in line]


@pytest.mark.parametrize(("options", "sentence"), [
    ({"proxies.trusted": "0.0.0.0/0"}, "would trust everybody"),
    ({"proxies.trusted": "proxy.example.com"}, "is no address or prefix"),
    ({"proxies.trusted": "10.0.0.1", "listen.proxy_protocol": "clients, door"}, "is none of clients"),
    ({"listen.proxy_protocol": "clients"}, "needs proxies.trusted"),
])
def test_bad_options_are_refused(cluster, options, sentence):
    p = cluster.coordinators[0]
    env = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSCALE_")}
    env |= {"FLEETSCALE_" + k.upper().replace(".", "_"): str(v) for k, v in {**cluster.options(p), **options}.items()}
    done = subprocess.run([cluster.program("coordinator")], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode and sentence in done.stderr + done.stdout
