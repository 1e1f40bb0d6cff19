"""Calls of one tailnet's credential with another tailnet's ids, made by chance from the coordinator's own route table."""

import http.client
import json
import random
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

COORDINATOR = Path(__file__).resolve().parents[2] / "coordinator"
ROUTE = re.compile(r'\{METHOD_(\w+),\s*"(/api/[^"]+)",[^,]+,\s*(\w+),')

# Members that bodies may have, by what kind of value they take. A route of which nothing is known gets some of these by chance.
MEMBERS = {
    "user": "user", "id": "any", "prefix": "prefix", "name": "fresh", "displayName": "fresh", "description": "fresh", "email": "fresh",
    "expiration": "time", "expiry": "time", "disableExpiry": "bool", "tags": "tags", "aclTags": "tags", "routes": "routes", "reusable": "bool",
    "ephemeral": "bool", "preapproved": "bool", "approved": "bool", "type": "word", "target": "node", "path": "word", "scopes": "words",
    "timeoutSeconds": "second", "authId": "login", "key": "login", "userName": "userName", "newKey": "newKey", "notice": "fresh", "ssh": "bool", "tailnet": "tailnet", "names": "words", "nodeKey": "key",
}
BODIES = {
    ("POST", "/api/v1/user"): ["name", "displayName", "email"],
    ("POST", "/api/v1/preauthkey"): ["user", "expiration", "reusable", "aclTags"],
    ("POST", "/api/v1/preauthkey/expire"): ["id"],
    ("POST", "/api/v1/apikey"): ["expiration"],
    ("POST", "/api/v1/apikey/expire"): ["id", "prefix"],
    ("POST", "/api/v1/node/{nodeId}/expire"): ["expiry"],
    ("POST", "/api/v1/node/{nodeId}/tags"): ["tags"],
    ("POST", "/api/v1/node/{nodeId}/approve_routes"): ["routes"],
    ("POST", "/api/v1/auth/register"): ["userName", "authId"],
    ("POST", "/api/v1/auth/approve"): ["authId"],
    ("POST", "/api/v1/auth/reject"): ["authId"],
    ("POST", "/api/v1/debug/node"): ["userName", "newKey", "name", "routes"],
    ("PATCH", "/api/fleetscale/v1/settings"): ["notice", "ssh"],
    ("POST", "/api/fleetscale/v1/authkeys"): ["user", "reusable", "ephemeral", "preapproved", "tags", "description", "expiration"],
    ("POST", "/api/fleetscale/v1/keys"): ["description", "expiration", "scopes"],
    ("POST", "/api/fleetscale/v1/nodes/{id}/approve"): ["approved"],
    ("POST", "/api/fleetscale/v1/nodes/{id}/ping"): ["type", "target", "timeoutSeconds"],
    ("POST", "/api/fleetscale/v1/nodes/{id}/debug"): ["path", "timeoutSeconds"],
    ("POST", "/api/fleetscale/v1/tailnets"): ["name"],
    ("PATCH", "/api/fleetscale/v1/tailnets/{name}"): ["displayName"],
}
QUERIES = {"user": "userName", "id": "any", "name": "fresh", "key": "login", "node": "node", "nodeId": "node", "limit": "number", "cursor": "any",
           "before": "any", "confirm": "tailnet", "force": "bool", "ephemeral": "bool", "authId": "login", "email": "fresh"}
# Members that are spelt as another one.
SPELT = {"userName": "user", "newKey": "key"}


def routes(guarded=True):
    """(method, path) of every route of the admin doors that has a guard (or has none), as the sources have them."""
    found = set()
    for source in COORDINATOR.rglob("*.[ch]"):
        if not source.name.endswith(("_test.c", "_fuzz.c")) and "ctl" not in source.parts:
            found |= set(ROUTE.findall(source.read_text()))
    return sorted((method, path) for method, path, guard in found if (guard != "NULL") == guarded)


def waits(path):
    """Asks a client, which may not answer in time (504)."""
    return path.endswith(("/ping", "/debug"))


def for_operators(path):
    return path.startswith(("/api/fleetscale/v1/tailnets", "/api/fleetscale/v1/relays", "/api/fleetscale/v1/operator"))


@dataclass
class Belongings:
    """What a tailnet has, by kind, to be named in calls; `marks`: texts that stand for it in any answer."""

    values: dict = field(default_factory=dict)
    marks: set = field(default_factory=set)


@dataclass
class Call:
    method: str
    path: str
    query: dict
    body: dict | None
    foreign: list

    def target(self):
        return self.path + ("?" + urllib.parse.urlencode(self.query) if self.query else "")

    def swapped(self, by):
        """The same with other values for those of the stranger."""
        def swap(text):
            for old, new in by.items():
                text = text.replace(old, new)
            return text
        return Call(self.method, swap(self.path), {k: swap(v) for k, v in self.query.items()},
                    None if self.body is None else json.loads(swap(json.dumps(self.body))), list(by.values()))

    def __str__(self):
        return f"{self.method} {self.target()} {json.dumps(self.body)}"


class Caller:
    """Calls by chance. `own` and `theirs` are Belongings."""

    def __init__(self, seed, own, theirs):
        self.random, self.own, self.theirs = random.Random(seed), own, theirs
        self.serial, self.said = 0, set()

    def made_up(self, value):
        """Nobody's, of the same form."""
        pick = self.random.choice
        if value.startswith("hskey-"):
            kind, _, rest = value.rpartition("-")
            return f"{kind}-" + "".join(pick("0123456789abcdef") for _ in rest)
        if value.isdigit():
            return "6" + "".join(pick("0123456789") for _ in value[1:])
        return re.sub(r"[0-9a-f]", lambda _: pick("0123456789abcdef"), value) if re.fullmatch(r"\w+:[0-9a-f]+", value) else \
            "".join(pick("abcdefghijklmnop") if c.isalnum() else c for c in value)

    def value(self, kind, foreign, chance=0.7):
        if kind in ("node", "user", "userName", "authkey", "apikey", "login", "prefix", "tailnet", "key", "any", "address"):
            kinds = ("node", "user", "authkey", "apikey") if kind == "any" else (kind,)
            theirs = [v for k in kinds for v in self.theirs.values.get(k, [])]
            own = [v for k in kinds for v in self.own.values.get(k, [])]
            if theirs and (self.random.random() < chance or not own):
                found = self.random.choice(theirs)
                foreign.append(found)
                return found
            return self.random.choice(own) if own else "6000000000"
        self.serial += 1
        return {
            "fresh": lambda: f"fresh-{self.serial}", "newKey": lambda: f"hskey-authreq-{self.random.randrange(16**24):024x}", "time": lambda: "2100-01-01T00:00:00Z", "bool": lambda: self.random.random() < 0.5,
            "second": lambda: 1, "number": lambda: self.random.randint(1, 50), "tags": lambda: [f"tag:t{self.serial}"], "routes": lambda: ["10.9.0.0/16"],
            "word": lambda: self.random.choice(["disco", "/echo", "TSMP"]), "words": lambda: ["nodes:read"],
        }[kind]()

    def in_path(self, path, foreign):
        def fill(match):
            name = match.group(1)
            kind = {"newName": "fresh", "prefix": "prefix", "name": "tailnet", "oldId": "user", "nodeId": "node"}.get(name)
            if not kind:
                kind = next((k for word, k in (("node", "node"), ("user", "user"), ("authkey", "authkey"), ("keys", "apikey"), ("login", "login"))
                             if f"/{word}" in path), "any")
            return urllib.parse.quote(str(self.value(kind, foreign, 0.85)), safe="")
        return re.sub(r"\{([^}]+)\}", fill, path)

    def call(self, method, path):
        foreign = []
        filled = self.in_path(path, foreign)
        names = BODIES.get((method, path))
        if names is None and method in ("POST", "PATCH", "PUT"):
            names = self.random.sample(sorted(MEMBERS), self.random.randint(0, 3))
        body = {SPELT.get(n, n): self.value(MEMBERS[n], foreign) for n in names} if names is not None else None
        if body and self.random.random() < 0.1:
            body[self.random.choice(sorted(MEMBERS))] = self.random.choice([None, 7, [], {}, "x"])
        query = {}
        for name in self.random.sample(sorted(QUERIES), self.random.choice([0, 0, 1, 2])) or (["id"] if method == "DELETE" and "{" not in path else []):
            query[name] = str(self.value(QUERIES[name], foreign)).lower()
        return Call(method, filled, query, body, foreign)


class Line:
    """Whole answers of one coordinator's admin door, headers included."""

    def __init__(self, program, key, tailnet=None):
        self.program, self.key, self.tailnet = program, key, tailnet
        self.connection = None

    def ask(self, call):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if self.tailnet:
            headers["Fleetscale-Tailnet"] = self.tailnet
        body = None if call.body is None else json.dumps(call.body)
        for last in (False, True):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPConnection(self.program.cluster.host, self.program.port("admin"), timeout=40)
                self.connection.request(call.method, call.target(), body, headers)
                answer = self.connection.getresponse()
                text = answer.read().decode()
                return answer.status, text, "\n".join(f"{k}: {v}" for k, v in answer.getheaders() if k.lower() != "date")
            except (http.client.HTTPException, ConnectionError):
                self.connection = None
                if last:
                    raise
        raise AssertionError("unreachable")

    def close(self):
        if self.connection:
            self.connection.close()
