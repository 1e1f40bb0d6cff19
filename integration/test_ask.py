"""Questions to clients over their map streams: pings of every kind, and what a client tells about itself (c2n)."""

import json
import time

import pytest
from actors.asking import ask
from actors.client import NEWEST, OLDEST
from actors.waiting import until

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])
OWN = "/api/fleetscale/v1/nodes"


def question(net, number, kind, body, coordinator=1, **more):
    """One question through a coordinator."""
    return ask(net.cluster, "POST", f"{OWN}/{number}/{kind}", body, tailnet=net.name, coordinator=coordinator, **more)


@pytest.fixture
def pair(tailnets, request):
    """Two nodes whose streams the first coordinator holds; the questions come to the second."""
    net = tailnets()
    release = request.node.callspec.params.get("release", NEWEST) if hasattr(request.node, "callspec") else NEWEST
    node, other = (net.join(name, coordinator=0, machine=net.machine(release)) for name in ("node", "other"))
    node.sees(other)
    other.sees(node)
    node.knows_home(other)
    other.knows_home(node)
    return net, node, other


@BOTH
def test_pings(pair, release):
    net, node, other = pair
    pong = question(net, node.id, "ping", {}).json["ping"]
    assert pong["type"] == "alive" and pong["error"] == "" and 0 <= pong["latencySeconds"] < 5
    for kind in ("disco", "TSMP", "ICMP", "peerapi"):
        for target in (other.id, other.ips[0]):
            pong = question(net, node.id, "ping", {"type": kind, "target": target}).json["ping"]
            assert (pong["type"], pong["error"], pong["target"]) == (kind, "", other.ips[0]), pong
            assert pong["targetName"].split(".")[0] == "other" and 0 < pong["latencySeconds"] < 10
    pong = question(net, node.id, "ping", {"type": "disco", "target": "100.127.0.9"}).json["ping"]
    assert "no matching peer" in pong["error"]


@BOTH
def test_support(pair, release):
    net, node, _ = pair
    told = question(net, node.id, "debug", {"path": "/echo", "method": "POST", "body": "how do you do? \u00e9"}).json["answer"]
    assert (told["status"], told["encoding"], told["body"]) == (200, "text", "how do you do? \u00e9")
    told = question(net, node.id, "debug", {"path": "/debug/goroutines"}).json["answer"]
    assert told["status"] == 200 and "goroutine " in told["body"]
    told = question(net, node.id, "debug", {"path": "/debug/prefs", "method": "GET"}).json["answer"]
    assert json.loads(told["body"])["ControlURL"] == net.url()
    told = question(net, node.id, "debug", {"path": "/debug/pprof/heap", "timeoutSeconds": 20}).json["answer"]
    assert told["status"] != 200 or told["encoding"] == "base64", "bytes that are no text"
    large = "x" * 60000
    assert question(net, node.id, "debug", {"path": "/echo", "method": "POST", "body": large}).json["answer"]["body"] == large


def test_many_at_once(pair):
    """Answers find their questions, whoever asks for whom."""
    from concurrent.futures import ThreadPoolExecutor

    net, node, other = pair

    def one(i):
        number = (node, other)[i % 2].id
        said = question(net, number, "debug", {"path": "/echo", "method": "POST", "body": f"word {i}", "timeoutSeconds": 20}, i % 2)
        return said.status, said.text

    with ThreadPoolExecutor(4) as pool:
        for i, (status, text) in enumerate(pool.map(one, range(24))):
            assert status == 200 and json.loads(text)["answer"]["body"] == f"word {i}", (i, status, text)


NOT_ASKED = ["/debug/component-logging?component=magicsock&secs=9", "/remoteapi/localapi/v0/status", "/wol", "/netfilter-kind",
             "/nonsense", "echo", "", "/echo\r\nX: y", "/echo /", "/\u00e9"]
BAD = [("debug", {"path": path}) for path in NOT_ASKED] + [
    ("debug", {}), ("debug", []), ("debug", {"path": 7}), ("debug", {"path": "/echo", "method": "PUT"}), ("debug", {"path": "/update", "method": "POST"}),
    ("debug", {"path": "/echo", "body": "x" * 70000}), ("debug", {"path": "/echo?" + "x" * 600}), ("debug", {"path": "/echo", "more": 1}),
    ("debug", {"path": "/echo", "timeoutSeconds": 0}), ("debug", {"path": "/echo", "timeoutSeconds": 61}),
    ("ping", {"type": "loud", "target": "100.64.0.2"}), ("ping", {"type": "disco"}), ("ping", {"type": "disco", "target": "nobody"}),
    ("ping", {"type": "disco", "target": "999999999"}), ("ping", {"type": "disco", "target": "-1"}), ("ping", {"type": "alive", "target": "100.64.0.2"}),
    ("ping", {"type": "disco,TSMP", "target": "100.64.0.2"}), ("ping", {"type": "c2n", "target": "100.64.0.2"}), ("ping", {"type": 4}), ("ping", []),
    ("ping", {"timeoutSeconds": -1}), ("ping", {"timeoutSeconds": 1e9}), ("ping", {"target": None, "type": None, "more": None}), ("ping", "text")]


def test_bad_input(tailnet):
    """Whatever is no question is refused before the client hears of it."""
    raw = tailnet.raw("node")
    mark = raw.mark()
    for kind, body in BAD:
        said = question(tailnet, raw.number, kind, body)
        assert said.status in (400, 422), (kind, body, said.status, said.text)
    time.sleep(0.5)
    assert not [m for _, m, _ in raw.frames[mark:] if "PingRequest" in m]


@pytest.mark.parametrize("kind, body", [("ping", {}), ("debug", {"path": "/echo"})])
def test_who_is_not_there(tailnets, kind, body):
    here, there = tailnets("a"), tailnets("b")
    raw, foreign = here.raw("node"), there.raw("foreign")
    mark = foreign.mark()
    for number in (foreign.number, 9999999999, 0):
        assert question(here, number, kind, body).status == 404, number
    assert question(here, "x", kind, body).status in (400, 404)
    said = question(here, raw.number, "ping", {"type": "disco", "target": str(foreign.number)})
    assert said.status == 400 and "no node of this tailnet" in said.text
    assert not [m for _, m, _ in foreign.frames[mark:] if "PingRequest" in m]
    raw.close()
    until(lambda: not here.node(raw.number)["online"], 15, "offline")
    until(lambda: question(here, raw.number, kind, body).status != 503, 15, "a young Redis is certain of who is offline")
    said = question(here, raw.number, kind, body)
    assert said.status == 409 and "offline" in said.text


def asked(raw, since, seconds=5):
    return raw.frame(lambda m: "PingRequest" in m, since=since, seconds=seconds, told="a question")[1]["PingRequest"]


def test_answers_of_others_do_not_count(tailnet):
    """A raw client that is asked says nothing; another machine that knows the URL answers in its place."""
    from concurrent.futures import ThreadPoolExecutor

    node, stranger = tailnet.raw("node"), tailnet.raw("stranger", coordinator=1)
    with ThreadPoolExecutor(2) as pool:
        mark = node.mark()
        waiting = pool.submit(question, tailnet, node.number, "debug", {"path": "/echo", "timeoutSeconds": 3})
        request = asked(node, mark)
        assert request["Types"] == "c2n" and request["URLIsNoise"] is True and request["URL"].startswith("https://")
        path = "/machine" + request["URL"].partition("/machine")[2]
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlies"
        assert stranger.request(path, text=answer)["status"] == 204, "nothing is said about whether it was a question"
        for other in ("/machine/ping-response/" + "0" * 48, path[:-1] + ("0" if path[-1] != "0" else "1")):
            assert node.request(other, text=answer)["status"] == 204
        for malformed in ("x", "0" * 47, "0" * 49, "zz" * 24):
            assert node.request("/machine/ping-response/" + malformed, text=answer)["status"] == 404
        said = waiting.result()
        assert said.status == 504 and said.json["title"] == "Gateway Timeout", "the node itself said nothing"

        mark = node.mark()
        waiting = pool.submit(question, tailnet, node.number, "debug", {"path": "/echo", "timeoutSeconds": 10})
        path = "/machine" + asked(node, mark)["URL"].partition("/machine")[2]
        assert stranger.request(path, text=answer)["status"] == 204
        assert node.request(path, text=answer.replace("lies", "true"))["status"] == 204
        assert waiting.result().json["answer"]["body"] == "true"

        mark = node.mark()
        waiting = pool.submit(question, tailnet, node.number, "debug", {"path": "/echo", "timeoutSeconds": 10})
        path = "/machine" + asked(node, mark)["URL"].partition("/machine")[2]
        assert node.request(path, text="no answer in HTTP")["status"] == 204
        assert waiting.result().status == 502

        mark = node.mark()
        waiting = pool.submit(question, tailnet, node.number, "ping", {"type": "disco", "target": str(stranger.number), "timeoutSeconds": 10})
        request = asked(node, mark)
        assert request["Types"] == "disco" and request["IP"] == stranger.map["Node"]["Addresses"][0].partition("/")[0]
        assert node.request("/machine" + request["URL"].partition("/machine")[2], text='["no object"]')["status"] == 204
        assert waiting.result().status == 502


def test_audited(tailnet):
    raw = tailnet.raw("node")
    raw.close()
    until(lambda: not tailnet.node(raw.number)["online"], 15, "offline")
    question(tailnet, raw.number, "debug", {"path": "/debug/prefs"})
    question(tailnet, raw.number, "ping", {})
    lines = tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"]
    assert {"node.debug", "node.ping"} <= {line["action"] for line in lines}


def test_redis_gone(broken):
    """Clean refusals at both coordinators while questions have no way; answers again afterwards."""
    cluster, net = broken(**{"presence.grace": "10s"})
    node = net.join("node")
    assert question(net, node.id, "ping", {}, 0).status == 200
    cluster.redis.stop()
    for coordinator in (0, 1):  # one knows who was online, the other may never have asked
        for kind, body in (("ping", {}), ("debug", {"path": "/echo"})):
            began = time.monotonic()
            said = question(net, node.id, kind, {**body, "timeoutSeconds": 3}, coordinator)
            assert said.status == 503 and time.monotonic() - began < 5, said.text
    cluster.redis.start()
    until(lambda: question(net, node.id, "ping", {"timeoutSeconds": 2}, 1).status == 200, 30, "an answer again")


def test_coordinator_ends_with_open_questions(broken):
    """A question that nobody answers does not hold up the end of its coordinator."""
    from concurrent.futures import ThreadPoolExecutor

    cluster, net = broken()
    silent = net.raw("silent")
    with ThreadPoolExecutor(1) as pool:
        mark = silent.mark()
        waiting = pool.submit(question, net, silent.number, "debug", {"path": "/echo", "timeoutSeconds": 60}, 1)
        asked(silent, mark)
        began = time.monotonic()
        assert cluster.coordinators[1].stop(40) == 0 and time.monotonic() - began < 35
        assert waiting.exception() or waiting.result().status >= 500
