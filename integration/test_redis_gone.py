"""Redis goes and comes back empty: nobody goes offline, changes are heard (later), then at once again."""

import time

from actors.agree import agree, never_offline, standing

RECHECK = 15  # seconds: generations are looked at every few seconds without a bell

GRACE = {"presence.grace": "10s"}


def renamed(net, nodes, name, seconds):
    began = time.time()
    net.rename(int(nodes[0].id), name)
    return max(n.wait(lambda v: v["peers"].get(nodes[0].id, {}).get("DNSName", "").startswith(name + "."), seconds, name)
               for n in nodes[1:]) - began


def test_restarted_empty(broken):
    cluster, net, nodes, since = standing(broken, 3, **GRACE)
    cluster.redis.stop()
    cluster.redis.start()
    renamed(net, nodes, "after", RECHECK)
    time.sleep(12)  # past the grace
    agree(net, nodes, 10)
    never_offline(nodes, since)
    assert renamed(net, nodes, "prompt", 10) < 1.5, "the bell rings again"


def test_gone_for_long(broken):
    cluster, net, nodes, since = standing(broken, 3, **GRACE)
    cluster.redis.stop()
    renamed(net, nodes, "without", RECHECK)
    late = net.join("late")
    for n in nodes:
        n.sees(late.id, RECHECK, online=None)
    time.sleep(12)
    cluster.redis.start()
    agree(net, [*nodes, late], 30)
    never_offline(nodes, since)


def test_killed(broken):
    cluster, net, nodes, since = standing(broken, 3, **GRACE)
    cluster.redis.process.kill()
    cluster.redis.start()
    agree(net, nodes, 30)
    assert renamed(net, nodes, "prompt", RECHECK) < RECHECK
    never_offline(nodes, since)
