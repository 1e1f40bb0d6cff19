"""N coordinators, M mappers, R relays over one private PostgreSQL and one private Redis.

A cluster remembers itself in FOLDER/state.json, so that another run finds its processes, ports and keys.
"""

import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .ports import Ports
from .process import Process
from .servers import Failure, Postgres, Redis, give, whole_root

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = {"coordinator": "coordinator/fleetscale-coordinator", "mapper": "mapper/fleetscale-mapper",
            "derp": "derp/fleetscale-derp"}
DOORS = {"coordinator": ("clients", "admin", "operations"), "mapper": ("link", "operations"),
         "derp": ("relay", "stun", "operations")}
API_KEY = re.compile(r"hskey-api-[0-9A-Za-z_-]{12}-[0-9a-f]{64}")
AUTH_KEY = re.compile(r"hskey-auth-[0-9A-Za-z_-]{12}-[0-9a-f]{64}")
FAULT = re.compile(r"ERROR: (Address|Leak|Thread|Undefined)\w*Sanitizer|runtime error:|Assertion .* failed|"
                   r"WARNING: ThreadSanitizer")


def where(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def secret_file(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text + "\n")
    return path


class Program(Process):
    """One of ours: its kind, index, ports and the environment it is configured by."""

    def __init__(self, cluster, kind, index, mark=None):
        super().__init__(f"{kind}-{index}", cluster.folder / "log" / f"{kind}-{index}.log", mark)
        self.cluster, self.kind, self.index = cluster, kind, index
        self.extra = {}

    def port(self, door):
        return self.cluster.ports.get(f"{self.name}.{door}")

    def at(self, door):
        return where(self.cluster.host, self.port(door))

    @property
    def ports(self):
        return {door: self.port(door) for door in DOORS[self.kind]}

    def launch(self):
        for door in DOORS[self.kind]:
            self.cluster.ports.renew_if_lost(f"{self.name}.{door}")
        env = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSCALE_")}
        env.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99:detect_leaks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        env.setdefault("LSAN_OPTIONS", "suppressions=" + str(ROOT / "deploy/dev/leaks.txt") + ":print_suppressions=0")
        options = {**self.cluster.options(self), **self.cluster.tune.get(self.kind, {}), **self.extra}
        env.update({"FLEETSCALE_" + k.upper().replace(".", "_"): str(v) for k, v in options.items()})
        self.start([self.cluster.program(self.kind)], env)

    def get(self, path, door="operations", headers=None, method="GET", body=None, timeout=40):
        """(status, body) of one HTTP request to one of this program's doors."""
        c = http.client.HTTPConnection(self.cluster.host, self.port(door), timeout=timeout)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.read().decode(errors="replace")
        finally:
            c.close()

    def series(self, name):
        """Of a metric as monitoring sees it: (labels, value) of each; none while it is not there."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if re.match(rf"fleetscale_{name}[ {{]", line)]
        return [(dict(re.findall(r'(\w+)="([^"]*)"', line)), float(line.rpartition(" ")[2])) for line in lines]

    def metric(self, name, **labels):
        """The sum of those with these labels."""
        return sum(value for found, value in self.series(name) if labels.items() <= found.items())

    def restart(self, **options):
        """With these options beside its own; those stay."""
        self.stop()
        self.extra = {**self.extra, **options}
        self.launch()
        self.await_ready()

    def ready(self):
        try:
            return self.get("/readyz", timeout=2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def await_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while not self.ready():
            if not self.alive():
                raise Failure(f"{self.name} ended while starting:\n{self.tail()}")
            if time.monotonic() > end:
                raise Failure(f"{self.name} is not ready after {seconds} s:\n{self.tail()}")
            time.sleep(0.05)

    def faults(self):
        """Lines of a sanitizer or a failed assertion in the log."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(errors="replace").splitlines()
        return [f"{self.name}: {line}" for line in lines if FAULT.search(line)]


class Cluster:
    def __init__(self, folder, build, host="127.0.0.1", coordinators=2, mappers=2, relays=1, tune=None, careful=False,
                 first_port=None):
        self.folder, self.build, self.host = Path(folder), Path(build), host
        self.counts = {"coordinator": coordinators, "mapper": mappers, "derp": relays}
        self.tune = tune or {}
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.remembered()
        same_host = state.get("host") == host
        marks = state.get("processes", {})
        self.ports = Ports(host, state.get("ports") if same_host else None, first_port)
        self.sockets = self.private_folder(state.get("sockets"))
        self.data = Path(state.get("data") or self.data_folder())
        log = self.folder / "log"
        self.postgres = Postgres(self.data / "postgres", self.sockets, log / "postgres.log", marks.get("postgres"), careful)
        self.redis = Redis(self.data / "redis", self.sockets, log / "redis.log", marks.get("redis"))
        self.programs = [Program(self, kind, i, marks.get(f"{kind}-{i}")) for kind, n in self.counts.items()
                         for i in range(n)]
        self.strangers = [Process(name, log / f"{name}.log", mark) for name, mark in marks.items()
                          if name not in ("postgres", "redis") and name not in {p.name for p in self.programs}]
        self.moved = bool(state) and not same_host

    # --- where things lie

    def remembered(self):
        try:
            return json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            return {}

    def remember(self):
        marks = {p.name: p.mark for p in [self.postgres.process, self.redis.process, *self.programs] if p.mark}
        state = {"host": self.host, "sockets": str(self.sockets), "data": str(self.data), "ports": self.ports.kept,
                 "processes": marks}
        new = self.folder / "state.json.new"
        new.write_text(json.dumps(state, indent=1) + "\n")
        new.replace(self.folder / "state.json")

    def private_folder(self, known):
        """Short, for a socket's path ends at 107 bytes."""
        if known and Path(known).is_dir():
            return Path(known)
        return give(Path(tempfile.mkdtemp(prefix="fs-", dir="/tmp")))

    def data_folder(self):
        """Root's servers run as another user, who could not enter this folder."""
        if not whole_root():
            return self.folder
        return give(Path(tempfile.mkdtemp(prefix="fleetscale-", dir="/var/tmp")))

    def program(self, kind):
        return self.build / PROGRAMS[kind]

    def of(self, kind):
        return [p for p in self.programs if p.kind == kind]

    @property
    def coordinators(self):
        return self.of("coordinator")

    @property
    def mappers(self):
        return self.of("mapper")

    @property
    def relays(self):
        return self.of("derp")

    def login_servers(self):
        return [f"http://{p.at('clients')}" for p in self.coordinators]

    def key_path(self, name):
        return self.folder / "keys" / name

    def key(self, name):
        return self.key_path(name).read_text().strip()

    # --- options: contracts and names are those of docs/options.md

    def options(self, p):
        common = {"listen.operations": p.at("operations"), "log.format": "text", "threads": 2}
        cluster = {"redis.url": self.redis.url, "cluster.secret_file": self.key_path("cluster.secret")}
        if p.kind == "coordinator":
            return {**common, **cluster, "listen.clients": p.at("clients"), "listen.admin": p.at("admin"),
                    "listen.admin_socket": self.admin_socket(p.index),
                    "relay.insecure_for_tests": "true",
                    "database.url": self.postgres.url("fleetscale_coordinator")}
        if p.kind == "mapper":
            return {**common, **cluster, "threads": 1, "listen.link": p.at("link"), "link.advertise": p.at("link"),
                    "database.url": self.postgres.url("fleetscale_mapper")}
        return {**common, "listen.relay": p.at("relay"), "listen.stun": p.at("stun"), "relay.hostname": self.host,
                "relay.ipv4": self.host, "relay.unsafe_self_signed": "true",
                "coordinators": ",".join(self.login_servers()),
                "relay.token_file": self.key_path(f"relay-{p.index}.token")}

    def admin_socket(self, index):
        return self.sockets / f"admin-{index}.sock"

    # --- the admin command and API

    def command(self, *words, check=True):
        """The finished `fleetscale` process."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSCALE_")}
        done = subprocess.run([str(self.build / "coordinator/fleetscale"), *map(str, words)], env=env, cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise Failure(f"fleetscale {' '.join(map(str, words))} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def cli(self, *words, tailnet=None):
        """What the command printed as JSON, through the first live coordinator's socket."""
        alive = next(p for p in self.coordinators if p.alive())
        named = ["--tailnet", tailnet] if tailnet else []
        done = self.command("--socket", self.admin_socket(alive.index), "-o", "json", *named, *words)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def api(self, method, path, body=None, tailnet=None, key=None, coordinator=None, expect=200):
        """Decoded answer of the admin API; with `expect=None` (status, answer)."""
        p = coordinator or next(p for p in self.coordinators if p.alive())
        headers = {"Authorization": "Bearer " + (key or self.key("admin.key")), "Content-Type": "application/json"}
        if tailnet:
            headers["Fleetscale-Tailnet"] = tailnet
        status, text = p.get(path, "admin", headers, method, None if body is None else json.dumps(body))
        try:
            answer = json.loads(text) if text.strip() else None
        except ValueError:
            answer = text
        if expect is None:
            return status, answer
        if status != expect:
            raise Failure(f"{method} {path} answered {status}: {text[:500]}")
        return answer

    # --- life

    def start(self):
        """Everything that does not run yet; what runs and answers stays."""
        for p in self.strangers:
            p.stop()
        if self.moved:
            self.stop_programs()
        self.start_servers()
        self.migrate()
        if not self.key_path("cluster.secret").exists():
            secret_file(self.key_path("cluster.secret"), secrets.token_hex(32))
        self.start_programs(self.coordinators + self.mappers)
        self.mint_operator()
        self.mint_relays()
        self.start_programs(self.relays)
        self.remember()

    def start_servers(self):
        for server in (self.postgres, self.redis):
            if not self.serving(server):
                server.process.stop(30, signal.SIGINT)
                server.start()
                self.remember()

    def serving(self, server):
        if not server.process.alive():
            return False
        if server is self.redis:
            return server.command("ping") == "PONG"
        return (self.sockets / ".s.PGSQL.5432").exists()

    def migrate(self):
        self.command("migrate", "--database", self.postgres.url(self.postgres.OWNER))

    def start_programs(self, programs):
        fresh = [p for p in programs if not (p.alive() and p.ready())]
        for p in fresh:
            if p.alive():
                p.stop(5)
            p.launch()
            self.remember()
        for p in fresh:
            p.await_ready()

    def mint_operator(self):
        if self.key_path("admin.key").exists():
            return
        words = ["--socket", self.admin_socket(0), "-o", "json", "operator", "create"]
        found = API_KEY.search(self.command(*words).stdout)
        if not found:
            raise Failure("`fleetscale operator create` printed no API key")
        secret_file(self.key_path("admin.key"), found.group())

    def mint_relays(self):
        for p in self.relays:
            path = self.key_path(f"relay-{p.index}.token")
            if path.exists():
                continue
            made = self.cli("relays", "create", "--name", f"relay-{p.index}")
            secret_file(path, made["token"])

    def authkey(self, tailnet=None, user=None, hours=720, **fields):
        """A new auth key's text; `fields` as the API has them (reusable, ephemeral, aclTags)."""
        if user is None and not fields.get("aclTags"):
            user = self.user("default", tailnet)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))
        body = {"reusable": False, "ephemeral": False, "aclTags": [], "expiration": when, **fields}
        if user is not None:
            body["user"] = str(user)
        return self.api("POST", "/api/v1/preauthkey", body, tailnet)["preAuthKey"]["key"]

    def user(self, name, tailnet=None):
        """Id of a user by name, made if absent."""
        for u in self.api("GET", "/api/v1/user", tailnet=tailnet)["users"]:
            if u["name"] == name:
                return u["id"]
        return self.api("POST", "/api/v1/user", {"name": name}, tailnet)["user"]["id"]

    def faults(self):
        return [line for p in self.programs for line in p.faults()]

    def stop_programs(self):
        """Drain order: relays and mappers would be missed by the coordinators."""
        statuses = {}
        for kind in ("coordinator", "mapper", "derp"):
            live = [p for p in self.of(kind) if p.alive()]
            for p in live:
                p.send(signal.SIGCONT)
                p.send(signal.SIGTERM)
            for p in live:
                statuses[p.name] = p.ended()
        return statuses

    def stop(self):
        """Ends all; returns exit statuses of the programs that were ours and alive."""
        statuses = self.stop_programs()
        for p in self.strangers:
            p.stop()
        self.redis.stop()
        self.postgres.stop()
        return statuses

    def wipe(self):
        shutil.rmtree(self.sockets, ignore_errors=True)
        for name in ("postgres", "redis"):
            shutil.rmtree(self.data / name, ignore_errors=True)
        if self.data != self.folder:
            shutil.rmtree(self.data, ignore_errors=True)
        for name in ("keys", "log"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("state.json", "up.json"):
            (self.folder / name).unlink(missing_ok=True)
