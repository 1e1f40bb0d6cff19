"""The policy through its APIs and the command: kept as it was written, refused with sentence and place, versions, roles, scopes."""

import concurrent.futures
import json
import time

import pytest
from actors.asking import ask
from actors.audits import audited
from actors.cli import Cli, over_socket
from actors.waiting import until

OWN = "/api/fleetscale/v1"
POLICY = OWN + "/policy"
V1 = "/api/v1/policy"
SOON = "2100-01-01T00:00:00Z"
OPEN = """// Who may reach what: é
{
\t/* all, for now */
\t"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]},],
}
"""
CLOSED = '{"acls": []}'
UNKNOWN_TAG = '{\n  "acls": [\n    {"action": "accept", "src": ["tag:none"], "dst": ["*:*"]}\n  ]\n}\n'


@pytest.fixture
def put(go):
    def put(text, query="", expect=200, **more):
        answer = go("PUT", POLICY + query, raw=text.encode(), **more)
        assert answer.status == expect, answer.text
        return answer
    return put


def users(go):
    return {u["name"]: u for u in go("GET", OWN + "/users").json["users"]}


# --- the text


def test_it_is_kept_as_it_was_written(go, put):
    none = go("GET", POLICY)
    assert none.status == 404 and none.headers["ETag"] == '"0"' and "no policy" in none.said[0]
    made = put(OPEN, "?note=the%20first")
    shown = made.json["policy"]
    assert (shown["version"], shown["note"], shown["size"]) == ("1", "the first", len(OPEN.encode())) and shown["author"].startswith("operator ")
    read = go("GET", POLICY, coordinator=1)
    assert read.text == OPEN and read.headers["ETag"] == made.headers["ETag"] and read.headers["Content-Type"] == "application/hujson"
    same = go("GET", POLICY, If_None_Match=read.headers["ETag"])
    assert same.status == 304 and same.text == ""
    line = audited(lambda: go("GET", OWN + "/audits").json["audits"], lambda a: a["action"] == "policy.update")
    assert line["after"]["version"] == 1 and line["after"]["note"] == "the first"


def test_the_old_api(go):
    none = go("GET", V1)
    assert none.status == 500 and none.said == ["acl policy not found"]
    made = go("PUT", V1, {"policy": OPEN})
    assert made.status == 200 and made.json["policy"] == OPEN, made.text
    assert go("GET", V1, coordinator=1).json == made.json
    assert go("POST", V1 + "/check", {"policy": CLOSED}).json == {}
    bad = go("POST", V1 + "/check", {"policy": UNKNOWN_TAG})
    assert bad.status == 400 and bad.said == ['src=tag not found: "tag:none"']
    assert go("PUT", V1, {"policy": UNKNOWN_TAG}).status == 400
    assert go("GET", V1).json["policy"] == OPEN
    assert go("PUT", V1, {"policy": 7}).status == 422


@pytest.mark.parametrize("text,sentence,line", [
    (UNKNOWN_TAG, 'src=tag not found: "tag:none"', 3),
    ('{"grants": [\n{"src": ["*"], "dst": ["*"]}]}', "ip and app can not both be empty", 2),
    ('{"acls": [\n\n}', None, 3),
    ('{"acls": [], "acls": []}', None, 1),
])
def test_a_refusal_has_sentence_and_place(go, put, text, sentence, line):
    put(CLOSED)
    put("", expect=400)
    for answer in (put(text, expect=400), go("POST", POLICY + "/check", raw=text.encode())):
        assert answer.status == 400 and (sentence is None or answer.said == [sentence]), answer.text
        assert answer.json["errors"][0]["location"].startswith(f"line {line}, column "), answer.text
    assert go("GET", POLICY).text == CLOSED and len(go("GET", POLICY + "/history").json["versions"]) == 1


def test_failed_tests_refuse(go, put, tailnet):
    tailnet.raw("pc")
    address = go("GET", OWN + "/nodes").json["nodes"][0]["ipAddresses"][0]
    put(CLOSED)
    text = json.dumps({"acls": [], "tests": [{"src": address, "accept": [f"{address}:22"]}, {"src": address, "deny": [f"{address}:23"]}]})
    answer = put(text, expect=400)
    assert answer.json["message"] == "test(s) failed" and len(answer.said) == 2 and address in answer.said[1], answer.text
    told = go("POST", POLICY + "/test", raw=text.encode()).json
    assert (told["passed"], told["testsRun"], told["testsFailed"]) == (False, 2, 1) and told["failures"][0]["src"] == address
    assert go("POST", POLICY + "/test").json == {"passed": True, "testsRun": 0, "testsFailed": 0, "failures": [], "warning": None}, "of the policy in force"
    assert go("GET", POLICY).text == CLOSED


def test_what_is_too_big_is_refused_before_it_is_read(go, put):
    most = 10 << 20
    text = CLOSED + "/" * 2
    text += "x" * (most - len(text))
    put(text)
    assert go("GET", POLICY).text == text
    put(text + "x", expect=413)
    assert go("PUT", V1, {"policy": text + "x"}).status == 413
    deep = go("POST", POLICY + "/check", raw=b"[" * 100000)
    assert deep.status == 400, deep.text
    assert go("GET", POLICY).text == text


# --- versions


def test_who_changes_what_another_changed_is_refused(go, put):
    first = put(CLOSED, If_Match='"0"').headers["ETag"]
    put(OPEN, expect=412, If_Match='"0"')
    second = put(OPEN, If_Match=first).headers["ETag"]
    refused = put(CLOSED, expect=412, If_Match=first)
    assert refused.json["errors"][0]["location"] == "header.If-Match"
    assert go("GET", POLICY).headers["ETag"] == second
    put(CLOSED, If_Match="*")


def test_of_many_at_once_one_wins(put, go):
    tag = put(CLOSED).headers["ETag"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: go("PUT", POLICY, raw=(CLOSED + f" // {i}").encode(), coordinator=i % 2, If_Match=tag).status, range(8)))
    assert sorted(answers) == [200] + [412] * 7
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: go("PUT", POLICY, raw=(CLOSED + f" // {i}").encode(), coordinator=i % 2).status, range(8)))
    assert answers == [200] * 8, "without a condition each is a version"
    assert go("GET", POLICY + "/history").json["versions"][0]["version"] == "10"


def test_history_and_rollback(go, put):
    for text in (CLOSED, OPEN, CLOSED + " "):
        put(text)
    page = go("GET", POLICY + "/history?limit=2").json
    assert [v["version"] for v in page["versions"]] == ["3", "2"]
    rest = go("GET", POLICY + "/history?limit=2&cursor=" + page["nextCursor"]).json
    assert [v["version"] for v in rest["versions"]] == ["1"] and rest["nextCursor"] is None
    assert go("GET", POLICY + "/history/2").text == OPEN
    back = go("POST", POLICY + "/rollback", {"version": "2"}, coordinator=1)
    assert back.status == 200 and back.json["policy"]["version"] == "4" and back.json["policy"]["note"] == "as version 2", back.text
    assert go("GET", POLICY).text == OPEN
    assert go("POST", POLICY + "/rollback", {"version": "99"}).status == 404
    assert go("POST", POLICY + "/rollback", {}).status == 400
    assert go("GET", POLICY + "/history/99").status == 404 and go("GET", POLICY + "/history/x").status == 400


def test_another_tailnet_has_its_own(go, put, tailnet, tailnets):
    other = tailnets("other")
    put(OPEN)
    key = tailnet.cluster.api("POST", OWN + "/keys", {"scopes": ["policy"], "expiration": SOON}, other.name)["apiKey"]
    assert ask(tailnet.cluster, "GET", POLICY, key=key).status == 404
    assert ask(tailnet.cluster, "GET", POLICY, key=key, tailnet=tailnet.name).said == ["tailnet not found"]
    assert ask(tailnet.cluster, "GET", POLICY + "/history/1", key=key).status == 404
    assert ask(tailnet.cluster, "PUT", POLICY, key=key, raw=CLOSED.encode()).status == 200
    assert go("GET", POLICY).text == OPEN


# --- what it means


def test_explain_and_preview(go, put, tailnet):
    key = tailnet.authkey(reusable=True)
    for name in ("pc", "box"):
        tailnet.raw(name, authkey=key)
    nodes = {n["givenName"]: n for n in go("GET", OWN + "/nodes").json["nodes"]}

    def explain(**more):
        answer = go("POST", POLICY + "/explain", {"src": "pc", "dst": "box", "port": 22, **more})
        assert answer.status == 200, answer.text
        return answer.json
    nothing = explain()
    assert nothing["allowed"] and nothing["rules"][0]["line"] == 0 and nothing["decidedBy"]["name"] == "box"
    text = json.dumps({"acls": [{"action": "accept", "src": [nodes["pc"]["ipAddresses"][0]], "dst": [nodes["box"]["ipAddresses"][0] + ":22"]}]})
    seen = go("POST", POLICY + "/preview", raw=text.encode()).json
    assert seen["openedCount"] == 0 and seen["closedCount"] > 0
    put("{\n" + text[1:])
    assert explain()["rules"] == [{"line": 2, "column": explain()["rules"][0]["column"], "kind": "acl", "bySubnetRoute": False}]
    assert not explain(port=23)["allowed"] and not explain(src="box", dst="pc")["allowed"]
    assert not explain(proto="sctp")["allowed"]
    opens = go("POST", POLICY + "/preview", raw=OPEN.encode()).json
    assert opens["openedCount"] > 0 and opens["closedCount"] == 0 and {o["src"]["name"] for o in opens["opened"]} == {"pc", "box"}
    assert go("POST", POLICY + "/explain", {"src": "nobody", "dst": "box"}).status == 404
    assert go("POST", POLICY + "/explain", {"src": "pc", "dst": "box", "proto": "x"}).status == 400


def test_routes_are_approved_by_it(go, put, tailnet):
    tailnet.raw("router", Hostinfo={"OS": "linux", "Hostname": "router", "RoutableIPs": ["10.7.0.0/16", "10.8.0.0/16"]})
    text = json.dumps({"acls": [], "autoApprovers": {"routes": {"10.7.0.0/16": ["autogroup:member"]}}})
    assert put(text).json["nodesApproved"] == 1
    assert go("GET", OWN + "/nodes", coordinator=1).json["nodes"][0]["approvedRoutes"] == ["10.7.0.0/16"]
    assert put(text).json["nodesApproved"] == 0, "what it stands for is not told again"


@pytest.mark.parametrize("size", [0, 1 << 20], ids=["small", "large"])
def test_routes_are_approved_when_a_node_comes(go, put, tailnet, size):
    put(json.dumps({"acls": [], "autoApprovers": {"routes": {"10.7.0.0/16": ["autogroup:member"]}}}) + "//" + "x" * size)
    tailnet.raw("router", Hostinfo={"OS": "linux", "Hostname": "router", "RoutableIPs": ["10.7.1.0/24", "10.8.0.0/16"]})
    until(lambda: go("GET", OWN + "/nodes", coordinator=1).json["nodes"][0]["approvedRoutes"] == ["10.7.1.0/24"], 15, "the route is approved")
    number = go("GET", OWN + "/nodes").json["nodes"][0]["id"]
    assert go("POST", f"/api/v1/node/{number}/approve_routes", {"routes": []}).status == 200
    assert go("GET", OWN + "/nodes").json["nodes"][0]["approvedRoutes"] == [], "an administrator's word stands"


# --- users and domains


def test_roles_and_groups(go, tailnet):
    for name in ("ann", "bob"):
        assert go("POST", "/api/v1/user", {"name": name}).status == 200
    people = users(go)
    assert people["ann"]["role"] == "member" and people["ann"]["groups"] == []

    def place(name, **members):
        return go("PATCH", f"{OWN}/users/{people[name]['id']}", members)
    assert place("ann", role="owner", groups=["group:ops"]).json["user"]["groups"] == ["group:ops"]
    assert place("bob", role="owner").json["user"]["role"] == "owner"
    assert users(go)["ann"]["role"] == "admin", "there is one owner"
    assert place("ann", groups=[]).json["user"]["groups"] == []
    assert place("ann", role="king").status == 400 and place("ann", groups=["ops"]).status == 400
    assert go("PATCH", f"{OWN}/users/999999999", {"role": "admin"}).status == 404
    line = audited(lambda: go("GET", OWN + "/audits").json["audits"], lambda a: a["action"] == "user.update" and "role" in (a["after"] or {}))
    assert line["after"]["role"] in ("owner", "admin")


def test_a_policy_names_domains_and_outer_groups(go, put):
    text = json.dumps({"grants": [{"src": ["user:*@example.com"], "dst": ["*"], "ip": ["*"]}]})
    put(text, expect=400)
    changed = go("PATCH", OWN + "/settings", {"domains": ["example.com"]})
    assert changed.status == 200 and changed.json["settings"]["domains"] == ["example.com"], changed.text
    put(text)
    assert go("PATCH", OWN + "/settings", {"domains": ["Not A Domain"]}).status == 400
    text = json.dumps({"grants": [{"src": ["group:outer"], "dst": ["*"], "ip": ["*"]}]})
    put(text, expect=400)
    go("POST", "/api/v1/user", {"name": "ann"})
    go("PATCH", f"{OWN}/users/{users(go)['ann']['id']}", {"groups": ["group:outer"]})
    put(text)


# --- the command


def test_the_command(tailnet, traces, tmp_path):
    cli = over_socket(tailnet.cluster, traces, tailnet.name, 1)
    first, second = tmp_path / "first.hujson", tmp_path / "second.hujson"
    first.write_text(OPEN)
    second.write_text(OPEN.replace("for now", "for ever"))
    assert "no policy" in cli.say("policy", "get", expect=1)["error"]
    assert cli.run("policy", "set", "-f", str(first), "-n", "so it begins").stdout == "Policy updated.\n"
    assert cli.run("policy", "get").stdout == OPEN
    assert cli.run("policy", "check", str(second)).stdout == "Policy is valid\n"
    diff = cli.run("policy", "diff", str(second)).stdout
    assert "-\t/* all, for now */\n+\t/* all, for ever */\n" in diff
    cli.say("policy", "put", str(second))
    assert [(v["version"], v["note"]) for v in cli.say("policy", "history")] == [("2", ""), ("1", "so it begins")]
    assert cli.run("policy", "diff", "--from", "1", "--to", "2").stdout == diff
    assert cli.run("policy", "rollback", "1").stdout
    assert cli.run("policy", "get").stdout == OPEN and cli.run("policy", "get", "--version", "2").stdout == second.read_text()
    bad = tmp_path / "bad.hujson"
    bad.write_text(UNKNOWN_TAG)
    assert 'src=tag not found: "tag:none"' in cli.say("policy", "set", "-f", str(bad), expect=1)["error"]
    assert cli.run("policy", "test").stdout == "0 tests passed.\n"
    assert cli.say("policy", "preview", str(first))["openedCount"] == 0
    cli.say("users", "create", "ann")
    assert cli.say("users", "role", "ann", "it-admin", "-g", "group:a,group:b")["groups"] == ["group:a", "group:b"]
    assert "role is one of" in cli.say("users", "role", "ann", "king", expect=1)["error"]



CHANGED = "changing the policy: the policy was changed since: read it again"


def test_the_command_writes_on_a_condition(tailnet, traces, tmp_path):
    cli = over_socket(tailnet.cluster, traces, tailnet.name, 1)
    text = tmp_path / "policy.hujson"
    text.write_text(OPEN)
    cli.run("policy", "set", str(text), "--if-version", "0")
    assert cli.say("policy", "set", str(text), "--if-version", "0", expect=1)["error"] == CHANGED
    cli.run("policy", "set", str(text), "--if-version", "1")
    assert cli.run("policy", "set", str(text), "--if-version", "1", expect=1).stderr == f"Error: {CHANGED}\n"
    assert "there is no such version" in cli.say("policy", "set", str(text), "--if-version", "7", expect=1)["error"]
    cli.run("policy", "set", str(text), "--if-version", "soon", expect=2)
    assert [v["version"] for v in cli.say("policy", "history")] == ["2", "1"]


def test_the_command_past_the_server(tailnet, go, traces, tmp_path):
    url = tailnet.cluster.postgres.url("fleetscale_coordinator")
    past = Cli(tailnet.cluster, traces, "--tailnet", tailnet.name, FLEETSCALE_DATABASE_URL=url)
    direct = "--bypass-server-and-access-database-directly"
    text, bad, closed = tmp_path / "policy.hujson", tmp_path / "bad.hujson", tmp_path / "closed.hujson"
    text.write_text(OPEN)
    bad.write_text(UNKNOWN_TAG)
    closed.write_text(CLOSED)
    assert "no policy" in past.say("policy", "get", direct, expect=1)["error"]
    assert past.run("policy", "check", str(text), direct).stdout == "Policy is valid\n"
    assert 'src=tag not found: "tag:none"' in past.say("policy", "check", str(bad), direct, expect=1)["error"]
    assert past.run("policy", "set", str(text), direct, "-n", "by hand").stdout == "Policy updated.\n"
    assert past.run("policy", "get", direct).stdout == OPEN and go("GET", POLICY).text == OPEN
    first = go("GET", POLICY + "/history").json["versions"][0]
    assert (first["version"], first["author"], first["note"]) == ("1", "sql fleetscale_coordinator", "by hand")
    audited(lambda: go("GET", OWN + "/audits").json["audits"], lambda a: (a["action"], a["actor"]) == ("policy.update", "sql"))
    assert past.say("policy", "set", str(bad), direct, expect=1)["error"].startswith("line 3, column ")
    assert past.say("policy", "set", str(closed), direct, "--if-version", "0", expect=1)["error"] == CHANGED
    assert past.say("policy", "set", str(closed), direct, "--if-version", "1") == {"version": "2", "nodesApproved": 0}
    assert past.run("policy", "get", direct, "--version", "1").stdout == OPEN
    bad.write_text(json.dumps({"acls": [], "tests": [{"src": "100.64.0.1", "accept": ["100.64.0.2:22"]}]}))
    assert "test(s) failed" in past.say("policy", "set", str(bad), direct, expect=1)["error"]
    assert go("GET", POLICY).text == CLOSED
    assert "no tailnet" in past.say("--tailnet", "nothing", "policy", "get", direct, expect=1)["error"]
    other = tailnet.cluster.postgres.url("fleetscale_mapper")
    assert past.say("policy", "set", str(text), direct, "--database", other, expect=1)["error"]
    assert "FLEETSCALE_DATABASE_URL" in past.say("policy", "get", direct, expect=2, FLEETSCALE_DATABASE_URL="")["error"]
    assert go("GET", POLICY).text == CLOSED



# --- another release


def store(tailnet, text):
    """As a release would that took this text."""
    own = f"select set_config('fleetscale.tailnet', (select id::text from fleetscale.tailnets where name = '{tailnet.name}'), true)"
    tailnet.cluster.postgres.sql("fleetscale", f"begin; {own}; select fleetscale.put_policy(NULL, $text${text}$text$, 'older', '', 1000);"
                                 "select fleetscale.commit_changes('{}', '{}'); commit")


def test_a_policy_of_another_release_loads_and_says_so(tailnet, go, put, traces):
    cli = over_socket(tailnet.cluster, traces, tailnet.name)
    looked = {"src": "100.64.0.1", "dst": "100.64.0.2", "port": 22}
    put('{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["22"]}]}')
    assert go("POST", POLICY + "/explain", looked).json["warning"] is None
    store(tailnet, '{"grants": [\n{"src": ["*"], "dst": ["*"], "ip": ["22"]},\n{"src": ["*"], "dst": ["*"], "ip": ["*"], "until": "noon"}], "futures": 1}')
    told = go("POST", POLICY + "/explain", looked).json
    assert told["allowed"] and "line 3" in told["warning"] and 'unknown field: "until" (and 1 more)' in told["warning"]
    assert not go("POST", POLICY + "/explain", {**looked, "port": 80}).json["allowed"], "what is not understood grants nothing"
    assert go("POST", POLICY + "/test").json["warning"] == told["warning"]
    preview = go("POST", POLICY + "/preview", raw=b'{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["22"]}]}').json
    assert preview["openedCount"] == preview["closedCount"] == 0 and preview["warning"] == told["warning"]
    line = next(c for c in cli.say("doctor")["checks"] if c["check"] == "policy")
    assert line["status"] == "warning" and line["finding"] == told["warning"]
    shown = cli.run("policy", "explain", "100.64.0.1", "100.64.0.2", "-p", "22")
    assert "allowed" in shown.stdout and shown.stderr == f"Warning: {told['warning']}\n"
    store(tailnet, '{"acls": [')
    assert go("POST", POLICY + "/test").status == 400
    assert "failed" in [c["status"] for c in json.loads(cli.run("-o", "json", "doctor", expect=1).stdout)["checks"] if c["check"] == "policy"]
    put(OPEN)
    assert go("POST", POLICY + "/test").json["warning"] is None


# --- the largest


def largest():
    """Sixty thousand rules, each with names of its own, in as many bytes as there may be."""
    def address(first, i):
        return f"{first}.{i >> 16}.{i >> 8 & 255}.{i & 255}"
    rules = [f'{{"action":"accept","src":["{address(10, i)}"],"dst":["{address(11, i)}:{1 + i % 60000}"]}}' for i in range(60000)]
    text = '{"acls": [' + ",\n".join(rules) + '],\n"tests": [' + ",".join(
        f'{{"src": "{address(10, i)}", "accept": ["{address(11, i)}:{1 + i % 60000}"]}}' for i in range(0, 60000, 600)) + "]}"
    assert len(text) < 10 << 20
    return text + " " * ((10 << 20) - len(text))


def test_others_are_answered_while_the_largest_is_tried(go, put):
    """The trial takes its time; nobody else on that coordinator waits for it, and who wants another trial waits for a turn, or is told that too many do."""
    put(CLOSED)
    text = largest().encode()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        begun = time.monotonic()
        tried = pool.submit(lambda: (go("POST", POLICY + "/check", raw=text), time.monotonic()))
        waits, last = [], time.monotonic()
        asked = []
        while not tried.done() and len(waits) < 2000:
            assert go("GET", POLICY + "/history").status == 200
            now = time.monotonic()
            waits.append(now - last)
            last = now
            if len(waits) == 5:
                asked = [pool.submit(go, "POST", POLICY + "/explain", {"src": "10.0.0.1", "dst": "10.0.0.2"}) for _ in range(40)]
        answer, ended = tried.result()
        assert answer.status == 200 and answer.json["testsRun"] == 100, answer.text
        statuses = {a.result().status: a.result() for a in asked}
    assert max(waits) < (ended - begun) / 2, (max(waits), ended - begun)
    assert set(statuses) == {200, 429}, statuses
    assert "wait to be tried" in statuses[429].said[0] and statuses[429].headers["Retry-After"]
    assert go("GET", POLICY).text == CLOSED
