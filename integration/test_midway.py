"""PostgreSQL or Redis stand still, or all dies, amid registrations and map requests: clear answers, nothing half written."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actors.agree import never_offline, standing
from actors.client import Refused, about

GRACE = {"presence.grace": "15s"}

# Registered nodes, used keys, journal and generations tell one story.
STRAY_KEYS = """select count(*) from fleetscale.authkeys a
                where used_by is not null and not exists (select from fleetscale.nodes n where n.id = a.used_by)"""
DOUBLES = "select count(*) from (select from fleetscale.nodes group by tailnet_id, machine_key having count(*) > 1) d"
BEHIND = """select count(*) from fleetscale.generations g where g.generation <>
            (select coalesce(max(j.generation), g.generation) from fleetscale.journal j where j.tailnet_id = g.tailnet_id)"""


def whole(cluster):
    for query in (STRAY_KEYS, DOUBLES, BEHIND):
        assert cluster.postgres.sql("fleetscale", query) == "0", query


def family(process):
    """A server and its children, by parent."""
    found = [process.pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process.pid:
            found.append(int(stat.parent.name))
    return found


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


class Later:
    """A call under way in a thread; `answer` waits for what it brought, a Refused included."""

    def __init__(self, call):
        self.got = None

        def run():
            try:
                self.got = call()
            except Refused as why:
                self.got = why
        self.thread = threading.Thread(target=run)
        self.thread.start()

    def answer(self, seconds):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"no answer in {seconds} s"
        return self.got


def unavailable(answer):
    return answer["status"] >= 500 and answer["text"].strip() and "invalid" not in answer["text"]


def welcome(answer):
    return answer["status"] == 200 and not answer["json"].get("Error")


def test_postgres_stands_still(broken):
    """Under way: a registration, a map request, an update, an admin's write. Each ends in words, or late and well."""
    cluster, net, nodes, since = standing(broken, 2, **GRACE)
    machine, keys = net.machine(), [net.authkey() for _ in range(2)]
    joining, asking, moving = (machine.raw(n, url=net.url()) for n in ("joining", "asking", "moving"))
    assert welcome(asking.register(net.authkey()))
    moving.join(keys[1])
    frozen = family(cluster.postgres.process)
    signal_all(frozen, signal.SIGSTOP)
    try:
        under_way = [Later(lambda: joining.register(keys[0])), Later(asking.stream),
                     Later(lambda: moving.call("raw_lite", fields={"Endpoints": ["203.0.113.5:5"], "EndpointTypes": [1]}))]
        writing = Later(lambda: net.api("POST", "/api/v1/user", {"name": "zoe"}, expect=None))
        time.sleep(4)
        for p in cluster.coordinators:
            assert p.get("/livez")[0] == 200
    finally:
        signal_all(frozen, signal.SIGCONT)
    joined, asked, moved = (one.answer(25) for one in under_way)
    for answer in (joined, moved):
        assert unavailable(answer) or welcome({"json": {}, **answer}), answer
    assert unavailable(asked) if asked["status"] != 200 else asking.first(), asked
    status, written = writing.answer(25)
    assert status in (200, 500, 503), written
    assert welcome(joining.register(keys[0])), "the same machine with the same key, whatever became of the first try"
    whole(cluster)
    assert len(net.nodes()) == 5
    agree_about(net, nodes)
    never_offline(nodes, since)


def agree_about(net, nodes):
    """Raw nodes are peers of the real ones too."""
    rows = {n["id"] for n in net.nodes()}
    for node in nodes:
        node.wait(lambda v, n=node: set(v["peers"]) == rows - {n.id}, 20, "all rows")


def test_postgres_dies_under_registrations(broken):
    """kill -9 amid thirty registrations. Who was welcomed is there; who was not comes again with the same one-shot key."""
    cluster, net, nodes, since = standing(broken, 2, **GRACE)
    machine = net.machine()
    raws = [machine.raw(f"raw-{i}", url=net.url()) for i in range(30)]
    keys = [net.authkey() for _ in raws]
    first = [Later(lambda r=r, k=k: r.register(k)) for r, k in zip(raws, keys)]
    time.sleep(0.02)
    family_then = family(cluster.postgres.process)
    signal_all(family_then, signal.SIGKILL)
    cluster.postgres.process.wait(10)
    end = time.monotonic() + 5  # clients and relays wait no longer
    answers = [one.answer(end - time.monotonic()) for one in first]
    assert all(welcome(a) or unavailable(a) for a in answers), answers
    cluster.postgres.start()
    there = {n["nodeKey"] for n in answered(net, "GET", "/api/v1/node")["nodes"]}
    for raw, answer in zip(raws, answers):
        assert not welcome(answer) or raw.keys["node_key"] in there, "welcomed, and lost"
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda pair: pair[0].register(pair[1]), zip(raws, keys)))
    assert all(map(welcome, again)), again
    assert len(net.nodes()) == len(raws) + len(nodes)
    whole(cluster)
    agree_about(net, nodes)
    never_offline(nodes, since)


def answered(net, method, path, seconds=20):
    """The admin API's answer, once it has the database again."""
    end = time.monotonic() + seconds
    while True:
        status, answer = net.api(method, path, expect=None)
        if status == 200:
            return answer
        assert status >= 500 and time.monotonic() < end, (status, answer)
        time.sleep(0.1)


def test_map_request_without_postgres(broken):
    """Refused in words, on a connection that goes on; streams that stand stay."""
    cluster, net, nodes, since = standing(broken, 2, **GRACE)
    raw = net.machine().raw("raw", url=net.url())
    assert welcome(raw.register(net.authkey()))
    cluster.postgres.stop()
    under_way = [Later(call) for call in (raw.stream, lambda: raw.call("raw_lite", fields={}), raw.register)]
    for one in under_way:
        answer = one.answer(5)  # clients and relays wait no longer
        assert unavailable(answer), answer
    cluster.postgres.start()
    for p in cluster.coordinators:
        p.await_ready()
    assert raw.stream()["status"] == 200 and raw.first()
    whole(cluster)
    never_offline(nodes, since)


def test_redis_stands_still(broken):
    """Connected but silent: joins, maps and changes go on by what is known and by looking at generations."""
    cluster, net, nodes, since = standing(broken, 2, **GRACE)
    raw = net.raw("before")
    cluster.redis.process.send(signal.SIGSTOP)
    try:
        early = net.machine().raw("during", url=net.url())
        began = time.monotonic()
        assert early.join(net.authkey())["Node"], "registered and mapped without Redis"
        assert time.monotonic() - began < 10
        mark = raw.mark()
        net.rename(int(nodes[0].id), "silently")
        raw.frame(lambda m: "silently." in str(about(m, int(nodes[0].id))), mark, 15, "the news, by the look at generations")
    finally:
        cluster.redis.process.send(signal.SIGCONT)
    agree_about(net, nodes)
    never_offline(nodes, since)
    whole(cluster)


def test_all_dies_under_registrations(broken):
    """kill -9 for PostgreSQL, Redis and our programs at once. Up again, who was welcomed is there; the rest come again."""
    cluster, net, nodes, _ = standing(broken, 2, **GRACE)
    machine = net.machine()
    raws = [machine.raw(f"raw-{i}", url=net.url()) for i in range(20)]
    keys = [net.authkey() for _ in raws]
    first = [Later(lambda r=r, k=k: r.register(k)) for r, k in zip(raws, keys)]
    time.sleep(0.05)
    servers = [cluster.postgres.process, cluster.redis.process]
    doomed = [pid for p in servers for pid in family(p)] + [p.pid for p in cluster.programs]
    signal_all(doomed, signal.SIGKILL)
    answers = [one.answer(30) for one in first]
    for p in (*servers, *cluster.programs):
        p.wait(10)
    cluster.start()
    there = {n["nodeKey"] for n in net.nodes()}
    for raw, answer in zip(raws, answers):
        assert isinstance(answer, Refused) or not welcome(answer) or raw.keys["node_key"] in there, "welcomed, and lost"
    for raw, key in zip(raws, keys):
        again = machine.raw(raw.name + "-again", url=net.url(), keys_of=raw.name)
        assert welcome(again.register(key))
    assert len(net.nodes()) == len(raws) + len(nodes)
    whole(cluster)
    agree_about(net, nodes)
