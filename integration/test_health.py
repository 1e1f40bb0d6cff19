"""Warnings that a client tells of itself: the latest of each subsystem, for administrators to see."""

import time

from actors.client import OLDEST


def health(tailnet, number):
    node = tailnet.api("GET", f"/api/fleetscale/v1/nodes/{number}")["node"]
    return {w["subsystem"]: w["message"] for w in node["health"]}


def warn(raw, text="", **fields):
    body = {"Subsys": "router", "Error": "no route", "NodeKey": raw.keys["node_key"], **fields}
    return raw.request("/machine/update-health", body, text)


def test_1_64_tells_by_itself(tailnet):
    """The client calls this when a part of it begins or ceases to fail; at its start something always does."""
    node = tailnet.join("laptop", machine=tailnet.machine(OLDEST))
    end = time.monotonic() + 30
    while not (seen := health(tailnet, node.id)):
        assert time.monotonic() < end, "no warning"
        time.sleep(0.2)
    assert all(seen.values())


def test_the_latest_stands_until_cleared(tailnet):
    raw = tailnet.raw("one")
    assert health(tailnet, raw.number) == {}
    assert warn(raw)["status"] == 204
    assert warn(raw, Subsys="dns", Error="é" * 2000)["status"] == 204
    assert warn(raw, Error="still no route")["status"] == 204
    assert health(tailnet, raw.number) == {"router": "still no route", "dns": "é" * 512}
    assert warn(raw, Subsys="dns", Error="")["status"] == 204
    assert health(tailnet, raw.number) == {"router": "still no route"}
    for i in range(40):
        assert warn(raw, Subsys=f"s{i}")["status"] == 204
    assert len(health(tailnet, raw.number)) == 32


def test_bad_input(tailnets):
    mine, theirs = tailnets("a"), tailnets("b")
    raw, other = mine.raw("one"), theirs.raw("two")
    for answer, status in [
        (warn(raw, Subsys=""), 400),
        (warn(raw, Subsys="x" * 65), 400),
        (warn(raw, Error=["a"]), 400),
        (warn(raw, NodeKey="nodekey:" + 64 * "0"), 400),
        (warn(raw, NodeKey=other.keys["node_key"]), 404),
        (warn(other, NodeKey=raw.keys["node_key"]), 404),
        (warn(raw, text="{\"Subsys\":"), 400),
        (warn(raw, Error="x" * 70_000), 413),
    ]:
        assert answer["status"] == status, answer
    assert health(mine, raw.number) == {} == health(theirs, other.number)
