"""Two tailnets with equal user names, equal node names and overlapping addresses never see each other."""

import pytest
from actors.client import Refused, about


def test_apart(tailnets):
    red, blue = tailnets("red"), tailnets("blue")
    pairs = {}
    for net in (red, blue):
        alice = net.join("alice", coordinator=0)
        bob = net.join("bob", coordinator=1).serve()
        alice.sees(bob)
        pairs[net.name] = (alice, bob)
    (ra, rb), (ba, bb) = pairs[red.name], pairs[blue.name]
    assert {ra.ips[0], rb.ips[0]} & {ba.ips[0], bb.ips[0]}, "ranges overlap: the same first addresses"
    assert {ra.id, rb.id}.isdisjoint({ba.id, bb.id})
    for node in (ra, rb, ba, bb):
        assert len(node.view["peers"]) == 1
    ra.exchange(rb, 1)
    ba.exchange(bb, 1)
    assert ra.whois(rb.ips[0])["Node"]["StableID"] == rb.id
    with pytest.raises(Refused):
        ra.exchange(f"bob.{blue.domain}", 0.1, seconds=5)


def test_news_stay_at_home(tailnets):
    """Whatever moves in one tailnet, a watcher in the other hears nothing of it."""
    red, blue = tailnets("red"), tailnets("blue")
    watcher = red.raw("watcher")
    mark = watcher.mark()
    other = blue.raw("other", coordinator=1)
    blue.rename(other.number, "still-other")
    other.lite(Endpoints=["203.0.113.7:1"], EndpointTypes=[1])
    blue.delete(other.number)
    probe = red.raw("probe")
    watcher.frame(lambda m: about(m, probe.number), mark, 10, "the probe of its own tailnet")
    for _, message, _ in watcher.frames[mark:]:
        assert about(message, other.number) is None
        assert "other" not in str(message)


def test_admin_keys_stay_at_home(tailnets):
    """A tailnet's API key acts on it only; the other's nodes are not found."""
    red, blue = tailnets("red"), tailnets("blue")
    node = blue.raw("node")
    key = red.api("POST", "/api/v1/apikey", {"expiration": "2100-01-01T00:00:00Z"})["apiKey"]
    listed = red.cluster.api("GET", "/api/v1/node", key=key)["nodes"]
    assert listed == []
    for method, path in (("GET", ""), ("POST", "/expire"), ("POST", "/rename/mine"), ("DELETE", "")):
        status, _ = red.cluster.api(method, f"/api/v1/node/{node.number}{path}", key=key, expect=None)
        assert status == 404, (method, path, status)
    status, _ = red.cluster.api("GET", "/api/v1/node", key=key, tailnet=blue.name, expect=None)
    assert status == 404, "naming another tailnet"
    assert blue.node(node.number)["givenName"] == "node"


def test_no_admin_route_leads_out_of_a_tailnet(tailnets):
    """Each route with the key of one tailnet and the ids of another: 404, and nothing moved there. Nor does it become the operator."""
    red, blue = tailnets("red"), tailnets("blue")
    node = blue.raw("node").number
    user = blue.api("POST", "/api/v1/user", {"name": "somebody"})["user"]["id"]
    authkey = blue.api("POST", "/api/v1/preauthkey", {"user": user, "expiration": "2100-01-01T00:00:00Z"})["preAuthKey"]
    blue.api("POST", "/api/v1/apikey", {"expiration": "2100-01-01T00:00:00Z"})
    apikey = blue.api("GET", "/api/v1/apikey")["apiKeys"][0]
    prefix = apikey["prefix"].removeprefix("hskey-api-").removesuffix("-***")

    def seen():
        return [blue.api("GET", f"/api/v1/{path}") for path in ("user", "preauthkey", "apikey")] + [
            {k: v for k, v in n.items() if k != "lastSeen"} for n in blue.nodes()]

    before = seen()
    key = red.api("POST", "/api/v1/apikey", {"expiration": "2100-01-01T00:00:00Z"})["apiKey"]
    routes = [
        ("DELETE", f"/api/v1/user/{user}", None),
        ("POST", f"/api/v1/user/{user}/rename/mine", None),
        ("GET", f"/api/v1/node/{node}", None),
        ("DELETE", f"/api/v1/node/{node}", None),
        ("POST", f"/api/v1/node/{node}/expire", None),
        ("POST", f"/api/v1/node/{node}/rename/mine", None),
        ("POST", f"/api/v1/node/{node}/tags", {"tags": ["tag:mine"]}),
        ("POST", f"/api/v1/node/{node}/approve_routes", {"routes": ["10.0.0.0/8"]}),
        ("POST", "/api/v1/preauthkey", {"user": user, "expiration": "2100-01-01T00:00:00Z"}),
        ("POST", "/api/v1/preauthkey/expire", {"id": authkey["id"]}),
        ("DELETE", f"/api/v1/preauthkey?id={authkey['id']}", None),
        ("POST", "/api/v1/apikey/expire", {"id": apikey["id"]}),
        ("POST", "/api/v1/apikey/expire", {"prefix": prefix}),
        ("DELETE", f"/api/v1/apikey/{prefix}", None),
        ("GET", "/api/fleetscale/v1/tailnets", None),
        ("POST", "/api/fleetscale/v1/tailnets", {"name": "mine"}),
        ("GET", "/api/fleetscale/v1/relays", None),
        ("POST", "/api/fleetscale/v1/relays", {"name": "mine", "regionId": "907", "regionCode": "mine"}),
        ("DELETE", "/api/fleetscale/v1/relays/1", None),
        ("POST", "/api/fleetscale/v1/operator/keys", {"expiration": "2100-01-01T00:00:00Z"}),
    ]
    for method, path, body in routes:
        status, answer = red.cluster.api(method, path, body, key=key, expect=None)
        assert status == 404, (method, path, status, answer)
    assert seen() == before
    for name in ("no-such-tailnet", "no\u00e9", "x" * 300, "default'--"):
        status, answer = red.cluster.api("GET", "/api/v1/node", tailnet=name, expect=None)
        assert status == 404 or (status == 400 and name == "no\u00e9"), (name, status, answer)
