"""Limits of a relay: rates of tailnets, told and kept; connections per second; memory; all of them changed while it runs."""

import json
import signal
import threading
import time

import pytest
from actors.recipes import RELAYS, recipes
from actors.relays import trial, trier
from actors.waiting import until

RATE, BURST = 400_000, 80_000


def limit(net, rate, burst=0):
    changed = net.cluster.cli("tailnets", "set", net.name, "--relay-rate", str(rate), "--relay-burst", str(burst))
    assert (changed["relayBytesPerSecond"], changed["relayBurstBytes"]) == (rate, burst)


def together(*calls):
    """Their answers, all at once."""
    answers = [None] * len(calls)

    def run(i):
        try:
            answers[i] = calls[i]()
        except Exception as e:  # pylint: disable=broad-exception-caught
            answers[i] = e
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for a in answers:
        if isinstance(a, Exception):
            raise a
    return answers


def test_the_official_client_keeps_its_tailnets_rate(tailnets):
    net = tailnets()
    limit(net, RATE, BURST)
    answer = trial(net, "polite")
    assert answer["told"] == {"rate": RATE, "burst": BURST}
    may = BURST + RATE * answer["seconds"]
    assert answer["sent"] > 2 * may, "it wanted more than it may"
    assert may / 2 < answer["received"] <= may * 1.1, answer


def test_clients_of_a_tailnet_share_its_rate(tailnets):
    """Two that do not listen, against each other; another tailnet notices nothing."""
    net, other = tailnets("limited"), tailnets("free")
    limit(net, RATE, BURST)
    waits = net.cluster.relays[0].metric("derp_tailnet_waits_total")
    trial(other, "ping")
    begun = time.monotonic()
    answer, bulk = together(lambda: trial(net, "rude"), lambda: trial(other, "bulk"))
    assert bulk["bytes"] == 20_000_000 and bulk["seconds"] < 20, bulk
    # Both together: burst, a quarter of it in slices, the rate; and frames that lay in buffers come after the end.
    may = 1.25 * BURST + RATE * (answer["seconds"] + 2)
    assert RATE * 2 < sum(answer["each"]) <= may * 1.1, (answer, time.monotonic() - begun)
    assert min(answer["each"]) > sum(answer["each"]) / 4, answer
    assert net.cluster.relays[0].metric("derp_tailnet_waits_total") > waits


def test_a_changed_rate_is_told(tailnets):
    net = tailnets()
    limit(net, RATE, BURST)

    one = trier(net)

    def change():
        one.await_true(lambda: one.told, 60, "its first rate")
        limit(net, 2 * RATE, BURST)
    answer, _ = together(lambda: trial(net, "retold"), change)
    assert answer["before"]["rate"] == RATE
    assert (answer["rate"], answer["burst"]) == (2 * RATE, BURST)


@pytest.mark.parametrize("body, status, words", [
    ({"relayBytesPerSecond": -1}, 422, "negative"), ({"relayBytesPerSecond": 10**12 + 1}, 400, "relayBytesPerSecond"),
    ({"relayBurstBytes": 10**12 + 1}, 400, "relayBurstBytes"), ({"relayBytesPerSecond": "7"}, 422, "integer")])
def test_wrong_rates(tailnet, body, status, words):
    answer = tailnet.cluster.api("PATCH", f"/api/fleetscale/v1/tailnets/{tailnet.name}", body, expect=status)
    assert words in json.dumps(answer)


def test_a_tailnets_own_keys_cannot_lift_it(tailnet):
    """Its rate is the operator's to say, whatever the scopes of its keys."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    key = tailnet.api("POST", "/api/fleetscale/v1/keys", {"scopes": ["all"], "expiration": soon})["apiKey"]
    path = f"/api/fleetscale/v1/tailnets/{tailnet.name}"
    assert tailnet.cluster.api("PATCH", path, {"relayBytesPerSecond": 0}, key=key, expect=None)[0] in (403, 404)


# --- changed while it runs


@pytest.fixture
def tuned(broken, tmp_path):
    """A cluster whose relay reads its limits from a file: change(text) and they count."""
    cluster, net = broken(1, 1, 1)
    relay, path = cluster.relays[0], tmp_path / "relay.yaml"
    tmp_path.chmod(0o755)

    def change(text):
        path.write_text(text)
        path.chmod(0o644)
        seen = relay.log.read_text(errors="replace").count("options read anew")
        relay.send(signal.SIGHUP)
        until(lambda: relay.log.read_text(errors="replace").count("options read anew") > seen, 20, lambda: relay.tail(15))
    path.write_text("limits:\n  memory: 0\n")
    path.chmod(0o644)
    relay.restart(config=path)
    return cluster, net, relay, change


def test_limits_while_it_runs(tuned):
    cluster, net, relay, change = tuned
    change(recipes(RELAYS)["relay-limits"])
    trial(net, "ping", relay)
    # A flood of connections: those that are there notice nothing of it.
    change("limits:\n  accepts: 20\n  accept_burst: 20\n")
    refused = relay.metric("derp_refused_connections_total", reason="limit_accepts")
    time.sleep(1)  # the bucket fills
    answer = trial(net, "flooded", relay)
    assert answer["packets"] > 50 and answer["worst"] < 2, answer
    assert answer["dialed"] > 150 and answer["closed"] > answer["dialed"] / 4, answer
    assert relay.metric("derp_refused_connections_total", reason="limit_accepts") > refused
    # Memory: at its least nobody new comes, and with enough of it all is as before.
    change("limits:\n  memory: 1\n")
    until(lambda: is_refused(net, relay), 20, "connections are refused")
    change("limits:\n  memory: 1GiB\n")
    trial(net, "bulk", relay)
    # What is no good changes nothing, and says why.
    (relay.extra["config"]).write_text("limits:\n  memory: lots\n")
    relay.send(signal.SIGHUP)
    until(lambda: "new options are refused" in relay.tail(50), 20, lambda: relay.tail(15))
    (relay.extra["config"]).write_text("limits:\n  memory: 1GiB\nrelay:\n  cert_name: other.example\n")
    relay.send(signal.SIGHUP)
    until(lambda: "needs a restart" in relay.tail(50), 20, lambda: relay.tail(15))
    trial(net, "ping", relay)
    assert cluster.relays[0].alive()


def is_refused(net, relay):
    try:
        trial(net, "ping", relay)
    except Exception:  # pylint: disable=broad-exception-caught
        return True
    return False
