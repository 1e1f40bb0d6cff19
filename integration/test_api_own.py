"""Our own API's frame: pages, entity tags, scopes, rates, audits with what was before and after."""

import json

import pytest
from actors.asking import ask
from actors.audits import audited

SOON = "2100-01-01T00:00:00Z"
OWN = "/api/fleetscale/v1"


@pytest.fixture
def key(go):
    """Makes a key of the tailnet with the given scopes; its text, and what is shown of it."""
    def make(*scopes, **more):
        made = go("POST", OWN + "/keys", {"scopes": list(scopes), "expiration": SOON, **more})
        assert made.status == 200, made.text
        return made.json["apiKey"], made.json["key"]
    return make


def pages(go, path, member, limit):
    found, cursor, rounds = [], "", 0
    while cursor is not None:
        answer = go("GET", f"{path}?limit={limit}{cursor and '&cursor=' + cursor}").json
        assert list(answer) == [member, "nextCursor"] and len(answer[member]) <= limit
        assert answer["nextCursor"] is None or len(answer[member]) == limit
        found += answer[member]
        cursor, rounds = answer["nextCursor"], rounds + 1
        assert rounds < 100
    return found


# --- pages


def test_pages_of_nodes(go, tailnet):
    authkey = tailnet.authkey(reusable=True)
    machine = tailnet.machine()
    ids = [str(tailnet.raw(f"n{i}", machine=machine, authkey=authkey).number) for i in range(5)]
    whole = go("GET", OWN + "/nodes").json
    assert [n["id"] for n in whole["nodes"]] == ids and whole["nextCursor"] is None
    for limit in (1, 2, 5, 6):
        assert [n["id"] for n in pages(go, OWN + "/nodes", "nodes", limit)] == ids


def test_pages_of_audits_go_back_in_time(go):
    for i in range(7):
        assert go("POST", "/api/v1/user", {"name": f"user-{i}"}).status == 200
    first = go("GET", OWN + "/audits?limit=3").json
    assert [a["after"]["name"] for a in first["audits"]] == ["user-6", "user-5", "user-4"]
    go("POST", "/api/v1/user", {"name": "late"})
    second = go("GET", f"{OWN}/audits?limit=3&cursor={first['nextCursor']}").json
    assert [a["after"]["name"] for a in second["audits"]] == ["user-3", "user-2", "user-1"], "what is new shifts no page"
    assert len({a["id"] for a in pages(go, OWN + "/audits", "audits", 3)}) == 8


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=", "cursor=", "cursor=x", "cursor=" + 24 * "0", "cursor=7"])
def test_pages_of_nonsense(go, query):
    for path in ("/nodes", "/audits", "/keys", "/operator/audits", "/relays", "/tailnets", "/authkeys", "/logins"):
        answer = go("GET", f"{OWN}{path}?{query}")
        assert answer.status == 400 and answer.json["errors"][0]["location"] == "query." + query.split("=")[0], (path, answer.text)


def test_a_cursor_is_good_for_its_list_alone(go):
    for i in range(3):
        go("POST", "/api/v1/user", {"name": f"user-{i}"})
    cursor = go("GET", OWN + "/audits?limit=1").json["nextCursor"]
    assert go("GET", f"{OWN}/audits?cursor={cursor}").status == 200
    assert go("GET", f"{OWN}/nodes?cursor={cursor}").status == 400


# --- entity tags


@pytest.mark.parametrize("path", [OWN + "/settings", OWN + "/tailnets/{name}"])
def test_entity_tags(go, tailnet, path):
    path = path.format(name=tailnet.name)
    body = {"notice": "one"} if "settings" in path else {"displayName": "one"}
    other = {k: "two" for k in body}
    first = go("GET", path)
    tag = first.headers["ETag"]
    assert tag.startswith('"') and go("GET", path).headers["ETag"] == tag
    for sent in (tag, f'"x", {tag}', "W/" + tag, "*"):
        again = go("GET", path, If_None_Match=sent)
        assert again.status == 304 and not again.text and again.headers["ETag"] == tag
    changed = go("PATCH", path, body, If_Match=tag)
    assert changed.status == 200
    lost = go("PATCH", path, other, If_Match=tag)
    assert lost.status == 412 and lost.json["errors"][0]["location"] == "header.If-Match"
    now = go("GET", path, If_None_Match=tag)
    assert now.status == 200 and now.headers["ETag"] != tag and "one" in now.text and "two" not in now.text
    assert go("PATCH", path, other, If_Match=f'"x", {now.headers["ETag"]}').status == 200
    assert go("PATCH", path, body, If_Match="W/" + go("GET", path).headers["ETag"]).status == 412, "a weak tag is no condition for a write"
    assert go("PATCH", path, body).status == 200, "without a condition"


def test_entity_tag_of_a_node(go, tailnet):
    node = tailnet.raw("node").number
    path = f"{OWN}/nodes/{node}"
    tag = go("GET", path).headers["ETag"]
    tailnet.rename(node, "other")
    assert go("GET", path, If_None_Match=tag).status == 200


# --- own nodes


def test_a_node_shows_more_than_in_v1(go, tailnet):
    raw = tailnet.raw("node", Hostinfo={"Hostname": "node", "OS": "linux", "IPNVersion": "1.2.3", "RoutableIPs": ["10.1.0.0/16"]})
    tailnet.api("POST", f"/api/v1/node/{raw.number}/approve_routes", {"routes": ["10.1.0.0/16"]})
    shown = go("GET", f"{OWN}/nodes/{raw.number}").json["node"]
    old = tailnet.node(raw.number)
    assert {k: v for k, v in shown.items() if k in old} == old
    assert {k: shown[k] for k in shown if k not in old} | {"capabilityVersion": 0, "homeRegion": 0} == {
        "approved": True, "ephemeral": False, "expired": False, "os": "linux", "clientVersion": "1.2.3", "capabilityVersion": 0,
        "primaryRoutes": ["10.1.0.0/16"], "homeRegion": 0, "endpoints": [], "health": []}
    assert shown["capabilityVersion"] > 50
    tailnet.expire(raw.number)
    assert go("GET", f"{OWN}/nodes/{raw.number}").json["node"]["expired"]
    for path in ("/nodes/0", "/nodes/999999999", "/nodes/999999999/attributes"):
        assert go("GET", OWN + path).status == 404
    assert go("GET", OWN + "/nodes/x").status == 400


# --- scopes

ASKED = [
    ("GET", "/api/v1/health", "any"),
    ("GET", "/api/v1/node", "nodes:read"),
    ("GET", OWN + "/nodes", "nodes:read"),
    ("GET", OWN + "/logins", "nodes:read"),
    ("DELETE", "/api/v1/node/999999999", "nodes"),
    ("POST", OWN + "/nodes/999999999/approve", "nodes"),
    ("GET", "/api/v1/user", "users:read"),
    ("DELETE", "/api/v1/user/999999999", "users"),
    ("GET", "/api/v1/preauthkey", "authkeys:read"),
    ("GET", OWN + "/authkeys", "authkeys:read"),
    ("DELETE", "/api/v1/preauthkey?id=999999999", "authkeys"),
    ("GET", "/api/v1/apikey", "apikeys:read"),
    ("GET", OWN + "/keys", "apikeys:read"),
    ("DELETE", OWN + "/keys/999999999", "apikeys"),
    ("GET", OWN + "/settings", "settings:read"),
    ("PATCH", OWN + "/settings", "settings"),
    ("GET", OWN + "/audits", "audits:read"),
    ("GET", OWN + "/policy", "policy:read"),
    ("POST", "/api/v1/policy/check", "policy:read"),
    ("POST", OWN + "/policy/rollback", "policy"),
    ("GET", OWN + "/users", "users:read"),
    ("PATCH", OWN + "/users/999999999", "users"),
]


@pytest.mark.parametrize("scope", ["all", "all:read", "nodes", "nodes:read", "users", "users:read", "authkeys", "authkeys:read", "apikeys",
                                   "apikeys:read", "settings", "settings:read", "audits:read", "policy", "policy:read"])
def test_a_key_does_what_its_scope_says(tailnet, key, scope):
    text, _ = key(scope)
    for method, path, wanted in ASKED:
        allowed = wanted == "any" or scope in ("all", wanted) or wanted == scope + ":read" or (scope == "all:read" and wanted.endswith(":read"))
        answer = ask(tailnet.cluster, method, path, {} if method in ("PATCH", "POST") else None, key=text)
        assert (answer.status != 403) == allowed, (method, path, answer.text)
        if not allowed:
            assert answer.said == [f'this key lacks the scope "{wanted}"']


def test_a_key_makes_none_that_can_more(tailnet, key):
    text, _ = key("apikeys", "nodes:read")

    def make(*scopes):
        return ask(tailnet.cluster, "POST", OWN + "/keys", {"scopes": list(scopes)}, key=text).status
    assert make("nodes:read") == make("apikeys:read", "nodes:read") == make("apikeys") == 200
    assert make("nodes") == make("all") == make("all:read") == make("nodes:read", "users:read") == 403
    assert ask(tailnet.cluster, "POST", "/api/v1/apikey", {"expiration": SOON}, key=text).status == 403, "v1 makes keys that may do all"


def test_keys(go, tailnet, key):
    text, shown = key("users", "nodes:read", description="for the robot")
    assert shown["scopes"] == ["users", "nodes:read"] and shown["description"] == "for the robot" and shown["expiration"] == SOON
    assert shown["lastUsed"] is None and shown["revokedAt"] is None and text[10:22] == shown["prefix"]
    assert ask(tailnet.cluster, "GET", "/api/v1/user", key=text).status == 200
    listed = go("GET", OWN + "/keys").json
    assert [k["id"] for k in listed["keys"]] == [shown["id"]] and listed["keys"][0]["lastUsed"] and text not in json.dumps(listed)
    for body, location in (({}, "body.scopes"), ({"scopes": []}, "body.scopes"), ({"scopes": ["nonesuch"]}, "body.scopes"),
                           ({"scopes": ["nodes"], "description": "a\nb"}, "body.description")):
        bad = go("POST", OWN + "/keys", body)
        assert bad.status == 400 and bad.json["errors"][0]["location"] == location, bad.text
    assert go("POST", OWN + "/keys", {"scopes": "all"}).status == 422
    assert go("DELETE", f"{OWN}/keys/{shown['id']}").json == {}
    assert ask(tailnet.cluster, "GET", "/api/v1/user", key=text).status == 401
    assert go("DELETE", f"{OWN}/keys/{shown['id']}").status == 404


def test_keys_of_v1_may_do_all(go):
    go("POST", "/api/v1/apikey", {"expiration": SOON})
    assert go("GET", OWN + "/keys").json["keys"][-1]["scopes"] == ["all"]


def test_operator_keys(shared):
    def go(method, path, body=None, **more):
        return ask(shared, method, OWN + path, body, **more)
    assert go("POST", "/keys", {"scopes": ["operator:read"]}).status == 400, "an operator's key needs an expiration"
    made = go("POST", "/keys", {"scopes": ["operator:read", "nodes"], "expiration": SOON}).json
    text, number = made["apiKey"], made["key"]["id"]
    assert go("GET", "/tailnets", key=text).status == 200
    assert go("POST", "/tailnets", {"name": "x"}, key=text).status == 403
    assert go("GET", "/nodes", key=text).status == 200 and go("GET", "/audits", key=text).status == 403
    assert go("GET", "/keys", key=text).status == 403
    narrow = go("POST", "/keys", {"scopes": ["operator"], "expiration": SOON}).json
    assert go("POST", "/operator/keys", {"expiration": SOON}, key=narrow["apiKey"]).status == 403, "the new key could do all"
    assert go("DELETE", f"/keys/{narrow['key']['id']}").status == 200
    assert go("POST", "/operator/keys", {"expiration": SOON}).status == 200
    refused = audited(lambda: go("GET", "/operator/audits", key=text).json["audits"], lambda a: a["credential"] == text[10:22])
    assert refused["outcome"] == "refused" and refused["action"] == f"POST {OWN}/tailnets" and refused["detail"]["status"] == 403
    assert go("DELETE", f"/keys/{number}").status == 200


def test_a_tailnets_key_sees_nothing_of_the_installation(tailnet, key, tailnets):
    text, _ = key("all")
    other = tailnets("other")
    for method, path in (("GET", "/tailnets"), ("GET", f"/tailnets/{tailnet.name}"), ("GET", "/relays"), ("GET", "/operator/audits")):
        assert ask(tailnet.cluster, method, OWN + path, key=text).status == 404
    for name in (other.name, "nonesuch", "No Name"):
        answer = ask(tailnet.cluster, "GET", OWN + "/nodes", key=text, tailnet=name)
        assert answer.status == 404 and answer.said == ["tailnet not found"]


# --- rates


def test_rates(clusters):
    cluster = clusters(1, 1, 0, **{"admin.requests_per_minute": 5})
    key = cluster.api("POST", OWN + "/keys", {"scopes": ["all"]}, "default")["apiKey"]
    seen = [ask(cluster, "GET", "/api/v1/user", key=key) for _ in range(40)]
    assert all(a.headers["RateLimit-Limit"] == "5" for a in seen)
    assert {a.status for a in seen} == {200, 429}
    last = seen[-1]
    assert last.status == 429 and last.headers["RateLimit-Remaining"] == "0" and 1 <= int(last.headers["Retry-After"]) <= 60
    assert last.headers["Content-Type"] == "application/problem+json" and last.json["status"] == 429
    assert 1 <= int(last.headers["RateLimit-Reset"]) <= 61
    assert cluster.cli("users", "list", tailnet="default") is not None, "the socket has no rate"
    assert ask(cluster, "GET", "/api/v1/user", key=key + "x").headers["RateLimit-Limit"] is None


# --- audits


def latest(go, count=1):
    return go("GET", f"{OWN}/audits?limit={count}").json["audits"]


def test_audits_tell_before_and_after(go, tailnet, key):
    text, shown = key("all")
    node = str(tailnet.raw("node", Hostinfo={"Hostname": "node", "RoutableIPs": ["10.1.0.0/16"]}).number)

    def as_key(method, path, body=None):
        answer = ask(tailnet.cluster, method, path, body, key=text)
        assert answer.status == 200, answer.text
        line = latest(go)[0]
        assert (line["actor"], line["credential"], line["outcome"]) == ("apikey", shown["prefix"], "done")
        assert line["request"] == answer.headers["X-Request-Id"]
        return line, answer

    line, _ = as_key("POST", f"/api/v1/node/{node}/rename/other")
    assert (line["action"], line["subject"]) == ("node.rename", node)
    assert line["before"] == {"name": "node", "renamed": False} and line["after"] == {"name": "other", "renamed": True}
    line, _ = as_key("POST", f"/api/v1/node/{node}/approve_routes", {"routes": ["10.1.0.0/16"]})
    assert line["before"]["approvedRoutes"] == [] and line["after"]["approvedRoutes"] == ["10.1.0.0/16"]
    line, _ = as_key("POST", f"/api/v1/node/{node}/tags", {"tags": ["tag:a"]})
    assert line["before"]["tags"] == [] and line["after"]["tags"] == ["tag:a"] and line["before"]["userId"] and line["after"]["userId"] is None
    line, _ = as_key("DELETE", f"/api/v1/node/{node}")
    assert line["action"] == "node.delete" and line["before"]["name"] == "other" and line["after"] is None
    line, answer = as_key("POST", "/api/v1/user", {"name": "zoe"})
    user = answer.json["user"]["id"]
    assert (line["action"], line["subject"], line["before"], line["after"]["name"]) == ("user.create", user, None, "zoe")
    line, answer = as_key("POST", "/api/v1/preauthkey", {"user": user, "expiration": SOON})
    assert line["action"] == "authkey.create" and line["after"]["userId"] == user and line["subject"] == answer.json["preAuthKey"]["id"]
    assert answer.json["preAuthKey"]["key"][-64:] not in json.dumps(line)
    line, _ = as_key("PATCH", OWN + "/settings", {"notice": "hello", "dns": {"searchDomains": ["x.example"]}})
    assert line["action"] == "settings.update" and line["after"] == {"notice": "hello", "dns.searchDomains": ["x.example"]}
    line, answer = as_key("POST", OWN + "/keys", {"scopes": ["nodes:read"]})
    assert line["action"] == "apikey.create" and line["after"]["scopes"] == ["nodes:read"] and line["before"] is None
    line, _ = as_key("DELETE", f"{OWN}/keys/{answer.json['key']['id']}")
    assert line["after"] is None and line["before"]["scopes"] == ["nodes:read"]
    everything = json.dumps(go("GET", OWN + "/audits?limit=1000").json)
    assert "hash" not in everything and "secret" not in everything


def test_audits_tell_who_was_refused(go, tailnet, key, tailnets):
    text, shown = key("all")
    foreign = str(tailnets("other").raw("node").number)
    go("POST", "/api/v1/user", {"name": "zoe"})
    tried = [("POST", "/api/v1/user", {"name": "zoe"}, 409), ("DELETE", f"/api/v1/node/{foreign}", None, 404),
             ("POST", "/api/v1/user", {"name": 7}, 422), ("POST", "/api/v1/preauthkey", {}, 400),
             ("DELETE", "/api/v1/apikey/hskey-api-abcdefghijkl-" + 64 * "a", None, 404)]
    for method, path, body, status in tried:
        answer = ask(tailnet.cluster, method, path, body, key=text)
        assert answer.status == status
        line = audited(lambda: latest(go), lambda a: a["request"] == answer.headers["X-Request-Id"])
        assert (line["actor"], line["credential"], line["outcome"]) == ("apikey", shown["prefix"], "refused")
        assert line["action"].startswith(method + " /api/v1/") and line["before"] is line["after"] is line["subject"] is None
        assert line["detail"] == {"path": path.replace(64 * "a", "*"), "status": status, "reason": answer.said[0]}
    count = len(latest(go, 1000))
    assert ask(tailnet.cluster, "GET", "/api/v1/node/999999999", key=text).status == 404
    assert ask(tailnet.cluster, "DELETE", f"/api/v1/node/{foreign}", key="nonesuch").status == 401
    assert len(latest(go, 1000)) == count, "reading, and nobody in particular, leave no line"


def test_audits_of_the_command_name_the_socket(tailnet):
    tailnet.cluster.cli("users", "create", "zoe", tailnet=tailnet.name)
    line = tailnet.api("GET", OWN + "/audits")["audits"][0]
    assert (line["actor"], line["credential"], line["action"]) == ("socket", "", "user.create") and line["request"].isdigit()


def test_tailnets_are_audited_for_the_operator(tailnets, shared):
    made = tailnets()
    shared.api("PATCH", f"{OWN}/tailnets/{made.name}", {"displayName": "Shown"})
    line = next(a for a in made.api("GET", OWN + "/audits")["audits"] if a["action"] == "tailnet.update")
    assert line["before"] == {"displayName": ""} and line["after"] == {"displayName": "Shown"} and line["actor"] == "operator"
