"""Relays of a cluster: how their operator finds and places them, how they find each other, and what raw nodes do at them."""

import time

from fleet.cluster import secret_file

from .waiting import until

# A region leaves the map, and comes back, in seconds.
QUICK = {"relays.settle": "2s", "relays.patience": "20s", "relays.steady": "1s", "relays.dead": "10s", "drain": "20s"}


def relays_of(cluster):
    return {r["name"]: r for r in cluster.api("GET", "/api/fleetscale/v1/relays")["relays"]}


def number_of(cluster, relay):
    return relays_of(cluster)[relay.extra.get("relay.name", f"relay-{relay.index}")]["id"]


def meshed(*relays):
    """Each has a link to each other and is watched by all."""
    def whole():
        return all(r.metric("derp_siblings") == len(relays) - 1 and r.metric("derp_watchers") >= len(relays) - 1 for r in relays)
    until(whole, 60, lambda: "\n".join(r.tail(15) for r in relays))


def in_region(cluster, relay, region, code, name):
    """The relay program becomes another one, in a region of its own; by a token of the region, whose number is returned."""
    relay.stop()
    old = number_of(cluster, relay)
    for _ in range(2):  # a second time at once, unless it went meanwhile
        cluster.api("DELETE", f"/api/fleetscale/v1/relays/{old}", expect=None)
    if region not in [g["id"] for g in cluster.api("GET", "/api/fleetscale/v1/regions")["regions"]]:
        cluster.api("POST", "/api/fleetscale/v1/regions", {"id": region, "code": code, "name": code.title()})
    token = cluster.api("POST", "/api/fleetscale/v1/relay-tokens", {"regionId": region})
    relay.restart(**{"relay.token_file": secret_file(cluster.key_path(f"{name}.token"), token["token"]), "relay.name": name})
    return token["relayToken"]["id"]


def regions(message):
    """Those of the relay map in a map response."""
    return (message.get("DERPMap") or {}).get("Regions", {})


def reaches(sender, receiver, text, seconds=20):
    """Presence spreads: what is sent before is lost."""
    end = time.monotonic() + seconds
    while True:
        sender.send(receiver, text)
        if [p for p in receiver.packets if p[1] == text]:
            return
        assert time.monotonic() < end, f"nothing of {text!r} arrives"
        time.sleep(0.2)


def trier(net):
    """The first of two raw nodes of the tailnet in one client process, between which trials go."""
    if not hasattr(net, "trier"):
        machine = net.machine()
        net.trier = net.raw("one", machine=machine)
        net.raw("two", machine=machine)
    return net.trier


def trial(net, kind, relay=None, patience=90):
    """One of client/relay_limits.go or relay_wire.go."""
    return trier(net).call("relay_trial", patience, address=(relay or net.cluster.relays[0]).at("relay"), kind=kind, other="two")
