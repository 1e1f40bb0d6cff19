"""The derpMap of a policy: regions of a tailnet's own beside or instead of the installation's, and nobody loses a home."""

import json

import pytest
from actors.asking import ask
from actors.client import NEWEST, OLDEST


def region(net, number, code, **more):
    """A region of the tailnet's own; its relay is the cluster's, by another number."""
    relay = net.cluster.relays[0]
    return {str(number): {"RegionCode": code, "RegionName": f"Own {number}", "Nodes": [
        {"Name": f"{number}a", "HostName": relay.cluster.host, "IPv4": relay.cluster.host, "DERPPort": relay.port("relay"),
         "STUNPort": relay.port("stun"), "InsecureForTests": True, **more}]}}


def put(net, **document):
    return net.api("PUT", "/api/v1/policy", {"policy": json.dumps(document)})


def shown(raw):
    """Regions of the last map that told of them."""
    return next(m["DERPMap"]["Regions"] for _, m, _ in reversed(raw.frames) if m.get("DERPMap"))


def told(raw, since, numbers, seconds=15):
    _, message, _ = raw.frame(lambda m: set((m.get("DERPMap") or {}).get("Regions", {})) == set(numbers), since, seconds, f"the regions {numbers}")
    return message


def test_it_is_a_delta_of_this_tailnet(tailnets):
    net, other = tailnets(), tailnets("other")
    raw, stranger = net.raw("raw"), other.raw("stranger")
    first = shown(raw)
    ours = next(iter(first))
    mark, strange = raw.mark(), stranger.mark()
    put(net, derpMap={"Regions": region(net, 12, "own")})
    message = told(raw, mark, [ours, "12"])
    assert message["DERPMap"]["Regions"][ours] == first[ours], "a definition that changes makes every client dial anew"
    assert message["DERPMap"]["Regions"]["12"]["Nodes"][0]["RegionID"] == 12 and message["DERPMap"]["omitDefaultRegions"] is True
    mark = raw.mark()
    put(net, derpMap={"Regions": {**region(net, 12, "own"), **region(net, 13, "more"), ours: None}})
    told(raw, mark, ["12", "13"])
    mark = raw.mark()
    put(net, derpMap={"OmitDefaultRegions": True, "Regions": region(net, 13, "more")})
    told(raw, mark, ["13"])
    again = net.raw("again")
    assert set(again.map["DERPMap"]["Regions"]) == {"13"}
    mark = raw.mark()
    put(net)
    assert told(raw, mark, [ours])["DERPMap"]["Regions"] == first
    raw.assert_only_deltas(1)
    assert not [m for _, m, _ in stranger.frames[strange:] if m.get("DERPMap")], "another tailnet's map is its own"


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_clients_move_and_come_back(tailnet, release):
    """The home of everybody is taken out of the map: it stays, as the last choice, until they have moved."""
    machine = tailnet.machine(release)
    one, two = (tailnet.join(n, coordinator=i, machine=machine) for i, n in enumerate(("one", "two")))
    raw = tailnet.raw("raw")
    two.serve()
    one.sees(two)
    one.exchange(two, 1)
    first = shown(raw)
    ours = next(iter(first))
    mark = raw.mark()
    put(tailnet, derpMap={"OmitDefaultRegions": True, "Regions": region(tailnet, 12, "own")})
    message = told(raw, mark, ["12", ours])
    assert message["DERPMap"]["Regions"][ours] == first[ours] and message["DERPMap"]["HomeParams"]["RegionScore"] == {ours: 1000}
    for n in (one, two):
        n.wait(lambda v: v["self"].get("Relay") == "own", 60, "a home in the tailnet's own region")
    told(raw, mark, ["12"], 30)
    one.exchange(two, 1)
    mark = raw.mark()
    put(tailnet)
    assert told(raw, mark, ["12", ours])["DERPMap"]["HomeParams"]["RegionScore"] == {"12": 1000}
    assert told(raw, mark, [ours], 60)["DERPMap"]["HomeParams"]["RegionScore"] == {}, "no score stays behind"
    one.exchange(two, 1)


@pytest.mark.parametrize("derp,sentence", [
    ({"OmitDefaultRegions": True}, "there is none that a client could be at home in"),
    ({"Regions": {"x": {"Nodes": []}}}, 'region "x": regions are named by numbers from 1 to 65535'),
    ({"Regions": {"70000": None}}, 'region "70000": regions are named by numbers from 1 to 65535'),
    ({"Regions": {"12": {"Nodes": []}}}, 'region "12": Nodes: a list of 1 to 32 nodes is wanted'),
    ({"Regions": {"12": {"Nodes": [{"Name": "a", "HostName": "https://a.example"}]}}}, "HostName: a host name or address of the relay is wanted"),
    ({"HomeParams": {}}, 'unknown field: "HomeParams"'),
])
def test_bad_regions_are_refused(tailnet, derp, sentence):
    answer = ask(tailnet.cluster, "PUT", "/api/fleetscale/v1/policy", tailnet=tailnet.name, raw=json.dumps({"derpMap": derp}).encode())
    assert answer.status == 400 and sentence in answer.said[0], answer.text
