"""DNS of a tailnet as real clients resolve it: their own resolver (the one behind 100.100.100.100) is asked, in both releases."""

import contextlib
import os
import socket
import time

import pytest
from actors.client import NEWEST, OLDEST, Refused, TooLate
from actors.dns import DnsServer

SETTINGS = "/api/fleetscale/v1/settings"
RELEASES = pytest.mark.parametrize("release", [NEWEST, OLDEST])
NONE = {"code": "NameError", "values": []}


def set_dns(net, **members):
    return net.api("PATCH", SETTINGS, {"dns": members})["settings"]["dns"]


def ask(node, name, kind="A", via=""):
    said = node.call("dns", name=name, type=kind, via=via)
    return {"code": said["code"], "values": said["values"]}


def resolves(node, name, values, kind="A", seconds=15):
    """The client's resolver comes to answer so: settings reach it within a frame."""
    wanted, end = {"code": "Success", "values": values} if values else NONE, time.monotonic() + seconds
    while (got := ask(node, name, kind)) != wanted:
        if time.monotonic() > end:
            raise TooLate(f"{node.name}: {name} {kind}: not {wanted} in {seconds} s, but {got}\n{node.describe()}")
        time.sleep(0.1)
    if node.machine.release == NEWEST:
        assert ask(node, name, kind, "localapi") == wanted
    return got


def prepare(net, release, server):
    """tsnet of 1.64 programs its resolver only when there is a global one: it cannot read the machine's own."""
    if release == OLDEST:
        set_dns(net, overrideLocalDns=True, resolvers=[{"address": server().address}])


@pytest.fixture
def server():
    with contextlib.ExitStack() as stack:
        def make(**names):
            made = DnsServer(os.environ["FLEET_ADDRESS"], **names)
            stack.callback(made.close)
            return made
        yield make


@RELEASES
def test_names_of_nodes(tailnet, server, release):
    """MagicDNS: own name, the peer's, a name nobody has, the address back; off, the client no longer answers for the whole domain."""
    world = server()
    set_dns(tailnet, overrideLocalDns=True, resolvers=[{"address": world.address}])
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    bob = tailnet.join("bob", coordinator=1)
    alice.sees(bob)
    resolves(alice, alice.fqdn, [alice.ips[0]])
    resolves(alice, bob.fqdn, [bob.ips[0]])
    resolves(alice, f"nobody.{tailnet.domain}", [])
    backwards = ".".join(reversed(bob.ips[0].split("."))) + ".in-addr.arpa"
    resolves(alice, backwards, [bob.fqdn + "."], "PTR")
    tailnet.rename(bob.id, "robert")
    resolves(alice, f"robert.{tailnet.domain}", [bob.ips[0]])
    resolves(alice, f"bob.{tailnet.domain}", [])
    assert not world.asked
    set_dns(tailnet, magicDns=False)
    nobody, end = f"nobody.{tailnet.domain}", time.monotonic() + 15
    while nobody not in world.asked:
        assert time.monotonic() < end, "MagicDNS is off and the client still answers for the domain"
        ask(alice, nobody)
        time.sleep(0.1)
    set_dns(tailnet, magicDns=True)
    resolves(alice, f"robert.{tailnet.domain}", [bob.ips[0]])


@RELEASES
def test_records_and_domains_without_resolvers(tailnet, server, release):
    prepare(tailnet, release, server)
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    set_dns(tailnet, split=[{"domain": "own.example", "resolvers": []}],
            records=[{"name": "printer.own.example", "type": "A", "value": "10.0.0.9"},
                     {"name": "printer.own.example", "type": "AAAA", "value": "2001:db8::9"},
                     {"name": f"www.{tailnet.domain}", "type": "A", "value": "10.0.0.8"}])
    resolves(alice, "printer.own.example", ["10.0.0.9"])
    resolves(alice, "printer.own.example", ["2001:db8::9"], "AAAA")
    resolves(alice, f"www.{tailnet.domain}", ["10.0.0.8"])
    resolves(alice, "other.own.example", [])
    set_dns(tailnet, records=[])
    resolves(alice, "printer.own.example", [])


@RELEASES
def test_split_and_global_resolvers(tailnet, server, release):
    """Each domain is asked where it belongs, the rest at the global resolver once it overrides the machine's."""
    corp, world = server(db_corp_example="10.7.0.1"), server(www_world_example="192.0.2.7", db_corp_example="192.0.2.66")
    prepare(tailnet, release, server)
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    set_dns(tailnet, split=[{"domain": "corp.example", "resolvers": [{"address": corp.address}]}])
    resolves(alice, "db.corp.example", ["10.7.0.1"])
    resolves(alice, "none.corp.example", [])
    set_dns(tailnet, overrideLocalDns=True, resolvers=[{"address": world.address}])
    resolves(alice, "www.world.example", ["192.0.2.7"])
    resolves(alice, "db.corp.example", ["10.7.0.1"])
    resolves(alice, alice.fqdn, [alice.ips[0]])
    assert set(world.asked) == {"www.world.example"}, "neither the split domain nor the tailnet's own names leave"
    assert {"db.corp.example", "none.corp.example"} == set(corp.asked)


def config(raw, test, since=0):
    return raw.frame(lambda m: m.get("DNSConfig") and test(m["DNSConfig"]), since, told="a DNSConfig")[1]


def test_what_maps_say(tailnet):
    """Every member, in the first map and as one frame without peers; UseWithExitNode only to those who know it."""
    old, new = tailnet.raw("old", version=124), tailnet.raw("new", coordinator=1, version=125)
    assert old.map["DNSConfig"] == {"Domains": [tailnet.domain], "Proxied": True} == new.map["DNSConfig"]
    marks = old.mark(), new.mark()
    set_dns(tailnet, overrideLocalDns=True, searchDomains=["corp.example"], exitNodeFiltered=[".corp.example", "one.example"],
            resolvers=[{"address": "10.0.0.1", "useWithExitNode": True}, {"address": "10.0.0.2:5353"}],
            split=[{"domain": "corp.example", "resolvers": [{"address": "10.0.0.3", "useWithExitNode": True}]}, {"domain": "own.example", "resolvers": []}],
            records=[{"name": "printer.own.example", "type": "A", "value": "10.0.0.9"}])
    for raw, mark in ((old, marks[0]), (new, marks[1])):
        knows = {"UseWithExitNode": True} if raw is new else {}
        wanted = {"Resolvers": [{"Addr": "10.0.0.1", **knows}, {"Addr": "10.0.0.2:5353"}],
                  "Routes": {"corp.example": [{"Addr": "10.0.0.3", **knows}], "own.example": []},
                  "Domains": [tailnet.domain, "corp.example"], "Proxied": True,
                  "ExtraRecords": [{"Name": "printer.own.example", "Type": "A", "Value": "10.0.0.9"}],
                  "ExitNodeFilteredSet": [".corp.example", "one.example"]}
        told = config(raw, lambda c: "Routes" in c, mark)
        assert told["DNSConfig"] == wanted
        assert not {"Node", "Peers", "DisplayMessages", "Health", "DERPMap", "PacketFilters"} & set(told), "nothing else moved"
        raw.assert_only_deltas(mark)
    set_dns(tailnet, overrideLocalDns=False)
    told = config(new, lambda c: "FallbackResolvers" in c, marks[1])["DNSConfig"]
    assert "Resolvers" not in told and len(told["FallbackResolvers"]) == 2
    late = tailnet.raw("late", version=125)
    assert late.map["DNSConfig"] == told


def answered(node, name):
    """False once the client gives an error code, or up waiting for that resolver: what it says depends on whether the refusal reached it."""
    try:
        return ask(node, name)["code"] == "NameError"
    except Refused as refused:
        assert "waiting for response or error from" in str(refused)
        return False


def test_a_resolver_that_is_away(tailnet):
    """The client says so; MagicDNS and the machine's place in the tailnet do not suffer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((os.environ["FLEET_ADDRESS"], 0))
        alice = tailnet.join("alice")
        set_dns(tailnet, split=[{"domain": "gone.example", "resolvers": [{"address": "{}:{}".format(*silent.getsockname())}]}])
        silent.close()
        end = time.monotonic() + 15
        while answered(alice, "www.gone.example"):
            assert time.monotonic() < end
            time.sleep(0.1)
        resolves(alice, alice.fqdn, [alice.ips[0]])
        assert alice.view["state"] == "Running"
