"""The variables of the stock relay: ours has the same names, types and labels but for those that docs/protocol/derp.md names with a reason."""

import contextlib
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request

import pytest
from actors.certificate import certificate
from actors.stockrelay import DERPER
from actors.waiting import until
from conftest import BUILD, ROOT
from fleet.process import Process

PAGE = ROOT / "docs/protocol/derp.md"
# No stock relay limits answers.
OURS_ALONE = {("stun_requests", "disposition", "limited")}
# The stock relay shows these series once it has seen one.
WHEN_SEEN = {"derp_tcp_rtt", "derper_tls_active_version", "derper_tls_request_version"}


class Side:
    """One of the two relays, by itself, with TLS, a rate and a name for clients with broken DNS."""

    def __init__(self, name, folder, first_port):
        self.name, self.folder = name, folder
        self.port, self.stun, self.nobodys = range(first_port, first_port + 3)
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = certificate(folder, "127.0.0.1", 7, name="127.0.0.1")
        (folder / "rate").write_text('{"PerClientRateLimitBytesPerSec": 1000000, "PerClientRateBurstBytes": 2000000}')
        self.process = Process(name, folder / "log")
        self.process.start(self.ours() if name == "ours" else self.stock())

    def ours(self):
        lines = [f'listen.relay: "127.0.0.1:{self.port}"', f'listen.stun: "127.0.0.1:{self.stun}"', f"coordinators: http://127.0.0.1:{self.nobodys}",
                 "relay.token: none", "relay.hostname: 127.0.0.1", f"tls.certificate: {self.cert}", f"tls.key: {self.key}",
                 f"limits.rate_file: {self.folder / 'rate'}", "bootstrap.names: localhost", "threads: 2"]
        (self.folder / "options").write_text("\n".join(lines) + "\n")
        return [BUILD / "derp/fleetscale-derp", "--config", self.folder / "options"]

    def stock(self):
        self.cert.rename(self.folder / "127.0.0.1.crt")
        return [DERPER, "-a", f"127.0.0.1:{self.port}", "-http-port", "-1", "-stun-port", self.stun, "-certmode", "manual", "-certdir", self.folder,
                "-hostname", "127.0.0.1", "-c", self.folder / "derper.key", "-rate-config", self.folder / "rate", "-bootstrap-dns-names", "localhost"]

    def get(self, path, **headers):
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=trusting) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def await_answers(self):
        end = time.monotonic() + 30
        while True:
            try:
                if self.get("/derp/probe")[0] == 200:
                    return self
            except OSError:
                pass
            assert self.process.alive() and time.monotonic() < end, self.process.log.read_text()[-3000:]
            time.sleep(0.05)


@pytest.fixture(scope="module")
def sides(tmp_path_factory, ports):
    both = [Side(name, tmp_path_factory.mktemp(name), next(ports)) for name in ("ours", "stock")]
    yield [s.await_answers() for s in both]
    both[1].process.kill()
    assert both[0].process.stop() == 0, both[0].process.log.read_text()[-3000:]


def documented():
    """The names that docs/protocol/derp.md says are not here, `go_*` standing for all that begin so."""
    section = PAGE.read_text().split("## Variables of the stock relay\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def is_named(name, names):
    return name in names or any(n.endswith("*") and name.startswith(n[:-1]) for n in names)


def agree(stock, ours):
    """Exactly the documented ones are missing, and nothing is ours alone."""
    names = documented()
    assert ours <= stock, f"no stock relay has {sorted(ours - stock)}"
    missing = stock - ours
    assert {n for n in missing if not is_named(n, names)} == set(), "neither here nor explained"
    assert {n for n in ours if is_named(n, names)} == set(), "here, and said to be missing"
    return missing


def series(text):
    """{name: set of labels}, {name: type} of a page in the form of Prometheus; the parts of a histogram are names of their own."""
    found, types = {}, {}
    for line in text.splitlines():
        if typed := re.fullmatch(r"# TYPE (\S+) (\S+)", line):
            types[typed[1]] = typed[2]
        elif line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)", line).groups()
            float(value)
            parsed = frozenset(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', labels or ""))
            assert parsed not in found.setdefault(name, set()), f"twice: {line}"
            found[name].add(parsed)
    return found, types


def test_text(sides):
    ours, stock = sides
    (here, here_types), (there, there_types) = (series(s.get("/debug/varz")[1]) for s in (ours, stock))
    there |= {n: set() for n in WHEN_SEEN - there.keys()}
    missing = agree(set(there), set(here))
    assert all(is_named(n, missing) or n in here for n in there)
    for name, labels in here.items():
        if name == "version":
            assert {k for k, _ in next(iter(labels))} == {k for k, _ in next(iter(there[name]))}
        elif name in WHEN_SEEN:
            assert there[name] <= labels, name
        else:
            alone = {frozenset({(k, v)}) for n, k, v in OURS_ALONE if n == name}
            assert alone <= labels and there[name] == labels - alone, name
    for name, kind in here_types.items():
        assert there_types.get(name) == kind or name in WHEN_SEEN and name not in there_types, name


def plain(name):
    return re.sub("^(gauge|counter)_", "", name)


def test_json(sides):
    """Also the groups that names are in, and the prefixes by which programs that read it tell counters from gauges."""
    ours, stock = (json.loads(s.get("/debug/vars")[1]) for s in sides)
    agree({plain(n) for n in stock}, {plain(n) for n in ours})
    assert ours.keys() <= stock.keys()
    for group in ("derp", "stun", "tls_listener"):
        assert ours[group].keys() == stock[group].keys(), group
    for group in ("derp", "stun"):
        for name, value in ours[group].items():
            if isinstance(value, dict) and f"{group}_{plain(name)}" not in WHEN_SEEN:
                alone = {v for n, _, v in OURS_ALONE if n == f"{group}_{plain(name)}"}
                assert value.keys() == stock[group][name].keys() | alone, name
            assert isinstance(value, dict) == isinstance(stock[group][name], dict), name
            assert isinstance(value, str) == isinstance(stock[group][name], str), name


def test_documented_names_exist(sides):
    """A name that no stock relay has any more does not stay on the page."""
    text, _ = series(sides[1].get("/debug/varz")[1])
    names = set(text) | {plain(n) for n in json.loads(sides[1].get("/debug/vars")[1])}
    for name in documented():
        assert any(is_named(n, {name}) for n in names), name


def test_both_count(sides):
    """The same questions raise the same variables by as much."""
    asked = ["/bootstrap-dns", "/bootstrap-dns?q=localhost", "/bootstrap-dns?q=elsewhere.example", "/bootstrap-dns?q=another.example"]
    raised = []
    for side in sides:
        def values(s=side):
            return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in s.get("/debug/varz")[1].splitlines() if not line.startswith("#")}
        until(lambda s=side: '"localhost":[' in s.get("/bootstrap-dns")[1].replace(" ", ""), 30, "the name is looked up")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", side.stun))
            await_stun(s)
            until(lambda v=values: v()['stun_requests{disposition="success"}'] > 0, 60, "it counts what it has sent")
            before = values()
            for path in asked:
                assert side.get(path)[0] == 200
            s.settimeout(20)
            for datagram in (b"not stun", stun_request()):
                s.send(datagram)
            assert s.recv(1500)[:2] == b"\x01\x01"
        until(lambda v=values, b=before: v()['stun_requests{disposition="success"}'] > b['stun_requests{disposition="success"}'], 60, "one more")
        after = values()
        raised.append({n: after[n] - before[n] for n in after if n.startswith(("bootstrap_dns", "stun")) and after[n] != before[n]})
    for counted in raised:
        counted.pop("bootstrap_dns_queried_domains")  # also what was asked for before
    assert raised[0] == raised[1] and raised[0]["bootstrap_dns_published_hits"] == 1, raised


def await_stun(s):
    """The stock relay opens this door when the one for clients is open already."""
    s.settimeout(0.5)
    end = time.monotonic() + 30
    while True:
        try:
            s.send(stun_request())
            assert s.recv(1500)[:2] == b"\x01\x01"
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
    with contextlib.suppress(OSError):  # a second answer, to one that was asked for too early
        while True:
            s.recv(1500)


def stun_request():
    """As clients send it: the software attribute, then the fingerprint (RFC 8489, 14.7)."""
    import zlib
    head = bytes.fromhex("0001 0014 2112a442") + os.urandom(12) + bytes.fromhex("8022 0008") + b"tailnode"
    return head + bytes.fromhex("8028 0004") + (zlib.crc32(head) ^ 0x5354554E).to_bytes(4, "big")


@pytest.mark.parametrize("path", ["/debug/", "/debug/vars", "/debug/varz", "/debug/check"])
def test_access(sides, path):
    for side in sides:
        assert side.get(path)[0] == 200
        for header in ("127.0.0.1", "100.64.0.1", "198.51.100.7"):
            assert side.get(path, **{"X-Forwarded-For": header}) == (403, "debug access denied\n"), side.name


def test_fleet_is_counted(shared, request):
    """A relay tells its region, each coordinator how many serve there, and why it refused relays."""
    request.node.clusters = [shared]
    relay, coordinator = shared.relays[0], shared.coordinators[0]
    info = until(lambda: next((labels for labels, _ in relay.series("derp_info") if labels.get("region_id")), None), 60, "its region")
    listed = {r["name"]: r for r in shared.api("GET", "/api/fleetscale/v1/relays")["relays"]}
    assert info["relay"] in listed and int(info["region_id"]) == listed[info["relay"]]["regionId"] and info["region"] == listed[info["relay"]]["regionCode"]
    for c in shared.coordinators:
        until(lambda c=c: c.metric("relays", region=info["region"], region_id=info["region_id"], state="serving") >= 1, 60, "one serves there")
    unknown = coordinator.metric("relay_announcements_total", result="unknown_token")
    asked = coordinator.metric("relay_verifications_total", result="unknown_token")
    token = "hskey-relay-" + "A" * 12 + "-" + "0" * 64
    for path in ("/relay/v1/announce", "/relay/v1/verify", f"/relay/v1/verify/{token}"):
        assert coordinator.get(path, "clients", {"Authorization": f"Bearer {token}"}, "POST", "{}")[0] == 401
    until(lambda: coordinator.metric("relay_announcements_total", result="unknown_token") > unknown, 60, "a refused announcement")
    until(lambda: coordinator.metric("relay_verifications_total", result="unknown_token") >= asked + 2, 60, "two refused questions")
    assert sum(c.metric("relay_announcements_total", result="taken") for c in shared.coordinators) > 0


@pytest.mark.parametrize("program", ["coordinators", "mappers", "relays"])
def test_process_is_told_of(shared, request, program):
    request.node.clusters = [shared]
    text = getattr(shared, program)[0].get("/metrics")[1]
    found, _ = series(text)
    assert {"process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"} <= found.keys()
