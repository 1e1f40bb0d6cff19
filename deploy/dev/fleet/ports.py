"""Free ports of one address, kept by name so that a later start takes the same ones again."""

import random
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


def free(host, taken, first=None):
    """A port free for TCP and UDP: from `first` on, or any below the range that the kernel gives to outgoing connections.

    Programs listen with SO_REUSEPORT, so that two clusters which pick at the same moment need ranges of their own.
    """
    if first is not None:
        return next(port for port in range(first, 65536) if port not in taken and bindable(host, port))
    while True:
        port = 10000 + random.randrange(20000)
        if port not in taken and bindable(host, port):
            return port


class Ports:
    def __init__(self, host, kept=None, first=None):
        self.host, self.first = host, first
        self.kept = dict(kept or {})

    def get(self, name):
        """The port kept under `name`; taken now if there is none yet."""
        if name not in self.kept:
            self.kept[name] = free(self.host, set(self.kept.values()), self.first)
        return self.kept[name]

    def renew_if_lost(self, name):
        """For a listener about to start: another port if somebody else took the kept one."""
        if name in self.kept and not bindable(self.host, self.kept[name]):
            del self.kept[name]
        return self.get(name)
