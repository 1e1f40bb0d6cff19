"""Tailnets: made, renamed, set, limited, suspended and deleted, as operators do it and as real clients see it."""

import http.client
import json
import threading

import pytest
from actors.audits import audited
from actors.client import NEWEST, OLDEST
from actors.tailnet import Tailnet, label
from fleet.servers import Failure

TAILNETS = "/api/fleetscale/v1/tailnets"
SETTINGS = "/api/fleetscale/v1/settings"
FULL_DNS = {
    "magicDns": True, "overrideLocalDns": True,
    "resolvers": [{"address": "1.1.1.1", "useWithExitNode": False}, {"address": "https://dns.example/dns-query", "useWithExitNode": True}],
    "split": [{"domain": "corp.example", "resolvers": [{"address": "10.0.0.1", "useWithExitNode": False},
                                                       {"address": "10.0.0.2:5353", "useWithExitNode": True}]},
              {"domain": "own.example", "resolvers": []}],
    "searchDomains": ["corp.example", "own.example"],
    "records": [{"name": "printer.own.example", "type": "A", "value": "10.0.0.9"},
                {"name": "printer.own.example", "type": "AAAA", "value": "2001:db8::9"}],
    "exitNodeFiltered": [".corp.example", "one.example"],
}


def change(net, expect=200, **members):
    return net.cluster.api("PATCH", f"{TAILNETS}/{net.name}", members, expect=expect)


def remove(net, query, expect=200):
    return net.cluster.api("DELETE", f"{TAILNETS}/{net.name}{query}", expect=expect)


def settings(net):
    return net.api("GET", SETTINGS)["settings"]


def listed(cluster, limit=50):
    """All tailnets, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        page = cluster.api("GET", f"{TAILNETS}?limit={limit}{cursor and '&cursor=' + cursor}")
        assert len(page["tailnets"]) <= limit
        found, cursor = found + page["tailnets"], page["nextCursor"]
    return found


def answer(net, method, path, body=None, **headers):
    """(status, ETag, JSON or None)."""
    c = http.client.HTTPConnection(net.cluster.host, net.cluster.coordinators[0].port("admin"), timeout=40)
    c.request(method, path, None if body is None else json.dumps(body),
              {"Authorization": "Bearer " + net.cluster.key("admin.key"), "Fleetscale-Tailnet": net.name, "Content-Type": "application/json", **headers})
    r = c.getresponse()
    text = r.read()
    c.close()
    return r.status, r.getheader("ETag"), json.loads(text) if text else None


def generation(net):
    return int(net.cluster.postgres.sql(
        "fleetscale", f"select generation from fleetscale.generations g join fleetscale.tailnets t on t.id = g.tailnet_id where t.name = '{net.name}'"))


def left_of(cluster, number):
    """Tables that still have rows of a tailnet, by what the catalog says."""
    sql = cluster.postgres.sql
    tables = sql("fleetscale", """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tailnet_id'
        where c.relnamespace = 'fleetscale'::regnamespace and c.relkind in ('r', 'p')""").split()
    assert {"nodes", "users", "authkeys", "apikeys", "journal", "generations"} <= set(tables)
    return {t for t in tables if t != "audits" and sql("fleetscale", f"select count(*) from fleetscale.{t} where tailnet_id = {number}") != "0"}


# --- creating and changing


def test_created_with_members(tailnets):
    net = tailnets(displayName="The Lab", nodeLimit=3, userLimit=2, loginHost="lab.login.example", frozen=True)
    made = net.cluster.api("GET", f"{TAILNETS}/{net.name}")["tailnet"]
    assert (made["displayName"], made["nodeLimit"], made["userLimit"], made["loginHost"]) == ("The Lab", 3, 2, "lab.login.example")
    assert made["frozen"] and not made["suspended"] and made["id"].isdigit()
    assert made in listed(net.cluster)
    status, _ = net.cluster.api("GET", f"{TAILNETS}/no-such-tailnet", expect=None)
    assert status == 404


@pytest.mark.parametrize(("members", "status", "word"), [
    ({"name": "Upper"}, 400, "lower-case"), ({"name": "a.b"}, 400, "letters"), ({"name": ""}, 400, "characters"),
    ({"name": 7}, 422, "text"), ({"nodeLimit": -1}, 422, "negative"), ({"nodeLimit": 2000000000}, 400, "nodeLimit"),
    ({"userLimit": 99999999999}, 400, "userLimit"), ({"nodeLimit": "3"}, 422, "integer"), ({"frozen": "yes"}, 422, "true or false"),
    ({"loginHost": "Login.example"}, 400, "lower case"), ({"loginHost": "login.example:443"}, 400, "port"), ({"loginHost": "10.0.0.1"}, 400, "address"),
    ({"displayName": "a\u0001b"}, 400, "control"), ({"displayName": "x" * 256}, 400, "255"), ({"domain": "else.example"}, 422, "unexpected"),
    ({"id": "7"}, 422, "unexpected"), ({"name": "default"}, 409, "exists"),
])
def test_refused_changes_keep_the_old_state(tailnet, members, status, word):
    before = tailnet.cluster.api("GET", f"{TAILNETS}/{tailnet.name}")
    stood = generation(tailnet)
    answered, problem = tailnet.cluster.api("PATCH", f"{TAILNETS}/{tailnet.name}", members, expect=None)
    assert answered == status and word in problem["message"], (answered, problem)
    assert tailnet.cluster.api("GET", f"{TAILNETS}/{tailnet.name}") == before
    assert generation(tailnet) == stood


def test_login_host_is_one_tailnets(tailnets):
    red, blue = tailnets("red"), tailnets("blue")
    host = f"{red.name}.login.example"
    change(red, loginHost=host)
    status, problem = blue.cluster.api("PATCH", f"{TAILNETS}/{blue.name}", {"loginHost": host}, expect=None)
    assert status == 409 and "login host" in problem["message"]
    status, _ = blue.cluster.api("POST", TAILNETS, {"name": f"{blue.name[:30]}-2", "loginHost": host}, expect=None)
    assert status == 409
    change(red, loginHost="")
    assert change(blue, loginHost=host)["tailnet"]["loginHost"] == host


def test_rename_moves_names(tailnet):
    """The names of nodes follow a derived domain, at clients that stay connected."""
    alice = tailnet.join("alice")
    bob = tailnet.join("bob", coordinator=1, machine=tailnet.machine(OLDEST)).serve()
    alice.sees(bob)
    old, new = tailnet.name, label(f"new-{tailnet.name}", 40)
    made = change(tailnet, name=new, displayName="Renamed")["tailnet"]
    tailnet.name, tailnet.domain = new, made["domain"]
    assert made["domain"].startswith(new + ".")
    for node in (alice, bob):
        node.wait(lambda v: v["self"]["DNSName"].endswith(f".{made['domain']}."), 15, "its own new name")
        node.wait(lambda v: all(p["DNSName"].endswith(f".{made['domain']}.") for p in v["peers"].values()), 15, "its peer's new name")
        assert node.view["state"] == "Running"
    alice.exchange(bob, 1)
    assert tailnet.cluster.api("GET", f"{TAILNETS}/{old}", expect=None)[0] == 404
    assert {n["id"] for n in tailnet.nodes()} == {alice.id, bob.id}
    kept = tailnet.cluster.api("POST", TAILNETS, {"name": old[:38] + "-x", "domain": f"{old}.elsewhere.example"})["tailnet"]
    renamed = tailnet.cluster.api("PATCH", f"{TAILNETS}/{kept['name']}", {"name": old[:38] + "-y"})["tailnet"]
    assert renamed["domain"] == f"{old}.elsewhere.example", "a given domain stays"


# --- settings


def test_settings_round_trip(tailnet):
    fresh = settings(tailnet)
    assert fresh["dns"] == {"magicDns": True, "overrideLocalDns": False, "resolvers": [], "split": [], "searchDomains": [], "records": [],
                            "exitNodeFiltered": []}
    assert fresh["keyLifetimeSeconds"] == 180 * 86400 and fresh["fileSharing"] and not fresh["deviceApproval"] and fresh["notice"] == ""
    stood = generation(tailnet)
    wanted = {"deviceApproval": True, "keyLifetimeSeconds": 3600, "fileSharing": False, "ssh": False, "autoUpdate": True, "randomClientPort": True,
              "clientLogs": True, "notice": "Back at nine.\n\u201cq\u201d", "dns": FULL_DNS, "domains": ["example.com", "example.org"],
              "relays": {"fence": [], "noHome": [], "omit": [], "omitShared": False}}
    assert tailnet.api("PATCH", SETTINGS, wanted)["settings"] == wanted
    other = tailnet.cluster.coordinators[1]
    assert tailnet.api("GET", SETTINGS, coordinator=other)["settings"] == wanted, "at once, on any coordinator"
    assert generation(tailnet) == stood + 1
    assert tailnet.api("PATCH", SETTINGS, settings(tailnet))["settings"] == wanted
    assert tailnet.api("PATCH", SETTINGS, {})["settings"] == wanted
    assert generation(tailnet) == stood + 1, "what changes nothing is told to nobody"
    assert tailnet.api("PATCH", SETTINGS, {"dns": {"searchDomains": []}})["settings"] == {**wanted, "dns": {**FULL_DNS, "searchDomains": []}}
    assert tailnet.api("PATCH", SETTINGS, {"notice": "", "dns": {"overrideLocalDns": False, "resolvers": []}})["settings"]["notice"] == ""
    assert settings(tailnet)["dns"]["split"] == FULL_DNS["split"]
    last = tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"][0]
    assert (last["action"], last["outcome"], last["after"]["notice"]) == ("settings.update", "done", "")
    assert last["before"]["notice"] == wanted["notice"] and "ssh" not in last["after"], "what differs, and no more"


CONTRADICTIONS = [
    ({"dns": {"overrideLocalDns": True}}, 400, "dns.overrideLocalDns"),
    ({"dns": {"resolvers": [{"address": "1.1.1.1"}, {"address": "1.1.1.1"}]}}, 400, "dns.resolvers[1].address"),
    ({"dns": {"resolvers": [{}]}}, 400, "dns.resolvers[0].address"),
    ({"dns": {"split": [{"domain": "a.b", "resolvers": []}, {"domain": "a.b", "resolvers": [{"address": "1.1.1.1"}]}]}}, 400, "dns.split[1].domain"),
    ({"dns": {"split": [{"domain": "a.b", "resolvers": [{"address": "1.1.1.1"}, {"address": "x"}]}]}}, 400, "dns.split[0].resolvers[1].address"),
    ({"dns": {"split": [{"domain": "a.b", "resolvers": [{"address": ""}]}]}}, 400, "dns.split[0].resolvers[0].address"),
    ({"dns": {"records": [{"name": "a.b", "type": "A", "value": "10.0.0.1"}, {"name": "a.b", "type": "TXT", "value": "x"}]}}, 400, "dns.records[1].type"),
    ({"dns": {"records": [{"name": "a.b", "type": "A", "value": "::1"}]}}, 400, "dns.records[0].value"),
    ({"dns": {"searchDomains": ["a", "A"]}}, 400, "dns.searchDomains[1]"),
    ({"dns": {"exitNodeFiltered": ["a", "a"]}}, 400, "dns.exitNodeFiltered[1]"),
    ({"keyLifetimeSeconds": 59}, 400, "keyLifetimeSeconds"),
    ({"keyLifetimeSeconds": 2**62}, 400, "keyLifetimeSeconds"),
    ({"notice": "x" * 1025}, 400, "notice"),
    ({"notice": "\u001b[2J"}, 400, "notice"),
    ({"dns": {"records": [{"name": "a.b", "type": "A", "value": "10.0.0.1"}, {"value": 7}]}}, 422, "body.dns.records[1].value"),
    ({"dns": {"split": [{"domain": "a.b", "resolvers": [{"address": "1.1.1.1", "port": 53}]}]}}, 422, "body.dns.split[0].resolvers[0].port"),
    ({"dns": {"nameservers": []}}, 422, "body.dns.nameservers"),
    ({"dns": []}, 422, "body.dns"),
    ({"ssh": 1}, 422, "body.ssh"),
    ({"suspended": True}, 422, "body.suspended"),
]


@pytest.mark.parametrize(("body", "status", "place"), CONTRADICTIONS, ids=[place for _, _, place in CONTRADICTIONS])
def test_contradictions_keep_the_old_state(tailnet, body, status, place):
    tailnet.api("PATCH", SETTINGS, {"notice": "stays", "dns": {"searchDomains": ["stays.example"]}})
    before, stood = settings(tailnet), generation(tailnet)
    answered, problem = tailnet.api("PATCH", SETTINGS, body, expect=None)
    assert answered == status, problem
    told = problem["errors"][0].get("location") if status == 422 else problem["message"].partition(":")[0]
    assert told == place, problem
    assert settings(tailnet) == before and generation(tailnet) == stood
    tried = audited(lambda: tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"], lambda a: a["outcome"] == "refused")
    assert tried["actor"] == "operator" and tried["credential"]


def test_changes_at_the_same_time_are_all_kept(tailnet):
    """Two coordinators, each many changes of another member: none overwrites the other's."""
    coordinators = tailnet.cluster.coordinators
    faults = []

    def write(coordinator, member, last):
        for i in range(1, last + 1):
            try:
                tailnet.api("PATCH", SETTINGS, {member: i * 60} if member == "keyLifetimeSeconds" else {member: f"n{i}"}, coordinator=coordinator)
            except Failure as e:
                faults.append(e)

    writers = [threading.Thread(target=write, args=(coordinators[i], member, 20)) for i, member in enumerate(("keyLifetimeSeconds", "notice"))]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    assert not faults
    assert (settings(tailnet)["keyLifetimeSeconds"], settings(tailnet)["notice"]) == (1200, "n20")


@pytest.mark.parametrize("path", [SETTINGS, TAILNETS])
def test_conditions(tailnet, path):
    """If-None-Match saves the body, If-Match refuses to overwrite what was not read."""
    what, change_of = (f"{path}/{tailnet.name}", "displayName") if path == TAILNETS else (path, "notice")
    status, tag, first = answer(tailnet, "GET", what)
    assert status == 200 and tag
    assert answer(tailnet, "GET", what, **{"If-None-Match": tag}) == (304, tag, None)
    assert answer(tailnet, "PATCH", what, {change_of: "one"}, **{"If-Match": tag})[0] == 200
    status, _, problem = answer(tailnet, "PATCH", what, {change_of: "two"}, **{"If-Match": tag})
    assert status == 412 and "changed" in problem["message"]
    status, newer, now = answer(tailnet, "GET", what, **{"If-None-Match": tag})
    assert status == 200 and newer != tag and now != first and "one" in json.dumps(now)
    assert answer(tailnet, "PATCH", what, {change_of: "two"}, **{"If-Match": f'"x", {newer}'})[0] == 200


def test_pages(tailnets):
    nets = [tailnets(str(i)) for i in range(3)]
    names = [t["name"] for t in listed(nets[0].cluster, 1)]
    assert {n.name for n in nets} <= set(names) and len(names) == len(set(names))
    assert nets[0].cluster.api("GET", f"{TAILNETS}?cursor=nonsense", expect=None)[0] == 400


# --- limits, frozen, suspended


def test_limits_refuse_clearly(tailnet):
    tailnet.raw("one")
    users = len(tailnet.api("GET", "/api/v1/user")["users"])
    change(tailnet, nodeLimit=1, userLimit=users + 1)
    tailnet.api("POST", "/api/v1/user", {"name": "zoe"})
    status, problem = tailnet.api("POST", "/api/v1/user", {"name": "yan"}, expect=None)
    assert status == 400 and f"may have {users + 1} users" in problem["message"]
    late = tailnet.machine().raw("late", url=tailnet.url())
    assert "limit" in late.register(tailnet.authkey())["json"]["Error"]
    change(tailnet, nodeLimit=0, userLimit=0)
    tailnet.api("POST", "/api/v1/user", {"name": "yan"})
    tailnet.raw("two")


def at_once(*calls):
    """Statuses of calls that are made at the same time."""
    statuses = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def one(i, call):
        gate.wait()
        statuses[i] = call()[0]

    threads = [threading.Thread(target=one, args=(i, call)) for i, call in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sorted(statuses)


def test_races_have_one_winner(tailnets):
    """The last free place of a limit, one name, one login host: of two coordinators exactly one gets it."""
    nets = [tailnets(str(i)) for i in range(2)]
    cluster = nets[0].cluster
    change(nets[0], userLimit=len(nets[0].api("GET", "/api/v1/user")["users"]) + 1)
    users = [lambda i=i: nets[0].api("POST", "/api/v1/user", {"name": f"user{i}"}, coordinator=cluster.coordinators[i % 2], expect=None)
             for i in range(8)]
    assert at_once(*users) == [200] + [400] * 7
    for member, value in (("loginHost", f"{nets[0].name}.login.example"), ("name", label(f"won-{nets[0].name}", 40))):
        changes = [lambda i=i: cluster.api("PATCH", f"{TAILNETS}/{nets[i].name}", {member: value}, coordinator=cluster.coordinators[i], expect=None)
                   for i in range(2)]
        assert at_once(*changes) == [200, 409]


@pytest.mark.parametrize("name", ["a%00b", "x" * 300, "%2e%2e", "default%27--", "%ff", "Default", "%20default", "default%2F"])
def test_hostile_names(shared, name):
    for method, body in (("GET", None), ("PATCH", {"frozen": True}), ("DELETE", None)):
        query = f"?confirm={name}" if method == "DELETE" else ""
        status, problem = shared.api(method, f"{TAILNETS}/{name}{query}", body, expect=None)
        assert status in (400, 404), (method, status, problem)


@pytest.mark.parametrize("member", ["frozen", "suspended"])
def test_nobody_joins(tailnet, member):
    one = tailnet.raw("one")
    change(tailnet, **{member: True})
    late = tailnet.machine().raw("late", url=tailnet.url())
    answer = late.register(tailnet.authkey())
    assert answer["json"]["Error"] and "tailnet" in answer["json"]["Error"], answer
    assert [n["id"] for n in tailnet.nodes()] == [str(one.number)], "administrators still see it"
    assert settings(tailnet)["ssh"]
    change(tailnet, **{member: False})
    tailnet.raw("two")


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_suspended_and_resumed(tailnet, release):
    """The peer goes, and is back without a new login."""
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    bob = tailnet.join("bob", coordinator=1, machine=tailnet.machine(release)).serve()
    alice.sees(bob)
    bob.sees(alice)
    identities = (alice.id, bob.id, alice.ips, bob.ips)
    change(tailnet, suspended=True)
    alice.misses(identities[1], 15)
    bob.misses(identities[0], 15)
    assert {n["id"] for n in tailnet.nodes()} == set(identities[:2])
    change(tailnet, suspended=False)
    alice.sees(identities[1], 15)
    bob.sees(identities[0], 15)
    assert (alice.id, bob.id, alice.ips, bob.ips) == identities
    alice.state("Running", 10)
    alice.exchange(bob, 0.5)


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_restarted_while_suspended(tailnet, release):
    """A client that starts anew meanwhile keeps who it is, and sees its peers when the tailnet goes on."""
    machine = tailnet.machine(release)
    alice = tailnet.join("alice", machine=machine)
    bob = tailnet.join("bob", coordinator=1)
    alice.sees(bob)
    identity = (alice.id, sorted(alice.ips))
    change(tailnet, suspended=True)
    alice.misses(bob, 15)
    alice.close()
    again = machine.node("alice", url=tailnet.url(1))
    again.state("NeedsMachineAuth", 20)
    assert not again.view["peers"]
    change(tailnet, suspended=False)
    again.running(20)
    assert (again.id, sorted(again.ips)) == identity
    again.sees(bob, 15)
    bob.sees(identity[0], 15)


# --- deleting


def test_deleting_asks_for_its_name(tailnet):
    for query in ("", "?confirm=", "?confirm=other", f"?confirm={tailnet.name}x", "?force=true"):
        status, problem = tailnet.cluster.api("DELETE", f"{TAILNETS}/{tailnet.name}{query}", expect=None)
        assert status == 400 and "confirm=NAME" in problem["message"], (query, status, problem)
    status, _ = tailnet.cluster.api("DELETE", f"{TAILNETS}/{tailnet.name}?confirm={tailnet.name}&force=maybe", expect=None)
    assert status == 422
    assert tailnet.nodes() == []


def test_deleting_refuses_while_nodes_remain(tailnet):
    number = tailnet.cluster.api("GET", f"{TAILNETS}/{tailnet.name}")["tailnet"]["id"]
    nodes = [tailnet.raw("one"), tailnet.raw("two")]
    status, problem = tailnet.cluster.api("DELETE", f"{TAILNETS}/{tailnet.name}?confirm={tailnet.name}", expect=None)
    assert status == 400 and "2 nodes" in problem["message"] and "force=true" in problem["message"]
    nodes[0].lite()
    assert len(tailnet.nodes()) == 2
    for node in nodes:
        tailnet.delete(node.number)
    key = tailnet.api("POST", "/api/v1/apikey", {"expiration": "2100-01-01T00:00:00Z"})["apiKey"]
    authkey = tailnet.authkey()
    tailnet.api("GET", "/api/v1/node", key=key)
    assert remove(tailnet, f"?confirm={tailnet.name}") == {}
    assert tailnet.cluster.api("GET", f"{TAILNETS}/{tailnet.name}", expect=None)[0] == 404
    assert tailnet.api("GET", "/api/v1/node", key=key, expect=None)[0] == 401, "its keys went with it"
    assert tailnet.machine().raw("late", url=tailnet.url()).register(authkey)["json"]["Error"]
    assert left_of(tailnet.cluster, number) == set()
    told = tailnet.cluster.postgres.sql("fleetscale", f"""select before_state ->> 'name', outcome from fleetscale.audits
        where tailnet_id = 0 and action = 'tailnet.delete' and subject = {number} order by id""")
    assert told.split() == [f"{tailnet.name}|done"], "the installation's audit names it"
    again = Tailnet(tailnet.cluster, tailnet.name, tailnet.folder / "again")
    assert again.nodes() == []


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_forced_deletion_tells_clients(tailnet, release):
    number = tailnet.cluster.api("GET", f"{TAILNETS}/{tailnet.name}")["tailnet"]["id"]
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    bob = tailnet.join("bob", coordinator=1, machine=tailnet.machine(release))
    raw = tailnet.raw("raw")
    alice.sees(bob)
    assert remove(tailnet, f"?confirm={tailnet.name}&force=true") == {}
    for node in (alice, bob):
        node.state("NeedsLogin", 20)
    raw.await_true(lambda: raw.ends, 10, "the end of its stream")
    told = [m["Node"] for _, m, _ in raw.frames if m.get("Node")][-1]
    assert told["KeyExpiry"] < "2026" or told.get("Expired"), told
    assert left_of(tailnet.cluster, number) == set()
    assert raw.register()["json"].get("AuthURL") or raw.register()["json"].get("Error"), "nobody knows it any more"


def test_joins_while_it_is_deleted(tailnets):
    """Whoever joins in the very moment is in or is refused, and in the end nothing is left of it."""
    for round_ in range(3):
        net = tailnets(str(round_))
        number = net.cluster.api("GET", f"{TAILNETS}/{net.name}")["tailnet"]["id"]
        key, machine = net.authkey(reusable=True), net.machine()
        raws = [machine.raw(f"r{i}", url=net.url(i)) for i in range(12)]
        answers = {}
        joins = [threading.Thread(target=lambda raw=raw: answers.__setitem__(raw.name, raw.register(key))) for raw in raws]
        for i, join in enumerate(joins):
            join.start()
            if i == 4 + round_:
                assert remove(net, f"?confirm={net.name}&force=true") == {}
        for join in joins:
            join.join()
        assert {a["status"] for a in answers.values()} == {200} and len(answers) == len(raws), answers
        assert any(a["json"].get("Error") for a in answers.values()), "the deletion came in between"
        assert left_of(net.cluster, number) == set()


def test_the_installation_lives_without_default(clusters, traces):
    cluster = clusters(coordinators=1, mappers=1, relays=0)
    other = Tailnet(cluster, "other", traces / "other")
    assert cluster.api("DELETE", f"{TAILNETS}/default?confirm=default") == {}
    status, problem = cluster.api("GET", "/api/v1/node", expect=None)
    assert status == 404 and "Fleetscale-Tailnet" in problem["message"]
    assert other.nodes() == []
    node = other.raw("node")
    cluster.migrate()
    assert [t["name"] for t in cluster.api("GET", TAILNETS)["tailnets"]] == ["other"], "a migration does not bring it back"
    cluster.api("POST", TAILNETS, {"name": "default"})
    assert cluster.api("GET", "/api/v1/node")["nodes"] == []
    node.lite()
    other.close()
