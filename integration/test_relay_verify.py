"""A judge at verify.url beside the coordinators, and alone: what it answers, what it is asked, and what counts while it is away."""

import contextlib
import http.server
import ipaddress
import json
import threading

import pytest
from actors.client import Refused

ALLOW, DENY = (200, '{"Allow":true,"More":[1]}'), (200, '{"Allow":false}')
REFUSALS = {"deny": DENY, "nothing said": (200, "{}"), "no JSON": (200, "yes"), "created": (201, ALLOW[1]), "trouble": (500, ALLOW[1]),
            "long": (200, ALLOW[1] + " " * 5000)}


class Judge(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers.get("Content-Type"), self.headers.get("Authorization"), json.loads(body)))
        status, text = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def judge(address, port):
    server = http.server.ThreadingHTTPServer((address, port), Judge)
    server.asked, server.answer = [], ALLOW
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def refused(client, relay):
    with pytest.raises(Refused):
        client.at_relay(relay)


def test_judge(broken, address, ports):
    cluster, net = broken(1, 1, 1, **{"drain": "1s"})
    relay = cluster.relays[0]
    member, stranger = net.raw("member"), net.machine().raw("stranger", url=net.url())
    port = next(ports)
    with judge(address, port) as server:
        url = f"http://{address}:{port}/may?it=1"
        relay.restart(**{"verify.url": url, "verify.cache": "0s", "verify.refused": "0s", "verify.grace": "0s"})
        member.at_relay(relay)
        path, kind, secret, body = server.asked[-1]
        assert (path, kind, secret) == ("/may?it=1", None, None)
        assert body == {"NodePublic": member.keys["node_key"], "Source": body["Source"]} and ipaddress.ip_address(body["Source"])
        for name, server.answer in REFUSALS.items():
            before = len(server.asked)
            refused(member, relay)
            assert len(server.asked) > before, name
        server.answer = ALLOW
        member.at_relay(relay)
        before = len(server.asked)
        refused(stranger, relay)
        assert len(server.asked) == before, "whom the coordinators refuse the judge need not see"
        relay.restart(**{"verify.coordinators": "false", "verify.cache": "1h"})
        stranger.at_relay(relay)
        stranger.at_relay(relay)
        assert len(server.asked) == before + 1, "remembered"
        relay.restart(**{"verify.cache": "0s", "verify.grace": "1h"})
        member.at_relay(relay)
    member.at_relay(relay)  # away: known good not long ago
    refused(stranger, relay)
    relay.restart(**{"verify.fail_open": "true"})
    stranger.at_relay(relay)
    with judge(address, port) as server:
        server.answer = REFUSALS["trouble"]
        refused(stranger, relay)  # an answer, though a bad one
