"""Device approval, the node limit, frozen and suspended tailnets: who is let in, and who waits."""

import concurrent.futures
import time

import pytest
from actors.client import NEWEST, OLDEST
from actors.logins import Follower, begin, register, url_of


def settings(net, **changes):
    return net.api("PATCH", "/api/fleetscale/v1/settings", changes)["settings"]


def change(net, **changes):
    return net.cluster.api("PATCH", "/api/fleetscale/v1/tailnets/" + net.name, changes)["tailnet"]


def approve(net, number, approved=True, **more):
    return net.api("POST", f"/api/fleetscale/v1/nodes/{number}/approve", {"approved": approved}, **more)


def own_key(net, **fields):
    made = net.api("POST", "/api/fleetscale/v1/authkeys", {"user": net.cluster.user("default", net.name), **fields})["authKey"]
    return made["key"]


def refused(answer):
    assert answer["status"] == 200 and answer["json"].get("Error"), f"not refused: {answer}"
    return answer["json"]["Error"]


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_a_new_node_waits_for_approval(tailnet, release):
    """It sees nobody and nobody sees it, until an administrator said so, through the other coordinator; and again after he took it back."""
    watcher = tailnet.join("watcher")
    settings(tailnet, deviceApproval=True)
    node = tailnet.machine(release).node("new", url=tailnet.url(), authkey=tailnet.authkey())
    node.state("NeedsMachineAuth")
    identity = next(n["id"] for n in tailnet.nodes() if n["givenName"] == "new")
    assert watcher.view["peers"] == {} and node.view["peers"] == {}
    began = time.time()
    approve(tailnet, identity, coordinator=tailnet.cluster.coordinators[1])
    node.state("Running", since=began)
    node.sees(watcher, since=began)
    watcher.sees(identity, since=began)
    began = time.time()
    approve(tailnet, identity, False)
    watcher.misses(identity, 10, began)
    node.state("NeedsMachineAuth", since=began)
    approve(tailnet, identity)
    watcher.sees(identity, since=began)


def test_who_is_in_stays_in(tailnet):
    """Switching it on asks nothing of those who joined before, nor of their renewals."""
    node = tailnet.raw("node")
    settings(tailnet, deviceApproval=True)
    node.rotate()
    assert node.register(tailnet.authkey())["json"]["MachineAuthorized"] is True


def test_pre_approved_key(tailnet):
    settings(tailnet, deviceApproval=True)
    key = own_key(tailnet, preapproved=True, description="for the servers", reusable=True)
    watcher, node = tailnet.join("watcher", authkey=key), tailnet.join("node", 1, authkey=key)
    node.sees(watcher)
    waiting = tailnet.machine().raw("waiting", url=tailnet.url())
    assert waiting.register(tailnet.authkey())["json"]["MachineAuthorized"] is False
    waiting.rotate()
    assert waiting.register(key)["json"]["MachineAuthorized"] is True, "a pre-approved key approves a node that waited"
    listed = tailnet.api("GET", "/api/fleetscale/v1/authkeys")["authKeys"]
    told = [(k["description"], k["preapproved"]) for k in listed]
    assert ("for the servers", True) in told and ("", False) in told and key not in str(listed)


def test_login_does_not_approve(tailnet):
    settings(tailnet, deviceApproval=True)
    node = tailnet.machine().node("laptop", url=tailnet.url())
    made = register(tailnet, url_of(node))
    node.state("NeedsMachineAuth")
    began = time.time()
    approve(tailnet, made["id"])
    node.state("Running", since=began)


def test_switched_off(tailnet):
    """New nodes are let in again; those who waited do so until they are approved or join anew."""
    settings(tailnet, deviceApproval=True)
    waiting = tailnet.machine().raw("waiting", url=tailnet.url())
    assert waiting.register(tailnet.authkey())["json"]["MachineAuthorized"] is False
    settings(tailnet, deviceApproval=False)
    assert tailnet.raw("new").map["Node"]["MachineAuthorized"] is True
    waiting.rotate()
    assert waiting.register(tailnet.authkey())["json"]["MachineAuthorized"] is True


def test_approval_of_what_is_not_there(tailnets):
    ours, theirs = tailnets("a"), tailnets("b")
    node = theirs.raw("node")
    for number in (node.number, 999999999):
        assert approve(ours, number, expect=None)[0] == 404
    assert ours.api("POST", f"/api/fleetscale/v1/nodes/{node.number}/approve", {}, expect=None)[0] in (400, 404)
    assert theirs.api("POST", f"/api/fleetscale/v1/nodes/{node.number}/approve", {"approved": "yes"}, expect=None)[0] == 422


def test_node_limit(tailnet):
    """Of many who come at once as many as there is room for; the others are told why. Renewals need no room."""
    change(tailnet, nodeLimit=3)
    key = tailnet.authkey(reusable=True)
    machines = [tailnet.machine() for _ in range(3)]
    raws = [machines[n % 3].raw(f"node-{n}", url=tailnet.url(n)) for n in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda r: r.register(key), raws))
    errors = [a["json"]["Error"] for a in answers if a["json"].get("Error")]
    assert errors == 3 * ["this tailnet has reached its limit of 3 nodes"], answers
    inside = [r for r, a in zip(raws, answers, strict=True) if not a["json"].get("Error")]
    inside[0].rotate()
    assert not inside[0].register(key)["json"].get("Error")
    late = tailnet.machine().raw("late", url=tailnet.url())
    url = begin(late)
    status, answer = register(tailnet, url, expect=None)
    assert status == 400 and answer["message"] == "this tailnet has reached its limit of 3 nodes", answer
    change(tailnet, nodeLimit=4)
    held = Follower(late, url).waits(0.2)
    register(tailnet, url)
    assert held.answer()["json"]["User"]["ID"]
    assert len(tailnet.nodes()) == 4


def test_frozen_tailnet(tailnet):
    """Nothing joins and nothing is lost: who is in goes on, restarts too."""
    one, two = tailnet.join("one"), tailnet.raw("two", 1)
    url = begin(tailnet.machine().raw("waiting", url=tailnet.url()))
    change(tailnet, frozen=True)
    sentence = "this tailnet admits no machine at present"
    assert refused(tailnet.machine().raw("new", url=tailnet.url(1)).register(tailnet.authkey())) == sentence
    status, answer = register(tailnet, url, expect=None)
    assert status == 403 and answer["message"] == sentence, answer
    assert not two.register()["json"].get("Error"), "a restart is no joining"
    began = time.time()
    tailnet.rename(two.number, "renamed")
    one.wait(lambda v: any(p["DNSName"].startswith("renamed.") for p in v["peers"].values()), 10, "the map goes on", began)
    change(tailnet, frozen=False)
    register(tailnet, url)
    assert len(tailnet.nodes()) == 3


def test_suspended_tailnet_admits_nobody(tailnet):
    url = begin(tailnet.machine().raw("waiting", url=tailnet.url()))
    change(tailnet, suspended=True)
    assert refused(tailnet.machine().raw("new", url=tailnet.url()).register(tailnet.authkey())) == "this tailnet is suspended"
    status, answer = register(tailnet, url, expect=None)
    assert status == 403 and answer["message"] == "this tailnet is suspended", answer
    change(tailnet, suspended=False)
    register(tailnet, url)


def test_one_shot_key_lets_one_of_many_in(tailnet):
    key = tailnet.authkey()
    raws = [tailnet.machine().raw(f"node-{n}", url=tailnet.url(n)) for n in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda r: r.register(key), raws))
    errors = [a["json"].get("Error", "") for a in answers]
    assert errors.count("") == 1 and all("used up" in e for e in errors if e), errors
    assert len(tailnet.nodes()) == 1


def test_one_name_and_few_addresses_for_many(tailnets):
    """Two coordinators at once on one name and one range: each node has its own of both, and who finds none is told so."""
    net = tailnets("narrow", ipv4Range="100.64.9.0/29")
    key = net.authkey(reusable=True)
    raws = [net.machine().raw("pc", url=net.url(n)) for n in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda r: r.register(key), raws))
    errors = [a["json"]["Error"] for a in answers if a["json"].get("Error")]
    assert errors == 2 * ["the address range 100.64.9.0/29 of this tailnet is full"], errors
    assert sorted(n["givenName"] for n in net.nodes()) == ["pc", "pc-1", "pc-2", "pc-3", "pc-4", "pc-5"]
    assert sorted(n["ipAddresses"][0] for n in net.nodes()) == [f"100.64.9.{i}" for i in range(1, 7)]
