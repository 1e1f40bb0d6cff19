"""PostgreSQL restarts: streams stay, requests in between are refused in words, then all goes on."""

import time

from actors.agree import agree, never_offline, standing

GRACE = {"presence.grace": "15s"}


def test_restarted(broken):
    cluster, net, nodes, since = standing(broken, 3, **GRACE)
    cluster.postgres.stop()
    cluster.postgres.start()
    late = net.join("late")
    agree(net, [*nodes, late], 30)
    never_offline(nodes, since)


def test_gone_for_a_while(broken):
    cluster, net, nodes, since = standing(broken, 3, **GRACE)
    key = net.authkey()
    cluster.postgres.stop()
    status, _ = net.api("GET", "/api/v1/node", expect=None)
    assert status >= 500
    raw = net.machine().raw("early", url=net.url())
    answer = raw.register(key)
    assert answer["status"] >= 500 or answer["json"].get("Error"), answer
    for p in cluster.coordinators:
        assert p.get("/livez")[0] == 200, "alive, although not ready"
    time.sleep(5)
    cluster.postgres.start()
    for p in cluster.coordinators:
        p.await_ready(30)
    assert raw.join(key)["Node"], "the key was not used up by the failed try"
    raw.close(all=True)
    net.rename(int(nodes[0].id), "renamed")
    for n in nodes[1:]:
        n.wait(lambda v: v["peers"].get(nodes[0].id, {}).get("DNSName", "").startswith("renamed."), 20, "the new name")
    never_offline(nodes, since)


def test_crashed(broken):
    """kill -9 of the postmaster: recovery, then as before."""
    cluster, net, nodes, since = standing(broken, 3, **GRACE)
    cluster.postgres.process.kill()
    time.sleep(1)
    cluster.postgres.start()
    net.rename(int(nodes[0].id), "renamed")
    agree(net, nodes, 30)
    never_offline(nodes, since)
