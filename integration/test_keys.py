"""Joining by each kind of auth key, and the words with which a bad one is refused."""

import time

import pytest


def refused(answer):
    """The text that the client shows its user."""
    assert answer["status"] == 200, answer
    error = answer["json"].get("Error", "")
    assert error, f"not refused: {answer}"
    return error


def raw_at(tailnet, name="node", coordinator=0, **more):
    return tailnet.machine().raw(name, url=tailnet.url(coordinator), **more)


def accepted(answer):
    assert answer["status"] == 200 and not answer["json"].get("Error"), answer
    return answer["json"]


def test_reusable_key(tailnet):
    key = tailnet.authkey(reusable=True)
    one = tailnet.join("one", authkey=key)
    two = tailnet.join("two", coordinator=1, authkey=key)
    one.sees(two)


def test_one_shot_key_is_used_once(tailnet):
    key = tailnet.authkey()
    tailnet.raw("one", authkey=key)
    assert "key" in refused(raw_at(tailnet, "two", 1).register(key)).lower()
    assert len(tailnet.nodes()) == 1


def test_a_limited_key_is_good_for_so_many_machines(tailnet):
    """A machine counts once: one that comes back under another node key takes nobody's place."""
    user = tailnet.cluster.user("default", tailnet.name)
    made = tailnet.api("POST", "/api/fleetscale/v1/authkeys", {"user": user, "reusable": True, "usesMost": 2})["authKey"]
    assert (made["uses"], made["usesMost"]) == (0, 2)
    tailnet.raw("one", authkey=made["key"])
    two = raw_at(tailnet, "two", 1)
    first = two.keys["node_key"]
    accepted(two.register(made["key"]))
    two.rotate()
    accepted(two.register(made["key"], OldNodeKey=first))
    assert refused(raw_at(tailnet, "three").register(made["key"])) == \
        "invalid key: it was good for so many machines and is used up"
    assert len(tailnet.nodes()) == 2
    [key] = [k for k in tailnet.api("GET", "/api/fleetscale/v1/authkeys")["authKeys"] if k["id"] == made["id"]]
    assert (key["uses"], key["usesMost"]) == (2, 2)


def test_a_machine_managed_for_another_tailnet_is_refused(tailnet):
    node = raw_at(tailnet)
    assert "managed to join another tailnet" in refused(node.register(tailnet.authkey(), Tailnet="required:elsewhere"))
    accepted(node.register(tailnet.authkey(), Tailnet=f"required:{tailnet.name}"))


def test_one_shot_key_again_before_the_first_map(tailnet):
    """The client keeps its node key only with the first full map: until then it may come again with another."""
    key = tailnet.authkey()
    node = raw_at(tailnet)
    accepted(node.register(key))
    node.rotate()
    accepted(node.register(key, OldNodeKey="nodekey:" + 64 * "0"))
    assert len(tailnet.nodes()) == 1


def test_the_same_node_with_a_used_key(tailnet):
    """Containers present their key at every start: same machine, same node key, must succeed."""
    key = tailnet.authkey()
    node = tailnet.raw("one", authkey=key)
    before = tailnet.node(node.number)
    accepted(node.register(key))
    after = tailnet.node(node.number)
    assert (after["expiry"], after["ipAddresses"]) == (before["expiry"], before["ipAddresses"])


def test_ephemeral_key(tailnet):
    """Logging out removes an ephemeral node at once."""
    watcher = tailnet.join("watcher")
    node = tailnet.join("shortlived", coordinator=1, authkey=tailnet.authkey(ephemeral=True))
    watcher.sees(node)
    identity = node.id
    began = time.time()
    node.logout()
    watcher.misses(identity, 10, began)
    assert identity not in [n["id"] for n in tailnet.nodes()]


def test_tagged_key(tailnet):
    node = tailnet.join("server", authkey=tailnet.authkey(aclTags=["tag:server"]))
    assert node.me["Tags"] == ["tag:server"]
    assert not node.me.get("KeyExpiry"), "tagged nodes do not expire"
    other = tailnet.join("other", coordinator=1)
    peer = other.sees(node)
    assert peer["Tags"] == ["tag:server"]
    assert other.whois(node.ips[0])["UserProfile"]["LoginName"] == "tagged-devices"


def test_revoked_key(tailnet):
    key = tailnet.authkey(reusable=True)
    tailnet.raw("one", authkey=key)
    listed = tailnet.api("GET", "/api/v1/preauthkey")["preAuthKeys"]
    tailnet.api("POST", "/api/v1/preauthkey/expire", {"id": listed[-1]["id"]})
    assert refused(raw_at(tailnet, "two").register(key))


def test_expired_key(tailnet):
    key = tailnet.authkey(hours=1 / 3600)
    time.sleep(2.1)
    assert "expired" in refused(raw_at(tailnet).register(key)).lower()


@pytest.mark.parametrize("key", ["hskey-auth-AAAAAAAAAAAA-" + 64 * "0", "tskey-auth-no", "x", "\u00e4\u0000\u2603", 5000 * "k"],
                         ids=["unknown", "strange", "short", "unprintable", "long"])
def test_key_that_never_was(tailnet, key):
    answer = raw_at(tailnet).register(key)
    assert (answer["status"] == 400 and answer["text"]) or refused(answer)
    assert tailnet.nodes() == []


def test_no_key(tailnet):
    assert "/register/" in accepted(raw_at(tailnet).register())["AuthURL"]


def test_key_of_another_tailnet_joins_there(tailnets):
    ours, theirs = tailnets("a"), tailnets("b")
    ours.raw("one", authkey=theirs.authkey())
    assert len(ours.nodes()) == 0 and len(theirs.nodes()) == 1


def test_another_machines_node_key(tailnet):
    victim = tailnet.raw("victim")
    thief = raw_at(tailnet, "thief", 1)
    answer = thief.register(tailnet.authkey(), NodeKey=victim.keys["node_key"])
    assert answer["status"] in (401, 403) or answer["json"].get("Error"), answer
    assert "victim" not in answer["text"] and "default" not in answer["text"], "does not tell whose key it is"
    answer = thief.request("/machine/map", {"Version": 142, "NodeKey": victim.keys["node_key"], "Stream": True,
                                            "Compress": ""})
    assert answer["status"] in (400, 401, 403, 404), answer
    assert len(tailnet.nodes()) == 1


def test_a_real_client_shows_the_refusal(tailnet):
    """The client's user reads our words."""
    used = tailnet.authkey()
    tailnet.raw("one", authkey=used)
    node = tailnet.machine().node("late", url=tailnet.url(), authkey=used)
    node.wait(lambda v: any("key" in line.lower() for line in v["health"]), 30, "the refusal in its health")
    assert node.view["state"] != "Running"


def test_logout_of_an_unknown_node_succeeds(tailnet):
    accepted(raw_at(tailnet).register(Expiry="1970-01-01T00:02:03Z"))


def test_expired_node_is_told_so(tailnet):
    """A known expired node: NodeKeyExpired once, then a login."""
    node = tailnet.raw("node")
    tailnet.expire(node.number)
    assert accepted(node.register()).get("NodeKeyExpired") is True
    node.rotate()
    assert "/register/" in accepted(node.register())["AuthURL"]
    assert accepted(node.register(tailnet.authkey()))
    assert [int(n["id"]) for n in tailnet.nodes()] == [node.number], "same node, new key"


def test_requested_tags(tailnet):
    """Tags asked for beyond those of the key are refused in the words clients know."""
    node = raw_at(tailnet)
    hostinfo = {"Hostname": "n", "OS": "linux", "RequestTags": ["tag:king"]}
    assert "tag:king" in refused(node.register(tailnet.authkey(), Hostinfo=hostinfo))
