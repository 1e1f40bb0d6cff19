"""A TCP load balancer: one address before all coordinators, as an installation would have."""

import contextlib
import socket
import threading


class Front:
    """Each new connection goes to the first backend that accepts, in turn or as `prefer` says."""

    def __init__(self, host, backends):
        self.backends = list(backends)  # (host, port)
        self.turn = 0
        self.prefer = None
        self.listener = socket.create_server((host, 0), backlog=512)
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address[0]}:{self.address[1]}"

    def order(self):
        self.turn += 1
        n = len(self.backends)
        first = self.prefer if self.prefer is not None else self.turn
        return [self.backends[(first + i) % n] for i in range(n)]

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        for backend in self.order():
            try:
                server = socket.create_connection(backend, timeout=2)
            except OSError:
                continue
            server.settimeout(None)
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            pump(client, server)
            return
        client.close()

    def close(self):
        self.listener.close()


def pump(source, sink):
    """Copy until the end, then close both: half-open connections are of no use here."""
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    for s in (source, sink):
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            s.close()
