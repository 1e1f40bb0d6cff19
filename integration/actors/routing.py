"""Routers among real clients: what they advertise, what they carry, and what is approved."""

import contextlib
import json

from .client import Refused
from .waiting import until

EXIT = ["0.0.0.0/0", "::/0"]


def prefs(node, **fields):
    """`tailscale set`: only these."""
    said = node.call("local", method="PATCH", path="prefs", body={**fields, **{f"{name}Set": True for name in fields}})
    assert said["status"] == 200, said
    return json.loads(said["text"])


class Outside:
    """A server that no tailnet knows: exchanges with it go through a router or nowhere."""

    def __init__(self, machine):
        self.address = machine.call("serve_outside", "outside", address="127.0.0.1:0")["address"]


def router(net, node, routes, outside):
    """`node` advertises the routes, carries what comes for them to the server outside, and is approved."""
    node.call("forward", prefixes=routes, to=outside.address)
    node.set(routes=routes)
    until(lambda: set(net.node(node.id)["availableRoutes"]) == set(routes), 15, f"{node.name} advertises {routes}")
    approve(net, node, routes)
    return node


def approve(net, node, routes):
    return net.api("POST", f"/api/v1/node/{node.id}/approve_routes", {"routes": routes})["node"]


def carried(node):
    return node.call("forwarded")["connections"]


def primaries(net, node):
    return net.api("GET", f"/api/fleetscale/v1/nodes/{node.id}")["node"]["primaryRoutes"]


def shows(viewer, node, route, seconds=15):
    """The viewer's client has the route at that peer."""
    viewer.wait(lambda v: route in (v["peers"].get(node.id, {}).get("PrimaryRoutes") or []), seconds, f"{route} at {node.name}")


def reach(node, to, limit=2):
    """One small exchange; False when it fails."""
    with contextlib.suppress(Refused):
        node.call("exchange", limit + 5, to=to, bytes=20000, seconds=limit)
        return True
    return False

