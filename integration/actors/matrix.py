"""Every machine to every machine: what connections really do, what clients' filters let in, and what `explain` says."""

import concurrent.futures
import time
from collections import defaultdict

from .client import OLDEST

NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1}


class Try:
    """One attempt: from a node to an address and port."""

    def __init__(self, source, target, proto, ip, port):
        self.source, self.target, self.proto, self.ip, self.port = source, target, proto, ip, port
        self.own = source.ips[":" in ip]
        self.allowed = self.lines = None

    def __str__(self):
        said = f"allowed by lines {self.lines}" if self.allowed else "denied"
        return f"{self.source.name} -> {self.target.name} {self.proto} {self.ip} port {self.port}: {said}"


def pairs(nodes, doors):
    """doors: (proto, family, port); every ordered pair of nodes. UDP not from 1.64, whose tsnet has none (README, facts)."""
    return [Try(a, b, proto, b.ips[family == 6], port) for a in nodes for b in nodes if a is not b for proto, family, port in doors
            if proto != "udp" or a.machine.release != OLDEST]


def explain(net, tries):
    """What the API says of each."""
    def ask(t):
        said = net.api("POST", "/api/fleetscale/v1/policy/explain", {"src": t.own, "dst": t.ip, "proto": t.proto, "port": t.port})
        t.allowed, t.lines = said["allowed"], sorted({r["line"] for r in said["rules"]})
        assert t.allowed == bool(said["rules"]), said

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, tries))
    return tries


def by(tries, key):
    groups = defaultdict(list)
    for t in tries:
        groups[key(t)].append(t)
    return groups.items()


def filters_agree(tries, seconds=30):
    """The filters of the clients come to say what explain says of each; those who differ are asked again."""
    end, left = time.monotonic() + seconds, tries
    while left:
        differ = []
        for node, some in by(left, lambda t: t.target):
            packets = [{"src": t.own, "dst": t.ip, "port": t.port, "proto": NUMBERS[t.proto]} for t in some]
            said = node.call("admits", packets=packets)["admitted"]
            differ += [t for t, admitted in zip(some, said, strict=True) if admitted != t.allowed]
        assert not differ or time.monotonic() < end, "the filter says otherwise: " + "; ".join(map(str, differ[:20]))
        left = differ
        time.sleep(0.1 if left else 0)


def answered(tries, seconds):
    """Those that were answered, all tried at once."""
    def at(group):
        node, some = group
        said = node.call("attempt", seconds + 30, seconds=seconds, targets=[{"proto": t.proto, "to": to(t)} for t in some])
        return [t for t, yes in zip(some, said["answered"], strict=True) if yes]

    groups = list(by(tries, lambda t: t.source))
    with concurrent.futures.ThreadPoolExecutor(len(groups) or 1) as pool:
        return [t for some in pool.map(at, groups) for t in some]


def to(t):
    if t.proto == "icmp":
        return t.ip
    return f"[{t.ip}]:{t.port}" if ":" in t.ip else f"{t.ip}:{t.port}"


def connections_agree(tries, patience=30, short=2.5):
    """Allowed ones answer within the patience, denied ones do not. Returns how many of each there were."""
    allowed = [t for t in tries if t.allowed]
    missed = set(allowed) - set(answered(allowed, patience))
    assert not missed, "allowed, but no answer: " + "; ".join(map(str, list(missed)[:20]))
    denied = [t for t in tries if not t.allowed]
    opened = answered(denied, short)
    assert not opened, "denied, but answered: " + "; ".join(map(str, opened[:20]))
    return len(allowed), len(denied)
