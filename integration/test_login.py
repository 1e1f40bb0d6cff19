"""Interactive login: a URL, a page, a request that is held by one coordinator and answered through another."""

import concurrent.futures
import json
import signal
import time

import pytest
from actors.audits import audited
from actors.client import NEWEST, OLDEST
from actors.logins import ID, Follower, approve, auth_id, begin, page, register, reject, url_of

UNKNOWN = ID + 24 * "0"


def raw_at(net, name="node", coordinator=0, machine=None, **more):
    return (machine or net.machine()).raw(name, url=net.url(coordinator), **more)


def refused(answer):
    assert answer["status"] == 200, answer
    assert answer["json"].get("Error"), f"not refused: {answer}"
    assert not answer["json"].get("User"), answer
    return answer["json"]["Error"]


def accepted(answer):
    assert answer["status"] == 200 and not answer["json"].get("Error"), answer
    assert not answer["json"].get("AuthURL") and not answer["json"].get("NodeKeyExpired"), answer
    assert answer["json"]["User"]["ID"] and answer["json"]["Login"]["LoginName"], answer
    return answer["json"]


def other(net, number=1):
    return net.cluster.coordinators[number]


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_begun_here_approved_there(tailnet, release):
    """A real client shows the URL and runs as soon as the other coordinator was told."""
    node = tailnet.machine(release).node("laptop", url=tailnet.url(0))
    url = url_of(node)
    assert url.startswith(tailnet.url(0) + "/register/")
    began = time.time()
    made = register(tailnet, url, "ann", other(tailnet))
    assert made["user"]["name"] == "ann" and made["registerMethod"] == "REGISTER_METHOD_CLI" and made["givenName"] == "laptop"
    assert node.running(10).id == made["id"]
    assert node.ips == made["ipAddresses"]
    assert time.time() - began < 10
    assert node.whois(node.ips[0])["UserProfile"]["LoginName"] == "ann"


def test_held_until_answered(tailnet):
    raw = raw_at(tailnet)
    url = begin(raw)
    held = Follower(raw, url).waits(1)
    began = time.time()
    made = register(tailnet, url, coordinator=other(tailnet))
    answer = accepted(held.answer())
    assert time.time() - began < 2, "by the bus, not by the slow look"
    assert answer["Login"]["LoginName"] == "default" and answer["MachineAuthorized"]
    assert made["nodeKey"] == raw.keys["node_key"] and made["machineKey"] == raw.keys["machine_key"]
    accepted(raw.register(Followup=url))  # an answer that was lost is asked for again
    accepted(raw.register())
    assert len(tailnet.nodes()) == 1


def test_followed_up_at_another_coordinator(tailnet):
    """The connection broke; the client comes again through the other coordinator."""
    machine = tailnet.machine()
    raw = raw_at(tailnet, machine=machine)
    url = begin(raw)
    again = machine.raw("again", url=tailnet.url(1), keys_of="node")
    held = Follower(again, url).waits(0.5)
    register(tailnet, url, coordinator=other(tailnet, 0))
    accepted(held.answer())


def test_rejected(tailnet):
    raw = raw_at(tailnet)
    url = begin(raw)
    held = Follower(raw, url).waits(0.5)
    assert reject(tailnet, url, other(tailnet)) == {}
    assert refused(held.answer()) == "an administrator rejected this login"
    assert refused(raw.register(Followup=url)) == "an administrator rejected this login"
    assert "Rejected" in page(url)[2]
    assert tailnet.nodes() == []
    assert begin(raw) != url, "it may ask anew"


def test_a_real_client_shows_the_rejection(tailnet):
    node = tailnet.machine().node("laptop", url=tailnet.url())
    reject(tailnet, url_of(node))
    node.wait(lambda v: any("rejected this login" in line for line in v["health"]), 30, "the rejection in its health")
    assert node.view["state"] != "Running"


def test_only_the_machine_that_began_it(tailnet):
    victim, thief = raw_at(tailnet, "victim"), raw_at(tailnet, "thief", 1)
    url = begin(victim)
    for answer in (thief.register(Followup=url), thief.register(Followup=url, NodeKey=victim.keys["node_key"])):
        assert refused(answer) == "no such login for this machine"
    register(tailnet, url, "ann")
    assert refused(thief.register(Followup=url)) == "no such login for this machine"
    answer = thief.register(Followup=url, NodeKey=victim.keys["node_key"])
    assert answer["status"] in (401, 403) and "ann" not in answer["text"], answer
    accepted(victim.register(Followup=url))
    assert len(tailnet.nodes()) == 1


@pytest.mark.parametrize("followup", ["x", "http://127.0.0.1/register/", "/register/hskey-authreq-" + 24 * "g",
                                      "http://[::1]/register/" + UNKNOWN + "/..", 3000 * "/register/"],
                         ids=["short", "none", "no-hex", "longer", "long"])
def test_followups_of_no_form(tailnet, followup):
    answer = raw_at(tailnet).register(Followup=followup)
    assert answer["status"] == 400 or refused(answer) == "no such login for this machine"


def test_unknown_login_begins_anew(tailnet):
    """What was removed long ago: a fresh URL, which is then held."""
    raw = raw_at(tailnet)
    answer = raw.register(Followup=tailnet.url() + "/register/" + UNKNOWN)
    fresh = answer["json"]["AuthURL"]
    assert auth_id(fresh) != UNKNOWN
    Follower(raw, fresh).waits(1)


def test_answers_for_what_is_not_there(tailnet):
    tailnet.cluster.user("default", tailnet.name)
    for path, body in (("register", {"user": "default"}), ("approve", {}), ("reject", {})):
        status, answer = tailnet.api("POST", "/api/v1/auth/" + path, {**body, "authId": UNKNOWN}, expect=None)
        assert status == 404 and "no such pending login" in answer["message"], answer
        for bad in ("", "x", UNKNOWN.upper(), UNKNOWN + "0", UNKNOWN[:-1]):
            status, answer = tailnet.api("POST", "/api/v1/auth/" + path, {**body, "authId": bad}, expect=None)
            assert status == 400, (bad, answer)
    raw = raw_at(tailnet)
    url = begin(raw)
    status, answer = tailnet.api("POST", "/api/v1/auth/register", {"user": "nobody", "authId": auth_id(url)}, expect=None)
    assert status == 404 and "user not found" in answer["message"], answer
    assert "Waiting" in page(url)[2], "a mistake leaves it open"


def test_answered_already(tailnet):
    raw = raw_at(tailnet)
    url = begin(raw)
    register(tailnet, url, "ann")
    for answer in (register(tailnet, url, "bob", expect=None), approve(tailnet, url, expect=None), reject(tailnet, url, expect=None)):
        assert answer[0] == 409 and "answered already" in answer[1]["message"], answer
    assert [n["user"]["name"] for n in tailnet.nodes()] == ["ann"]


def test_login_of_another_tailnet(tailnets):
    """The login host chooses the tailnet; no other can answer, and each looks unknown to it."""
    ours, theirs = tailnets("a"), tailnets("b")
    host = theirs.name + ".login.test"
    theirs.cluster.api("PATCH", "/api/fleetscale/v1/tailnets/" + theirs.name, {"loginHost": host})
    raw = raw_at(theirs, host=host)
    url = begin(raw)
    assert url.startswith(f"http://{host}")
    for answer in (register(ours, url, expect=None), reject(ours, url, expect=None), approve(ours, url, expect=None)):
        assert answer[0] == 404 and "no such pending login" in answer[1]["message"], answer
    assert [len(net.api("GET", "/api/fleetscale/v1/logins")["logins"]) for net in (ours, theirs)] == [0, 1]
    held = Follower(raw, url).waits(0.2)
    register(theirs, url)
    accepted(held.answer())
    assert (len(ours.nodes()), len(theirs.nodes())) == (0, 1)
    assert theirs.api("GET", "/api/fleetscale/v1/logins")["logins"] == []
    # What one tailnet answered is unknown to the others.
    status, answer = register(ours, url, expect=None)
    assert status == 404, answer


def test_two_coordinators_on_one_login(tailnet):
    """Exactly one of many who answer at once wins, whatever they say."""
    tailnet.cluster.user("ann", tailnet.name)
    for number in range(3):
        raw = raw_at(tailnet, f"node-{number}")
        url = begin(raw)
        held = Follower(raw, url).waits(0.2)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(reject if n % 4 == 3 else register, tailnet, url, coordinator=other(tailnet, n % 2), expect=None,
                                   **({} if n % 4 == 3 else {"user": "ann"})) for n in range(8)]
            answers = [a.result() for a in answers]
        assert sorted(status for status, _ in answers) == [200] + 7 * [409], answers
        won = next(a for status, a in answers if status == 200)
        answer = held.answer()
        if won == {}:
            refused(answer)
        else:
            accepted(answer)
        assert len([n for n in tailnet.nodes() if n["machineKey"] == raw.keys["machine_key"]]) == (won != {})


def test_few_logins_per_machine(tailnet):
    raw = raw_at(tailnet)
    urls = []
    for _ in range(6):
        raw.rotate()
        urls.append(begin(raw))
    assert [page(u)[0] for u in urls] == [404, 404, 200, 200, 200, 200]


def test_page(tailnet):
    raw = raw_at(tailnet, "node")
    hostinfo = {"Hostname": "<b>\"Ann's\" & Bob's</b>", "OS": "linux", "OSVersion": "6.1", "IPNVersion": "1.102.5"}
    url = begin(raw, Hostinfo=hostinfo)
    for base in tailnet.urls:
        status, headers, text = page(f"{base}/register/{auth_id(url)}")
        assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
        assert "&lt;b&gt;&quot;Ann&#39;s&quot; &amp; Bob&#39;s&lt;/b&gt;" in text and "<b>" not in text
        assert "linux 6.1" in text and "1.102.5" in text and "http-equiv=\"refresh\"" in text and "<script" not in text
        assert f"fleetscale auth register --auth-id {auth_id(url)} --user NAME" in text
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "frame-ancestors 'none'" in policy
        assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    register(tailnet, url)
    status, _, text = page(url)
    assert status == 200 and "has joined" in text and "refresh" not in text and "--auth-id" not in text
    for bad in (UNKNOWN, "x", "%3Cscript%3E", UNKNOWN.upper()):
        status, headers, text = page(f"{tailnet.url()}/register/{bad}")
        assert status == 404 and "no such login" in text and "<script" not in text.lower(), (bad, text)


def test_wishes_of_the_client(tailnet):
    raw = raw_at(tailnet)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    hostinfo = {"Hostname": "My Laptop", "OS": "linux", "RoutableIPs": ["10.9.0.0/16"]}
    made = register(tailnet, begin(raw, Expiry=when, Ephemeral=True, Hostinfo=hostinfo))
    assert made["expiry"] == when and made["givenName"] == "my-laptop" and made["availableRoutes"] == ["10.9.0.0/16"]
    assert made["name"] == "My Laptop"


def test_older_form_and_made_up_logins(tailnet):
    """What scripts on headscale's API use: node/register with query parameters, debug/node."""
    tailnet.cluster.user("ann", tailnet.name)
    raw = raw_at(tailnet)
    made = tailnet.api("POST", f"/api/v1/node/register?user=ann&key={auth_id(begin(raw))}")["node"]
    assert made["user"]["name"] == "ann" and made["nodeKey"] == raw.keys["node_key"]
    key = ID + "0123456789abcdef01234567"[::-1]
    body = {"user": "ann", "key": key, "name": "Made Up", "routes": ["10.1.0.0/16"]}
    cached = tailnet.api("POST", "/api/v1/debug/node", body)["node"]
    assert cached["name"] == "Made Up" and cached["availableRoutes"] == ["10.1.0.0/16"]
    assert len(tailnet.nodes()) == 1, "it is there only when it was registered"
    assert tailnet.api("POST", "/api/v1/debug/node", body, expect=None)[0] == 409
    assert tailnet.api("POST", "/api/v1/debug/node", {**body, "key": "x"}, expect=None)[0] == 400
    assert tailnet.api("POST", "/api/v1/debug/node", {**body, "key": UNKNOWN, "user": "nobody"}, expect=None)[0] == 404
    made = tailnet.api("POST", "/api/v1/auth/register", {"user": "ann", "authId": key})["node"]
    assert made["givenName"] == "made-up" and made["nodeKey"] == cached["nodeKey"]
    assert tailnet.api("POST", "/api/v1/node/backfillips?confirmed=true") == {"changes": []}
    assert tailnet.api("POST", "/api/v1/node/backfillips", expect=None)[0] == 400


def test_audits_tell_who_answered(tailnet):
    """Who let it in, what changed, and who tried in vain."""
    url = begin(raw_at(tailnet))
    made = register(tailnet, url)
    reject(tailnet, url, expect=None)

    def read():
        return tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"]

    audited(read, lambda a: a["outcome"] == "refused" and "reject" in (a["action"] + json.dumps(a["detail"])))
    audits = read()
    done = [a for a in audits if a["action"] == "login.register"]
    assert len(done) == 1 and done[0]["outcome"] == "done" and done[0]["actor"].startswith("operator"), done
    assert done[0]["after"]["nodeId"] == made["id"]
    assert auth_id(url) not in json.dumps(audits), "an id is a secret"


def test_by_the_command(tailnet):
    """The words that the page shows work; so do the others."""
    raw = raw_at(tailnet)
    tailnet.cluster.user("ann", tailnet.name)

    def run(verb, *words):
        return tailnet.cluster.cli("auth", verb, *words, tailnet=tailnet.name)
    url = begin(raw)
    run("register", "--auth-id", auth_id(url), "--user", "ann")
    accepted(raw.register(Followup=url))
    raw.rotate()
    url = begin(raw)
    assert f"fleetscale auth approve --auth-id {auth_id(url)}" in page(url)[2]
    run("approve", "--auth-id", auth_id(url))
    accepted(raw.register(Followup=url))
    raw.rotate()
    url = begin(raw)
    run("reject", "--auth-id", auth_id(url))
    refused(raw.register(Followup=url))
    assert [n["user"]["name"] for n in tailnet.nodes()] == ["ann"]


def test_time_runs_out(broken):
    """An ended hold answers the same URL, an ended login a fresh one; without Redis answers still arrive."""
    cluster, net = broken(coordinators=2, mappers=1, relays=0, **{"login.lifetime": "6s", "login.hold": "2s"})
    raw = raw_at(net)
    url = begin(raw)
    assert raw.register(Followup=url)["json"]["AuthURL"] == url
    assert raw.register(Followup=url)["json"]["AuthURL"] == url
    time.sleep(1)
    fresh = raw.register(Followup=url)["json"]["AuthURL"]
    for _ in range(3):
        if fresh != url:
            break
        fresh = raw.register(Followup=url)["json"]["AuthURL"]
    assert fresh != url, "the login ended"
    assert page(url)[0] == 410
    status, answer = register(net, url, expect=None)
    assert status == 404, answer
    cluster.redis.stop()
    held = Follower(raw, fresh).waits(0.1)
    began = time.time()
    register(net, fresh, coordinator=cluster.coordinators[1])
    answer = held.answer()
    if answer["json"].get("AuthURL"):
        answer = raw.register(Followup=fresh)
    accepted(answer)
    assert time.time() - began < 6


def test_the_coordinator_that_holds_it_ends(broken):
    """Drained: the client is sent on with its URL. Killed: it comes back by itself. Either way the login goes on elsewhere."""
    cluster, net = broken(coordinators=2, mappers=1, relays=1)
    net.front.prefer = 0
    node = net.machine().node("laptop", url=net.url())
    url = url_of(node)
    raw = net.machine().raw("raw", url=f"http://{cluster.coordinators[0].at('clients')}")
    drained = begin(raw)
    held = Follower(raw, drained).waits(0.3)
    cluster.coordinators[0].send(signal.SIGTERM)
    assert held.answer()["json"]["AuthURL"] == drained
    assert cluster.coordinators[0].ended() == 0
    again = raw.machine.raw("again", url=f"http://{cluster.coordinators[1].at('clients')}", keys_of="raw")
    cluster.coordinators[0].launch()
    cluster.coordinators[0].await_ready()
    net.front.prefer = 1
    held = Follower(again, drained).waits(0.3)
    register(net, drained, coordinator=cluster.coordinators[0])
    accepted(held.answer())
    cluster.coordinators[1].kill()
    net.front.prefer = 0
    made = register(net, url, coordinator=cluster.coordinators[0])
    assert node.running(40).id == made["id"]
