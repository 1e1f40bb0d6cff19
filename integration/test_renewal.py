"""Key expiry and renewal, by login and by key: the same node before and after; changes of owner; logout and back."""

import time

import pytest
from actors.client import NEWEST, OLDEST
from actors.logins import Follower, approve, begin, register, url_of

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])


def same(before, after, *but):
    """What a renewal must not change."""
    for field in ("id", "ipAddresses", "givenName", "tags", "user", "createdAt", "approvedRoutes"):
        if field not in but:
            assert after[field] == before[field], field
    assert after["machineKey"] == before["machineKey"]


def logged_in(net, name, release, coordinator=0):
    """A real client that joined without a key: one that did would go on presenting it for as long as it runs."""
    node = net.machine(release).node(name, url=net.url(coordinator))
    register(net, url_of(node))
    return node.running()


def in_seconds(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def settings(net, **changes):
    return net.api("PATCH", "/api/fleetscale/v1/settings", changes)["settings"]


@BOTH
def test_expired_then_renewed_by_login(tailnet, release):
    """Peers see the key expire; the same machine logs in again and is the same node."""
    watcher = tailnet.join("watcher", 1)
    node = logged_in(tailnet, "laptop", release)
    watcher.sees(node)
    identity, ips, before = node.id, node.ips, tailnet.node(node.id)
    began = time.time()
    tailnet.expire(identity)
    node.state("NeedsLogin", 30, began)
    node.call("login")
    url = url_of(node)
    began = time.time()
    register(tailnet, url, coordinator=tailnet.cluster.coordinators[1])
    node.state("Running", 30, began)
    node.wait(lambda v: (v.get("self") or {}).get("TailscaleIPs") == ips, 10, "the same addresses", began)
    assert node.id == identity
    after = tailnet.node(identity)
    same(before, after)
    assert after["nodeKey"] != before["nodeKey"] and after["expiry"] > before["expiry"]
    watcher.wait(lambda v: identity in v["peers"] and not v["peers"][identity].get("Expired"), 20, "its peer is back", began)


@BOTH
def test_expired_then_renewed_by_key(tailnet, release):
    node = tailnet.join("laptop", machine=tailnet.machine(release))
    identity, ips, before = node.id, node.ips, tailnet.node(node.id)
    began = time.time()
    tailnet.expire(identity)
    node.state("NeedsLogin", 30, began)
    began = time.time()
    node.call("login", authkey=tailnet.authkey())
    node.state("Running", 30, began)
    node.wait(lambda v: (v.get("self") or {}).get("TailscaleIPs") == ips, 10, "the same addresses", began)
    same(before, tailnet.node(identity))


def test_lifetime_of_seconds(tailnet):
    """The tailnet's own lifetime; renewal before the key expires, then after it did."""
    settings(tailnet, keyLifetimeSeconds=3600)
    node = tailnet.raw("node")
    before = tailnet.node(node.number)
    assert in_seconds(3500) < before["expiry"] < in_seconds(3700)
    settings(tailnet, keyLifetimeSeconds=7200)
    node.rotate()
    url = begin(node)
    held = Follower(node, url).waits(0.2)
    assert tailnet.node(node.number)["nodeKey"] == before["nodeKey"], "the old key stays good until somebody answered"
    assert not node.ends
    assert approve(tailnet, url) == {}
    assert held.answer()["json"]["User"]["ID"]
    after = tailnet.node(node.number)
    same(before, after)
    assert in_seconds(7100) < after["expiry"] < in_seconds(7300)
    assert not node.register()["json"].get("AuthURL"), "a restart"
    assert tailnet.node(node.number)["expiry"] == after["expiry"], "which changes nothing"
    tailnet.expire(node.number, in_seconds(1))
    time.sleep(2)
    assert node.register()["json"]["NodeKeyExpired"] is True
    node.rotate()
    url = begin(node)
    assert approve(tailnet, url) == {}
    same(before, tailnet.node(node.number))


def test_expiry_disabled(tailnet):
    """An administrator said never: a renewal by its owner leaves it so."""
    node = tailnet.raw("node")
    tailnet.api("POST", f"/api/v1/node/{node.number}/expire", {"disableExpiry": True})
    before = tailnet.node(node.number)
    assert before["expiry"] is None
    node.rotate()
    assert not node.register(tailnet.authkey())["json"].get("Error")
    assert tailnet.node(node.number)["expiry"] is None
    node.rotate()
    register(tailnet, begin(node))
    after = tailnet.node(node.number)
    same(before, after)
    assert after["expiry"] is None


def test_change_of_user(tailnet):
    """One machine, two users: each has a node of his own, and both stay."""
    machine = tailnet.machine()
    node = machine.raw("laptop", url=tailnet.url())
    anns = register(tailnet, begin(node), "ann")
    node.rotate()
    bobs = register(tailnet, begin(node), "bob")
    assert bobs["id"] != anns["id"] and bobs["ipAddresses"] != anns["ipAddresses"] and bobs["givenName"] == "laptop-1"
    assert {n["user"]["name"] for n in tailnet.nodes()} == {"ann", "bob"}
    node.rotate()
    again = register(tailnet, begin(node), "ann")
    same(anns, again)
    key = tailnet.authkey(user=tailnet.cluster.user("bob", tailnet.name))
    node.rotate()
    assert not node.register(key)["json"].get("Error")
    assert {n["id"] for n in tailnet.nodes()} == {anns["id"], bobs["id"]}
    assert tailnet.node(anns["id"])["user"]["name"] == "ann"


@BOTH
def test_logout_and_back(tailnet, release):
    """The client forgets all but its machine key: the same user gets the same node."""
    node = logged_in(tailnet, "laptop", release)
    identity, before = node.id, tailnet.node(node.id)
    began = time.time()
    node.logout()
    node.state("NeedsLogin", 30, began)
    assert tailnet.node(identity)["expiry"] <= in_seconds(1)
    node.close()
    node.start(url=tailnet.url(1), hostname="laptop")
    url = url_of(node)
    began = time.time()
    register(tailnet, url, coordinator=tailnet.cluster.coordinators[1])
    node.state("Running", 30, began)
    after = tailnet.node(identity)
    same(before, after)
    assert [n["id"] for n in tailnet.nodes()] == [identity]


def test_tags_of_another_key(tailnet):
    """Joining again with another key takes that key's tags; tagged nodes never expire, whatever the client wishes."""
    node = tailnet.raw("server", authkey=tailnet.authkey(aclTags=["tag:web"]))
    before = tailnet.node(node.number)
    assert before["tags"] == ["tag:web"] and before["expiry"] is None and before["user"] is None
    node.rotate()
    assert not node.register(tailnet.authkey(aclTags=["tag:db", "tag:new"]), Expiry=in_seconds(600))["json"].get("Error")
    after = tailnet.node(node.number)
    same(before, after, "tags")
    assert after["tags"] == ["tag:db", "tag:new"] and after["expiry"] is None
    node.rotate()
    url = begin(node)
    assert approve(tailnet, url) == {}
    same(after, tailnet.node(node.number))
    node.rotate()
    made = register(tailnet, begin(node), "ann")
    same(after, made, "tags", "user")
    assert made["tags"] == [] and made["user"]["name"] == "ann" and made["expiry"]


def test_approve_needs_a_node(tailnet):
    """Approving renews; a machine that is new here needs a user."""
    raw = tailnet.machine().raw("new", url=tailnet.url())
    url = begin(raw)
    status, answer = approve(tailnet, url, expect=None)
    assert status == 400 and "auth register" in answer["message"], answer
    register(tailnet, url)


def test_ephemeral_login_vanishes(tailnet):
    """Marked by the client's request alone, without a key."""
    watcher = tailnet.join("watcher")
    machine = tailnet.machine()
    node = machine.node("shortlived", url=tailnet.url(1), ephemeral=True)
    made = register(tailnet, url_of(node))
    watcher.sees(made["id"])
    machine.kill()
    watcher.misses(made["id"], 30)
    assert made["id"] not in [n["id"] for n in tailnet.nodes()]


def test_two_machines_of_one_name(tailnet):
    """Requested names collide, are empty, and change; a renewal keeps what was given."""
    raws = [tailnet.machine().raw(f"raw-{n}", url=tailnet.url(n)) for n in range(4)]
    names = ["pc", "pc", "", "\u2603"]
    given = [register(tailnet, begin(r, Hostinfo={"Hostname": n, "OS": "linux"}))["givenName"] for r, n in zip(raws, names, strict=True)]
    assert given == ["pc", "pc-1", "node", "node-1"]
    raws[1].rotate()
    assert register(tailnet, begin(raws[1], Hostinfo={"Hostname": "other", "OS": "linux"}))["givenName"] == "pc-1"
