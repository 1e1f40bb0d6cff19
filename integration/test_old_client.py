"""Both releases in one tailnet; what is older than 1.64 is refused in words."""

import http.client

import pytest
from actors.client import NEWEST, OLDEST, Refused


def test_both_in_one_tailnet(tailnet):
    new = tailnet.join("new", coordinator=0, machine=tailnet.machine(NEWEST)).serve()
    old = tailnet.join("old", coordinator=1, machine=tailnet.machine(OLDEST)).serve()
    new.sees(old)
    old.sees(new)
    new.exchange(old, 2)
    old.exchange(new, 2)
    assert old.view["peers"][new.id]["Relay"], "the old client knows the new one's home relay"
    assert not [line for line in old.view["health"] if "control" in line.lower()]


def test_both_through_the_relay(tailnet):
    new = tailnet.join("new", coordinator=0, machine=tailnet.machine(NEWEST, relay_only=True)).serve()
    old = tailnet.join("old", coordinator=1, machine=tailnet.machine(OLDEST, relay_only=True)).serve()
    new.sees(old)
    old.sees(new)
    new.exchange(old, 2)
    old.exchange(new, 2)


def test_too_old_at_the_key(shared):
    p = shared.coordinators[0]
    status, text = p.get("/key?v=89", "clients")
    assert status == 400 and "1.64" in text
    status, text = p.get("/key?v=90", "clients")
    assert status == 200 and "publicKey" in text


def test_too_old_inside(tailnet):
    """A client that lies to /key about its version is refused by the request's own."""
    raw = tailnet.machine().raw("old", url=tailnet.url(), version=90)
    answer = raw.register(tailnet.authkey(), Version=89)
    assert answer["status"] == 400 and "1.64" in answer["text"], answer


def test_too_old_for_noise(tailnet):
    with pytest.raises(Refused, match=r"1\.64"):
        tailnet.machine().raw("old", url=tailnet.url(), version=89)


def test_key_without_version(shared):
    c = http.client.HTTPConnection(shared.host, shared.coordinators[0].port("clients"), timeout=10)
    c.request("GET", "/key")
    assert c.getresponse().status == 400
