"""Servers and the load side, for `run` and `races`."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".run/relayload"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pinned(cpus):
    return ["taskset", "-c", cpus] if len(os.sched_getaffinity(0)) > 1 else []


@contextlib.contextmanager
def undisturbed(servers):
    """Where that is allowed, other work on the machine stays away from both sides meanwhile: times of single packets say nothing otherwise."""
    def all_of(*words):
        return all(subprocess.run(["chrt", "-a", *words, str(pid)], stderr=subprocess.DEVNULL, check=False).returncode == 0
                   for pid in (os.getpid(), *(s.pid for s in servers)))
    if not all_of("-f", "-p", "10"):
        print("./dev bench relay: not allowed to keep other work away", file=sys.stderr)
    try:
        yield
    finally:
        all_of("-o", "-p", "0")


def make_certificate():
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", FOLDER / "key.pem", "-out", FOLDER / "certificate.pem"],
                   check=True, stderr=subprocess.DEVNULL)


class Foreign:
    """A server that somebody else has started."""
    name = "server"

    def __init__(self, url, pid):
        self.url, self.pid = url, pid
        self.transport = "tls" if url.startswith("https:") else "plain"

    def stop(self):
        pass


class Server:
    """One process of `name`, fresh."""

    def __init__(self, name, transport, threads=1, port=None, sibling=None, coordinator=None):
        self.name, self.transport, self.threads, self.port = name, transport, threads, port or free_port()
        self.sibling, self.coordinator = sibling, coordinator
        folder = self.folder = FOLDER / f"{name}-{sibling or transport}"
        folder.mkdir(parents=True, exist_ok=True)
        words, more = self.ours(folder) if name == "ours" else self.derper(folder)
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen((pinned("0") if threads == 1 else []) + [str(w) for w in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **more})
        self.pid = self.process.pid
        self.url = f"{'https' if transport == 'tls' else 'http'}://127.0.0.1:{self.port}"
        self.wait(folder)

    def ours(self, folder):
        # Unless a test plays one: no coordinator, every key is let in, as by the stock relay.
        coordinator = self.coordinator or f"http://127.0.0.1:{free_port()}"
        lines = [f'listen.relay: "127.0.0.1:{self.port}"', 'listen.stun: ""', f"coordinators: {coordinator}", "relay.token: none",
                 "relay.hostname: 127.0.0.1", "verify.fail_open: true", f"threads: {self.threads}", "log.level: error"]
        if self.sibling:
            lines.append(f"relay.name: {self.sibling}")
        if self.transport == "tls":
            lines += [f"tls.certificate: {FOLDER}/certificate.pem", f"tls.key: {FOLDER}/key.pem"]
        (folder / "options").write_text("\n".join(lines) + "\n")
        return [Path(os.environ["FLEET_BUILD"]) / "derp/fleetscale-derp", "--config", folder / "options"], {}

    def derper(self, folder):
        words = [os.environ["FLEET_DERPER"], "-c", folder / "key.json", "-stun=false", "-a", f"127.0.0.1:{self.port}"]
        if self.transport == "tls":
            words += ["-certmode", "manual", "-certdir", folder, "-hostname", "127.0.0.1", "-http-port", "-1"]
        return words, {"GOMAXPROCS": str(self.threads)}

    def wait(self, folder):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            if self.answers():
                return
            time.sleep(0.05)
        self.stop()
        sys.exit(f"./dev bench relay: {self.name} does not start:\n{(folder / 'log').read_text()[-2000:]}")

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def load_words(server, *words):
    at = ["--url", server.url, "--pid", server.pid] if server else []
    program = Path(os.environ["FLEET_BUILD"]) / "integration/relayload/relayload"
    return pinned("1") + [str(w) for w in (program, *at, *words)]


@contextlib.contextmanager
def storm(server, clients, seconds):
    """Beside what is measured, clients that connect as fast as they can: a process of its own on the load side's processor, to which what is measured never waits.
    Gives a dict that has what they did afterwards; empty when connections were refused."""
    found = {}
    # Before all other work of ordinary priority; what is measured goes before that, where it is allowed to (undisturbed).
    process = subprocess.Popen(["chrt", "-o", "0", *load_words(server, "--storm", clients, "--seconds", seconds)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text("-20", encoding="ascii")
    try:
        yield found
    finally:
        text, _ = process.communicate()
        if process.returncode == 0:
            found.update(json.loads(text))


def load(server, *words):
    """What relayload found, or None when the server broke."""
    done = subprocess.run(load_words(server, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 2:
        sys.exit("./dev bench relay: relayload was misused")
    return json.loads(done.stdout) if done.returncode == 0 else None
