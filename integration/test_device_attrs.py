"""Attributes that a node gives itself: by the official client's local API, and every wrong way by a bare client."""

import pytest
from actors.client import OLDEST


def attributes(tailnet, number):
    answer = tailnet.api("GET", f"/api/fleetscale/v1/nodes/{number}/attributes")
    assert all(a["updatedAt"].endswith("Z") for a in answer["attributes"])
    return {a["key"]: a["value"] for a in answer["attributes"]}


def update(raw, values, text="", **fields):
    body = {"Version": 113, "NodeKey": raw.keys["node_key"], "Update": values, **fields}
    return raw.request("PATCH /machine/set-device-attr", body, text)


def test_an_official_client_sets_and_deletes(tailnet):
    node = tailnet.join("laptop")
    said = node.call("local", method="PATCH", path="alpha-set-device-attrs",
                     body={"custom:disk": "encrypted", "custom:score": 7.5, "custom:patched": True})
    assert said["status"] == 200, said
    assert attributes(tailnet, node.id) == {"custom:disk": "encrypted", "custom:score": 7.5, "custom:patched": True}
    assert node.call("local", method="PATCH", path="alpha-set-device-attrs", body={"custom:disk": None, "custom:score": 8})["status"] == 200
    assert attributes(tailnet, node.id) == {"custom:score": 8, "custom:patched": True}
    # What the user reads when it is refused.
    said = node.call("local", method="PATCH", path="alpha-set-device-attrs", body={"node:os": "plan9"})
    assert said["status"] == 500 and "node: are the server's own" in said["text"], said
    assert attributes(tailnet, node.id) == {"custom:score": 8, "custom:patched": True}


def test_1_64_has_no_such_call(tailnet):
    node = tailnet.join("laptop", machine=tailnet.machine(OLDEST))
    assert node.call("local", method="PATCH", path="alpha-set-device-attrs", body={"custom:a": 1})["status"] == 404
    assert attributes(tailnet, node.id) == {}


def test_they_live_with_their_node(tailnet):
    raw = tailnet.raw("one")
    assert update(raw, {"custom:a": "x\"\\,{}é", "custom:b": -3, "custom:c": False})["status"] == 200
    assert attributes(tailnet, raw.number) == {"custom:a": "x\"\\,{}é", "custom:b": -3, "custom:c": False}
    assert update(raw, {})["status"] == 200
    tailnet.delete(raw.number)
    assert tailnet.api("GET", f"/api/fleetscale/v1/nodes/{raw.number}/attributes", expect=404)


WRONG = [
    ({"custom:list": [1]}, 400, "custom:list"),
    ({"custom:object": {"a": 1}}, 400, "custom:object"),
    ({"custom:long": "a" * 257}, 400, "256"),
    ({"": 1}, 400, "name"),
    ({"9a": 1}, 400, "name"),
    ({"a b": 1}, 400, "name"),
    ({"a" * 65: 1}, 400, "name"),
    ({"node:os": "x"}, 403, "server's own"),
    ({"ip:country": "x"}, 403, "server's own"),
    ({f"custom:{i}": i for i in range(65)}, 400, "64"),
    ([1], 400, "Update"),
    ("text", 400, "Update"),
]


@pytest.mark.parametrize("values, status, words", WRONG, ids=range(len(WRONG)))
def test_wrong_updates_change_nothing(tailnet, values, status, words):
    raw = tailnet.raw("one")
    assert update(raw, {"custom:kept": 1})["status"] == 200
    both = {**values, "custom:kept": 2} if isinstance(values, dict) else values
    answer = update(raw, both)
    assert answer["status"] == status and words in answer["text"], answer
    assert attributes(tailnet, raw.number) == {"custom:kept": 1}


def test_a_node_has_so_many(tailnet):
    raw = tailnet.raw("one")
    assert update(raw, {f"custom:{i}": i for i in range(64)})["status"] == 200
    answer = update(raw, {"custom:more": 1})
    assert answer["status"] >= 400 and "64 attributes" in answer["text"], answer
    assert len(attributes(tailnet, raw.number)) == 64
    assert update(raw, {"custom:more": 1, "custom:0": None})["status"] == 200


def test_nobody_speaks_for_another(tailnets):
    mine, theirs = tailnets("a"), tailnets("b")
    raw, other = mine.raw("one"), theirs.raw("two")
    for answer in (update(other, {"custom:a": 1}, NodeKey=raw.keys["node_key"]), update(raw, {"custom:a": 1}, NodeKey=other.keys["node_key"])):
        assert answer["status"] == 404 and "no such node" in answer["text"], answer
    assert attributes(mine, raw.number) == {} == attributes(theirs, other.number)
    assert mine.api("GET", f"/api/fleetscale/v1/nodes/{other.number}/attributes", expect=404)
    mine.expire(raw.number)
    assert update(raw, {"custom:a": 1})["status"] == 403
