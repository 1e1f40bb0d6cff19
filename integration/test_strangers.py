"""Who asks for what is not his: clear words for him, a log line with its subject for us, nothing changed for anybody else."""

import base64
import time

import pytest
from actors.client import about
from actors.logins import begin, page, register
from actors.tailnet import Tailnet

LOGOUT = "1970-01-01T00:02:03Z"


def log_of(cluster, kind):
    return "\n".join(p.log.read_text(errors="replace") for p in cluster.of(kind))


def logged(cluster, kind, *words, seconds=5):
    """A line of such a program's log has all the words; returns it."""
    end = time.monotonic() + seconds
    while True:
        found = [line for line in log_of(cluster, kind).splitlines() if all(w in line for w in words)]
        if found:
            return found[-1]
        assert time.monotonic() < end, f"no {kind} logged {words}"
        time.sleep(0.1)


def mark_of(raw):
    """How logs name a machine."""
    return "[" + base64.b64encode(bytes.fromhex(raw.keys["machine_key"].removeprefix("mkey:"))).decode()[:5] + "]"


@pytest.mark.parametrize("stream", [True, False])
def test_map_for_a_node_that_never_registered(tailnet, stream):
    raw = tailnet.machine().raw("nobody", url=tailnet.url())
    answer = raw.stream() if stream else raw.call("raw_lite", fields={})
    assert answer["status"] == 404 and answer["text"].strip(), answer
    assert logged(tailnet.cluster, "coordinator", " map ", "unknown node", "no such node key")
    assert raw.register(tailnet.authkey())["status"] == 200, "its connection goes on"


@pytest.fixture
def robbed(tailnet):
    """(victim, thief, a watcher): nothing that the thief says may reach the watcher or move the victim's row."""
    victim, watcher = tailnet.raw("victim"), tailnet.raw("watcher", coordinator=1)
    thief = tailnet.machine().raw("thief", url=tailnet.url(1))
    victim.lite(Endpoints=["203.0.113.1:1"], EndpointTypes=[1])
    watcher.frame(lambda m: "203.0.113.1:1" in str(about(m, victim.number)), 0, 10, "the victim's endpoint")
    before, mark = calm(tailnet.node(victim.number)), watcher.mark()
    yield victim, thief
    time.sleep(0.3)
    assert calm(tailnet.node(victim.number)) == before
    assert not [m for _, m, _ in watcher.frames[mark:] if about(m, victim.number)]
    assert not victim.ends


def calm(node):
    return {k: v for k, v in node.items() if k != "lastSeen"}


def test_update_of_anothers_node(tailnet, robbed):
    victim, thief = robbed
    for fields in ({}, {"Endpoints": ["198.51.100.6:6"], "EndpointTypes": [1]}, {"Stream": True}, {"ReadOnly": True}):
        answer = thief.call("raw_lite", fields={**fields, "NodeKey": victim.keys["node_key"]})
        assert answer["status"] == 404 and "victim" not in answer["text"], answer
    assert mark_of(thief) in logged(tailnet.cluster, "coordinator", "unknown node", "another machine's node key")


def test_logout_of_anothers_node(robbed, tailnet):
    victim, thief = robbed
    for key in ("", tailnet.authkey()):
        answer = thief.register(key, NodeKey=victim.keys["node_key"], Expiry=LOGOUT)
        assert answer["status"] == 401 and answer["text"].strip(), answer
    assert mark_of(thief) in logged(tailnet.cluster, "coordinator", "registration forbidden", "belongs to another machine")


def test_rotation_from_anothers_node(tailnet, robbed):
    """The old key that a registration names is the same machine's or nobody's."""
    victim, thief = robbed
    answer = thief.register(tailnet.authkey(), OldNodeKey=victim.keys["node_key"])
    assert answer["status"] == 200 and not answer["json"].get("Error"), answer
    assert [n["givenName"] for n in tailnet.nodes() if n["nodeKey"] == thief.keys["node_key"]] == ["thief"], "a node of its own"
    without = tailnet.machine().raw("keyless", url=tailnet.url())
    url = begin(without, OldNodeKey=victim.keys["node_key"])
    assert "Renews" not in page(url)[2]
    assert register(tailnet, url)["id"] != str(victim.number), "a login neither"


def refusal(tailnet, key, **fields):
    answer = tailnet.machine().raw("late", url=tailnet.url(1)).register(key, **fields)
    assert answer["status"] == 200, answer
    return answer["json"]["Error"]


def test_each_bad_key_has_its_own_words(tailnet):
    """What the client shows its user names the reason, never another's name; our log has it too."""
    used, revoked = tailnet.authkey(), tailnet.authkey(reusable=True)
    tailnet.raw("one", authkey=used)
    listed = tailnet.api("GET", "/api/v1/preauthkey")["preAuthKeys"]
    tailnet.api("POST", "/api/v1/preauthkey/expire", {"id": max(listed, key=lambda k: int(k["id"]))["id"]})
    short = tailnet.authkey(hours=1 / 3600)
    time.sleep(1.2)
    said = {"used up": refusal(tailnet, used), "revoked": refusal(tailnet, revoked), "expired": refusal(tailnet, short),
            "unknown": refusal(tailnet, used[:-4] + ("0000" if used[-4:] != "0000" else "1111"))}
    for word in ("used up", "revoked", "expired"):
        assert said[word].startswith("invalid key: ") and word in said[word], said
        assert logged(tailnet.cluster, "coordinator", "registration refused", said[word])
    assert said["unknown"].startswith("invalid key") and len(set(said.values())) == len(said), said
    assert len(tailnet.nodes()) == 1


def test_programs_with_another_secret(clusters, traces):
    """A mapper in the roster that does not know the cluster's secret serves nobody; such a coordinator is served by nobody."""
    def before(cluster):
        for digit, p in (("0", cluster.mappers[1]), ("1", cluster.coordinators[1])):
            wrong = traces / f"{p.name}.secret"
            wrong.write_text(64 * digit + "\n")
            p.extra = {"cluster.secret_file": wrong}

    cluster = clusters(before=before)
    nets = [Tailnet(cluster, f"net-{i}", traces / f"net-{i}") for i in range(4)]  # of which the false mapper would keep about half
    try:
        for net in nets:
            one, two = net.raw("one"), net.raw("two")
            mark = one.mark()
            net.rename(two.number, "renamed")
            one.frame(lambda m, two=two: "renamed." in str(about(m, two.number)), mark, 5, "the news")
        outside = nets[0].machine().raw("outside", url=nets[0].url(1))
        assert not outside.register(nets[0].authkey())["json"].get("Error"), "the database admits that coordinator"
        assert outside.stream()["status"] == 200
        time.sleep(2)
        assert not [m for _, m, _ in outside.frames if "Node" in m], "but no mapper tells it anything"
        metrics = cluster.mappers[1].get("/metrics")[1].splitlines()
        streams = [line for line in metrics if line.startswith("fleetscale_mapper_streams_open")]
        assert [float(line.split()[-1]) for line in streams] == [0], streams
        assert logged(cluster, "mapper", " link ", "stranger turned away", "peer=")
        assert logged(cluster, "coordinator", " link ", "mapper refused, is its cluster secret the same")
    finally:
        for net in nets:
            net.close()


def test_a_deleted_node_is_a_stranger(tailnet):
    """Its node key opens no map, and its machine may come again as a new node."""
    node = tailnet.raw("node")
    tailnet.delete(node.number)
    node.await_true(lambda: node.ends or any((m.get("Node") or {}).get("KeyExpiry") for _, m, _ in node.frames[1:]), 5,
                    "the end told on its stream")
    answer = node.stream()
    assert answer["status"] == 404, answer
    assert "/register/" in node.register()["json"]["AuthURL"]
    assert not node.register(tailnet.authkey())["json"].get("Error")
    assert [int(n["id"]) for n in tailnet.nodes()] != [node.number]
