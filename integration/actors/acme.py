"""A real certificate authority (pebble) with its name server, and the real certbot, run by the words of docs/relays.md."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

from fleet.process import Process
from fleet.servers import Failure

from .certificate import certificate
from .recipes import RELAYS, recipes, replace

NAME = "relay1.example.net"


class Authority:
    """At an address of its own; knows every name as `known`, the relay's address."""

    def __init__(self, folder, address, known):
        self.folder, self.address = Path(folder), address
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pair = certificate(self.folder, address, 1)
        self.trust = ssl.create_default_context(cafile=str(self.pair[0]))
        self.config = self.folder / "pebble.json"
        self.config.write_text(json.dumps({"pebble": {
            "listenAddress": f"{address}:14000", "managementListenAddress": f"{address}:15000", "certificate": str(self.pair[0]),
            "privateKey": str(self.pair[1]), "httpPort": 80, "tlsPort": 443}}))
        self.names = Process("pebble-challtestsrv", self.folder / "names.log")
        self.pebble = Process("pebble", self.folder / "pebble.log")
        self.known = known

    @property
    def url(self):
        return f"https://{self.address}:14000/dir"

    def start(self):
        for program in ("pebble", "pebble-challtestsrv"):
            if not shutil.which(program):
                raise Failure(f"{program} is not installed")
        self.names.start(["pebble-challtestsrv", "-defaultIPv4", self.known, "-defaultIPv6", "", "-dns01", f"{self.address}:8053",
                          "-management", f"{self.address}:8055", "-http01", "", "-https01", "", "-tlsalpn01", ""], os.environ)
        self.pebble.start(["pebble", "-strict", "-config", self.config, "-dnsserver", f"{self.address}:8053"],
                          {**os.environ, "PEBBLE_VA_NOSLEEP": "1"})
        end = time.monotonic() + 20
        for process, port in ((self.names, 8055), (self.pebble, 14000), (self.pebble, 15000)):
            while True:
                try:
                    socket.create_connection((self.address, port), timeout=1).close()
                    break
                except OSError as why:
                    if not process.alive() or time.monotonic() > end:
                        raise Failure(f"{process.name} does not start:\n{process.tail()}") from why
                    time.sleep(0.05)
        return self

    def root(self):
        """Its root certificate, as a file."""
        path = self.folder / "root.pem"
        with urllib.request.urlopen(f"https://{self.address}:15000/roots/0", context=self.trust, timeout=10) as r:
            path.write_bytes(r.read())
        return path

    def close(self):
        self.pebble.stop(5)
        self.names.stop(5)


class Certbot:
    """`folder` stands for /etc/fleetscale and /var/lib/fleetscale, and holds certbot's own files."""

    def __init__(self, folder, authority):
        self.folder, self.authority = Path(folder), authority
        self.places = {"/etc/fleetscale": str(self.folder), "/var/lib/fleetscale": str(self.folder)}
        (self.folder / "acme").mkdir(parents=True, exist_ok=True)
        hook = self.folder / "renewed"
        hook.write_text(replace(recipes(RELAYS)["renewed"], {"/etc/fleetscale": str(self.folder), "-o fleetscale": f"-o {os.geteuid()}"}))
        hook.chmod(0o755)

    def run(self, *words):
        """certbot with the words given, its files here and its authority ours."""
        own = self.folder / "certbot"
        more = ["--non-interactive", "--server", self.authority.url, "--config-dir", own / "etc", "--work-dir", own / "lib", "--logs-dir", own / "log"]
        env = {**os.environ, "REQUESTS_CA_BUNDLE": str(self.authority.pair[0]), "HOME": str(self.folder)}
        env.pop("SSL_CERT_FILE", None)
        done = subprocess.run([*map(str, words), *map(str, more)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, check=False)
        (self.folder / "certbot.log").open("a").write(done.stdout)
        return done

    def issue(self, changes=None):
        said = replace(recipes(RELAYS)["certbot"], {"/var/lib/fleetscale": str(self.folder), "/etc/fleetscale": str(self.folder), **(changes or {})})
        return self.run(*said.split())

    def renew(self):
        return self.run("certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew")
