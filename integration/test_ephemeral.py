"""A silent ephemeral node goes although its coordinator was killed; one that speaks stays."""

import time

INACTIVITY = 5


def ids(net):
    return {n["id"] for n in net.nodes()}


def test_silent_node_is_removed(tailnet):
    watcher = tailnet.join("watcher")
    machine = tailnet.machine()
    node = tailnet.join("silent", coordinator=1, machine=machine, authkey=tailnet.authkey(ephemeral=True))
    watcher.sees(node)
    time.sleep(INACTIVITY + 3)
    assert node.id in ids(tailnet), "an open stream keeps it"
    identity = node.id
    machine.kill()
    watcher.misses(identity, 30)
    assert identity not in ids(tailnet)


def test_lasting_node_stays(tailnet):
    machine = tailnet.machine()
    node = tailnet.join("lasting", machine=machine)
    identity = node.id
    machine.kill()
    time.sleep(INACTIVITY + 5)
    assert identity in ids(tailnet)


def test_its_coordinator_was_killed(broken):
    """Nobody is left who saw it go: the duty of another coordinator finds it by its last-seen time."""
    cluster, net = broken(**{"presence.grace": "2s", "ephemeral.inactivity": f"{INACTIVITY}s"})
    net.front.prefer = 1
    watcher = net.join("watcher")
    keeper = net.join("keeper", authkey=net.authkey(ephemeral=True))
    net.front.prefer = 0
    machine = net.machine()
    silent = net.join("silent", machine=machine, authkey=net.authkey(ephemeral=True))
    watcher.sees(silent)
    identity = silent.id
    cluster.coordinators[0].kill()
    machine.kill()
    watcher.misses(identity, 60)
    assert ids(net) == {watcher.id, keeper.id}
