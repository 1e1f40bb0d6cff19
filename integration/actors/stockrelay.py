"""The stock relay as a sibling of ours, and what it needs of ours to be one."""

import hashlib
import os
import ssl

from fleet.cluster import secret_file
from fleet.process import Process

from .certificate import certificate
from .client import CLIENTS

DERPER = CLIENTS / "derper-1.102.5"


def pin(pem):
    """The certificate's name by which clients know it alone."""
    return "sha256-raw:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text())).hexdigest()


def pinned(relay, folder):
    """The relay program with one certificate of its own, which clients and a stock sibling can check."""
    folder.mkdir()
    pem, key = certificate(folder, relay.cluster.host, relay.index + 1)
    relay.restart(**{"tls.certificate": pem, "tls.key": key, "relay.unsafe_self_signed": "false", "relay.cert_name": pin(pem)})
    return pem


class StockRelay:
    """Listed by hand in the region of `ours`, whose certificate is `pem`."""

    def __init__(self, cluster, ours, folder, pem):
        self.host, self.cluster = cluster.host, cluster
        self.ports = [cluster.ports.get(f"stock.{door}") for door in ("relay", "stun")]
        folder.mkdir()
        cert, key = certificate(folder, self.host, 99)
        cert.rename(folder / f"{self.host}.crt")
        key.rename(folder / f"{self.host}.key")
        made = cluster.cli("relays", "create", "stock", "--region-id", "900", "--foreign", "--mesh", "--hostname", self.host, "--ipv4", self.host,
                           "--ipv6", "none", "--port", str(self.ports[0]), "--stun-port", str(self.ports[1]),
                           "--cert-name", pin(folder / f"{self.host}.crt"))
        secret_file(folder / "psk", cluster.cli("regions", "mesh-key", "900")["meshKey"])
        self.id = made["relay"]["id"]
        self.process = Process("stock", folder / "log")
        self.argv = [DERPER, "-a", f"{self.host}:{self.ports[0]}", "-http-port", "-1", "-stun-port", self.ports[1], "-certmode", "manual",
                     "-certdir", folder, "-hostname", self.host, "-mesh-psk-file", folder / "psk", "-mesh-with", f"{self.host}:{ours.port('relay')}",
                     "-c", folder / "derper.key", "-verify-client-url", f"{cluster.login_servers()[0]}/relay/v1/verify/{made['token']}",
                     "-verify-client-url-fail-open=false"]
        self.env = {**os.environ, "SSL_CERT_FILE": str(pem)}
        self.process.start(self.argv, self.env)

    def at(self, _):
        return f"{self.host}:{self.ports[0]}"

    def end(self):
        self.process.kill()
        self.process.wait(10)
