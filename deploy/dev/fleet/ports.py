"""Free ports of one address, kept by name so that a later start takes the same ones again."""

import socket


def bindable(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, port))
            except OSError:
                return False
    return True


def free(host, taken):
    """A port free for TCP and UDP, below the range that the kernel gives to outgoing connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.bind((host, 0))
            port = s.getsockname()[1]
        port = 10000 + port % 20000
        if port not in taken and bindable(host, port):
            return port


class Ports:
    def __init__(self, host, kept=None):
        self.host = host
        self.kept = dict(kept or {})

    def get(self, name):
        """The port kept under `name`; taken now if there is none yet."""
        if name not in self.kept:
            self.kept[name] = free(self.host, set(self.kept.values()))
        return self.kept[name]

    def renew_if_lost(self, name):
        """For a listener about to start: another port if somebody else took the kept one."""
        if name in self.kept and not bindable(self.host, self.kept[name]):
            del self.kept[name]
        return self.get(name)
