"""Real clients whose homes are two nodes of one region: what they send crosses the mesh, and arrives as it was sent."""

import pytest
from actors.client import NEWEST, OLDEST
from actors.relays import meshed
from actors.waiting import until

MEGABYTES = 5


@pytest.mark.parametrize("releases", [(NEWEST, NEWEST), (OLDEST, OLDEST), (NEWEST, OLDEST)], ids="-".join)
def test_five_megabytes(broken, releases):
    """A client goes to the second node while there is no first one, and stays; the other one comes to the first."""
    cluster, net = broken(1, 1, 2)
    first, second = cluster.relays
    first.kill()
    there = net.join("there", machine=net.machine(releases[0], relay_only=True)).serve()
    until(lambda: second.metric("derp_current_home_connections") == 1, 60, lambda: second.tail(15))
    first.launch()
    first.await_ready()
    meshed(first, second)
    here = net.join("here", machine=net.machine(releases[1], relay_only=True))
    until(lambda: first.metric("derp_current_home_connections") == 1, 60, lambda: first.tail(15))
    assert second.metric("derp_current_home_connections") == 1, "the first client keeps its node"
    here.sees(there)
    there.sees(here)
    before = [r.metric("derp_packets_forwarded_out_total") for r in (first, second)]
    here.exchange(there, MEGABYTES)  # both ways, with checksums
    assert here.path_to(there, direct=False)["DERPRegionID"] == 900
    after = [r.metric("derp_packets_forwarded_out_total") for r in (first, second)]
    assert all(b - a > MEGABYTES * 1_000_000 / 1500 for a, b in zip(before, after, strict=True)), (before, after)
    assert not here.status()["Peer"][there.id]["CurAddr"], "there is no direct way"
