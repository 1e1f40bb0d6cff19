"""Real clients whose homes are two nodes of one region: what they send crosses the mesh, and arrives as it was sent."""

import time

import pytest
from actors.client import NEWEST, OLDEST

MEGABYTES = 5


def metric(relay, name):
    """Of one relay; 0 while it is not there."""
    name = f"fleetscale_{name}"
    lines = relay.get("/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name) and line[len(name)] in " {")


def wait(test, seconds, relays):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, "\n".join(r.tail(15) for r in relays)
        time.sleep(0.1)


@pytest.mark.parametrize("releases", [(NEWEST, NEWEST), (OLDEST, OLDEST), (NEWEST, OLDEST)], ids="-".join)
def test_five_megabytes(broken, releases):
    """A client goes to the second node while there is no first one, and stays; the other one comes to the first."""
    cluster, net = broken(1, 1, 2)
    first, second = cluster.relays
    first.kill()
    there = net.join("there", machine=net.machine(releases[0], relay_only=True)).serve()
    wait(lambda: metric(second, "derp_current_home_connections") == 1, 60, [second])
    first.launch()
    first.await_ready()
    wait(lambda: all(metric(r, "derp_siblings") == 1 and metric(r, "derp_watchers") == 1 for r in (first, second)), 60, [first, second])
    here = net.join("here", machine=net.machine(releases[1], relay_only=True))
    wait(lambda: metric(first, "derp_current_home_connections") == 1, 60, [first, second])
    assert metric(second, "derp_current_home_connections") == 1, "the first client keeps its node"
    here.sees(there)
    there.sees(here)
    before = [metric(r, "derp_packets_forwarded_out_total") for r in (first, second)]
    here.exchange(there, MEGABYTES)  # both ways, with checksums
    assert here.path_to(there, direct=False)["DERPRegionID"] == 900
    after = [metric(r, "derp_packets_forwarded_out_total") for r in (first, second)]
    assert all(b - a > MEGABYTES * 1_000_000 / 1500 for a, b in zip(before, after, strict=True)), (before, after)
    assert not here.status()["Peer"][there.id]["CurAddr"], "there is no direct way"
