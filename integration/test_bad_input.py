"""What strangers send at the doors: a clear answer of the right kind, and everything goes on."""

import base64
import contextlib
import json
import os
import socket
import threading
from pathlib import Path

import pytest
from actors.tailnet import Tailnet

DEEP = "[" * 100_000


def at(program, door):
    return socket.create_connection((program.cluster.host, program.port(door)), timeout=10)


def say(program, door, data, more=b""):
    """Everything that comes back until the other side closes or is silent for 3 s."""
    got = b""
    with at(program, door) as s, contextlib.suppress(OSError):
        s.sendall(data)
        if more:
            s.sendall(more)
        s.settimeout(3)
        while chunk := s.recv(65536):
            got += chunk
    return got


def upgrade(handshake, protocol="tailscale-control-protocol"):
    return (f"POST /ts2021 HTTP/1.1\r\nHost: x\r\nUpgrade: {protocol}\r\nConnection: upgrade\r\n"
            f"X-Tailscale-Handshake: {handshake}\r\nContent-Length: 0\r\n\r\n").encode()


@pytest.fixture
def coordinator(shared, request):
    request.node.clusters = [shared]
    p = shared.coordinators[0]
    yield p
    assert p.alive(), p.tail()
    assert p.get("/key?v=142", "clients")[0] == 200
    assert not p.faults()


HANDSHAKES = {"none": (b"", b"400"), "junk": (None, b"400"), "of the right length": (os.urandom(101), b""),
              "too short": (b"x" * 100, b""), "too long": (os.urandom(4000), b"")}


@pytest.mark.parametrize("kind", HANDSHAKES)
def test_bad_handshakes(coordinator, kind):
    first, status = HANDSHAKES[kind]
    text = "!!!" if first is None else base64.b64encode(first).decode()
    answer = say(coordinator, "clients", upgrade(text), os.urandom(5000))
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]


def test_wrong_upgrade(coordinator):
    assert say(coordinator, "clients", upgrade("AAAA", "h2c")).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("data", [b"\0" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 500_000,
                                  b"GET /" + b"\xff" * 200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                                  b"POST /machine/map HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"],
                         ids=["zeros", "http2", "long header", "high bytes", "tls", "huge length"])
def test_junk_at_every_door(coordinator, data):
    for door in ("clients", "admin", "operations"):
        say(coordinator, door, data)


def test_half_requests_do_not_pile_up(coordinator):
    """Two hundred slow strangers; a client is served all the same."""
    with contextlib.ExitStack() as open_ones:
        for _ in range(200):
            s = open_ones.enter_context(at(coordinator, "clients"))
            s.sendall(b"POST /ts2021 HTTP/1.1\r\nHost: x\r\n")
        assert coordinator.get("/key?v=142", "clients")[0] == 200


BODIES = ["{", "null", "[]", "42", '"x"', "{}", DEEP, '{"Version":"x"}', '{"Version":142,"NodeKey":7}', '{"Version":-1}',
          '{"Version":142,"NodeKey":"nodekey:zz"}', '{"Version":142,"NodeKey":"nodekey:' + "0" * 64 + '"}',
          '{"Version":142,"NodeKey":"nodekey:' + "1" * 64 + '","Hostinfo":[]}', "?" * 1000, '{"Version":1e99}',
          '{"Version":142,"Hostinfo":{"Hostname":"x\\u0000y"}}', '{"Version":142,"Hostinfo":{"Hostname":"\\ud800"}}',
          '{"Version":142,"Hostinfo":{"Hostname":"' + "h" * 100_000 + '"}}']


@pytest.mark.parametrize("path", ["/machine/register", "/machine/map"])
def test_bad_json_inside_noise(tailnet, path):
    raw = tailnet.machine().raw("stranger", url=tailnet.url())
    for body in BODIES:
        answer = raw.request(path, text=body)
        assert answer["status"] in (400, 401, 403, 404, 413) or "Error" in answer["text"], (body[:80], answer)
    assert tailnet.nodes() == []
    node = tailnet.raw("fine")
    assert node.map["Node"]["Name"].startswith("fine.")


def test_giant_body(tailnet):
    raw = tailnet.machine().raw("stranger", url=tailnet.url())
    with contextlib.suppress(Exception):
        answer = raw.request("/machine/register", text='{"x":"' + "a" * 12_000_000 + '"}')
        assert answer["status"] in (400, 413)
    tailnet.raw("fine")


def test_unknown_paths_inside_noise(tailnet):
    raw = tailnet.machine().raw("stranger", url=tailnet.url())
    for path in ("/machine/nothing", "/", "/machine/../api/v1/node", "/api/v1/node", "/key"):
        assert raw.request(path, {})["status"] in (400, 404, 405), path


ENDS = ["rapid reset", "window overflow", "not http2", "oversized record", "forged record",
        "strange record", "replayed record", "reordered record"]
BEARS = ["truncated record", "many streams", "no window", "giant headers", "endless headers", "slow body", "ping flood",
         "settings flood"]


@pytest.mark.parametrize("kind", ENDS + BEARS)
def test_abuse_inside_noise(tailnet, kind):
    """The connection ends where the protocol is broken; a neighbour is served all the while."""
    neighbour = tailnet.raw("neighbour")
    abuser = tailnet.machine().raw("abuser", url=tailnet.url())
    answer = abuser.abuse(kind, 3 if kind in BEARS else 10)
    if kind in ENDS:
        assert answer["ended"], answer
    mark = neighbour.mark()
    tailnet.rename(neighbour.number, "still-here")
    neighbour.frame(lambda m: "still-here" in str(m), mark, 5, "its own rename")
    assert not neighbour.ends


def test_abuse_takes_no_memory(clusters, traces):
    """One after the other, with nobody else there whose memory would count."""
    cluster = clusters(coordinators=1, mappers=1)
    net = Tailnet(cluster, "abused", traces / "net")
    program = cluster.coordinators[0]
    net.raw("neighbour")
    before = resident(program)
    for kind in ENDS + BEARS:
        net.machine().raw("abuser", url=net.url()).abuse(kind, 1)
        assert resident(program) - before < 200_000_000, kind
    net.close()


def resident(program):
    pages = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


NAMES = ["", "-", "a" * 300, "-leading", "trailing-", "UPPER", "Ünïcödé", "日本", "a.b.c", "sp ace", "🦊", "1",
         "localhost", "a--b", "xn--nxasmq6b", "..", "'; drop table nodes; --"]


def test_host_names_of_every_kind(tailnet):
    """Each becomes a unique DNS label; none is refused."""
    key, machine, labels = tailnet.authkey(reusable=True), tailnet.machine(), []
    for i, name in enumerate(NAMES):
        raw = machine.raw(f"n{i}", url=tailnet.url(i))
        answer = raw.register(key, Hostinfo={"Hostname": name, "OS": "linux"})
        assert answer["status"] == 200 and not answer["json"].get("Error"), (name, answer)
    for node in tailnet.nodes():
        label = node["givenName"]
        assert 1 <= len(label) <= 63 and label[0] not in "-" and label[-1] not in "-", node
        assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in label), node
        labels.append(label)
    assert len(set(labels)) == len(NAMES)


def test_full_address_range(tailnets):
    """A range that is used up: a clear refusal, nothing half written; a freed address serves again."""
    net = tailnets(ipv4Range="100.64.9.0/29")
    key, machine = net.authkey(reusable=True), net.machine()

    def join(i):
        raw = machine.raw(f"n{i}", url=net.url(i))
        return raw.register(key)

    answers = [join(i) for i in range(10)]
    refusals = [a["json"]["Error"] for a in answers if a["json"].get("Error")]
    rows = net.nodes()
    assert 0 < len(rows) <= 8 and len(rows) + len(refusals) == 10, answers
    assert all("address" in text for text in refusals), refusals
    assert len({n["ipAddresses"][0] for n in rows}) == len(rows)
    net.delete(rows[0]["id"])
    assert not join(11)["json"].get("Error")
    assert {n["ipAddresses"][0] for n in net.nodes()} == {n["ipAddresses"][0] for n in rows}


@pytest.mark.parametrize("key", ["", "x", "hskey-api-" + "A" * 12 + "-" + "0" * 64, "hskey-api-", "Bearer", "é" * 100],
                         ids=["none", "short", "unknown", "half", "word", "accents"])
def test_bad_admin_keys(shared, key):
    p = shared.coordinators[0]
    header = {"Authorization": f"Bearer {key}".encode()}
    status, text = p.get("/api/v1/node", "admin", header)
    assert status == 401, text


def test_bad_admin_bodies(tailnet):
    for body in ("{", "[]", '{"name":7}', '{"nmae":"x"}', '{"name":""}', '{"name":"' + "n" * 5000 + '"}', DEEP):
        p = tailnet.cluster.coordinators[0]
        headers = {"Authorization": "Bearer " + tailnet.cluster.key("admin.key"), "Fleetscale-Tailnet": tailnet.name,
                   "Content-Type": "application/json"}
        status, text = p.get("/api/v1/user", "admin", headers, "POST", body)
        assert status in (400, 413, 422), (body[:50], status, text[:200])
        assert json.loads(text)["status"] == status, "problem+json"


def test_strangers_at_the_link_and_the_relay(shared, request):
    request.node.clusters = [shared]
    for p, door in ((shared.mappers[0], "link"), (shared.relays[0], "relay")):
        for data in (b"", os.urandom(64), os.urandom(100_000), b"GET /derp HTTP/1.1\r\n\r\n", b"\xff" * 20):
            say(p, door, data or b"\0")
        assert p.alive() and not p.faults(), p.tail()


def test_stun_answers_only_stun(shared):
    relay = shared.relays[0]
    request = b"\0\1\0\0\x21\x12\xa4\x42" + os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect((shared.host, relay.port("stun")))
        for junk in (b"", b"x", request[:19], os.urandom(1400)):
            s.send(junk)
        with pytest.raises(TimeoutError):
            s.recv(2000)
        assert relay.alive()


def test_many_at_once(tailnet):
    """Fifty machines with bad keys do not keep a good one out."""
    machine, good = tailnet.machine(), tailnet.authkey()

    def bad(i):
        raw = machine.raw(f"bad-{i}", url=tailnet.url(i))
        for _ in range(10):
            raw.register("hskey-auth-" + "A" * 12 + "-" + "0" * 64)

    threads = [threading.Thread(target=bad, args=(i,)) for i in range(50)]
    for t in threads:
        t.start()
    tailnet.raw("good", authkey=good)
    for t in threads:
        t.join()
    assert len(tailnet.nodes()) == 1
