"""A relay's certificates: by certbot from a real authority (the texts are those of docs/relays.md), several, broken, at their end; and its plain port."""

import hashlib
import http.client
import http.server
import json
import os
import queue
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.request

import pytest
from actors.acme import NAME, Authority, Certbot
from actors.certificate import dated, put
from actors.client import NEWEST, OLDEST, Refused
from actors.relayconf import relay_by_recipe
from actors.tailnet import Tailnet
from actors.waiting import until
from conftest import BUILD
from cryptography import x509
from fleet.process import Process

RELAY, AUTHORITY, OTHER = "127.77.0.1", "127.77.0.2", "127.77.0.3"  # nobody else in this namespace uses their ports 80 and 443


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


def plain(path, method="GET", port=80, **headers):
    """(status, headers, body) of the plain port."""
    c = http.client.HTTPConnection(RELAY, port, timeout=10)
    try:
        c.request(method, path, headers={k.replace("_", "-"): v.encode() for k, v in headers.items()})
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read().decode()
    finally:
        c.close()


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
    until(lambda: "waits for its first certificate" in relay.get("/readyz")[1], 20, "what it waits for")  # not of its start any more
    assert relay.get("/readyz")[0] == 503
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


def test_own_certificate_is_known_by_its_hash(clusters, traces):
    """From the map; another hash is refused, and so is whoever asks an authority. It outlives a restart."""
    cluster = clusters(1, 1, 0)
    folder = traces / "own"
    folder.mkdir()
    relay = relay_by_recipe(cluster, "relay-own", traces / "etc", lambda p: {
        '"[::]:443"': f"{RELAY}:{p.port('relay')}", '"[::]:3478"': f"{RELAY}:{p.port('stun')}", "198.51.100.7": RELAY, "/var/lib/fleetscale/relay": str(folder)})
    cluster.start_programs([relay])
    net = Tailnet(cluster, "pinned", traces / "net")
    raw = net.raw("raw")
    region = next(iter(raw.map["DERPMap"]["Regions"].values()))
    node = region["Nodes"][0]
    assert node["CertName"].startswith("sha256-raw:") and not node.get("InsecureForTests")
    shown = raw.call("relay_official", region=region)
    assert "sha256-raw:" + shown["leaf"] == node["CertName"] and len(shown["names"]) == 2
    raw.call("relay_close")
    other = "sha256-raw:" + hashlib.sha256(b"another").hexdigest()
    for name in (other, ""):
        with pytest.raises(Refused, match="cert|x509"):
            raw.call("relay_official", region={**region, "Nodes": [{**node, "CertName": name}]})
    assert relay.stop() == 0
    relay.launch()
    relay.await_ready()
    assert raw.call("relay_official", region=region)["leaf"] == shown["leaf"]
    net.close()
    assert relay.stop() == 0


# --- several certificates: a relay that no coordinator knows, by itself


DAY = 24 * 3600


class Alone(Process):
    """A relay whose coordinator does not answer: its doors are open all the same."""

    def __init__(self, folder, ports, **options):
        super().__init__("derp", folder / "derp.log")
        self.port, self.plain, self.operations = (next(ports) for _ in range(3))
        (folder / "token").write_text("of nobody\n")
        self.options = {"listen.relay": f"{RELAY}:{self.port}", "listen.plain": f"{RELAY}:{self.plain}", "listen.stun": "", "threads": 2,
                        "listen.operations": f"{RELAY}:{self.operations}", "coordinators": f"http://{RELAY}:1", "relay.hostname": "a.example.net",
                        "relay.token_file": folder / "token", "drain": "1s", **options}

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSCALE_")}
        return env | {"FLEETSCALE_" + k.upper().replace(".", "_"): str(v) for k, v in self.options.items()}

    def run(self):
        self.start([BUILD / "derp/fleetscale-derp"], self.environment())
        return self

    def opened(self):
        until(lambda: self.shown("a.example.net"), 20, "the door")
        return self

    def shown(self, name=None, **limits):
        """The serial number shown to who says this name; None: the door is shut."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for k, v in limits.items():
            setattr(context, k, v)
        try:
            with socket.create_connection((RELAY, self.port), timeout=10) as s, context.wrap_socket(s, server_hostname=name) as t:
                return x509.load_der_x509_certificate(t.getpeercert(True)).serial_number
        except ConnectionRefusedError:
            return None

    def left(self):
        """What the metric says: seconds until the first certificate expires."""
        with urllib.request.urlopen(f"http://{RELAY}:{self.operations}/metrics", timeout=10) as r:
            return int(re.search(r"^fleetscale_tls_certificate_expires_seconds (-?\d+)$", r.read().decode(), re.MULTILINE).group(1))

    def said(self, *words):
        return [line for line in self.log.read_text(errors="replace").splitlines() if all(w in line for w in words)]


@pytest.fixture
def alone(traces, ports):
    started = []

    def start(pairs, **options):
        files = {"tls.certificate": ",".join(str(p[0]) for p in pairs), "tls.key": ",".join(str(p[1]) for p in pairs)}
        started.append(Alone(traces, ports, **files, **options))
        return started[0].run()
    yield start
    for r in started:
        assert r.stop() == 0 and "Sanitizer" not in r.log.read_text(errors="replace")


def serial(pair):
    return x509.load_pem_x509_certificate(pair[0].read_bytes()).serial_number


def test_the_first_certificate_is_waited_for(alone, traces):
    """Nothing there, half of it, nonsense: only the plain port is open. It may be stopped meanwhile."""
    made = dated(traces, "a", -DAY, 80 * DAY, "a.example.net")
    texts = [p.read_bytes() for p in made]
    for p in made:
        p.unlink()
    relay = alone([made], **{"acme.webroot": traces})
    until(lambda: relay.said("no certificate yet"), 20, "a word")
    put(made[0], texts[0])
    put(made[1], b"no key\n")
    until(lambda: relay.said("the first certificate is no good", str(made[1])), 20, "a word about the key")
    assert relay.shown() is None and plain("/generate_204", "GET", relay.plain)[0] == 204
    assert relay.stop() == 0
    relay.run()
    assert relay.wait(20) and relay.child.returncode == 1, "a start with broken files fails"
    made[1].unlink()
    relay.run()
    until(lambda: len(relay.said("no certificate yet")) == 2, 20, "another word")
    put(made[1], texts[1])
    relay.opened()
    assert relay.shown() == serial(made)


def test_several_names_and_a_broken_file(alone, traces):
    a, b = (dated(traces, n, -DAY, 80 * DAY, f"{n}.example.net") for n in "ab")
    relay = alone([a, b]).opened()
    first = serial(a), serial(b)
    for name, wanted in (("a.example.net", 0), ("b.example.net", 1), ("B.Example.Net", 1), (None, 0), ("c.example.net", 0), ("bb.example.net", 0)):
        for limits in ({}, {"maximum_version": ssl.TLSVersion.TLSv1_2}):
            assert relay.shown(name, **limits) == first[wanted], (name, limits)
    # An address as a name is against the rules, and harmless.
    done = subprocess.run(["openssl", "s_client", "-connect", f"{RELAY}:{relay.port}", "-servername", RELAY, "-brief"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0 and "TLSv1.3" in done.stderr, done.stderr
    assert 79 * DAY < relay.left() <= 80 * DAY and not relay.said("expire")

    # One of the two is broken: both stay as they were, and the log names the file.
    put(b[0], b"-----BEGIN CERTIFICATE-----\nnonsense\n")
    until(lambda: relay.said("the old one stays", str(b[0])), 20, "a word about the broken file")
    assert (relay.shown("a.example.net"), relay.shown("b.example.net")) == first
    # A key that fits no more.
    b = dated(traces, "b", -DAY, 60 * DAY, "b.example.net")
    until(lambda: relay.shown("b.example.net") == serial(b), 20, "the new certificate")
    until(lambda: len(relay.said("certificate read anew")) == 2, 20, "the new certificate on both threads")
    key = b[1].read_bytes()
    put(b[1], a[1].read_bytes())
    until(lambda: relay.said("the old one stays", str(b[1])), 20, "a word about the wrong key")
    assert relay.shown("b.example.net") == serial(b) and relay.shown("a.example.net") == first[0]
    put(b[1], key)
    until(lambda: relay.left() <= 60 * DAY, 20, "the metric of the new certificate")


def test_the_end_of_a_certificate_is_told(alone, traces):
    """Of two that are near it, both are named; the metric is of the first to end, and counts below zero. New files end it."""
    past, near = dated(traces, "past", -90 * DAY, -100, "a.example.net"), dated(traces, "near", -80 * DAY, 10 * DAY, "b.example.net")
    relay = alone([past, near]).opened()
    assert relay.shown("a.example.net") == serial(past), "whoever does not mind is served"
    assert len(relay.said("error", "certificate has expired", str(past[0]))) == 1
    assert len(relay.said("warning", "certificate expires soon", str(near[0]))) == 1
    assert -400 < relay.left() <= -100
    dated(traces, "past", 0, 90 * DAY, "a.example.net")
    until(lambda: 9 * DAY < relay.left() <= 10 * DAY, 20, "the metric of the other")
    dated(traces, "near", 0, 80 * DAY, "b.example.net")
    until(lambda: 79 * DAY < relay.left() <= 80 * DAY, 20, "the metric without complaints")
    assert len(relay.said("certificate has expired")) == len(relay.said("certificate expires soon")) == 1


def test_what_the_plain_port_owes(alone, traces):
    """Challenges of captive portal checks by their rules; everything else is elsewhere."""
    relay = alone([dated(traces, "a", -DAY, 80 * DAY, "a.example.net")], **{"relay.port": 8443}).opened()

    def ask(path, method="GET", **headers):
        return plain(path, method, relay.plain, **headers)
    for method in ("GET", "HEAD", "POST"):
        status, headers, body = ask("/generate_204?t=1", method, X_Tailscale_Challenge="ts_198.51.100.7")
        assert (status, headers["X-Tailscale-Response"], body) == (204, "response ts_198.51.100.7", "")
        assert headers["Cache-Control"].startswith("no-cache, no-store") and "Location" not in headers
    for good in ("a", "A.b-C_d:9", "x" * 64):
        assert ask("/generate_204", X_Tailscale_Challenge=good)[1]["X-Tailscale-Response"] == f"response {good}"
    for bad in ("", "x" * 65, "a b", "a/b", "<a>", "a%20", "ä"):
        status, headers, _ = ask("/generate_204", X_Tailscale_Challenge=bad)
        assert status == 204 and "X-Tailscale-Response" not in headers, bad
    assert "X-Tailscale-Response" not in ask("/generate_204")[1]

    for path, to in (("/x/y?q=1&r=%20", "/x/y?q=1&r=%20"), ("/derp/probe", "/derp/probe"), ("/", "/debug/"), ("/.well-known/acme-challenge/x", None)):
        for method in ("GET", "HEAD"):
            status, headers, _ = ask(path, method, Host="elsewhere.example")
            assert (status, headers["Location"]) == (302, f"https://a.example.net:8443{to or path}")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"):
        status, _, body = ask("/x", method)
        assert (status, body) == (400, "Use HTTPS\n"), method
    assert ask("/debug/varz")[0] == 200 and "derp_accepts" in ask("/debug/varz")[2]
    assert ask("/debug/varz", X_Forwarded_For="1.2.3.4")[0] == 403
    assert ask("/", X_Forwarded_For="1.2.3.4")[1]["Location"] == "https://a.example.net:8443/"
    upgrade = {"Connection": "Upgrade", "Upgrade": "DERP"}
    assert ask("/derp", **upgrade)[0] == 302, "nobody's packets go in the clear"
    assert len(relay.said("port 80")) == 0, "nobody is told of another port"


class Answering(socketserver.ThreadingTCPServer):
    """A server of ours at an address: answer(handler) says it all; `asked` keeps paths and bodies."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, at, answer):
        self.asked = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                self.server.asked.put((self.path, body))
                answer(self)
            do_POST = do_GET

            def log_message(self, *_):
                pass
        super().__init__(at, Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


def take(handler):
    """As a coordinator that takes an announcement."""
    handler.send_response(200)
    text = json.dumps({"LeaseSeconds": 15, "RegionID": 900, "RegionCode": "x", "Name": "a"}).encode()
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def portal(status, *headers):
    """As a captive portal, or as somebody else's server."""
    def answer(handler):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value.replace("CHALLENGE", handler.headers.get("X-Tailscale-Challenge", "")))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return answer


RIGHT = ("X-Tailscale-Response", "response CHALLENGE")


@pytest.mark.parametrize(("port80", "told"), [
    (portal(204, RIGHT), True),  # a front that passes port 80 on
    (None, False),
    (portal(204), False),
    (portal(204, ("X-Tailscale-Response", "response somebody")), False),
    (portal(200, RIGHT), False),
    (portal(302, ("Location", "https://a.example.net/"), RIGHT), False),
], ids=["right", "nobody", "no-response", "another-response", "status", "redirect"])
def test_port_80_is_told_when_it_answers(alone, traces, ports, port80, told):
    """The very first announcement says it, since a change makes clients dial anew."""
    coordinator = Answering((OTHER, next(ports)), take)
    front = port80 and Answering((OTHER, 80), port80)
    try:
        relay = alone([dated(traces, "a", -DAY, 80 * DAY, "a.example.net")],
                      **{"relay.ipv4": OTHER, "coordinators": f"http://{OTHER}:{coordinator.server_address[1]}"})
        path, body = coordinator.asked.get(timeout=20)
        assert (path, json.loads(body)["CanPort80"], json.loads(body)["IPv4"]) == ("/relay/v1/announce", told, OTHER)
        assert relay.said("port 80 answers") if told else relay.said("port 80 does not answer")
        assert not front or front.asked.get(timeout=1)[0].startswith("/generate_204")
    finally:
        coordinator.close()
        if front:
            front.close()


@pytest.mark.parametrize(("options", "sentence"), [
    ({"acme.webroot": "/tmp", "listen.plain": ""}, "acme.webroot needs listen.plain"),
    ({"acme.webroot": "/tmp", "tls.certificate": "", "tls.key": ""}, "acme.webroot needs listen.plain"),
    ({"relay.port": "65536"}, "RELAY_PORT must be between"),
    ({"tls.certificate": "/nowhere.pem", "tls.key": "/nowhere.key"}, "/nowhere.pem"),
])
def test_bad_options_are_refused(traces, ports, options, sentence):
    pair = dated(traces, "a", -DAY, 80 * DAY, "a.example.net")
    relay = Alone(traces, ports, **{"tls.certificate": pair[0], "tls.key": pair[1], **options})
    done = subprocess.run([BUILD / "derp/fleetscale-derp"], env=relay.environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode and sentence in done.stderr + done.stdout
