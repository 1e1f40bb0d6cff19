"""Tags that machines ask for when they register: who may have them, by key and by login, and what becomes of the node."""

import json

import pytest
from actors.client import NEWEST, OLDEST
from actors.logins import Follower, auth_id, begin, page, register, url_of
from actors.policies import of, put, tagged

OWNERS = {"tag:web": ["ann@"], "tag:db": ["group:data"], "tag:ops": ["autogroup:admin"], "tag:infra": [], "tag:leaf": ["tag:infra"], "tag:king": []}
GROUPS = {"group:data": ["bob@"]}


def refusal(*tags):
    return f"requested tags [{' '.join(tags)}] are invalid or not permitted"


def asking(*tags, **more):
    return {"Hostinfo": {"Hostname": "n", "OS": "linux", "RequestTags": list(tags)}, **more}


@pytest.fixture
def net(tailnet):
    for name in ("ann", "bob", "eve"):
        tailnet.cluster.user(name, tailnet.name)
    put(tailnet, tagOwners=OWNERS, groups=GROUPS)
    return tailnet


def ask(net, key, *tags, raw=None):
    """The answer to a registration with that key that asks for tags; what it is afterwards, as the API has it."""
    raw = raw or net.machine().raw("node", url=net.url())
    answer = raw.register(key, **asking(*tags))
    assert answer["status"] == 200, answer
    mine = [n for n in net.nodes() if n["nodeKey"] == raw.keys["node_key"]]
    return answer["json"], mine[0] if mine else None, raw


def number_of(net, label):
    return next(n["id"] for n in net.nodes() if n["givenName"] == label)


def is_tagged(net, node, *tags):
    alone = net.node(node["id"])
    assert alone["tags"] == sorted(tags) and alone["user"] is None and alone["expiry"] is None, alone


# --- by key


@pytest.mark.parametrize("who, tags, denied", [
    ("ann", ["tag:web"], []), ("bob", ["tag:db"], []), ("ann", ["tag:db"], ["tag:db"]), ("ann", ["tag:king"], ["tag:king"]),
    ("ann", ["tag:web", "tag:db", "tag:nowhere"], ["tag:db", "tag:nowhere"]), ("eve", ["tag:web"], ["tag:web"]),
    ("ann", ["tag:infra", "tag:leaf"], ["tag:infra", "tag:leaf"]), ("ann", ["tag:web", "no tag"], ["?"]), ("ann", ["tag:Web"], ["tag:Web"])])
def test_tags_of_a_user(net, who, tags, denied):
    answer, node, raw = ask(net, of(net, who), *tags)
    if denied:
        assert answer["Error"] == refusal(*denied) and node is None
        return
    assert not answer.get("Error") and answer["Login"]["LoginName"] == "tagged-devices", answer
    is_tagged(net, node, *tags)
    raw.stream()
    me = raw.first()["Node"]
    assert me["Tags"] == tags and not me.get("KeyExpiry") and me["User"] == me["ID"]


def test_a_role_owns_a_tag(net):
    user = net.cluster.user("eve", net.name)
    assert ask(net, of(net, "eve"), "tag:ops")[0]["Error"] == refusal("tag:ops")
    net.api("PATCH", f"/api/fleetscale/v1/users/{user}", {"role": "admin"})
    is_tagged(net, ask(net, of(net, "eve"), "tag:ops")[1], "tag:ops")


def test_a_group_from_outside_owns_a_tag(net):
    """Also one that had nobody when the policy was read."""
    ann, bob = (net.cluster.user(name, net.name) for name in ("ann", "bob"))
    belongs = lambda user, *groups: net.api("PATCH", f"/api/fleetscale/v1/users/{user}", {"groups": list(groups)})  # noqa: E731
    belongs(bob, "group:outer")
    put(net, tagOwners={"tag:out": ["group:outer"]})
    belongs(bob)
    assert ask(net, of(net, "ann"), "tag:out")[0]["Error"] == refusal("tag:out")
    belongs(ann, "group:outer")
    is_tagged(net, ask(net, of(net, "ann"), "tag:out")[1], "tag:out")


def test_without_a_policy_nobody_owns_a_tag(tailnet):
    tailnet.cluster.user("ann", tailnet.name)
    assert ask(tailnet, of(tailnet, "ann"), "tag:web")[0]["Error"] == refusal("tag:web")
    is_tagged(tailnet, ask(tailnet, tagged(tailnet, "tag:web"), "tag:web")[1], "tag:web")


def test_a_key_with_tags(net):
    """All of them, whatever of them is asked for; instead what they own, where that is asked for."""
    key = net.authkey(aclTags=["tag:infra", "tag:web"], reusable=True)
    is_tagged(net, ask(net, key)[1], "tag:infra", "tag:web")
    is_tagged(net, ask(net, key, "tag:web")[1], "tag:infra", "tag:web")
    is_tagged(net, ask(net, key, "tag:leaf")[1], "tag:leaf")
    assert ask(net, key, "tag:db", "tag:leaf")[0]["Error"] == refusal("tag:db")


def test_a_policy_write_counts_at_once(net):
    """Each registration asks the policy that is in force then."""
    key = net.authkey(user=net.cluster.user("eve", net.name), reusable=True)
    for owners in ([], ["eve@"], [], ["eve@"]):
        put(net, tagOwners={"tag:web": owners})
        for coordinator in (0, 1):
            raw = net.machine().raw("node", url=net.url(coordinator))
            assert (raw.register(key, **asking("tag:web"))["json"].get("Error") or "") == ("" if owners else refusal("tag:web"))


def test_again_and_other_tags(net):
    """A restart repeats what was asked for; other tags need a right of their own, and dropping them a user."""
    key = net.authkey(user=net.cluster.user("ann", net.name), reusable=True)
    _, node, raw = ask(net, key, "tag:web")
    net.tag(node["id"], "tag:infra")
    for auth in (key, ""):
        assert not raw.register(auth, **asking("tag:web"))["json"].get("Error")
        is_tagged(net, node, "tag:infra")
    # Its own tags own them.
    assert not raw.register("", **asking("tag:leaf"))["json"].get("Error")
    is_tagged(net, node, "tag:leaf")
    # They do not own these: its user has to sign in.
    assert raw.register("", **asking("tag:king"))["json"]["NodeKeyExpired"] is True
    assert raw.register(key, **asking("tag:king"))["json"]["Error"] == refusal("tag:king")
    raw.rotate()
    assert "/register/" in raw.register("", **asking("tag:king"))["json"]["AuthURL"]
    assert not raw.register(key, **asking("tag:web"))["json"].get("Error")
    is_tagged(net, node, "tag:web")
    # As a user again.
    raw.rotate()
    assert not raw.register(key, **asking())["json"].get("Error")
    now = net.node(node["id"])
    assert now["tags"] == [] and now["user"]["name"] == "ann" and now["expiry"]
    assert len(net.nodes()) == 1, "the same node all the way"


def test_a_persons_machine_becomes_tagged(net):
    key = net.authkey(user=net.cluster.user("ann", net.name), reusable=True)
    _, node, raw = ask(net, key)
    assert net.node(node["id"])["user"]["name"] == "ann"
    assert raw.register("", **asking("tag:db"))["json"]["Error"] == refusal("tag:db")
    assert raw.register("", **asking("tag:web"))["json"]["NodeKeyExpired"] is True, "its user signs in for it"
    assert net.node(node["id"])["user"]["name"] == "ann", "nothing changed"
    assert not raw.register(key, **asking("tag:web"))["json"].get("Error")
    is_tagged(net, node, "tag:web")


def test_a_one_shot_key_whose_client_lost_its_node_key(net):
    key = of(net, "ann")
    _, node, raw = ask(net, key, "tag:web")
    raw.rotate()
    assert not raw.register(key, **asking("tag:web"))["json"].get("Error")
    assert [n["id"] for n in net.nodes()] == [node["id"]]
    is_tagged(net, node, "tag:web")


# --- by login


def test_login_with_tags(net):
    raw = net.machine().raw("node", url=net.url())
    url = begin(raw, **asking("tag:web"))
    held = Follower(raw, url, **asking("tag:web")).waits(0.5)
    assert '<dd id="tags"><bdi>tag:web</bdi>' in page(url)[2]
    made = register(net, url, "ann", net.cluster.coordinators[1])
    assert made["tags"] == ["tag:web"] and made["user"] is None and made["expiry"] is None
    assert held.answer()["json"]["Login"]["LoginName"] == "tagged-devices"
    # Renewed as it is: its tags need nobody's right; others are its owner's to give, and it has none.
    raw.rotate()
    net.api("POST", "/api/v1/auth/approve", {"authId": auth_id(begin(raw, **asking("tag:web")))})
    is_tagged(net, made, "tag:web")
    raw.rotate()
    assert net.api("POST", "/api/v1/auth/approve", {"authId": auth_id(begin(raw, **asking("tag:db")))}, expect=None)[0] == 400
    # As a user, without tags.
    again = register(net, begin(raw, **asking()), "ann")
    assert again["id"] == made["id"] and again["tags"] == [] and again["user"]["name"] == "ann" and again["expiry"]


def test_login_refused_for_its_tags(net):
    raw = net.machine().raw("node", url=net.url())
    url = begin(raw, **asking("tag:web", "tag:db"))
    held = Follower(raw, url, **asking("tag:web", "tag:db")).waits(0.5)
    status, answer = register(net, url, "eve", expect=None)
    assert status == 400 and refusal("tag:db", "tag:web") in json.dumps(answer)
    assert held.answer()["json"]["Error"] == refusal("tag:db", "tag:web")
    assert net.nodes() == []


# --- by an administrator


def test_tags_exist_where_there_is_a_policy(net):
    _, node, _ = ask(net, of(net, "ann"))
    say = refusal("tag:nowhere")
    for method, path, body in (("POST", f"/api/v1/node/{node['id']}/tags", {"tags": ["tag:web", "tag:nowhere"]}),
                               ("POST", "/api/v1/preauthkey", {"aclTags": ["tag:nowhere"], "expiration": "2100-01-01T00:00:00Z"}),
                               ("POST", "/api/fleetscale/v1/authkeys", {"tags": ["tag:king", "tag:nowhere"]})):
        status, answer = net.api(method, path, body, expect=None)
        assert status == 400 and say in json.dumps(answer), (path, status, answer)
    net.tag(node["id"], "tag:king")
    is_tagged(net, node, "tag:king")
    assert net.authkey(aclTags=["tag:king"])


# --- with official clients


def test_an_official_client_asks(net):
    """tsnet's AdvertiseTags: in with its tags, peers see them, and a restart changes nothing."""
    watcher = net.join("watcher", authkey=of(net, "ann"))
    machine = net.machine()
    node = net.join("server", machine=machine, authkey=of(net, "ann"), tags=["tag:web"])
    assert node.me["Tags"] == ["tag:web"] and not node.me.get("KeyExpiry")
    assert watcher.sees(node)["Tags"] == ["tag:web"]
    number = node.id
    node.close()
    node = machine.node("server", url=net.url(1), tags=["tag:web"]).running()
    assert node.id == number and node.me["Tags"] == ["tag:web"]
    # Other tags: its user signs in.
    node.close()
    node = machine.node("server", url=net.url(1), tags=["tag:db"])
    register(net, url_of(node), "bob")
    node.running()
    assert node.id == number and watcher.await_true(lambda: watcher.view["peers"][number].get("Tags") == ["tag:db"], 20, "the other tag")
    # Dropped: a user's again, who signs in anew.
    node.close()
    node = machine.node("server", url=net.url(1)).running()
    assert node.me["Tags"] == ["tag:db"], "a restart that asks for nothing keeps them"
    node.call("login")
    register(net, url_of(node), "ann")
    watcher.await_true(lambda: not watcher.view["peers"][number].get("Tags"), 20, "no tag")
    assert net.node(number_of(net, "server"))["user"]["name"] == "ann" and len(net.nodes()) == 2


def test_an_official_client_is_refused(net):
    node = net.machine().node("server", url=net.url(), authkey=of(net, "eve"), tags=["tag:web"])
    node.await_true(lambda: refusal("tag:web") in json.dumps(node.view["health"]) or refusal("tag:web") in node.describe(), 30, "the refusal")
    assert net.nodes() == []


def test_an_old_client_asks(net):
    """1.64, whose tsnet asks for none by itself: the preference is set before the login, as `tailscale up --advertise-tags` does it."""
    node = net.machine(OLDEST).node("laptop", url=net.url())
    first = url_of(node)
    node.set(tags=["tag:web"])
    node.call("login")
    register(net, url_of(node, other=first), "ann")
    node.running()
    assert node.me["Tags"] == ["tag:web"] and not node.me.get("KeyExpiry")


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_a_running_client_asks(net, release):
    """An edit of its preferences while it runs: what its own tags own it has at once; for others its user signs in."""
    machine = net.machine(release)
    node = net.join("server", machine=machine, authkey=tagged(net, "tag:infra"))
    number = node.id
    node.set(tags=["tag:leaf"])
    node.wait(lambda v: (v["self"] or {}).get("Tags") == ["tag:leaf"], 20, "the tag that its own owns")
    node.set(tags=["tag:web"])
    node.state("NeedsLogin")
    node.call("login", authkey=of(net, "ann"))
    node.wait(lambda v: v["state"] == "Running" and v["self"].get("Tags") == ["tag:web"], 30, "running with its user's tag")
    assert node.id == number and len(net.nodes()) == 1
