"""Subnet routes and exit nodes: connections that real routers carry, by approval only; several routers of one route."""

import os
import signal

import pytest
from actors.client import NEWEST, OLDEST, Machine, about
from actors.routing import EXIT, Outside, approve, carried, prefs, primaries, reach, router, shows
from actors.waiting import seconds_until, until

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])
SUBNET, INSIDE = "198.18.1.0/24", "198.18.1.7:7000"
FAR = "198.19.200.7:7000"  # nobody's subnet
SHORT = {"presence.grace": "2s", "routes.probe_interval": "1s", "routes.probe_timeout": "1s"}


@BOTH
def test_subnet(tailnet, release):
    outside = Outside(tailnet.machine())
    gate = tailnet.join("gate", machine=tailnet.machine(release))
    user = tailnet.join("user", coordinator=1, machine=tailnet.machine(release))
    prefs(user, RouteAll=False)  # tsnet of 1.64 accepts them unasked
    user.sees(gate)
    router(tailnet, gate, [SUBNET], outside)
    shows(user, gate, SUBNET)
    assert not reach(user, INSIDE), "this client accepts no routes"
    prefs(user, RouteAll=True)
    until(lambda: reach(user, INSIDE), 20, "an answer from behind the router")
    assert carried(gate) > 0 and primaries(tailnet, gate) == [SUBNET]
    approve(tailnet, gate, [])
    user.wait(lambda v: not v["peers"][gate.id].get("PrimaryRoutes"), 15, "no route")
    before = carried(gate)
    until(lambda: not reach(user, INSIDE), 10, "the way is closed")
    assert carried(gate) == before and primaries(tailnet, gate) == []
    approve(tailnet, gate, [SUBNET])
    until(lambda: reach(user, INSIDE), 20, "approved again")
    gate.set(routes=[])
    user.wait(lambda v: not v["peers"][gate.id].get("PrimaryRoutes"), 15, "not advertised any more")
    until(lambda: not reach(user, INSIDE), 10, "the way is closed")


@BOTH
def test_exit_node(tailnet, release):
    outside = Outside(tailnet.machine())
    gate = tailnet.join("gate", machine=tailnet.machine(release))
    user = tailnet.join("user", coordinator=1, machine=tailnet.machine(release))
    user.sees(gate)
    gate.call("forward", prefixes=EXIT, to=outside.address)
    gate.set(routes=EXIT)
    until(lambda: set(tailnet.node(gate.id)["availableRoutes"]) == set(EXIT), 15, "both default routes")
    assert not user.view["peers"][gate.id].get("ExitNodeOption"), "nobody approved it"
    assert approve(tailnet, gate, ["::/0"])["approvedRoutes"] == EXIT, "either brings the other along"
    user.wait(lambda v: v["peers"][gate.id].get("ExitNodeOption"), 15, "an exit node to choose")
    assert not reach(user, FAR), "this client chose none"
    prefs(user, ExitNodeID=gate.id)
    until(lambda: reach(user, FAR), 20, "an answer from the Internet")
    assert carried(gate) > 0 and primaries(tailnet, gate) == [], "nobody is elected for exit routes"
    approve(tailnet, gate, [])
    user.wait(lambda v: not v["peers"][gate.id].get("ExitNodeOption"), 15, "no exit node")
    before = carried(gate)
    until(lambda: not reach(user, FAR), 10, "the way is closed")
    assert carried(gate) == before


def two_routers(broken, **options):
    """A user and two routers of one route, each client of another process; the first is the primary."""
    cluster, net = broken(**{**SHORT, **options})
    outside = Outside(net.machine())
    first = net.join("first", machine=net.machine(NEWEST))
    second = net.join("second", machine=net.machine(OLDEST))
    user = net.join("user", machine=net.machine(NEWEST))
    prefs(user, RouteAll=True)
    for r in (first, second):
        user.sees(r)
        router(net, r, [SUBNET], outside)
    shows(user, first, SUBNET)
    until(lambda: reach(user, INSIDE), 20, "an answer through the first router")
    assert carried(first) > 0 and carried(second) == 0
    assert (primaries(net, first), primaries(net, second)) == ([SUBNET], [])
    until(lambda: age(cluster.redis) >= 11, 15, "presence is certain (docs/presence.md) and the routers were asked")
    return cluster, net, first, second, user


def age(redis):
    """Seconds since it started."""
    return int(next(line for line in redis.command("info", "server").splitlines() if line.startswith("uptime_in_seconds")).partition(":")[2])


def test_primary_killed(broken, record_property):
    _, net, first, second, user = two_routers(broken)
    folder, number = first.machine.folder, first.id
    first.machine.kill()
    took = seconds_until(lambda: reach(user, INSIDE), 20, "an answer through the second router")
    record_property("seconds without the route", took)
    assert carried(second) > 0 and took < 10
    shows(user, second, SUBNET)
    back = Machine(folder, NEWEST)  # the same node in a new process
    net.machines.append(back)
    again = back.node("first", url=net.url()).running()
    assert again.id == number
    user.sees(number)
    before = carried(second)
    until(lambda: net.node(number)["online"], 10, "the first router is back")
    assert not waits_for_move(net, again), "it does not take its route back"
    assert reach(user, INSIDE, 5) and carried(second) > before


def test_primary_hangs(broken, record_property):
    _, net, first, second, user = two_routers(broken)
    os.kill(first.machine.process.pid, signal.SIGSTOP)
    try:
        took = seconds_until(lambda: reach(user, INSIDE), 20, "an answer through the second router")
        record_property("seconds without the route", took)
        assert carried(second) > 0 and took < 10
        assert net.node(first.id)["online"], "its stream stands: only the question shows that it hangs"
        shows(user, second, SUBNET)
    finally:
        os.kill(first.machine.process.pid, signal.SIGCONT)
    reachable = "select count(*) from fleetscale.nodes where unreachable"
    until(lambda: net.cluster.postgres.sql("fleetscale", reachable).strip() == "0", 20, "it answers again")
    assert not waits_for_move(net, first), "it does not take its route back"
    before = carried(second)
    assert reach(user, INSIDE, 5) and carried(second) > before


def waits_for_move(net, router):
    """Whether the route comes (back) to that router within some looks of the duty."""
    try:
        until(lambda: primaries(net, router), 4, "a route")
    except AssertionError:
        return False
    return True


def test_move_is_one_frame(broken):
    """Viewers lose and gain the route at once: no moment shows it at both or at nobody."""
    _, net = broken(**SHORT)
    first, second = (net.raw(n, Hostinfo={"Hostname": n, "RoutableIPs": [SUBNET]}) for n in ("first", "second"))
    viewer = net.raw("viewer", coordinator=1, Hostinfo={"Hostname": "viewer"})
    for r in (first, second):
        net.api("POST", f"/api/v1/node/{r.number}/approve_routes", {"routes": [SUBNET]})
    viewer.frame(lambda m: SUBNET in has(m, first.number), told="the first router's route")
    assert served(net) == {first.number: [SUBNET], second.number: [], viewer.number: []}, "one router, though both are approved"
    mark = viewer.mark()
    net.api("POST", f"/api/v1/node/{first.number}/approve_routes", {"routes": []})
    _, moved, _ = viewer.frame(lambda m: SUBNET in has(m, second.number), since=mark, told="the route at the second router")
    told = about(moved, first.number)["changed"]
    assert SUBNET not in (told.get("AllowedIPs") or told["Addresses"]) and not told.get("PrimaryRoutes")
    assert moved["PeersChanged"] and has(moved, second.number).count(SUBNET) == 2, "AllowedIPs and PrimaryRoutes"
    assert served(net) == {first.number: [], second.number: [SUBNET], viewer.number: []}


def served(net):
    """What scripts on headscale's API see."""
    return {int(n["id"]): n["subnetRoutes"] for n in net.nodes()}


def has(message, number):
    changed = (about(message, number) or {}).get("changed") or {}
    return (changed.get("AllowedIPs") or []) + (changed.get("PrimaryRoutes") or [])
