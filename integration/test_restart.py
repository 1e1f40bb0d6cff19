"""A node restarted with its state keeps its identity; so does an installation whose programs all died."""

import pytest
from actors.agree import agree, never_offline
from actors.client import NEWEST, OLDEST


def who(node):
    return node.id, sorted(node.ips), node.fqdn, node.me["PublicKey"]


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
@pytest.mark.parametrize("end", ["closed", "killed"])
def test_node_comes_back(tailnet, release, end):
    """Without its auth key, and on another coordinator."""
    watcher = tailnet.join("watcher")
    machine = tailnet.machine(release)
    node = tailnet.join("node", coordinator=0, machine=machine)
    watcher.sees(node)
    before = who(node)
    if end == "closed":
        node.close()
        again = machine
    else:
        machine.kill()
        again = tailnet.machine(release)
        again.folder = machine.folder
    node = again.node("node", url=tailnet.url(1)).running()
    assert who(node) == before
    watcher.sees(node)
    assert len(tailnet.nodes()) == 2


def test_all_programs_killed(broken):
    """kill -9 for all of ours, start again as `./dev up` does: same ports, same keys, same nodes."""
    cluster, net = broken(**{"presence.grace": "15s"})
    nodes = [net.join(f"node-{i}", machine=net.machine([NEWEST, OLDEST][i % 2])) for i in range(3)]
    agree(net, nodes)
    before = [who(n) for n in nodes], cluster.login_servers(), cluster.key("admin.key")
    since = nodes[0].views[-1][0]
    for p in cluster.programs:
        p.kill()
    cluster.start()
    agree(net, nodes, 60)
    assert before == ([who(n) for n in nodes], cluster.login_servers(), cluster.key("admin.key"))
    net.rename(int(nodes[0].id), "renamed")
    agree(net, nodes, 30)
    never_offline(nodes, since)
