"""SSH by the clients' own servers: what rules let in, and sign-ins that they ask for."""

import json
import signal
import threading

import pytest
from actors.audits import audited
from actors.cli import over_socket
from actors.client import NEWEST, OLDEST, Refused
from actors.logins import approve, auth_id, page, reject
from actors.policies import allow, of, put, tagged
from actors.ssh import PAGE, Login, knows_rules, rule, serve
from actors.waiting import until

BOTH = pytest.mark.parametrize("release", [NEWEST, OLDEST])
TAGS = {"tag:server": [], "tag:recorder": []}
EVERYTHING = [allow("*", "*:*")]
ACCEPT = rule("accept", ["odin@"], ["tag:server"])
CHECK = rule("check", ["odin@"], ["tag:server"])
UNKNOWN = "hskey-authreq-" + 24 * "0"


def other(net, number=1):
    return net.cluster.coordinators[number]


def policy(net, *rules):
    put(net, tagOwners=TAGS, acls=EVERYTHING, ssh=list(rules))


def kinds(*wanted):
    """A test of the rules at a server: these actions, in this order."""
    return lambda rules: [("check" if r["action"].get("holdAndDelegate") else "accept" if r["action"].get("accept") else "reject")
                          for r in rules] == list(wanted)


def rules(net, server, *which):
    """The policy has these rules, and the server judges by them."""
    policy(net, *which)
    if which:
        knows_rules(server, kinds(*(r["action"] for r in which)))
    else:
        knows_rules(server, lambda found: not found)


def pair(net, release=NEWEST):
    """Somebody's laptop at one coordinator, a server with SSH at the other."""
    client = net.join("laptop", machine=net.machine(release), authkey=of(net, "odin"))
    server = net.join("server", coordinator=1, machine=net.machine(release), authkey=tagged(net, "tag:server"))
    client.sees(server)
    server.sees(client)
    return client, serve(server)


# --- without a check


@BOTH
def test_accept_and_refuse(tailnet, release):
    client, server = pair(tailnet, release)
    rules(tailnet, server, ACCEPT)
    Login(client, server).ran()
    told = Login(client, server, user="nobody").refused()
    assert release == OLDEST or "does not permit you to SSH as user" in told, told
    stranger = tailnet.join("strange", machine=tailnet.machine(release), authkey=of(tailnet, "freya"))
    stranger.sees(server)
    server.sees(stranger)
    for nobody in (stranger, client):
        told = Login(nobody, server).refused()
        assert release == OLDEST or "does not permit you to SSH to this node" in told, told
        rules(tailnet, server)


def test_a_session_ends_with_its_rule(tailnet):
    client, server = pair(tailnet)
    rules(tailnet, server, ACCEPT)
    long = Login(client, server, command="sleep 600", seconds=120).waits(2)
    rules(tailnet, server)
    ended = long.over(60)
    assert not ended.get("ran") or ended["status"], f"it went on: {ended}"


# --- with a check


@BOTH
def test_check(tailnets, release):
    """Asked through one coordinator, answered through the other, remembered at both."""
    net = tailnets(displayName="Asgard")
    client, server = pair(net, release)
    rules(net, server, CHECK)
    login = Login(client, server)
    url = login.asked()
    assert url.startswith(net.url(1) + "/auth/"), url
    status, headers, text = page(url)
    assert status == 200 and "Waiting for approval" in text and "form-action 'none'" in headers["Content-Security-Policy"]
    for part in ("laptop", "odin", "server", "root", "Asgard", "fleetscale auth approve --auth-id " + auth_id(url)):
        assert part in text, part
    login.waits(1)
    assert approve(net, url, other(net, 0)) == {}
    login.ran()
    assert "Approved" in page(url)[2]
    again = Login(client, server)
    again.ran()
    assert not again.pages(), "the sign-in is remembered"
    second = serve(net.join("second", machine=net.machine(release), authkey=tagged(net, "tag:server")))
    client.sees(second)
    second.sees(client)
    knows_rules(second, kinds("check"))
    elsewhere = Login(client, second)
    elsewhere.ran()
    assert not elsewhere.pages(), "also at the other coordinator"
    phone = net.join("phone", machine=net.machine(release), authkey=of(net, "odin"))
    phone.sees(server)
    server.sees(phone)
    assert Login(phone, server).asked(), "another machine of the same user signs in itself"


def test_periods(tailnet):
    client, server = pair(tailnet)
    rules(tailnet, server, {**CHECK, "checkPeriod": "168h"})
    login = Login(client, server)
    approve(tailnet, login.asked())
    login.ran()
    Login(client, server).ran()
    # The server's client is told no period: nothing to wait for.
    rules(tailnet, server, {**CHECK, "checkPeriod": "1ms"})
    late = Login(client, server)
    approve(tailnet, late.asked())
    late.ran()
    rules(tailnet, server, {**CHECK, "checkPeriod": "always"})
    for _ in range(2):
        each = Login(client, server)
        approve(tailnet, each.asked())
        each.ran()
    rules(tailnet, server, {**CHECK, "checkPeriod": "1h"})
    Login(client, server).ran()


@BOTH
def test_rejected(tailnet, release):
    client, server = pair(tailnet, release)
    rules(tailnet, server, CHECK)
    login = Login(client, server)
    url = login.asked()
    assert reject(tailnet, url, other(tailnet, 0)) == {}
    assert "an administrator rejected this sign-in" in login.refused()
    assert "Rejected" in page(url)[2]
    for answer in (approve(tailnet, url, expect=None), reject(tailnet, url, expect=None)):
        assert answer[0] == 409 and "answered already" in answer[1]["message"], answer
    assert Login(client, server).asked() != url, "it may ask anew"


def test_two_wait_for_one_sign_in(tailnet):
    client, server = pair(tailnet)
    rules(tailnet, server, CHECK)
    one, two = Login(client, server), Login(client, server)
    first, second = one.asked(), two.asked()
    assert first != second
    approve(tailnet, first)
    one.ran(seconds=20)
    two.ran(seconds=20)


def test_the_policy_changes_while_somebody_waits(tailnet):
    client, server = pair(tailnet)
    rules(tailnet, server, CHECK)
    login = Login(client, server)
    url = login.asked()
    policy(tailnet)
    approve(tailnet, url)
    assert not login.over()["in"]
    rules(tailnet, server, ACCEPT)
    Login(client, server).ran()


def test_source_of_a_tag(tailnet):
    """It has no user: its own sign-in counts, until somebody owns it."""
    client, server = pair(tailnet)
    rules(tailnet, server, rule("check", ["tag:server"], ["tag:server"]))
    second = tailnet.join("second", authkey=tagged(tailnet, "tag:server"))
    second.sees(server)
    server.sees(second)
    login = Login(second, server)
    url = login.asked()
    assert "tag:server" in page(url)[2]
    approve(tailnet, url)
    login.ran()
    Login(second, server).ran()


def test_time_runs_out(broken):
    """An ended hold is asked again without a word, an ended sign-in shows a fresh page; without Redis answers still arrive."""
    cluster, net = broken(coordinators=2, mappers=1, relays=1, **{"login.lifetime": "6s", "login.hold": "1s"})
    client, server = pair(net)
    rules(net, server, CHECK)
    login = Login(client, server, seconds=120)
    url = login.asked()
    login.asked(other=url)
    assert page(url)[0] == 410
    assert len(login.pages()) == 2, "one page after the other"
    assert approve(net, url, expect=None)[0] == 404
    cluster.redis.stop()
    until(lambda: approve(net, login.pages()[-1], cluster.coordinators[0], expect=None)[0] == 200, 20, "the newest page is approved")
    login.ran()


def test_the_coordinator_that_holds_it_ends(broken):
    """Drained: the server is sent on and asks elsewhere. Killed: it comes back by itself."""
    cluster, net = broken(coordinators=2, mappers=1, relays=1)
    net.front.prefer = 0
    client, server = pair(net)
    rules(net, server, {**CHECK, "checkPeriod": "always"})
    for first, second, end in ((0, 1, "drained"), (1, 0, "killed")):
        login = Login(client, server, seconds=120)
        url = login.asked()
        login.waits(1)
        net.front.prefer = second
        if end == "drained":
            cluster.coordinators[first].send(signal.SIGTERM)
            assert cluster.coordinators[first].ended() == 0
        else:
            cluster.coordinators[first].kill()
        approve(net, url, cluster.coordinators[second])
        login.ran()
        assert len(login.pages()) == 1, "nobody is asked twice"
        cluster.coordinators[first].launch()
        cluster.coordinators[first].await_ready()


# --- recorders


def test_recorders(tailnet):
    client, server = pair(tailnet)
    recorded = {**ACCEPT, "recorder": ["tag:recorder"]}
    policy(tailnet, {**recorded, "enforceRecorder": True})
    knows_rules(server, kinds("reject"))
    assert "there is no recorder" in Login(client, server).refused()
    recorder = tailnet.join("recorder", authkey=tagged(tailnet, "tag:recorder"))
    recorder.sees(server)
    server.sees(recorder)
    knows_rules(server, lambda found: found and set(found[0]["action"].get("recorders", [])) == {
        (f"[{ip}]" if ":" in ip else ip) + ":80" for ip in recorder.ips})
    away = Login(client, server).over()
    assert away["in"] and "no recorder answers" in json.dumps(away) and "from 42" not in json.dumps(away), away
    line = audited(lambda: tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"], lambda a: a["action"] == "node.ssh-recording")
    assert "session rejected" in json.dumps(line) and line["subject"] == server.id, line
    recorder.call("ssh_recorder")
    Login(client, server).ran()
    recorder.await_true(lambda: recorder.recorded, 30, "a recording")
    assert "from 42" in recorder.recorded[0], recorder.recorded
    rules(tailnet, server, {**CHECK, "recorder": ["tag:recorder"], "enforceRecorder": True})
    checked = Login(client, server)
    approve(tailnet, checked.asked())
    checked.ran()
    recorder.await_true(lambda: len(recorder.recorded) == 2, 30, "the recording of what was checked")


def test_a_recorder_that_is_away_and_not_enforced(tailnet):
    client, server = pair(tailnet)
    recorder = tailnet.join("recorder", authkey=tagged(tailnet, "tag:recorder"))
    recorder.sees(server)
    server.sees(recorder)
    rules(tailnet, server, {**ACCEPT, "recorder": ["tag:recorder"]})
    Login(client, server).ran()
    audited(lambda: tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"],
            lambda a: a["action"] == "node.ssh-recording" and "not recorded" in json.dumps(a))


# --- who may ask, and who may answer


def ask(raw, source, destination, login="root", **more):
    query = "&".join(f"{k}={v}" for k, v in {"local_user": login, **more}.items())
    answer = raw.request(f"GET /machine/ssh/action/{source}/to/{destination}?{query}")
    assert answer["status"] == 200, answer
    return answer["json"]


def raw_pair(net):
    """A source and a destination without SSH of their own."""
    source = net.raw("source", authkey=of(net, "odin"))
    destination = net.raw("destination", 1, authkey=tagged(net, "tag:server"))
    policy(net, CHECK)
    return source, destination


def begun(answer):
    """(page, id) of an answer that asks for a sign-in."""
    assert not answer.get("accept") and not answer.get("reject"), answer
    assert answer["holdAndDelegate"].startswith("https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER&auth_id="), answer
    url = PAGE.search(answer["message"]).group()
    assert answer["holdAndDelegate"].endswith(auth_id(url))
    return url, auth_id(url)


def rejected(answer):
    assert answer.get("reject") and not answer.get("accept") and not answer.get("holdAndDelegate"), answer
    return answer["message"]


class Held:
    def __init__(self, *args, **more):
        self.done = threading.Event()

        def run():
            try:
                self.reply = ask(*args, **more)
            except (AssertionError, Refused) as why:
                self.reply = why
            self.done.set()
        threading.Thread(target=run, daemon=True).start()

    def answer(self, seconds=10):
        assert self.done.wait(seconds), "not answered"
        return self.reply


def test_only_the_destination_asks(tailnets):
    ours, theirs = tailnets("-ours"), tailnets("-theirs")
    source, destination = raw_pair(ours)
    far, near = raw_pair(theirs)
    for wrong in (lambda: ask(source, source.number, destination.number), lambda: ask(near, source.number, destination.number),
                  lambda: ask(destination, source.number, 1 << 60)):
        assert "this machine has no such node" in rejected(wrong())
    for stranger in (far.number, near.number, 1 << 60):
        assert "no such source" in rejected(ask(destination, stranger, destination.number))
    assert "does not permit" in rejected(ask(destination, source.number, destination.number, login="ubuntu"))
    assert ours.api("GET", "/api/fleetscale/v1/ssh-checks")["sshChecks"] == []
    url, _ = begun(ask(destination, source.number, destination.number))
    assert approve(theirs, url, expect=None)[0] == 404, "another tailnet's administrators answer nothing"
    assert theirs.api("GET", "/api/fleetscale/v1/ssh-checks")["sshChecks"] == []
    (listed,) = ours.api("GET", "/api/fleetscale/v1/ssh-checks")["sshChecks"]
    assert (listed["source"], listed["destination"], listed["owner"], listed["localUser"]) == ("source", "destination", "odin", "root")
    approve(ours, url)
    assert ask(destination, source.number, destination.number)["accept"]
    line = audited(lambda: ours.api("GET", "/api/fleetscale/v1/audits")["audits"], lambda a: a["action"] == "sshcheck.approve")
    assert line["after"]["answered"] and "refusal" not in line["after"], line
    begun(ask(near, far.number, near.number))


def test_follow_ups(tailnet):
    source, destination = raw_pair(tailnet)
    thief = tailnet.raw("thief", authkey=tagged(tailnet, "tag:server"))
    where = (destination, source.number, destination.number)
    url, number = begun(ask(*where))
    held = Held(*where, auth_id=number)
    assert not held.done.wait(1)
    # Nobody else's, not for another login, and nothing of no form.
    begun(ask(thief, source.number, thief.number, auth_id=number))
    for odd in (UNKNOWN, "x", "", 200 * "y"):
        begun(ask(*where, auth_id=odd))
    approve(tailnet, url, other(tailnet, 0))
    assert held.answer()["accept"]
    assert ask(*where, auth_id=number)["accept"], "an answer that was lost is asked for again"
    tailnet.expire(source.number)
    assert "no such source" in rejected(ask(*where, auth_id=number))


def test_outer_groups(tailnet):
    """Who is in a group only because a sign-in provider says so; rules may name groups that nobody here is in."""
    source, destination = raw_pair(tailnet)
    strange = tailnet.raw("strange", authkey=of(tailnet, "freya"))
    users = {u["name"]: u["id"] for u in tailnet.api("GET", "/api/fleetscale/v1/users")["users"]}
    for name, group in (("odin", "group:outer"), ("freya", "group:others")):
        tailnet.api("PATCH", f"/api/fleetscale/v1/users/{users[name]}", {"groups": [group]})
    policy(tailnet, rule("check", ["group:others"], ["tag:server"], users=["ubuntu"]), rule("check", ["group:outer"], ["tag:server"]))
    begun(ask(destination, source.number, destination.number))
    assert "does not permit" in rejected(ask(destination, source.number, destination.number, login="ubuntu"))
    begun(ask(destination, strange.number, destination.number, login="ubuntu"))
    assert "does not permit" in rejected(ask(destination, strange.number, destination.number))


def test_a_large_policy(tailnet):
    """It is judged off the loop, in turns; people who write it are not kept out by those who ask."""
    source, destination = raw_pair(tailnet)
    where = (destination, source.number, destination.number)

    def large(*rules):
        put(tailnet, tagOwners=TAGS, acls=EVERYTHING, hosts={f"h{i}": "10.0.0.1" for i in range(40000)}, ssh=list(rules))

    large(CHECK)
    url, _ = begun(ask(*where))
    approve(tailnet, url)
    assert ask(*where)["accept"]
    held = [Held(*where) for _ in range(30)]
    large({**CHECK, "recorder": ["tag:recorder"], "enforceRecorder": True})
    answers = [h.answer(60) for h in held]
    assert all("503" in str(a) if isinstance(a, AssertionError) else a.get("accept") or a.get("reject") for a in answers), answers
    assert ask(*where)["reject"], "it must be recorded, and nobody records"


def test_suspended_while_somebody_waits(tailnet):
    source, destination = raw_pair(tailnet)
    where = (destination, source.number, destination.number)
    url, number = begun(ask(*where))
    held = Held(*where, auth_id=number)
    assert not held.done.wait(0.5)
    operate = lambda **settings: tailnet.cluster.api("PATCH", f"/api/fleetscale/v1/tailnets/{tailnet.name}", settings)  # noqa: E731
    operate(suspended=True)
    approve(tailnet, url)
    assert "suspended" in rejected(held.answer())
    operate(suspended=False)
    assert ask(*where)["accept"], "the sign-in is remembered"


def test_by_the_command(tailnet, tmp_path):
    source, destination = raw_pair(tailnet)
    cli = over_socket(tailnet.cluster, tmp_path, tailnet.name)
    for verb, tells in (("reject", rejected), ("approve", lambda answer: answer["accept"])):
        url, number = begun(ask(destination, source.number, destination.number))
        (listed,) = cli.say("auth", "checks")
        assert (listed["source"], listed["destination"], listed["localUser"]) == ("source", "destination", "root")
        cli.say("auth", verb, "--auth-id", number)
        assert tells(ask(destination, source.number, destination.number, auth_id=number))
        assert cli.say("auth", "checks") == []
        assert cli.run("auth", verb, "--auth-id", number, expect=None).returncode != 0, "answered already"


def test_many_wait(tailnet):
    source, destination = raw_pair(tailnet)
    where = (destination, source.number, destination.number)
    pages = [begun(ask(*where))[0] for _ in range(10)]
    assert "too many sign-ins" in rejected(ask(*where))
    reject(tailnet, pages[0])
    begun(ask(*where))


@pytest.mark.parametrize("path", ["0/to/1?local_user=root", "1/to/0?local_user=root", "-1/to/2?local_user=root", "a/to/b?local_user=root",
                                  "1/to/99999999999999999999?local_user=root", "1/to/2", "1/to/2?local_user=", "1/to/2?local_user=a%0ab",
                                  "1/to/2?local_user=%ff", "1/to/2?local_user=" + 256 * "a", "1/to/2?local_user=a%00"])
def test_questions_of_no_form(tailnet, path):
    raw = tailnet.raw("node")
    assert raw.request("GET /machine/ssh/action/" + path)["status"] == 400
    assert raw.request("GET /machine/ssh/action/1")["status"] == 404


def test_pages_of_no_check(tailnet):
    for path in (UNKNOWN, "x", UNKNOWN.upper(), UNKNOWN + "0"):
        assert page(f"{tailnet.url()}/auth/{path}")[0] == 404
    source, destination = raw_pair(tailnet)
    url, _ = begun(ask(destination, source.number, destination.number))
    assert page(url.replace("/auth/", "/register/"))[0] == 404, "it is no login"
    until(lambda: page(url)[0] == 200, 5, "its own page")
