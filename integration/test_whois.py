"""Who is behind an address, as `tailscale whois` and applications over tsnet learn it."""

import pytest
from actors.client import NEWEST, OLDEST, Refused


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_whois(tailnet, release):
    asker = tailnet.join("asker", machine=tailnet.machine(release))
    person = tailnet.join("person", coordinator=1)
    server = tailnet.join("server", authkey=tailnet.authkey(aclTags=["tag:web"]))
    for other in (person, server):
        asker.sees(other)
    for addr in person.ips:
        who = asker.whois(addr)
        assert who["Node"]["Name"] == person.fqdn + "." and str(who["Node"]["ID"]) == person.id
        assert who["UserProfile"]["LoginName"] == tailnet.node(person.id)["user"]["name"]
        assert who["UserProfile"]["ID"] == who["Node"]["User"] == int(tailnet.node(person.id)["user"]["id"])
    who = asker.whois(f"{server.ips[0]}:443")
    assert who["Node"]["Tags"] == ["tag:web"]
    assert who["UserProfile"]["LoginName"] == "tagged-devices" and who["UserProfile"]["ID"] == who["Node"]["User"]
    mine = asker.whois(asker.ips[0])
    assert mine["Node"]["Name"] == asker.fqdn + "." and mine["UserProfile"]["LoginName"]
    with pytest.raises(Refused):
        asker.whois("100.99.99.99")


def test_a_renamed_user_is_known_by_the_new_name(tailnet):
    asker, person = tailnet.join("asker"), tailnet.join("person")
    asker.sees(person)
    user = tailnet.node(person.id)["user"]
    tailnet.api("POST", f"/api/v1/user/{user['id']}/rename/{user['name']}-renamed")
    asker.await_true(lambda: asker.whois(person.ips[0])["UserProfile"]["LoginName"] == f"{user['name']}-renamed", 10, "the new name")
