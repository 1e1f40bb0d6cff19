"""Attributes of nodes: those that a node gives itself, by the official client's local API and every wrong way by a bare client; those that an administrator
gives, with an end; and those that its client reports."""

import json
import time

import pytest
from actors.audits import audited
from actors.client import OLDEST
from actors.policies import knows, put, tagged


def path(number, key=""):
    return f"/api/fleetscale/v1/nodes/{number}/attributes" + (f"/{key}" if key else "")


def listed(tailnet, number):
    return tailnet.api("GET", path(number))["attributes"]


def attributes(tailnet, number):
    found = [a for a in listed(tailnet, number) if a["source"] != "client"]
    assert all(a["updatedAt"].endswith("Z") for a in found)
    return {a["key"]: a["value"] for a in found}


def soon(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


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


# --- what an administrator gives


def test_given_read_and_deleted(tailnet):
    raw = tailnet.raw("one")
    for value in ("encrypted", 7, 7.5, True, False, "", "x\"\\,{}é"):
        made = tailnet.api("PUT", path(raw.number, "custom:tier"), {"value": value, "comment": "why"})["attribute"]
        assert made == {"key": "custom:tier", "value": value, "source": "admin", "updatedAt": made["updatedAt"], "expiry": None, "comment": "why"}
        assert attributes(tailnet, raw.number) == {"custom:tier": value}
    when = soon(3600)
    assert tailnet.api("PUT", path(raw.number, "custom:tier"), {"value": 1, "expiry": when})["attribute"]["expiry"] == when
    assert tailnet.api("DELETE", path(raw.number, "custom:tier")) == {}
    assert attributes(tailnet, raw.number) == {}
    tailnet.api("DELETE", path(raw.number, "custom:tier"), expect=404)


def test_it_stands_before_the_nodes_own(tailnet):
    raw = tailnet.raw("one")
    assert update(raw, {"custom:tier": 1, "custom:own": 1})["status"] == 200
    tailnet.api("PUT", path(raw.number, "custom:tier"), {"value": 2})
    for values in ({"custom:tier": 3}, {"custom:tier": None}, {"custom:own": 2, "custom:tier": 2}):
        answer = update(raw, values)
        assert answer["status"] == 403 and "custom:tier was set by an administrator" in answer["text"], answer
    assert attributes(tailnet, raw.number) == {"custom:tier": 2, "custom:own": 1}
    tailnet.api("DELETE", path(raw.number, "custom:tier"))
    tailnet.api("DELETE", path(raw.number, "custom:own"))
    assert update(raw, {"custom:tier": 3})["status"] == 200


WRONG_GIFTS = [
    ("node:os", {"value": "x"}, 400), ("ip:country", {"value": "x"}, 400), ("tier", {"value": "x"}, 400), ("custom:a%20b", {"value": "x"}, 400),
    ("custom:" + 60 * "a", {"value": "x"}, 400), ("custom:a", {}, 400), ("custom:a", {"value": None}, 400), ("custom:a", {"value": [1]}, 422),
    ("custom:a", {"value": {"a": 1}}, 422), ("custom:a", {"value": 257 * "a"}, 422), ("custom:a", {"value": 1, "expiry": "tomorrow"}, 422),
    ("custom:a", {"value": 1, "expiry": "2001-01-01T00:00:00Z"}, 400), ("custom:a", {"value": 1, "comment": 257 * "a"}, 400),
    ("custom:a", {"value": 1, "comment": "a\nb"}, 400), ("custom:a", {"value": 1, "more": 1}, 422)]


@pytest.mark.parametrize("key, body, status", WRONG_GIFTS, ids=range(len(WRONG_GIFTS)))
def test_wrong_gifts_change_nothing(tailnet, key, body, status):
    raw = tailnet.raw("one")
    tailnet.api("PUT", path(raw.number, "custom:a"), {"value": "kept"})
    tailnet.api("PUT", path(raw.number, key), body, expect=status)
    assert attributes(tailnet, raw.number) == {"custom:a": "kept"}


def test_not_another_tailnets(tailnets):
    mine, theirs = tailnets("a"), tailnets("b")
    raw = theirs.raw("one")
    theirs.api("PUT", path(raw.number, "custom:a"), {"value": 1})
    mine.api("PUT", path(raw.number, "custom:a"), {"value": 2}, expect=404)
    mine.api("DELETE", path(raw.number, "custom:a"), expect=404)
    assert attributes(theirs, raw.number) == {"custom:a": 1}


def test_both_count_together(tailnet):
    raw = tailnet.raw("one")
    assert update(raw, {f"custom:{i}": i for i in range(63)})["status"] == 200
    tailnet.api("PUT", path(raw.number, "custom:more"), {"value": 1})
    status, answer = tailnet.api("PUT", path(raw.number, "custom:most"), {"value": 1}, expect=None)
    assert status >= 400 and "64 attributes" in json.dumps(answer)


def test_what_the_client_reports(tailnet):
    node = tailnet.join("laptop")
    reported = {a["key"]: a for a in listed(tailnet, node.id) if a["source"] == "client"}
    assert reported["node:os"]["value"] == "linux" and reported["node:tsVersion"]["value"].startswith("1.102.5"), reported
    assert reported["node:os"]["updatedAt"] is None
    tailnet.api("DELETE", path(node.id, "node:os"), expect=404)


# --- what rules make of it


def posture(**more):
    """Only a client whose tier is above 2 reaches the server."""
    return {"tagOwners": {"tag:client": [], "tag:server": []}, "postures": {"posture:trusted": ["custom:tier > 2"]},
            "acls": [{"action": "accept", "src": ["tag:client"], "dst": ["tag:server:*"], "srcPosture": ["posture:trusted"]}], **more}


@pytest.mark.parametrize("release", ["1.102.5", OLDEST])
def test_an_attribute_that_ends_shuts_the_door(tailnet, release):
    """Given: the client sees the server. When it ends nobody does anything, and the server is gone."""
    client = tailnet.join("client", machine=tailnet.machine(release), authkey=tagged(tailnet, "tag:client"))
    server = tailnet.join("server", coordinator=1, machine=tailnet.machine(release), authkey=tagged(tailnet, "tag:server"))
    put(tailnet, **posture())
    knows(client)
    tailnet.api("PUT", path(client.id, "custom:tier"), {"value": 2})
    tailnet.api("PUT", path(client.id, "custom:tier"), {"value": 3})
    client.sees(server)
    server.sees(client)
    tailnet.api("PUT", path(client.id, "custom:tier"), {"value": 3, "expiry": soon(3)})
    client.misses(server)
    server.misses(client)
    assert attributes(tailnet, client.id) == {}
    # The same when it is taken.
    tailnet.api("PUT", path(client.id, "custom:tier"), {"value": 3})
    client.sees(server)
    tailnet.api("DELETE", path(client.id, "custom:tier"))
    client.misses(server)


def test_audits(tailnet):
    raw = tailnet.raw("one")
    tailnet.api("PUT", path(raw.number, "custom:tier"), {"value": 3})
    tailnet.api("DELETE", path(raw.number, "custom:tier"))
    for action, detail in (("node.set-attribute", {"custom:tier": "3"}), ("node.delete-attribute", {"key": "custom:tier"})):
        line = audited(lambda: tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"], lambda entry, action=action: entry["action"] == action)
        assert line["detail"] == detail and line["subject"] == str(raw.number), line
