"""PostgreSQL and Redis of our own: no TCP, sockets in a private folder, as an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .process import Process

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")


class Failure(Exception):
    """What went wrong, in a sentence for the person at the terminal."""


def whole_root():
    """Root that may become any user (not the root of a user namespace with one user in it)."""
    if os.geteuid() != 0:
        return False
    return any(int(line.split()[2]) > 1 for line in Path("/proc/self/uid_map").read_text().splitlines())


def servant():
    """The user that the servers run as: (name to become, prefix of the command). PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None, []
    if not whole_root():
        return None, ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name, []
        except KeyError:
            continue
    raise Failure("no user 'postgres' or 'nobody' to run PostgreSQL as")


def give(folder):
    """A folder of mode 0700 that belongs to the servers' user."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    user, _ = servant()
    if user:
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
    return folder


def run(argv, **more):
    user, prefix = servant()
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    done = subprocess.run([*prefix, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/", **identity, **more)
    if done.returncode != 0:
        raise Failure(f"{argv[0]} failed:\n{done.stdout}")
    return done.stdout


class Postgres:
    OWNER = "fleetscale"
    DATABASE = "fleetscale"

    def __init__(self, data, sockets, log, mark=None, careful=True):
        self.data, self.sockets, self.careful = Path(data), Path(sockets), careful
        self.process = Process("postgres", log, mark)

    def url(self, user):
        return f"host={self.sockets} dbname={self.DATABASE} user={user}"

    def init(self):
        give(self.data)
        run([POSTGRES_BIN / "initdb", "-D", self.data, "-U", self.OWNER, "--auth=trust", "--encoding=UTF8",
             "--locale=C.UTF-8", "--no-sync"])

    def start(self):
        if not (self.data / "PG_VERSION").exists():
            self.init()
        settings = {"listen_addresses": "", "unix_socket_directories": self.sockets, "max_connections": 200,
                    "shared_buffers": "32MB", "dynamic_shared_memory_type": "mmap",
                    "fsync": "on" if self.careful else "off"}
        arguments = [a for k, v in settings.items() for a in ("-c", f"{k}={v}")]
        user, prefix = servant()
        self.process.start([*prefix, POSTGRES_BIN / "postgres", "-D", self.data, *arguments], user=user)
        self.wait()
        if self.sql("postgres", f"select 1 from pg_database where datname='{self.DATABASE}'") == "":
            self.sql("postgres", f"create database {self.DATABASE}")

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while True:
            ready = subprocess.run([POSTGRES_BIN / "pg_isready", "-q", "-h", str(self.sockets)], check=False)
            if ready.returncode == 0:
                return
            if not self.process.alive() or time.monotonic() > end:
                raise Failure(f"PostgreSQL does not start:\n{self.process.tail()}")
            time.sleep(0.05)

    def sql(self, database, text):
        """Rows as lines, columns by `|`, as the owner."""
        done = subprocess.run([POSTGRES_BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets),
                               "-U", self.OWNER, "-d", database, "-c", text],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def stop(self):
        self.process.stop(30, signal.SIGINT)  # "fast": ends the sessions


class Redis:
    def __init__(self, folder, sockets, log, mark=None):
        self.folder, self.socket = Path(folder), Path(sockets) / "redis.sock"
        self.process = Process("redis", log, mark)

    @property
    def url(self):
        return f"unix:{self.socket}"

    def start(self):
        """Nothing is kept on disk: a restart loses all data, which the programs must bear."""
        user, prefix = servant()
        give(self.folder)
        self.process.start([*prefix, "redis-server", "--port", "0", "--unixsocket", self.socket, "--unixsocketperm",
                            "700", "--save", "", "--appendonly", "no", "--dir", self.folder], user=user)
        end = time.monotonic() + 20
        while self.command("ping") != "PONG":
            if not self.process.alive() or time.monotonic() > end:
                raise Failure(f"Redis does not start:\n{self.process.tail()}")
            time.sleep(0.05)

    def command(self, *words):
        done = subprocess.run(["redis-cli", "-s", str(self.socket), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def stop(self):
        self.process.stop(10)
