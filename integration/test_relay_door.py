"""The door for relays: wrong tokens, tokens at the wrong door, wrong bodies; a relay without the stores, and one removed."""

import json
import os

import pytest
from actors.client import Refused

PATHS = ("/relay/v1/announce", "/relay/v1/verify")
FORGED = "hskey-relay-" + "A" * 12 + "-" + "0" * 64


def ask(cluster, path, token, body="{}"):
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}".encode()
    status, text = cluster.coordinators[0].get(path, "clients", headers, "POST", body)
    return status, text


@pytest.fixture(scope="module")
def token(shared):
    """Of a relay that never announced itself, and so is in no map."""
    return shared.cli("relays", "create", "--name", f"silent-{os.getpid()}")["token"]


@pytest.mark.parametrize("path", PATHS)
def test_wrong_tokens(shared, token, path, request):
    request.node.clusters = [shared]
    last = token[:-1] + ("0" if token[-1] != "0" else "1")
    for wrong in (None, "", "x", FORGED, last, token[:-1], token + "0", token.upper(), "é" * 50, "x" * 6000):
        status, text = ask(shared, path, wrong)
        assert status in ((400, 401, 431) if wrong and len(wrong) > 4000 else (401,)), (wrong, status, text)
        assert text.strip() and token[-64:] not in text


def test_secrets_at_the_wrong_door(tailnet, token):
    """Each secret opens its own door only, and the refusal says so."""
    cluster = tailnet.cluster
    authkey, apikey = tailnet.authkey(), cluster.key("admin.key")
    for path in PATHS:
        for secret in (authkey, apikey):
            assert ask(cluster, path, secret)[0] == 401
    for secret in (authkey, token):
        assert cluster.api("GET", "/api/v1/node", key=secret, expect=None)[0] == 401
    raw = tailnet.machine().raw("node", url=tailnet.url())
    for secret in (apikey, token):
        answer = raw.register(secret)
        assert answer["status"] == 400 or answer["json"].get("Error"), answer
        assert secret[-64:] not in answer["text"]
    assert tailnet.nodes() == []


BODIES = ["", "{", "null", "[]", "7", "[" * 8000, '{"HostName":7}', '{"HostName":""}', '{"HostName":"a b"}',
          '{"HostName":"' + "h" * 300 + '"}', '{"HostName":"x","DERPPort":-1}', '{"HostName":"x","DERPPort":65536}',
          '{"HostName":"x","DERPPort":"443"}',
          '{"HostName":"x","STUNPort":1e9}', '{"HostName":"x","IPv4":"::1"}', '{"HostName":"x","IPv6":"1.2.3.4"}',
          '{"HostName":"x\\u0000y"}', '{"HostName":"\\ud800"}', '{"HostName":"x","IPv4":"1.2.3.4.5"}', "\xff\xfe",
          "{" + " " * 40_000 + "}"]


def test_wrong_announcements(shared, token, tailnet):
    """With the right token: refused in words, and the map has no such relay."""
    before = tailnet.raw("before").map["DERPMap"]
    for body in BODIES:
        status, text = ask(shared, "/relay/v1/announce", token, body.encode("latin-1"))
        assert status in (400, 413) and text.strip(), (body[:60], status, text[:200])
    assert tailnet.raw("after").map["DERPMap"]["Regions"] == before["Regions"]


def test_wrong_questions(shared, token):
    for body in ("", "{", "null", "[]", "{}", '{"NodeKey":7}', '{"NodeKey":"nodekey:zz"}', '{"NodeKey":"mkey:' + "0" * 64 + '"}',
                 "[" * 3000, '{"NodePublic":"nodekey:' + "1" * 64 + '","Source":"here"}', "x" * 5000):
        status, text = ask(shared, "/relay/v1/verify", token, body)
        assert status in (400, 413) or json.loads(text).get("Allow") is False, (body[:60], status, text)


def test_without_the_stores(broken):
    """With PostgreSQL and Redis gone a known key comes back to its relay, an unknown one does not, and nobody loses a home."""
    cluster, net = broken(1, 1, 1, **{"presence.grace": "15s"})
    relay = cluster.relays[0]
    watcher, home, stranger = net.raw("watcher"), net.raw("home"), net.machine().raw("stranger", url=net.url())
    home.at_relay(relay)
    watcher.at_relay(relay)
    mark = watcher.mark()
    cluster.postgres.stop()
    cluster.redis.stop()
    home.call("relay_close")
    home.at_relay(relay)
    watcher.send(home, "still there")
    home.packet(watcher, "still there")
    with pytest.raises(Refused):
        stranger.at_relay(relay)
    assert relay.get("/livez")[0] == 200
    cluster.redis.start()
    cluster.postgres.start()
    for p in (*cluster.coordinators, *cluster.mappers, relay):
        p.await_ready(30)
    regions = [m["DERPMap"] for _, m, _ in watcher.frames[mark:] if m.get("DERPMap")]
    assert all(r["Regions"] for r in regions), regions
    assert net.raw("late").map["DERPMap"]["Regions"]
    remove(cluster, relay, watcher)


def remove(cluster, relay, watcher):
    """An administrator takes the relay away: the map says so on the streams that stand, and its token is worth nothing."""
    mark = watcher.mark()
    number = cluster.api("GET", "/api/fleetscale/v1/relays")["relays"][0]["id"]
    cluster.api("DELETE", f"/api/fleetscale/v1/relays/{number}")
    leaving = cluster.api("GET", "/api/fleetscale/v1/relays")["relays"][0]
    assert leaving["shown"] and leaving["state"] == "leaving", "the last relay stays until asked again"
    cluster.api("DELETE", f"/api/fleetscale/v1/relays/{number}")
    watcher.frame(lambda m: "DERPMap" in m and not m["DERPMap"].get("Regions"), mark, 10, "a map without the relay")
    watcher.assert_only_deltas(mark)
    status, text = ask(cluster, "/relay/v1/announce", cluster.key("relay-0.token"), '{"HostName":"x"}')
    assert status in (401, 403) and "token" in text, (status, text)
