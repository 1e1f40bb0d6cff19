"""Drive `fsclient` processes: official client nodes, and raw ones that show every map response."""

import contextlib
import hashlib
import itertools
import json
import os
import subprocess
import threading
import time
import warnings
from pathlib import Path

CLIENTS = Path(os.environ.get("FLEET_CLIENTS", Path(__file__).parents[2] / "build/clients"))
NEWEST, OLDEST = "1.102.5", "1.64.2"


class Refused(Exception):
    """The client answered with an error."""


class TooLate(AssertionError):
    """What was waited for did not come in time."""


class Machine:
    """One fsclient process of one release; holds any number of nodes.

    relay_only: no UDP at all, so that everything goes through the relay (both releases know this switch).
    """

    def __init__(self, folder, release=NEWEST, relay_only=False):
        self.folder, self.release = Path(folder), release
        self.folder.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "TS_NO_LOGS_NO_SUPPORT": "true", "HOME": str(self.folder)}
        if relay_only:
            env["TS_DEBUG_ALWAYS_USE_DERP"] = "true"
        self.changed = threading.Condition()
        self.replies, self.listeners = {}, {}
        self.ids = itertools.count(1)
        self.ended = False
        with open(self.folder / "fsclient.log", "ab") as log:
            self.process = subprocess.Popen([str(CLIENTS / f"fsclient-{release}")], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, env=env, cwd=self.folder)
        self.writing = threading.Lock()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.changed:
                if "id" in said:
                    self.replies[said["id"]] = said
                elif said["node"] in self.listeners:
                    self.listeners[said["node"]].on_event(said)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def call(self, op, node="", patience=60, **args):
        """The result of one operation; raises Refused with the client's own words."""
        number = next(self.ids)
        line = json.dumps({"id": number, "op": op, "node": node, "args": args}) + "\n"
        with self.writing:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.replies or self.ended, patience):
                raise TooLate(f"{op} {node}: no answer in {patience} s")
            if number not in self.replies:
                raise Refused(f"{op} {node}: the client's process ended (see {self.folder})")
            reply = self.replies.pop(number)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["ok"]

    def node(self, name, **start):
        """A started node: url, authkey, and what Node.start takes."""
        n = Node(self, name)
        n.start(**start)
        return n

    def raw(self, name, **open_args):
        r = Raw(self, name)
        r.open(**open_args)
        return r

    def kill(self):
        """As if the power went: nothing is said to anybody."""
        self.process.kill()
        self.process.wait()

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.kill()


class Actor:
    def __init__(self, machine, name):
        self.machine, self.name = machine, name
        machine.listeners[name] = self

    def call(self, op, patience=60, **args):
        return self.machine.call(op, self.name, patience, **args)

    def await_true(self, test, seconds, told):
        """Wait until test() is something; returns it. `told` describes it for the failure."""
        with self.machine.changed:
            if self.machine.changed.wait_for(lambda: test() or self.machine.ended, seconds):
                found = test()
                if found:
                    return found
        raise TooLate(f"{self.name}: not within {seconds:.1f} s: {told}\n{self.describe()}")


class Node(Actor):
    """A real client. `views` is every view it had, each with the time it came."""

    def __init__(self, machine, name):
        super().__init__(machine, name)
        self.views = []
        self.failures = []
        self.banners = []  # what SSH servers say to logins from here
        self.recorded = []  # sessions that SSH servers record here

    def on_event(self, said):
        if said["event"] == "view":
            self.views.append((said["t"], said["view"]))
        elif said["event"] == "ssh_banner":
            self.banners.append(said)
        elif said["event"] == "recorded":
            self.recorded.append(said["text"])
        else:
            self.failures.append(said)

    def start(self, url, authkey="", hostname=None, watch_ms=100, **more):
        self.call("start", url=url, authkey=authkey, hostname=hostname or self.name, watch_ms=watch_ms,
                  dir=str(self.machine.folder / self.name), log=str(self.machine.folder / f"{self.name}.log"), **more)

    @property
    def view(self):
        return self.views[-1][1] if self.views else {"state": "", "peers": {}, "health": []}

    def describe(self):
        log = self.machine.folder / f"{self.name}.log"
        lines = log.read_text(errors="replace").splitlines()[-25:] if log.exists() else []
        return f"last view: {json.dumps(self.view)[:3000]}\nclient's log:\n" + "\n".join(lines)

    def wait(self, test, seconds=30, told="the view", since=None):
        """Time at which the client had a view that passes test(view), at or after `since` (None: now)."""
        since = since or time.time()

        def first():
            standing = None
            for when, view in self.views:
                if when >= since and test(view):
                    return when
                standing = view if when < since else standing
            # What stood at `since`, with nothing newer.
            still = standing is not None and self.views[-1][0] < since
            return since if still and test(standing) else None
        return self.await_true(first, seconds, told)

    def running(self, seconds=60):
        self.wait(lambda v: v["state"] == "Running" and self_of(v).get("TailscaleIPs"), seconds, "Running with addresses")
        return self

    def state(self, wanted, seconds=30, since=None):
        return self.wait(lambda v: v["state"] == wanted, seconds, f"state {wanted}", since)

    def sees(self, other, seconds=30, since=None, online=True):
        """Wait for a peer (node or stable id); returns its fields."""
        key = other if isinstance(other, str) else other.id
        self.wait(lambda v: key in v["peers"] and (online is None or v["peers"][key].get("Online", False) == online),
                  seconds, f"peer {key} online={online}", since)
        return self.view["peers"].get(key)

    def knows_home(self, other, seconds=30):
        """The other's home relay is known: before, 1.64 loses its first handshakes and its TCP stays slow for a minute."""
        self.wait(lambda v: v["peers"].get(other.id, {}).get("Relay"), seconds, f"{other.name}'s home relay")

    def misses(self, other, seconds=30, since=None):
        key = other if isinstance(other, str) else other.id
        return self.wait(lambda v: key not in v["peers"], seconds, f"no peer {key}", since)

    @property
    def me(self):
        return self_of(self.view)

    @property
    def id(self):
        return self.me["ID"]

    @property
    def ips(self):
        return self.me["TailscaleIPs"]

    @property
    def fqdn(self):
        return self.me["DNSName"].rstrip(".")

    def serve(self, port=7000):
        self.call("serve", port=port)
        return self

    def exchange(self, other, megabytes=10, port=7000, seconds=120):
        """Both directions with checksums, by the other's MagicDNS name; returns the result."""
        to = other if isinstance(other, str) else other.fqdn
        if not isinstance(other, str):
            self.knows_home(other)
            other.knows_home(self)
        done = self.exchange_once(other, f"{to}:{port}", int(megabytes * 1_000_000), seconds)
        assert len(done["sha256"]) == hashlib.sha256().digest_size * 2
        return done

    def exchange_once(self, other, to, size, seconds):
        """With 1.64 at an end a TCP connection may stop for good with nothing in flight (README, facts): then anew, as a user would."""
        aged = OLDEST in (self.machine.release, getattr(other, "machine", self.machine).release)
        limits = [seconds / 3] * 3 if aged else [seconds]
        for last, limit in enumerate(limits, 1):
            try:
                return self.call("exchange", limit + 5, to=to, bytes=size, seconds=limit)
            except Refused as why:
                if last == len(limits) or "timeout" not in str(why):
                    raise
                warnings.warn(f"{self.name}: an exchange stopped and was dialled anew: {why}", stacklevel=3)
        raise AssertionError("no limit")

    def ping(self, other, kind="disco"):
        return self.call("ping", ip=other if isinstance(other, str) else other.ips[0], kind=kind)

    def path_to(self, other, direct, seconds=30):
        """Ping until the way is direct (or by relay, as wanted); returns the last answer."""
        end = time.monotonic() + seconds
        while True:
            try:
                answer = self.ping(other)
                if bool(answer.get("Endpoint")) == direct:
                    return answer
            except Refused as why:
                answer = str(why)
            if time.monotonic() > end:
                raise TooLate(f"{self.name}: no {'direct' if direct else 'relayed'} way in {seconds} s, but: {answer}")
            time.sleep(0.2)

    def status(self):
        return self.call("status")

    def whois(self, addr):
        return self.call("whois", addr=addr)

    def set(self, **prefs):
        return self.call("set", **prefs)

    def logout(self):
        return self.call("logout")

    def close(self):
        return self.call("close")


def self_of(view):
    return view.get("self") or {}


class Raw(Actor):
    """A bare client. `frames` is every map response: (time, message, compressed size)."""

    def __init__(self, machine, name):
        super().__init__(machine, name)
        self.frames, self.ends = [], []
        self.packets, self.gone, self.relay_ends = [], [], []
        self.told = []  # rates, by a trial that waits for another one
        self.keys = {}

    def on_event(self, said):
        if said["event"] == "map":
            self.frames.append((said["t"], said["map"], said["size"]))
        elif said["event"] == "map-end":
            self.ends.append((said["t"], said["error"]))
        elif said["event"] == "packet":
            self.packets.append((said["from"], said["text"]))
        elif said["event"] == "gone":
            self.gone.append((said["peer"], said["reason"]))
        elif said["event"] == "relay-end":
            self.relay_ends.append((said["t"], said["error"]))
        elif said["event"] == "relay-told":
            self.told.append(said["rate"])

    def describe(self):
        last = [json.dumps(m)[:600] for _, m, _ in self.frames[-6:]]
        return f"{len(self.frames)} frames, ends {self.ends}; the last frames:\n" + "\n".join(last)

    def open(self, url, **more):
        self.keys = self.call("raw_open", url=url, **more)

    def open_websocket(self, url, **more):
        """As a browser connects; afterwards like any other."""
        self.keys = self.call("raw_websocket", url=url, **more)
        return self

    def register(self, authkey="", **fields):
        """The answer: {status, text, json}."""
        return self.call("raw_register", authkey=authkey, fields=fields)

    def join(self, authkey, **fields):
        """Register, open the stream, send a lite update; returns the first full map."""
        answer = self.register(authkey, **fields)
        assert answer["status"] == 200 and not answer["json"].get("Error"), answer
        self.stream()
        self.lite(**fields)
        return self.first()

    def stream(self, **fields):
        answer = self.call("raw_stream", fields=fields)
        return answer

    def lite(self, **fields):
        answer = self.call("raw_lite", fields=fields)
        assert answer["status"] == 200, answer
        return answer

    def rotate(self):
        return self.call("raw_rotate")

    def request(self, path, body=None, text=""):
        return self.call("raw_request", path=path, body=body, text=text)

    def abuse(self, kind, wait=5):
        """One abuse on a connection of its own: {ended, why, said}."""
        return self.call("raw_abuse", kind=kind, wait=wait)

    def at_relay(self, relay):
        """Connected to a relay program with the node key; raises Refused if the relay ends it."""
        self.call("relay_open", address=relay.at("relay"))
        return self

    def send(self, other, text):
        self.call("relay_send", to=other.keys["node_key"], text=text)

    def packet(self, other, text, seconds=10):
        wanted = (other.keys["node_key"], text)
        return self.await_true(lambda: wanted in self.packets, seconds, f"packet {wanted}")

    def first(self, seconds=30):
        return self.frame(lambda m: "Node" in m, seconds=seconds, told="a full map")[1]

    def frame(self, test, since=0, seconds=10, told="a frame"):
        """The first frame from number `since` on that passes test(message)."""
        return self.await_true(lambda: next((f for f in self.frames[since:] if test(f[1])), None), seconds, told)

    def mark(self):
        return len(self.frames)

    def assert_only_deltas(self, since):
        """The same stream, and no later frame of it with a non-empty Peers."""
        full = [m for _, m, _ in self.frames[since:] if m.get("Peers")]
        assert not full, f"{self.name} got a full list of peers instead of a delta: {json.dumps(full[0])[:800]}"
        assert not self.ends, f"{self.name}'s stream ended: {self.ends}"

    def close(self, all=False):
        return self.call("raw_close", all=all)


def about(message, node_id):
    """What a map response says about one peer: the part, or None. The id is a number."""
    if node_id in (message.get("PeersRemoved") or []):
        return {"removed": True}
    for peer in message.get("PeersChanged") or []:
        if peer["ID"] == node_id:
            return {"changed": peer}
    told = {}
    for patch in message.get("PeersChangedPatch") or []:
        if patch["NodeID"] == node_id:
            told["patch"] = patch
    for field, name in (("OnlineChange", "online"), ("PeerSeenChange", "seen")):
        value = (message.get(field) or {}).get(str(node_id))
        if value is not None:
            told[name] = value
    return told or None
