"""Questions to clients over their map streams: pings of each kind, what they tell about themselves, and answers that are none."""

import base64
import json
import threading
import time
import urllib.parse

import pytest
from actors.asking import ask
from actors.client import NEWEST, OLDEST

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])


def put(net, number, what, body, coordinator=0):
    return ask(net.cluster, "POST", f"/api/fleetscale/v1/nodes/{number}/{what}", body, tailnet=net.name, coordinator=coordinator)


def debug(net, number, coordinator=0, **body):
    said = put(net, number, "debug", body, coordinator)
    assert said.status == 200, said.text
    return said.json["answer"]


@BOTH
def test_pings(tailnet, release):
    one, two = tailnet.join("one", machine=tailnet.machine(release)), tailnet.join("two", coordinator=1)
    one.sees(two)
    for coordinator in 0, 1:
        said = put(tailnet, one.id, "ping", {"type": "alive"}, coordinator)
        assert said.status == 200 and said.json["ping"]["error"] == "", said.text
    for kind in "disco", "TSMP", "ICMP", "peerapi":
        said = put(tailnet, one.id, "ping", {"type": kind, "target": two.id}, 1)
        assert said.status == 200, (kind, said.text)
        ping = said.json["ping"]
        assert (ping["type"], ping["error"], ping["target"]) == (kind, "", two.ips[0]) and ping["latencySeconds"] > 0, ping
    said = put(tailnet, one.id, "ping", {"type": "disco", "target": "100.99.99.99"})
    assert said.status == 200 and said.json["ping"]["error"], said.text


@BOTH
def test_what_a_client_tells(tailnet, release):
    node = tailnet.join("one", machine=tailnet.machine(release))
    for coordinator in 0, 1:
        answer = debug(tailnet, node.id, coordinator, path="/echo", body="what it is, é")
        assert (answer["status"], answer["encoding"], answer["body"]) == (200, "text", "what it is, é")
    answer = debug(tailnet, node.id, 1, path="/debug/goroutines")
    assert answer["status"] == 200 and "goroutine " in answer["body"]
    audits = tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"]
    assert [a["subject"] for a in audits if a["action"] == "node.debug"] == [node.id] * 3


def asked(raw, since):
    """The path to which the next question to that raw client wants its answer, and the question."""
    question = raw.frame(lambda m: m.get("PingRequest"), since, 10, "a question")[1]["PingRequest"]
    url = urllib.parse.urlsplit(question["URL"])
    assert url.scheme == "https" and question["URLIsNoise"]
    return url.path, question


def test_answers_that_are_none(tailnet):
    node, other = tailnet.raw("one"), tailnet.raw("two", coordinator=1)
    said = []
    asker = threading.Thread(target=lambda: said.append(put(tailnet, node.number, "debug", {"path": "/echo", "body": "yes", "timeoutSeconds": 15}, 1)))
    mark = node.mark()
    asker.start()
    try:
        path, question = asked(node, mark)
        assert question["Types"] == "c2n" and base64.b64decode(question["Payload"]).startswith(b"POST /echo HTTP/1.1\r\n")
        answer = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}".format
        assert other.request(path, text=answer(2, "no"))["status"] == 204
        for unknown in (path[:-1] + ("0" if path[-1] != "0" else "1"), path[:-32] + "0" * 32):
            assert node.request(unknown, text=answer(2, "no"))["status"] == 204
        for malformed in (path + "00", path[:-1], path[:-1] + "x"):
            assert node.request(malformed, text=answer(2, "no"))["status"] == 404
        asker.join(0.5)
        assert asker.is_alive(), "another machine's answer, or one of another question, is none"
        assert node.request(path, text=answer(3, "yes"))["status"] == 204
    finally:
        asker.join(20)
    assert said[0].status == 200 and said[0].json["answer"]["body"] == "yes", said[0].text


def test_answers_that_are_not_understood(tailnet):
    node = tailnet.raw("one")
    for what, body in (("debug", {"path": "/echo"}), ("ping", {"type": "disco", "target": "100.99.99.99"})):
        said, mark = [], node.mark()
        asker = threading.Thread(target=lambda: said.append(put(tailnet, node.number, what, body)))
        asker.start()
        try:
            path, _ = asked(node, mark)
            node.request(path, text="neither")
        finally:
            asker.join(20)
        assert said[0].status == 502, said[0].text


def test_bad_input(tailnets):
    mine, theirs = tailnets("a"), tailnets("b")
    node, foreign = mine.raw("one"), theirs.raw("two")
    for number, what, body, status in [
        (foreign.number, "ping", {}, 404),
        (foreign.number, "debug", {"path": "/echo"}, 404),
        (node.number, "ping", {"type": "pong"}, 400),
        (node.number, "ping", {"type": "disco"}, 400),
        (node.number, "ping", {"type": "alive", "target": str(node.number)}, 400),
        (node.number, "ping", {"type": "disco", "target": str(foreign.number)}, 400),
        (node.number, "ping", {"timeoutSeconds": 0}, 400),
        (node.number, "ping", {"timeoutSeconds": 61}, 400),
        (node.number, "debug", {"path": "/wol"}, 400),
        (node.number, "debug", {"path": "/update", "method": "POST"}, 400),
        (node.number, "debug", {"path": "/echo?a b"}, 400),
        (node.number, "debug", {"path": "/echo?a\r\nHost: b"}, 400),
        (node.number, "debug", {"path": "/remoteapi/localapi/v0/status"}, 400),
        (node.number, "ping", {"timeoutSeconds": 1}, 504),
    ]:
        said = put(mine, number, what, body)
        assert said.status == status, (what, body, said.text)
        assert json.loads(said.text)["errors"]
    assert not any("PingRequest" in m for _, m, _ in foreign.frames)


def test_offline(tailnet):
    node = tailnet.raw("one")
    assert put(tailnet, node.number, "ping", {"timeoutSeconds": 1}).status == 504, "it is online and says nothing"
    node.close()
    end = time.monotonic() + 15
    while (said := put(tailnet, node.number, "ping", {"timeoutSeconds": 1})).status == 504:
        assert time.monotonic() < end, "its stream has ended: offline after the grace"
    assert said.status == 409 and said.said == ["the node is offline"], said.text
