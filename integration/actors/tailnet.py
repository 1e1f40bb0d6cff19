"""One tailnet of a cluster with the clients that a test lets join."""

import hashlib
import itertools
import re
import urllib.parse

from .client import NEWEST, Machine


class Tailnet:
    """Machines made here are closed by the fixture. `front` spreads real clients over the coordinators."""

    def __init__(self, cluster, name, folder, urls=None, **fields):
        self.cluster, self.name, self.folder = cluster, name, folder
        self.urls = urls or cluster.login_servers()
        self.machines = []
        self.counter = itertools.count(1)
        made = cluster.api("POST", "/api/fleetscale/v1/tailnets", {"name": name, **fields})["tailnet"]
        self.domain = made["domain"]

    def machine(self, release=NEWEST, relay_only=False):
        m = Machine(self.folder / f"machine-{next(self.counter)}", release, relay_only)
        self.machines.append(m)
        return m

    def authkey(self, **fields):
        return self.cluster.authkey(self.name, **fields)

    def url(self, coordinator=0):
        return self.urls[coordinator % len(self.urls)]

    def join(self, name, coordinator=0, machine=None, authkey=None, **start):
        """A running real client through the given coordinator."""
        m = machine or self.machine()
        return m.node(name, url=self.url(coordinator), authkey=authkey or self.authkey(), **start).running()

    def raw(self, name, coordinator=0, machine=None, authkey=None, version=0, **fields):
        """A raw client with its map stream open; `.map` is its first full map."""
        r = (machine or self.machine()).raw(name, url=self.url(coordinator), version=version)
        r.map = r.join(authkey or self.authkey(), **fields)
        r.number = r.map["Node"]["ID"]
        return r

    # --- admin, in this tailnet

    def api(self, method, path, body=None, **more):
        return self.cluster.api(method, path, body, tailnet=self.name, **more)

    def nodes(self):
        return self.api("GET", "/api/v1/node")["nodes"]

    def node(self, number):
        return self.api("GET", f"/api/v1/node/{number}")["node"]

    def rename(self, number, name):
        return self.api("POST", f"/api/v1/node/{number}/rename/{urllib.parse.quote(name)}")

    def expire(self, number, when=None):
        return self.api("POST", f"/api/v1/node/{number}/expire", {"expiry": when} if when else None)

    def delete(self, number):
        return self.api("DELETE", f"/api/v1/node/{number}")

    def tag(self, number, *tags):
        return self.api("POST", f"/api/v1/node/{number}/tags", {"tags": list(tags)})

    def close(self):
        for m in self.machines:
            m.close()


def label(text, longest=50):
    """A label from any text; of a long one the end is replaced by its hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(plain) <= longest:
        return plain
    return plain[: longest - 9] + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
