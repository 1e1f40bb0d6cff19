"""The TLS door: a real client with our own authority, and a certificate changed while it runs."""

import re
import socket
import ssl
import time

import pytest
from actors.certificate import certificate
from actors.client import NEWEST, OLDEST, Machine
from actors.tailnet import Tailnet


def shown(address, port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, port), timeout=5) as s, context.wrap_socket(s) as t:
        return t.getpeercert(True), t.selected_alpn_protocol()


@pytest.fixture
def door(clusters, traces, address, ports):
    pem, key = certificate(traces, address, 1)
    port = next(ports)
    cluster = clusters(1, 1, 1, **{"listen.clients_tls": f"{address}:{port}", "tls.certificate": pem, "tls.key": key})
    return cluster, port, pem


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_join_over_tls(door, traces, address, monkeypatch, release):
    cluster, port, pem = door
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    net = Tailnet(cluster, "secure", traces / "net")
    machine = Machine(traces / "machine", release)
    try:
        node = machine.node("node", url=f"https://{address}:{port}", authkey=net.authkey()).running(60)
        assert node.ips
    finally:
        machine.close()


def test_certificate_is_reloaded(door, traces, address):
    cluster, port, _ = door
    before, _ = shown(address, port)
    assert left(cluster) <= 2 * 24 * 3600
    certificate(traces, address, 2, days=30)
    end = time.monotonic() + 30
    while shown(address, port)[0] == before:
        assert time.monotonic() < end, "the old certificate is still shown"
        time.sleep(0.5)
    while left(cluster) <= 29 * 24 * 3600:
        assert time.monotonic() < end, "the metric is of the old certificate"
        time.sleep(0.5)


def left(cluster):
    """What the metric says of the coordinator: seconds until its certificate expires."""
    text = cluster.coordinators[0].get("/metrics")[1]
    return int(re.search(r"^fleetscale_tls_certificate_expires_seconds (-?\d+)$", text, re.MULTILINE).group(1))


def test_who_is_slow_to_say_hello(door, traces, address):
    """A connection that was accepted before the change, and begins its handshake after it."""
    _, port, _ = door
    before, _ = shown(address, port)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    waiting = [socket.create_connection((address, port), timeout=10) for _ in range(8)]
    certificate(traces, address, 3)
    end = time.monotonic() + 12
    while shown(address, port)[0] == before:
        assert time.monotonic() < end, "the old certificate is still shown"
        time.sleep(0.2)
    for s in waiting:
        with context.wrap_socket(s) as t:
            assert t.getpeercert(True)


def test_only_http1(door, address):
    _, port, _ = door
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((address, port), timeout=5) as s, context.wrap_socket(s) as t:
        assert t.selected_alpn_protocol() in (None, "http/1.1")
