"""GET /ts2021: what browsers do. The real Noise client over a WebSocket, and those who get it wrong."""

import base64
import http.client
import os
import socket
import struct
import urllib.parse

import pytest
from actors.client import NEWEST, OLDEST, Raw, Refused

PROTOCOL = "tailscale-control-protocol"


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_join_and_hold_a_stream(tailnet, release):
    peer = tailnet.raw("peer")
    raw = Raw(tailnet.machine(release), "browser").open_websocket(tailnet.url(1))
    first = raw.join(tailnet.authkey())
    assert [p["ID"] for p in first["Peers"]] == [peer.number]
    mark = raw.mark()
    tailnet.rename(peer.number, "renamed")
    raw.frame(lambda m: "renamed" in str(m), mark, 10, "the peer's new name")
    # Large answers cross in many messages, and requests go on beside the stream.
    assert raw.lite(Hostinfo={"Hostname": "browser", "OS": "js", "RoutableIPs": [], "Package": "x" * 30000})["status"] == 200
    assert not raw.ends


def test_pages_of_other_origins_may_read_the_key(shared):
    c = http.client.HTTPConnection(shared.host, shared.coordinators[0].port("clients"), timeout=10)
    c.request("GET", "/key?v=142", headers={"Origin": "https://elsewhere.example"})
    r = c.getresponse()
    assert r.status == 200 and r.headers["Access-Control-Allow-Origin"] == "*" and b"publicKey" in r.read()


def test_an_old_client_reads_why(tailnet):
    with pytest.raises(Refused, match="this server needs Tailscale 1.64 or newer"):
        Raw(tailnet.machine(), "browser").open_websocket(tailnet.url(), version=89)


# --- by hand


class Socket:
    """A TCP connection that speaks just enough WebSocket."""

    def __init__(self, url):
        at = urllib.parse.urlsplit(url)
        self.host = at.netloc
        self.s = socket.create_connection((at.hostname, at.port), timeout=10)

    def ask(self, query="", drop=(), **changes):
        """The status line and head of the answer."""
        head = {"Host": self.host, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Protocol": PROTOCOL,
                "Origin": "https://elsewhere.example", **{k.replace("_", "-"): v for k, v in changes.items()}}
        lines = [f"{k}: {v}" for k, v in head.items() if k not in drop]
        self.s.sendall(("\r\n".join([f"GET /ts2021{query} HTTP/1.1", *lines]) + "\r\n\r\n").encode())
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            more = self.s.recv(1)
            if not more:
                break
            text += more
        return text.decode()

    def frame(self):
        """(opcode, payload) of the next frame; None at the end."""
        head = self.take(2)
        if len(head) < 2:
            return None
        assert head[0] & 0x80 and not head[1] & 0x80, "a server's frames are whole and not masked"
        size = head[1]
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        assert size <= 4096
        return head[0] & 15, self.take(size)

    def take(self, size):
        got = b""
        while len(got) < size:
            more = self.s.recv(size - len(got))
            if not more:
                break
            got += more
        return got


def encode(opcode, payload, mask=True, fin=True, size=None):
    """A frame in base64; `size` is what its head says."""
    size = len(payload) if size is None else size
    head = bytes([0x80 * fin | opcode])
    short = 0x80 if mask else 0
    if size > 65535:
        head += bytes([short | 127]) + struct.pack(">Q", size)
    else:
        head += bytes([short | size])
    return base64.b64encode(head + (b"\0\0\0\0" if mask else b"") + payload).decode()


@pytest.fixture
def door(shared):
    opened = []

    def dial():
        opened.append(Socket(shared.login_servers()[0]))
        return opened[-1]
    yield dial
    for s in opened:
        s.s.close()


def initiation(version=142, size=101):
    """Well formed, but for nobody's key."""
    return struct.pack(">HBH", version, 1, 96) + os.urandom(size - 5)


def query(handshake):
    return "?X-Tailscale-Handshake=" + urllib.parse.quote(base64.b64encode(handshake), safe="")


@pytest.mark.parametrize(("changes", "drop", "status"), [
    ({}, ("Sec-WebSocket-Protocol",), 400),
    ({"Sec_WebSocket_Protocol": "chat, superchat"}, (), 400),
    ({}, ("Sec-WebSocket-Key",), 400),
    ({"Sec_WebSocket_Key": "c2hvcnQ="}, (), 400),
    ({}, ("Sec-WebSocket-Version",), 426),
    ({"Sec_WebSocket_Version": "8"}, (), 426),
    ({}, ("Upgrade",), 400),
    ({"Upgrade": PROTOCOL}, (), 400),
    ({}, ("Connection",), 400),
])
def test_handshakes_that_are_none(door, changes, drop, status):
    assert f" {status} " in door().ask(query(initiation()), drop, **changes).splitlines()[0]


@pytest.mark.parametrize("text", ["", "?X-Tailscale-Handshake=", "?X-Tailscale-Handshake=%%%", "?X-Tailscale-Handshake=AAAA AAAA",
                                  "?X-Tailscale-Handshake=" + "A" * 5000])
def test_queries_without_a_handshake(door, text):
    assert " 400 " in door().ask(text).splitlines()[0]


def test_initiations_that_are_none(door):
    """A malformed one reads why in an error frame; one for another key gets no answer; both end in order."""
    for handshake in (b"garbage", initiation(size=60)):
        s = door()
        head = s.ask(query(handshake))
        assert " 101 " in head and f"Sec-WebSocket-Protocol: {PROTOCOL}" in head
        opcode, payload = s.frame()
        assert opcode == 2 and payload[0] == 3 and b"malformed" in payload
        assert s.frame() == (8, b"\x03\xe8") and s.frame() is None
    s = door()
    assert " 101 " in s.ask(query(initiation()))
    assert s.frame() == (8, b"\x03\xe8") and s.frame() is None


@pytest.mark.parametrize(("said", "code"), [
    ({"opcode": 1, "payload": b"text"}, 1003),
    ({"opcode": 2, "payload": b"bare", "mask": False}, 1002),
    ({"opcode": 2, "payload": b"", "size": 65537}, 1009),
    ({"opcode": 2, "payload": b"", "size": 1 << 62}, 1009),
    ({"opcode": 0, "payload": b"x"}, 1002),
    ({"opcode": 3, "payload": b"x"}, 1002),
    ({"opcode": 9, "payload": b"x", "fin": False}, 1002),
])
def test_frames_that_are_none(tailnet, said, code):
    """In a session whose Noise handshake was good."""
    answer = Raw(tailnet.machine(), "abuser").call("raw_websocket_abuse", url=tailnet.url(), frame=encode(**said))
    assert answer["code"] == code
