"""The relay protocol itself, with keys that a coordinator knows and the official client's own code."""

import pytest


@pytest.fixture
def trial(tailnet):
    """Runs one trial of integration/client/relay_wire.go between two nodes of a tailnet, in one client process."""
    machine = tailnet.machine()
    tailnet.raw("one", machine=machine)
    tailnet.raw("two", machine=machine)
    relay = tailnet.cluster.relays[0]

    def run(kind, patience=60):
        return machine.call("relay_trial", "one", patience, address=relay.at("relay"), kind=kind, other="two")
    return run


def test_ten_megabytes_each_way(trial):
    assert trial("bulk")["bytes"] == 20_000_000


@pytest.mark.parametrize("kind", ["ping", "duplicates", "peer gone", "unknown frame"])
def test_rules(trial, kind):
    trial(kind)


def test_largest_packet(trial):
    assert trial("largest packet")["bytes"] == 65_536


def test_nobody_there(trial):
    assert trial("nobody")["told"] == 3


@pytest.mark.parametrize("kind", ["oversized packet", "short packet", "long ping", "watch without key",
                                  "garbage", "forged info", "endless info", "early packet"])
def test_breaches_end_the_connection(trial, kind):
    assert trial(kind)["ended"]


def test_slow_reader(trial):
    answer = trial("slow reader")
    assert answer["delivered"] < 1000, "the packets went somewhere"
    assert answer["run"] >= 32, "the newest packets arrive without a gap"
    assert answer["ended"], "who reads nothing for two seconds is disconnected"
