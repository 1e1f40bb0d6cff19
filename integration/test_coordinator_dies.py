"""The coordinator that holds a client is killed: the client goes on through the other, nobody sees it offline."""

import signal
import threading
import time

from actors.agree import agree, never_offline, standing

GRACE = {"presence.grace": "15s"}


def test_killed(broken):
    cluster, net, nodes, since = standing(broken, 4, **GRACE)
    cluster.coordinators[0].kill()
    net.rename(int(nodes[1].id), "renamed")
    agree(net, nodes, 30)
    time.sleep(12)
    never_offline(nodes, since)
    cluster.coordinators[0].launch()
    cluster.coordinators[0].await_ready()
    net.front.prefer = 0
    late = net.join("late")
    agree(net, [*nodes, late], 30)
    never_offline(nodes, since)


def test_one_that_leaves_meanwhile_is_offline_after_the_grace(broken):
    """The killed coordinator cannot say so; the end of its lease does."""
    cluster, net, nodes, _ = standing(broken, 4, **{"presence.grace": "3s"})
    gone = nodes[0]
    cluster.coordinators[0].kill()
    gone.machine.kill()
    for n in nodes[1:]:
        n.sees(gone.id, 30, online=False)
    rest = nodes[1:]
    agree(net, rest, 30)


def test_stopped_and_woken(broken):
    """A coordinator that slept through everything must not undo what others did since."""
    cluster, net, nodes, since = standing(broken, 4, **GRACE)
    cluster.coordinators[0].send(signal.SIGSTOP)
    moved = [nodes[0], nodes[2]]
    cluster.api("POST", f"/api/v1/node/{nodes[1].id}/rename/while-asleep", tailnet=net.name,
                coordinator=cluster.coordinators[1])
    nodes[3].wait(lambda v: v["peers"][nodes[1].id]["DNSName"].startswith("while-asleep."), 10, "the new name")
    cluster.coordinators[0].send(signal.SIGCONT)
    agree(net, nodes, 60)
    never_offline(moved, since)


def test_drained(broken):
    """SIGTERM: not ready, streams end in order, status 0, clients move at once."""
    cluster, net, nodes, since = standing(broken, 4, **GRACE)
    assert cluster.coordinators[0].stop() == 0
    net.rename(int(nodes[1].id), "drained")
    agree(net, nodes, 20)
    never_offline(nodes, since)


def test_drained_past_clients_that_take_nothing(broken):
    """A client whose window is shut holds the drain up for its time at most, and the end is as clean."""
    cluster, net = broken(drain="3s")
    program = cluster.coordinators[0]
    url = cluster.login_servers()[0]
    raw, stuck = net.machine().raw("taking", url=url), net.machine().raw("stuck", url=url)
    raw.join(net.authkey())
    holder = threading.Thread(target=lambda: stuck.abuse("no window", 12))
    holder.start()
    time.sleep(1)
    begun = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - begun < 8
    raw.await_true(lambda: raw.ends, 5, "the end of its stream")
    holder.join()
