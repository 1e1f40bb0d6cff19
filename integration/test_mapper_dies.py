"""The mapper that keeps a tailnet is killed, or stopped: clients poll again and hear what changed."""

import signal
import time

import pytest
from actors.agree import agree, never_offline

NEWS = 10  # seconds until a change is heard although a mapper is gone


@pytest.fixture
def standing(broken):
    """Cluster, tailnet, three clients that agree, and the time."""
    cluster, net = broken(**{"presence.grace": "15s"})
    nodes = [net.join(f"node-{i}") for i in range(3)]
    agree(net, nodes)
    return cluster, net, nodes, time.time()


def news(net, nodes, name):
    net.rename(int(nodes[0].id), name)
    for n in nodes[1:]:
        n.wait(lambda v: v["peers"].get(nodes[0].id, {}).get("DNSName", "").startswith(name + "."), NEWS, f"the name {name}")


def test_killed(standing):
    cluster, net, nodes, since = standing
    for i, mapper in enumerate(cluster.mappers):
        mapper.kill()
        news(net, nodes, f"killed-{i}")
        agree(net, nodes, NEWS)
        mapper.launch()
        mapper.await_ready()
    news(net, nodes, "back")
    never_offline(nodes, since)


def test_stopped(standing):
    """SIGSTOP: the link lives, its lease may too, but nothing comes."""
    cluster, net, nodes, since = standing
    for i, mapper in enumerate(cluster.mappers):
        mapper.send(signal.SIGSTOP)
        news(net, nodes, f"stopped-{i}")
        agree(net, nodes, NEWS)
        mapper.send(signal.SIGCONT)
        news(net, nodes, f"woken-{i}")
    agree(net, nodes, NEWS)
    never_offline(nodes, since)


def test_all_gone_and_back(standing):
    """With no mapper at all, clients keep what they know; a new one serves them."""
    cluster, net, nodes, since = standing
    for mapper in cluster.mappers:
        mapper.kill()
    time.sleep(3)
    net.rename(int(nodes[0].id), "meanwhile")
    for mapper in cluster.mappers:
        mapper.launch()
    agree(net, nodes, 60)
    never_offline(nodes, since)


def test_drained(standing):
    """SIGTERM: status 0, and its tailnets move on."""
    cluster, net, nodes, since = standing
    assert cluster.mappers[0].stop() == 0
    news(net, nodes, "drained")
    agree(net, nodes, NEWS)
    never_offline(nodes, since)
