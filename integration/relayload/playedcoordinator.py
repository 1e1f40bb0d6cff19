"""A coordinator of a region whose relays are racing: what it tells changes with each announcement; it admits every key. Not for anything but tests."""

import http.server
import json
import secrets
import threading

KEYS_LISTED = 64


class PlayedCoordinator:
    """`relays`: name -> port. Rates, keys of the mesh, siblings and keys to ask about again move by themselves until it is `calm`; `drain` names the
    relays that shall empty."""

    def __init__(self, relays):
        self.relays, self.drain, self.calm, self.lock = relays, set(), False, threading.Lock()
        self.heard = {name: 0 for name in relays}
        self.keys = [secrets.token_hex(32), secrets.token_hex(32)]
        self.seen = []
        played = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with played.lock:
                    said = json.dumps(played.announce(body) if self.path.endswith("/announce") else played.verify(body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *words):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, request, client_address):
                pass  # relays that end reset their connections

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def announce(self, body):
        name = body["Name"]
        self.heard[name] += 1
        turn = self.heard[name]
        if turn % 12 == 0 and not self.calm:
            self.keys = [secrets.token_hex(32), self.keys[0]]
        others = [n for n in self.relays if n != name]
        return {
            "RegionID": 900, "RegionCode": "t", "Name": name, "LeaseSeconds": 1, "Shown": True, "Stage": 0, "SiblingsServe": True, "OthersServe": True,
            "Drain": name in self.drain,
            # Never so low that packets stop, and now and then none.
            "ClientBytesPerSecond": (0, 20_000_000, 40_000_000)[turn % 3], "ClientBurstBytes": (0, 200_000, 0)[turn % 3],
            "TailnetBytesPerSecond": (0, 0, 60_000_000, 90_000_000)[turn % 4], "TailnetBurstBytes": 0,
            # Now and then the link ends and is dialed anew.
            "Siblings": [] if turn % 16 == 15 and not self.calm else [{"Name": n, "HostName": "127.0.0.1", "IPv4": "127.0.0.1", "DERPPort": self.relays[n], "InsecureForTests": True}
                                                    for n in others],
            "MeshKey": self.keys[0], "MeshKeyBefore": self.keys[1],
            "RechecksFrom": turn, "RecheckAll": turn % 7 == 0, "Rechecks": self.seen[-KEYS_LISTED:],
        }

    def verify(self, body):
        self.seen = (self.seen + [body["NodePublic"].removeprefix("nodekey:")])[-KEYS_LISTED:]
        return {"Allow": True, "Tailnet": 1 + len(self.seen) % 3}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
