"""A DNS server of the test's own, on UDP and TCP."""

import contextlib
import ipaddress
import socketserver
import struct
import threading


class DnsServer:
    """Answers A questions from `names`, all others with "no such name"; `asked` is what it was asked, in order."""

    def __init__(self, host, **names):
        self.names, self.asked = {k.replace("_", "."): v for k, v in names.items()}, []
        asker = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                packet, sock = self.request
                sock.sendto(asker.answer(packet), self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                head = self.rfile.read(2)
                if len(head) == 2:
                    answer = asker.answer(self.rfile.read(struct.unpack("!H", head)[0]))
                    self.wfile.write(struct.pack("!H", len(answer)) + answer)

        for _ in range(20):  # one port for both
            udp = socketserver.ThreadingUDPServer((host, 0), Udp)
            try:
                tcp = socketserver.ThreadingTCPServer(udp.server_address, Tcp)
                break
            except OSError:
                udp.server_close()
        self.servers = [udp, tcp]
        self.address = "{}:{}".format(*udp.server_address)
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, packet):
        number, _, _ = struct.unpack("!HHH", packet[:6])
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        kind = struct.unpack("!H", packet[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        self.asked.append(name)
        value = self.names.get(name)
        found = value is not None and kind == 1
        head = struct.pack("!HHHHHH", number, 0x8180 if value is not None else 0x8183, 1, int(found), 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + ipaddress.ip_address(value).packed if found else b""
        return head + packet[12:at + 5] + record

    def close(self):
        for server in self.servers:
            server.shutdown()
            with contextlib.suppress(OSError):
                server.server_close()
