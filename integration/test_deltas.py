"""A third node joins, is renamed, moves, logs out, expires, is deleted: the others hear each within a second, as a delta."""

import time

import pytest
from actors.client import NEWEST, OLDEST, about

SECOND = 1.0
VERSIONS = [142, 90]
RELAY_REGION = 900  # of the cluster's only relay


def act(action, *watchers):
    """Do it; returns (time before, each watcher's mark)."""
    marks = [w.mark() for w in watchers]
    began = time.time()
    action()
    return began, marks


def heard(watcher, mark, began, number, test, told):
    """The watcher hears of node `number` what passes test, in time, and as a delta."""
    when, message, _ = watcher.frame(lambda m: (about(m, number) is not None and test(about(m, number))), mark, 10, told)
    assert when - began < SECOND, f"{told}: after {when - began:.2f} s"
    watcher.assert_only_deltas(mark)
    return about(message, number)


@pytest.fixture
def watchers(tailnet):
    """Raw observers at both coordinators, of both ends of our version range."""
    return [tailnet.raw(f"watch-{i}-{v}", coordinator=i, version=v) for i, v in enumerate(VERSIONS)]


@pytest.fixture
def third(tailnet, watchers):
    """A raw node that all watchers know, disco key and home relay included."""
    node = tailnet.raw("third", coordinator=1)
    for w in watchers:
        w.frame(lambda m: node.number in told_ids(m) and told_disco(m, node), 0, 10, "the third with its disco key")
    return node


def told_ids(message):
    return {p["ID"] for p in (message.get("Peers") or []) + (message.get("PeersChanged") or [])}


def told_disco(message, node):
    peers = (message.get("Peers") or []) + (message.get("PeersChanged") or [])
    return any(p["ID"] == node.number and p.get("DiscoKey") == node.keys["disco_key"] for p in peers)


def test_a_node_joins(tailnet, watchers):
    key, machine = tailnet.authkey(), tailnet.machine()
    began, marks = act(lambda: None, *watchers)
    node = tailnet.raw("third", coordinator=1, machine=machine, authkey=key, Hostinfo=at_relay("third"))
    for w, mark in zip(watchers, marks):
        when, message, _ = w.frame(lambda m: node.number in told_ids(m), mark, 10, "the new node")
        assert when - began < SECOND, "handshake, registration and the news"
        peer = about(message, node.number)["changed"]
        assert peer["Name"] == f"third.{tailnet.domain}."
        assert peer.get("Online") is not None, "a peer has an Online value from the first frame on"
        w.frame(lambda m: told_home(m, node.number, old=w.name.endswith("-90")), mark, 10, "its home relay")
        w.assert_only_deltas(mark)
        if w.name.endswith("-90"):
            assert peer["AllowedIPs"] == peer["Addresses"], "omitted means Addresses only from 112 on"


def at_relay(name):
    return {"Hostname": name, "OS": "linux", "NetInfo": {"PreferredDERP": RELAY_REGION}}


def told_home(message, number, old):
    """HomeDERP, or before 111 the string; as a peer or as a patch."""
    told = about(message, number) or {}
    peer = told.get("changed", {})
    home = peer.get("DERP") == f"127.3.3.40:{RELAY_REGION}" if old else peer.get("HomeDERP") == RELAY_REGION
    return home or told.get("patch", {}).get("DERPRegion") == RELAY_REGION


def test_renamed(tailnet, watchers, third):
    began, marks = act(lambda: tailnet.rename(third.number, "renamed"), *watchers, third)
    for w, mark in zip(watchers, marks):
        peer = heard(w, mark, began, third.number, lambda a: "changed" in a, "the rename")["changed"]
        assert peer["Name"] == f"renamed.{tailnet.domain}."
    when, message, _ = third.frame(lambda m: m.get("Node"), marks[-1], 10, "its own new name")
    assert when - began < SECOND and message["Node"]["Name"].startswith("renamed.")
    third.assert_only_deltas(marks[-1])


def test_new_endpoints(tailnet, watchers, third):
    began, marks = act(lambda: third.lite(Endpoints=["203.0.113.9:41641"], EndpointTypes=[1]), *watchers)
    for w, mark in zip(watchers, marks):
        told = heard(w, mark, began, third.number,
                     lambda a: "203.0.113.9:41641" in str(a), "the endpoints")
        assert "patch" in told, "endpoints travel as a patch"


def test_new_home_relay(tailnet, watchers, third):
    began, marks = act(lambda: third.lite(Hostinfo=at_relay("third")), *watchers)
    for w, mark in zip(watchers, marks):
        told = heard(w, mark, began, third.number, lambda a: str(RELAY_REGION) in str(a), "the home relay")
        assert told["patch"]["DERPRegion"] == RELAY_REGION, "a move is a patch"


def test_offline_and_back(tailnet, watchers, third):
    """Offline is told after the grace (2 s here), online at once."""
    for last in (False, True):  # the first time in doubt: for some seconds after a start it is not certain who is online
        began, marks = act(third.close, *watchers)
        for w, mark in zip(watchers, marks):
            when, _, _ = w.frame(lambda m: says_online(about(m, third.number)) is False, mark, 15, "offline")
            assert when - began > 1.5
            assert when - began < 3.5 or not last, when - began
            w.assert_only_deltas(mark)
        began, marks = act(third.stream, *watchers)
        for w, mark in zip(watchers, marks):
            heard(w, mark, began, third.number, lambda a: says_online(a) is True, "online again")


def says_online(told):
    if not told:
        return None
    if "online" in told:
        return told["online"]
    return (told.get("patch") or told.get("changed") or {}).get("Online")


def test_key_rotation(tailnet, watchers, third):
    """A new node key of a known machine: same node, the new key by delta."""
    key = tailnet.authkey()
    new = third.rotate()["node_key"]
    began, marks = act(lambda: third.register(key), *watchers)
    for w, mark in zip(watchers, marks):
        heard(w, mark, began, third.number, lambda a: new in str(a), "the new node key")
    assert tailnet.node(third.number)["nodeKey"] == new


def test_logged_out(tailnet, watchers, third):
    began, marks = act(lambda: third.register(Expiry="1970-01-01T00:02:03Z"), *watchers)
    for w, mark in zip(watchers, marks):
        told = heard(w, mark, began, third.number, gone_or_expired, "the logout")
        assert told
    assert expired_by_now(tailnet.node(third.number))


def gone_or_expired(told):
    if "removed" in told:
        return True
    fields = told.get("changed") or told.get("patch") or {}
    return bool(fields.get("Expired") or fields.get("KeyExpiry"))


def expired_by_now(node):
    return node["expiry"] and node["expiry"][:19] <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def test_deleted(tailnet, watchers, third):
    began, marks = act(lambda: tailnet.delete(third.number), *watchers)
    for w, mark in zip(watchers, marks):
        heard(w, mark, began, third.number, lambda a: "removed" in a, "the removal")
    assert third.number not in [int(n["id"]) for n in tailnet.nodes()]


def test_tagged(tailnet, watchers, third):
    began, marks = act(lambda: tailnet.tag(third.number, "tag:web"), *watchers)
    for w, mark in zip(watchers, marks):
        peer = heard(w, mark, began, third.number, lambda a: "changed" in a, "the tags")["changed"]
        assert peer["Tags"] == ["tag:web"]
        assert peer["User"] == third.number, "a tagged node's user is its own id"


def test_route_approved(tailnet, watchers):
    router = tailnet.raw("router", coordinator=1,
                         Hostinfo={"Hostname": "router", "OS": "linux", "RoutableIPs": ["192.0.2.0/24"]})
    for w in watchers:
        w.frame(lambda m: router.number in told_ids(m), 0, 10, "the router")
    began, marks = act(lambda: tailnet.api("POST", f"/api/v1/node/{router.number}/approve_routes",
                                           {"routes": ["192.0.2.0/24"]}), *watchers)
    for w, mark in zip(watchers, marks):
        peer = heard(w, mark, began, router.number, lambda a: "192.0.2.0/24" in str(a), "the route")["changed"]
        assert "192.0.2.0/24" in peer["AllowedIPs"] and peer["PrimaryRoutes"] == ["192.0.2.0/24"]


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_real_clients_say_it_too(tailnet, release):
    """What a user sees in `tailscale status`: renamed, then expired, then deleted, each within a second or so."""
    alice = tailnet.join("alice", coordinator=0, machine=tailnet.machine(release))
    bob = tailnet.join("bob", coordinator=1)
    carol = tailnet.join("carol", coordinator=1)
    number, other = int(bob.id), int(carol.id)
    alice.sees(bob)
    alice.sees(carol)

    began = time.time()
    tailnet.rename(number, "robert")
    when = alice.wait(lambda v: v["peers"].get(bob.id, {}).get("DNSName", "").startswith("robert."), 10, "robert", began)
    assert when - began < SECOND + 0.3
    bob.wait(lambda v: v["self"]["DNSName"].startswith("robert."), 10, "its own name", began)

    began = time.time()
    tailnet.expire(number)
    when = alice.wait(lambda v: bob.id not in v["peers"] or v["peers"][bob.id].get("Expired"), 10, "bob expired", began)
    assert when - began < SECOND + 0.3
    bob.state("NeedsLogin", 15)

    began = time.time()
    tailnet.delete(other)
    assert alice.misses(carol, 10, began) - began < SECOND + 0.3
    carol.state("NeedsLogin", 15)


def test_logout_of_a_real_client(tailnet):
    alice = tailnet.join("alice", coordinator=0)
    bob = tailnet.join("bob", coordinator=1)
    alice.sees(bob)
    identity = bob.id
    began = time.time()
    bob.logout()
    alice.wait(lambda v: identity not in v["peers"] or v["peers"][identity].get("Expired"), 10, "bob logged out", began)
    bob.state("NeedsLogin", 15)
