"""Behind a PgBouncer that pools transactions: sessions are shared by tailnets and programs, and every rule holds all the same."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from actors.agree import agree, never_offline
from actors.client import about
from actors.pooler import Pooler
from actors.tailnet import Tailnet

SESSIONS = 2  # of each role, for 2 coordinators of 2 threads of 3 connections


@pytest.fixture
def poolers():
    """Asked for before the cluster, so that it ends after it."""
    made = []
    yield made
    for p in made:
        p.close()


@pytest.fixture
def pooled(poolers, clusters, traces):
    """(cluster, pooler, two tailnets); the schema was made by four at once, through the pooler."""
    def before(cluster):
        pooler = Pooler(cluster, SESSIONS)
        poolers.append(pooler)
        pooler.cover()
        migrate_by_several(cluster)

    cluster = clusters(before=before, **{"presence.grace": "10s", "ephemeral.inactivity": "4s"})
    nets = [Tailnet(cluster, name, traces / name) for name in ("red", "blue")]
    yield cluster, poolers[0], nets
    for net in nets:
        net.close()


def migrate_by_several(cluster):
    url = cluster.postgres.url("fleetscale")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: cluster.command("migrate", "--database", url, check=False), range(4)))
    assert [d.returncode for d in done] == [0] * 4, [d.stderr for d in done]


def test_every_rule_holds(pooled):
    cluster, pooler, (red, blue) = pooled
    alice, bob = red.join("alice", coordinator=0), red.join("bob", coordinator=1)
    stranger = blue.join("alice", coordinator=1)
    agree(red, [alice, bob])
    assert not stranger.view["peers"]
    since = time.time()
    deltas(red, blue)
    admin_writes(cluster, red, blue)
    tailnets_do_not_mix(red, blue)
    settings_do_not_stay(cluster, pooler, red)
    sweep(red)
    backends = cluster.postgres.sql("fleetscale", "select usename, count(*) from pg_stat_activity "
                                    "where usename like 'fleetscale\\_%' group by 1")
    assert backends and all(int(line.split("|")[1]) <= SESSIONS for line in backends.splitlines()), f"past the pooler: {backends}"
    pooler_killed(cluster, pooler, red, [alice, bob])
    postgres_restarted(cluster, red, [alice, bob])
    never_offline([alice, bob], since)


def deltas(red, blue):
    """A node moves, is renamed, tagged and deleted: the neighbour at the other coordinator hears it, the other tailnet does not."""
    watcher, foreign = red.raw("watcher"), blue.raw("watcher")
    node = red.raw("third", coordinator=1)
    watcher.frame(lambda m: about(m, node.number), 0, 10, "the third")
    mark, there = watcher.mark(), foreign.mark()
    for action, test in [
            (lambda: node.lite(Endpoints=["203.0.113.9:41641"], EndpointTypes=[1]), lambda a: "203.0.113.9:41641" in str(a)),
            (lambda: red.rename(node.number, "renamed"), lambda a: "renamed." in str(a)),
            (lambda: red.tag(node.number, "tag:web"), lambda a: "tag:web" in str(a)),
            (lambda: red.delete(node.number), lambda a: "removed" in a)]:
        action()
        watcher.frame(lambda m, test=test: about(m, node.number) and test(about(m, node.number)), mark, 5, "the delta")
    watcher.assert_only_deltas(mark)
    assert not [m for _, m, _ in foreign.frames[there:] if about(m, node.number)]
    for raw in (watcher, foreign):
        raw.close(all=True)


def admin_writes(cluster, red, blue):
    """Through both coordinators; a refused one leaves its session clean for the next in line."""
    for i in range(6):
        door = cluster.coordinators[i % 2]
        red.api("POST", "/api/v1/user", {"name": f"user-{i}"}, coordinator=door)
        status, answer = red.api("POST", "/api/v1/user", {"name": f"user-{i}"}, coordinator=door, expect=None)
        assert status in (400, 409), answer
        blue.api("POST", "/api/v1/user", {"name": f"user-{i}"}, coordinator=door)
    for net in (red, blue):
        names = [u["name"] for u in net.api("GET", "/api/v1/user")["users"]]
        assert sorted(n for n in names if n.startswith("user-")) == [f"user-{i}" for i in range(6)]


def tailnets_do_not_mix(red, blue):
    """Registrations and readings of both, many at once, over few sessions."""
    keys = {net.name: net.authkey(reusable=True) for net in (red, blue)}
    machine = red.machine()
    bad = []

    def work(i):
        net = (red, blue)[i % 2]
        raw = machine.raw(f"{net.name}-{i}", url=net.url(i // 2))
        answer = raw.register(keys[net.name])
        if answer["status"] != 200 or answer["json"].get("Error"):
            bad.append(answer)
        for reader, other in ((red, blue), (blue, red)):
            bad.extend(n["givenName"] for n in reader.nodes() if n["givenName"].startswith(other.name))
        raw.close(all=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert not bad
    for net in (red, blue):
        assert len([n for n in net.nodes() if n["givenName"].startswith(f"{net.name}-")]) == 12


def settings_do_not_stay(cluster, pooler, red):
    """What a transaction says of its tailnet ends with it: the session's next user sees nothing."""
    tailnet = cluster.postgres.sql("fleetscale", f"select id from fleetscale.tailnets where name = '{red.name}'")
    count = "select count(*) from fleetscale.nodes"
    for role in ("fleetscale_coordinator", "fleetscale_mapper"):
        for _ in range(2 * SESSIONS):
            rows = pooler.sql(role, f"begin; select set_config('fleetscale.tailnet', '{tailnet}', true); {count}; commit", count)
            assert int(rows.splitlines()[-1]) == 0, (role, rows)
    assert pooler.sql("fleetscale_mapper", "show transaction_read_only") == "on"


def sweep(red):
    """A key that expires by itself, and a silent ephemeral node: duties are taken and given back."""
    watcher = red.raw("observer")
    expiring = red.raw("expiring", coordinator=1)
    machine = red.machine()
    silent = red.raw("silent", machine=machine, authkey=red.authkey(ephemeral=True))
    for node in (expiring, silent):
        watcher.frame(lambda m, node=node: about(m, node.number), 0, 10, node.name)
    mark = watcher.mark()
    red.expire(expiring.number, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3)))
    machine.kill()
    watcher.frame(lambda m: ((about(m, expiring.number) or {}).get("changed") or {}).get("Expired"), mark, 15, "the expiry")
    watcher.frame(lambda m: (about(m, silent.number) or {}).get("removed"), mark, 30, "the silent one's end")
    for raw in (watcher, expiring):
        raw.close(all=True)


def pooler_killed(cluster, pooler, red, nodes):
    """Refused in words while it is gone; afterwards nothing is lost, and nobody was offline."""
    key = red.authkey()
    raw = red.machine().raw("early", url=red.url())
    pooler.process.kill()
    status, answer = red.api("GET", "/api/v1/node", expect=None)
    assert status >= 500 and answer, answer
    answer = raw.register(key)
    assert answer["status"] >= 500 or answer["json"].get("Error"), answer
    pooler.start()
    for p in cluster.coordinators + cluster.mappers:
        p.await_ready(30)
    assert raw.join(key)["Node"], "the failed try used nothing up"
    red.rename(int(nodes[0].id), "afterwards")
    nodes[1].wait(lambda v: v["peers"][nodes[0].id]["DNSName"].startswith("afterwards."), 15, "the new name")


def postgres_restarted(cluster, red, nodes):
    """The pooler's connections stand all the while, so that what comes too early is refused, in words."""
    cluster.postgres.stop()
    cluster.postgres.start()
    path, end = f"/api/v1/node/{nodes[0].id}/rename/last", time.monotonic() + 10
    while (answer := red.api("POST", path, expect=None))[0] != 200:
        assert answer[0] >= 500 and time.monotonic() < end, answer
        time.sleep(0.1)
    red.raw("late").close(all=True)
    nodes[1].wait(lambda v: v["peers"][nodes[0].id]["DNSName"].startswith("last."), 15, "the new name")
