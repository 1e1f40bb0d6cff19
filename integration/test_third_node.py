"""What test_deltas.py leaves open: expiry as a delta, moves and ends as real clients of both releases show them."""

import time

import pytest
from actors.client import NEWEST, OLDEST, about

SECOND = 1.0
LAG = 0.3  # views are polled
RELAY_REGION = 900
BOTH = [NEWEST, OLDEST]


def soon(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def stamp(text):
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


@pytest.fixture
def watchers(tailnet):
    return [tailnet.raw(f"watch-{i}-{v}", coordinator=i, version=v) for i, v in enumerate((142, 90))]


def known(tailnet, watchers):
    """A raw node at the second coordinator that all watchers have heard everything of."""
    node = tailnet.raw("third", coordinator=1)
    for w in watchers:
        w.frame(lambda m: about(m, node.number) and node.keys["disco_key"] in str(m), 0, 10, "the third")
    return node


def expired(told):
    return bool((told or {}).get("changed", {}).get("Expired"))


def test_expired_by_an_administrator(tailnet, watchers):
    """The others, and the node itself on its own stream."""
    node = known(tailnet, watchers)
    marks, mine, began = [w.mark() for w in watchers], node.mark(), time.time()
    tailnet.expire(node.number)
    for w, mark in zip(watchers, marks):
        when, _, _ = w.frame(lambda m: expired(about(m, node.number)), mark, 10, "the expiry")
        assert when - began < SECOND
        w.assert_only_deltas(mark)
    when, _, _ = node.frame(lambda m: (m.get("Node") or {}).get("KeyExpiry", "9") <= soon(1), mine, 10, "its own expiry")
    assert when - began < SECOND


def test_expires_by_itself(tailnet, watchers):
    """The moment that an administrator or the client's key said before: everybody hears it when it comes, as a delta."""
    node = known(tailnet, watchers)
    marks, when_due = [w.mark() for w in watchers], soon(3)
    tailnet.expire(node.number, when_due)
    for w, mark in zip(watchers, marks):
        when, _, _ = w.frame(lambda m: expired(about(m, node.number)), mark, 15, "the expiry")
        assert 0 <= when - stamp(when_due) < 2 * SECOND, "by the sweep of every second"
        w.assert_only_deltas(mark)
    answer = node.register()
    assert answer["json"].get("NodeKeyExpired"), answer


def test_two_moves_at_once(tailnet, watchers):
    """Endpoints and home relay in one update: one frame tells both."""
    node = known(tailnet, watchers)
    marks, began = [w.mark() for w in watchers], time.time()
    node.lite(Endpoints=["203.0.113.9:41641"], EndpointTypes=[1],
              Hostinfo={"Hostname": "third", "OS": "linux", "NetInfo": {"PreferredDERP": RELAY_REGION}})
    for w, mark in zip(watchers, marks):
        when, message, _ = w.frame(lambda m: about(m, node.number), mark, 10, "the move")
        told = str(about(message, node.number))
        assert "203.0.113.9:41641" in told and str(RELAY_REGION) in told, told
        assert when - began < SECOND
        w.assert_only_deltas(mark)


@pytest.mark.parametrize("release", BOTH)
def test_a_real_client_sees_the_move(tailnet, release):
    """A home relay, told after the peer was known without one."""
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    node = tailnet.raw("third", coordinator=1)
    identity = str(node.number)
    alice.sees(identity)
    assert not alice.view["peers"][identity].get("Relay")
    began = time.time()
    node.lite(Hostinfo={"Hostname": "third", "OS": "linux", "NetInfo": {"PreferredDERP": RELAY_REGION}})
    when = alice.wait(lambda v: v["peers"].get(identity, {}).get("Relay"), 10, "the home relay", began)
    assert when - began < SECOND + LAG
    watched = [v for t, v in alice.views if t >= began]
    assert all(v["state"] == "Running" for v in watched)


@pytest.mark.parametrize("release", BOTH)
def test_the_ended_say_so_themselves(tailnet, release):
    """Expired, deleted, logged out: each client's user reads that a login is needed, and the others miss it within a second."""
    machine = tailnet.machine(release)
    watcher = tailnet.join("watcher")
    names = ("expired", "deleted", "leaving")
    nodes = {name: tailnet.join(name, coordinator=i, machine=machine) for i, name in enumerate(names)}
    for node in nodes.values():
        watcher.sees(node)
    ids = {name: node.id for name, node in nodes.items()}
    acts = {"expired": lambda: tailnet.expire(int(ids["expired"])), "deleted": lambda: tailnet.delete(int(ids["deleted"])),
            "leaving": nodes["leaving"].logout}
    for name, act in acts.items():
        began = time.time()
        act()
        done = time.time()
        when = watcher.wait(lambda v, i=ids[name]: i not in v["peers"] or v["peers"][i].get("Expired"), 10, f"the {name}", began)
        assert when - (done if name == "leaving" else began) < SECOND + LAG, name
        nodes[name].state("NeedsLogin", 15)
    assert {n["id"] for n in tailnet.nodes()} == {watcher.id, ids["expired"], ids["leaving"]}


@pytest.mark.parametrize("release", BOTH)
def test_back_after_the_end(tailnet, release):
    """With a new auth key: the expired node is the same one again, the deleted one another."""
    machine = tailnet.machine(release)
    watcher = tailnet.join("watcher")
    for name, end in (("expired", tailnet.expire), ("deleted", tailnet.delete)):
        node = tailnet.join(name, machine=machine)
        before = node.id, sorted(node.ips)
        watcher.sees(node)
        end(int(node.id))
        node.state("NeedsLogin", 15)
        node.close()
        again = machine.node(name, url=tailnet.url(1), authkey=tailnet.authkey()).running()
        if name == "expired":
            assert (again.id, sorted(again.ips)) == before
        else:
            assert again.id != before[0]
        watcher.sees(again)
