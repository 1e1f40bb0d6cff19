"""nginx, HAProxy and Caddy before a cluster, as docs/proxies.md says: the recipes are taken from the page itself.

Each runs in the foreground from a private folder and is ended by its pid.
"""

import os
import shutil
import socket
import time
from pathlib import Path

from fleet.process import Process
from fleet.servers import Failure

from .recipes import PROXIES, RELAYS, recipes, replace


class Proxy:
    """`backends`: host:port of two coordinators. `changes`: further replacements in the recipe."""

    PAGE, FILES, NAME = PROXIES, "/etc/fleetscale/control", "control.example.com"

    def __init__(self, recipe, folder, address, port, backends, certificate, changes=None):
        self.program = recipe.partition("-")[0]
        self.folder, self.address, self.port = Path(folder), address, port
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = Process(recipe, self.folder / f"{recipe}.log")
        text = replace(recipes(self.PAGE)[recipe], changes or {})
        self.argv = getattr(self, self.program)(self.point(text, backends), certificate)

    def point(self, text, backends):
        door = "8443" if "8443" in text else "8080"
        return replace(text, {f"10.0.0.11:{door}": backends[0], f"10.0.0.12:{door}": backends[1]})

    @property
    def url(self):
        return f"https://{self.address}:{self.port}"

    @property
    def site(self):
        return self.url

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def nginx(self, text, certificate):
        """What Debian's nginx.conf says around a recipe, with private paths."""
        inside = "stream {" not in text
        text = replace(text, {"listen 443": f"listen {self.address}:{self.port}"})
        if inside:
            text = replace(text, {f"{self.FILES}.pem": str(certificate[0]), f"{self.FILES}.key": str(certificate[1])})
            temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in
                                ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            text = f"http {{\naccess_log off;\n{temporary}{text}}}\n"
        else:
            text = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n" + text
        config = self.write("nginx.conf", f"daemon off;\nuser root;\npid {self.folder}/nginx.pid;\nerror_log stderr;\n"
                            f"worker_processes 1;\n{text}events {{ worker_connections 512; }}\n")
        return ["/usr/sbin/nginx", "-p", self.folder, "-e", "stderr", "-c", config]

    def haproxy(self, text, certificate):
        text = replace(text, {"bind :443": f"bind {self.address}:{self.port}"})
        if "ssl crt" in text:
            both = self.write("both.pem", certificate[0].read_text() + certificate[1].read_text())
            text = replace(text, {f"{self.FILES}-and-key.pem": str(both)})
        return ["/usr/sbin/haproxy", "-db", "-f", self.write("haproxy.cfg", f"global\n    maxconn 500\n{text}")]

    def caddy(self, text, certificate):
        text = replace(text, {f"{self.NAME} {{": f"{self.site} {{",
                              f"{self.FILES}.pem": str(certificate[0]), f"{self.FILES}.key": str(certificate[1])})
        config = self.write("Caddyfile", f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{text}")
        return ["/usr/bin/caddy", "run", "--config", config, "--adapter", "caddyfile"]

    def start(self):
        if not shutil.which(str(self.argv[0])):
            raise Failure(f"{self.argv[0]} is not installed")
        env = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        self.process.start(self.argv, env)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return self
            except OSError as why:
                if not self.process.alive() or time.monotonic() > end:
                    raise Failure(f"{self.process.name} does not start:\n{self.process.tail()}") from why
                time.sleep(0.05)

    def close(self):
        self.process.stop(5)


class RelayFront(Proxy):
    """Before one relay, as docs/relays.md says. `backends`: host:port of the relay."""

    PAGE, FILES, NAME = RELAYS, "/etc/fleetscale/relay", "relay1.example.net"

    @property
    def site(self):
        return f"https://{self.NAME}:{self.port}"

    def point(self, text, backends):
        return replace(text, {"127.0.0.1:8443" if "8443" in text else "127.0.0.1:8480": backends[0]})
