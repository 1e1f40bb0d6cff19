"""Address pools: where the IPv4 address of a machine that joins comes from, as the policy's nodeAttrs say."""

import concurrent.futures
import ipaddress
import json

import pytest
from actors.client import NEWEST, OLDEST
from actors.logins import begin, register
from actors.policies import of, put, tagged

OWNERS = {"tag:web": ["ann@"], "tag:db": []}
WEB, DB, ANN = "100.81.0.0/29", "100.82.0.8/31", "100.83.0.0/24"


def within(address, pool):
    return ipaddress.ip_address(address) in ipaddress.ip_network(pool)


def attr(target, *pools):
    return {"target": [target], "ipPool": list(pools)}


@pytest.fixture
def net(tailnet):
    for name in ("ann", "bob"):
        tailnet.cluster.user(name, tailnet.name)
    put(tailnet, tagOwners=OWNERS, nodeAttrs=[attr("tag:web", WEB), attr("tag:db", DB), attr("ann@", ANN), {"target": ["*"], "attr": ["funnel"]}])
    return tailnet


def join(net, key, number=0, *tags):
    """The answer to a registration; the node's IPv4 address, or None."""
    raw = net.machine().raw(f"node{number}", url=net.url(number))
    said = raw.register(key, Hostinfo={"Hostname": f"n{number}", "OS": "linux", "RequestTags": list(tags)})["json"].get("Error")
    return said, next((n["ipAddresses"][0] for n in net.nodes() if n["nodeKey"] == raw.keys["node_key"]), None)


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_real_clients(net, release):
    web = net.join("web", machine=net.machine(release), authkey=tagged(net, "tag:web"))
    ann = net.join("ann", machine=net.machine(release), authkey=of(net, "ann"))
    bob = net.join("bob", machine=net.machine(release), authkey=of(net, "bob"))
    assert within(web.ips[0], WEB) and within(ann.ips[0], ANN)
    assert not any(within(bob.ips[0], p) for p in (WEB, DB, ANN)), bob.ips
    assert web.sees(ann)["TailscaleIPs"][0] == ann.ips[0]
    # A tag that is given later moves nobody.
    net.tag(ann.id, "tag:db")
    assert net.node(ann.id)["ipAddresses"][0] == ann.ips[0]


def test_a_login_takes_from_a_pool(net):
    raw = net.machine().raw("node", url=net.url())
    made = register(net, begin(raw, Hostinfo={"Hostname": "n", "OS": "linux", "RequestTags": ["tag:web"]}), "ann")
    assert within(made["ipAddresses"][0], WEB)
    raw = net.machine().raw("node", url=net.url())
    assert within(register(net, begin(raw), "ann")["ipAddresses"][0], ANN)


def test_full(net):
    """The first target that matches decides; a full pool is told in its words, and nothing has changed."""
    key = net.authkey(aclTags=["tag:db"], reusable=True)
    given = {join(net, key, i)[1] for i in range(2)}
    assert given == {"100.82.0.8", "100.82.0.9"}, "the ends of a pool are as good as its middle"
    before = net.api("GET", "/api/v1/node")
    for _ in range(2):
        said, address = join(net, key, 2)
        assert said == f"the address pool {DB} that the policy gives this node is full" and address is None
    assert net.api("GET", "/api/v1/node") == before
    # The same by a login: it goes on waiting.
    raw = net.machine().raw("node", url=net.url())
    put(net, tagOwners={**OWNERS, "tag:db": ["ann@"]}, nodeAttrs=[attr("tag:db", DB)])
    url = begin(raw, Hostinfo={"Hostname": "n", "OS": "linux", "RequestTags": ["tag:db"]})
    status, answer = register(net, url, "ann", expect=None)
    assert status >= 400 and f"the address pool {DB}" in json.dumps(answer)
    # A freed one comes again, and so does a wider pool.
    net.delete(next(n["id"] for n in net.nodes() if n["ipAddresses"][0] == "100.82.0.8"))
    assert register(net, url, "ann")["ipAddresses"][0] == "100.82.0.8"
    put(net, tagOwners=OWNERS, nodeAttrs=[attr("tag:db", DB, "100.82.4.0/30")])
    assert within(join(net, key, 3)[1], "100.82.4.0/30")


def test_many_at_once(net):
    """Through both coordinators: distinct addresses, and exactly as many as there are."""
    key = net.authkey(aclTags=["tag:web"], reusable=True)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda i: join(net, key, i), range(10)))
    given = [address for _, address in said if address]
    assert len(given) == len(set(given)) == 8 and all(within(a, WEB) for a in given), said
    assert [s for s, address in said if not address] == 2 * [f"the address pool {WEB} that the policy gives this node is full"]


def test_others_step_over_what_a_pool_gave(tailnet):
    """Addresses in order for all others: what a pool has given out ahead of them is passed over."""
    tailnet.cluster.user("ann", tailnet.name)
    one = join(tailnet, tailnet.authkey())[1]
    ahead = [str(ipaddress.ip_address(one) + i) for i in (1, 2)]
    put(tailnet, nodeAttrs=[attr("ann@", *(f"{a}/32" for a in ahead))])
    assert [join(tailnet, of(tailnet, "ann"))[1] for _ in range(2)] == ahead
    assert join(tailnet, tailnet.authkey())[1] == str(ipaddress.ip_address(one) + 3)


def test_a_pool_outside_the_range(tailnets):
    net = tailnets("narrow", ipv4Range="100.70.0.0/24")
    put(net, nodeAttrs=[attr("*", "100.71.0.0/24")])
    assert join(net, net.authkey()) == ("the address pool 100.71.0.0/24 that the policy gives this node is full", None)
    put(net, nodeAttrs=[attr("*", "100.70.0.0/16")])
    assert within(join(net, net.authkey())[1], "100.70.0.0/24")
