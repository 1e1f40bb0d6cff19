"""The relay protocol itself, with keys that a coordinator knows and the official client's own code."""

import pytest
from actors.relays import trial


def test_ten_megabytes_each_way(tailnet):
    assert trial(tailnet, "bulk")["bytes"] == 20_000_000


@pytest.mark.parametrize("kind", ["ping", "duplicates", "peer gone", "unknown frame"])
def test_rules(tailnet, kind):
    trial(tailnet, kind)


def test_largest_packet(tailnet):
    assert trial(tailnet, "largest packet")["bytes"] == 65_536


def test_nobody_there(tailnet):
    assert trial(tailnet, "nobody")["told"] == 3


@pytest.mark.parametrize("kind", ["oversized packet", "short packet", "long ping", "watch without key",
                                  "garbage", "forged info", "endless info", "early packet"])
def test_breaches_end_the_connection(tailnet, kind):
    assert trial(tailnet, kind)["ended"]


def test_slow_reader(tailnet):
    answer = trial(tailnet, "slow reader")
    assert answer["delivered"] < 1000, "the packets went somewhere"
    assert answer["run"] >= 32, "the newest packets arrive without a gap"
    assert answer["ended"], "who reads nothing for two seconds is disconnected"
