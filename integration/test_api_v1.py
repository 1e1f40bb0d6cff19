"""headscale's API v1, answer by answer: members and their types, null against empty, order, statuses, in the dialect of 0.30."""

import json
import re
import secrets

import pytest
from actors.asking import ask

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NUMBER = re.compile(r"\d+")
SOON = "2100-01-01T00:00:00Z"
GONE = "999999999"
SECURITY = {"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer"}


# --- shapes: a dict has exactly these members; a list of one says what its items are


def text(v):
    return isinstance(v, str)


def number(v):
    return isinstance(v, str) and bool(NUMBER.fullmatch(v))


def boolean(v):
    return isinstance(v, bool)


def time(v):
    return isinstance(v, str) and bool(TIME.fullmatch(v))


def key_of(kind):
    return lambda v: isinstance(v, str) and bool(re.fullmatch(kind + ":[0-9a-f]{64}", v))


class Or:
    def __init__(self, shape):
        self.shape = shape


USER = {"id": number, "name": text, "createdAt": time, "displayName": text, "email": text, "providerId": text, "provider": text,
        "profilePicUrl": text}
AUTHKEY = {"user": Or(USER), "id": number, "key": text, "reusable": boolean, "ephemeral": boolean, "used": boolean, "expiration": time,
           "createdAt": time, "aclTags": [text]}
NODE = {"id": number, "machineKey": key_of("mkey"), "nodeKey": key_of("nodekey"), "discoKey": key_of("discokey"), "ipAddresses": [text],
        "name": text, "givenName": text, "user": Or(USER), "lastSeen": Or(time), "expiry": Or(time), "createdAt": time,
        "preAuthKey": Or(AUTHKEY), "registerMethod": text, "online": boolean, "approvedRoutes": [text], "availableRoutes": [text],
        "subnetRoutes": [text], "tags": [text]}
APIKEY = {"id": number, "prefix": text, "expiration": Or(time), "createdAt": Or(time), "lastSeen": Or(time)}


def check(value, shape, place="answer"):
    if isinstance(shape, Or):
        if value is not None:
            check(value, shape.shape, place)
    elif isinstance(shape, dict):
        assert isinstance(value, dict) and list(value) == list(shape), f"{place}: members {list(value) if isinstance(value, dict) else value}"
        for name, inner in shape.items():
            check(value[name], inner, f"{place}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{place}: {value!r} is no list"
        for i, item in enumerate(value):
            check(item, shape[0], f"{place}[{i}]")
    else:
        assert shape(value), f"{place}: {value!r}"


def check_problem(answer, status):
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json
    assert set(body) == {"title", "status", "detail", "errors", "message"}
    assert body["status"] == status and body["title"] and body["detail"] and body["errors"] and body["message"] == body["errors"][0]["message"]
    assert all(set(e) <= {"message", "location", "value"} and e["message"] for e in body["errors"])


# --- what a test has


@pytest.fixture
def go(tailnet):
    def go(method, path, body=None, **more):
        return ask(tailnet.cluster, method, "/api/v1" + path, body, tailnet=tailnet.name, **more)
    return go


@pytest.fixture
def have(go, tailnet):
    """One of each; {names} in the tables below stand for them."""
    user = go("POST", "/user", {"name": "zoe"}).json["user"]["id"]
    owner = go("POST", "/user", {"name": "owner"}).json["user"]["id"]
    key = go("POST", "/preauthkey", {"user": owner, "reusable": True, "expiration": SOON}).json["preAuthKey"]
    raw = tailnet.raw("node", authkey=key["key"], Hostinfo={"Hostname": "node", "RoutableIPs": ["10.1.0.0/16", "0.0.0.0/0", "::/0"]})
    second = tailnet.raw("second", authkey=key["key"])
    apikey = go("POST", "/apikey", {"expiration": SOON}).json["apiKey"]
    apikeys = go("GET", "/apikey").json["apiKeys"]
    return {"user": user, "owner": owner, "key": key["id"], "node": str(raw.number), "second": str(second.number), "prefix": apikey[10:22],
            "apikey": apikeys[-1]["id"], "gone": GONE}


def fill(thing, have):
    if isinstance(thing, str):
        return thing.format(**have) if "{" in thing else thing
    if isinstance(thing, dict):
        return {k: fill(v, have) for k, v in thing.items()}
    if isinstance(thing, list):
        return [fill(v, have) for v in thing]
    return thing


GOOD = [
    ("GET", "/health", None, {"databaseConnectivity": boolean}),
    ("GET", "/user", None, {"users": [USER]}),
    ("GET", "/user?name=zoe", None, {"users": [USER]}),
    ("GET", "/user?id=0", None, {"users": [USER]}),
    ("POST", "/user", {"name": "ann", "displayName": "Ann", "email": "a@x", "pictureUrl": "https://x"}, {"user": USER}),
    ("POST", "/user/{user}/rename/zoey", None, {"user": USER}),
    ("DELETE", "/user/{user}", None, {}),
    ("GET", "/node", None, {"nodes": [NODE]}),
    ("GET", "/node?user=owner", None, {"nodes": [NODE]}),
    ("GET", "/node/{node}", None, {"node": NODE}),
    ("POST", "/node/{node}/expire", None, {"node": NODE}),
    ("POST", "/node/{node}/expire", {}, {"node": NODE}),
    ("POST", "/node/{node}/expire", {"expiry": SOON}, {"node": NODE}),
    ("POST", "/node/{node}/expire", {"disableExpiry": True}, {"node": NODE}),
    ("POST", "/node/{node}/rename/other", None, {"node": NODE}),
    ("POST", "/node/{node}/tags", {"tags": ["tag:b", "tag:a", "tag:b"]}, {"node": NODE}),
    ("POST", "/node/{node}/approve_routes", {"routes": ["10.1.0.0/16"]}, {"node": NODE}),
    ("POST", "/node/backfillips?confirmed=true", None, {"changes": [text]}),
    ("DELETE", "/node/{node}", None, {}),
    ("GET", "/preauthkey", None, {"preAuthKeys": [AUTHKEY]}),
    ("POST", "/preauthkey", {"user": "{owner}", "expiration": SOON}, {"preAuthKey": AUTHKEY}),
    ("POST", "/preauthkey", {"aclTags": ["tag:a"]}, {"preAuthKey": AUTHKEY}),
    ("POST", "/preauthkey/expire", {"id": "{key}"}, {}),
    ("DELETE", "/preauthkey?id={key}", None, {}),
    ("GET", "/apikey", None, {"apiKeys": [APIKEY]}),
    ("POST", "/apikey", {"expiration": SOON}, {"apiKey": text}),
    ("POST", "/apikey/expire", {"id": "{apikey}"}, {}),
    ("POST", "/apikey/expire", {"prefix": "{prefix}"}, {}),
    ("DELETE", "/apikey/{prefix}", None, {}),
    ("DELETE", "/apikey/hskey-api-{prefix}", None, {}),
    ("DELETE", "/apikey/hskey-api-{prefix}-***", None, {}),
]


@pytest.mark.parametrize(("method", "path", "body", "shape"), GOOD, ids=[f"{m} {p}" for m, p, _, _ in GOOD])
def test_answers(go, have, method, path, body, shape):
    answer = go(method, fill(path, have), fill(body, have))
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert {k: answer.headers[k] for k in SECURITY} == SECURITY
    check(answer.json, shape)
    for items in answer.json.values():
        if isinstance(items, list) and items and isinstance(items[0], dict):
            assert [int(i["id"]) for i in items] == sorted(int(i["id"]) for i in items), "by ascending id"


BAD = [
    ("POST", "/user", {"name": "zoe"}, 409),
    ("POST", "/user", {"name": "z"}, 400),
    ("POST", "/user", {"name": "7up"}, 400),
    ("POST", "/user", {"name": "a@b@c"}, 400),
    ("POST", "/user", {"name": "white space"}, 400),
    ("POST", "/user", {}, 400),
    ("GET", "/user?id=x", None, 400),
    ("DELETE", "/user/{gone}", None, 404),
    ("DELETE", "/user/{owner}", None, 400),
    ("DELETE", "/user/x", None, 400),
    ("POST", "/user/{gone}/rename/other", None, 404),
    ("POST", "/user/{user}/rename/owner", None, 409),
    ("GET", "/node?user=nobody", None, 404),
    ("GET", "/node/{gone}", None, 404),
    ("GET", "/node/0", None, 404),
    ("GET", "/node/-1", None, 400),
    ("GET", "/node/18446744073709551616", None, 400),
    ("DELETE", "/node/{gone}", None, 404),
    ("POST", "/node/{gone}/expire", None, 404),
    ("POST", "/node/{node}/expire", {"expiry": SOON, "disableExpiry": True}, 400),
    ("POST", "/node/{node}/expire", {"expiry": "soon"}, 422),
    ("POST", "/node/{node}/rename/Not%20A%20Label", None, 400),
    ("POST", "/node/{node}/rename/second", None, 400),
    ("POST", "/node/{gone}/rename/other", None, 404),
    ("POST", "/node/{node}/tags", {"tags": []}, 400),
    ("POST", "/node/{node}/tags", {"tags": ["a"]}, 400),
    ("POST", "/node/{node}/tags", {"tags": ["tag:A"]}, 400),
    ("POST", "/node/{node}/tags", {"tags": ["tag:a b"]}, 400),
    ("POST", "/node/{node}/approve_routes", {"routes": ["10.1"]}, 400),
    ("POST", "/node/{gone}/approve_routes", {"routes": []}, 404),
    ("POST", "/node/backfillips", None, 400),
    ("POST", "/node/backfillips?confirmed=false", None, 400),
    ("POST", "/node/register?user=zoe&key=x", None, 400),
    ("POST", "/node/register?user=zoe&key=hskey-authreq-" + 24 * "0", None, 404),
    ("POST", "/auth/approve", {"authId": "x"}, 400),
    ("POST", "/auth/approve", {"authId": "hskey-authreq-" + 24 * "0"}, 404),
    ("POST", "/auth/reject", {"authId": "hskey-authreq-" + 24 * "0"}, 404),
    ("POST", "/auth/register", {"user": "zoe", "authId": "hskey-authreq-" + 24 * "0"}, 404),
    ("POST", "/preauthkey", {}, 400),
    ("POST", "/preauthkey", {"user": "0"}, 400),
    ("POST", "/preauthkey", {"user": "{gone}"}, 404),
    ("POST", "/preauthkey", {"aclTags": ["a"]}, 400),
    ("POST", "/preauthkey/expire", {"id": "{gone}"}, 404),
    ("DELETE", "/preauthkey?id={gone}", None, 404),
    ("DELETE", "/preauthkey", None, 400),
    ("POST", "/apikey/expire", {}, 400),
    ("POST", "/apikey/expire", {"id": "{apikey}", "prefix": "{prefix}"}, 400),
    ("POST", "/apikey/expire", {"id": "{gone}"}, 404),
    ("POST", "/apikey/expire", {"prefix": "nonesuch"}, 404),
    ("DELETE", "/apikey/{prefix}?id={apikey}", None, 400),
    ("DELETE", "/apikey/nonesuch", None, 404),
    ("GET", "/policies", None, 404),
    ("GET", "/nonesuch", None, 404),
    ("GET", "/node/%zz", None, 400),
    ("GET", "/../v1/node", None, 404),
    ("GET", "/node/{node}/", None, 404),
    ("PUT", "/node/{node}", None, 405),
    ("PATCH", "/user", {}, 405),
    ("GET", "/node/register", None, 405),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD, ids=[f"{i} {m} {p}"[:60] for i, (m, p, _, _) in enumerate(BAD)])
def test_refusals(go, have, method, path, body, status):
    before = go("GET", "/node").json, go("GET", "/user").json, go("GET", "/preauthkey").json
    answer = go(method, fill(path, have), fill(body, have))
    check_problem(answer, status)
    assert {k: answer.headers[k] for k in SECURITY} == SECURITY
    assert (status == 405) == ("Allow" in answer.headers)
    assert (go("GET", "/node").json, go("GET", "/user").json, go("GET", "/preauthkey").json) == before, "the old state is kept"


BODIES = [
    ("{", {}, 400),
    ("[]", {}, 400),
    ("7", {}, 400),
    ('{"name":"ann","nonesuch":1}', {}, 422),
    ('{"name":7}', {}, 422),
    ('{"name":["ann"]}', {}, 422),
    ('{"name":"an\\u0000n"}', {}, 400),
    ('{"name":"ann"}', {"Content_Type": "text/plain"}, 415),
    ('{"name":"ann"}', {"Content_Type": None}, 415),
    ('{"name":"' + (1 << 20) * "a" + '"}', {}, 413),
]


@pytest.mark.parametrize(("raw", "headers", "status"), BODIES, ids=[f"{i}" for i in range(len(BODIES))])
def test_bodies(go, raw, headers, status):
    answer = go("POST", "/user", raw=raw, **{"Content_Type": "application/json", **headers})
    check_problem(answer, status)
    if status == 422:
        assert answer.json["errors"][0]["location"].startswith("body.")
    assert go("GET", "/user").json == {"users": []}


@pytest.mark.parametrize(("sent", "status"), [("Bearer {}", 200), ("bearer {}", 401), ("BEARER {}", 401), ("{}", 401), ("Bearer  {}", 401), ("Basic {}", 401),
                                              ("Bearer {}x", 401), ("Bearer", 401), ("", 401)])
def test_credentials(go, tailnet, sent, status):
    key = go("POST", "/apikey", {"expiration": SOON}).json["apiKey"]
    answer = ask(tailnet.cluster, "GET", "/api/v1/user", Authorization=sent.format(key))
    assert answer.status == status, answer.text
    if status == 401:
        check_problem(answer, 401)
        assert answer.json["detail"] == "Unauthorized"


def test_logins(go, have):
    """The test helper makes a login up; it becomes a node by either form, or nothing."""
    ids = ["hskey-authreq-" + secrets.token_hex(12) for _ in range(3)]
    for i, auth in enumerate(ids):
        made = go("POST", "/debug/node", {"user": "owner", "key": auth, "name": f"made-{i}", "routes": ["10.2.0.0/16"]})
        assert made.status == 200, made.text
        check(made.json, {"node": NODE})
    assert len(go("GET", "/node").json["nodes"]) == 2, "pending"
    registered = go("POST", "/auth/register", {"user": "owner", "authId": ids[0]})
    check(registered.json, {"node": NODE})
    node = registered.json["node"]
    assert node["user"]["name"] == "owner" and node["registerMethod"] == "REGISTER_METHOD_CLI" and node["name"] == "made-0" and node["preAuthKey"] is None
    older = go("POST", f"/node/register?user=zoe&key={ids[1]}")
    check(older.json, {"node": NODE})
    assert older.json["node"]["user"]["name"] == "zoe"
    assert go("POST", "/auth/reject", {"authId": ids[2]}).text == "{}"
    assert [n["givenName"] for n in go("GET", "/node").json["nodes"]] == ["node", "second", "made-0", "made-1"]
    for auth in ids:
        assert go("POST", "/auth/register", {"user": "owner", "authId": auth}).status in (404, 409), "answered once"


def test_ids_may_be_numbers_or_texts(go, have):
    for user in (have["owner"], int(have["owner"])):
        made = go("POST", "/preauthkey", {"user": user, "expiration": SOON}).json["preAuthKey"]
        assert made["user"]["id"] == have["owner"]
        for expired in (made["id"], int(made["id"])):
            assert go("POST", "/preauthkey/expire", {"id": expired}).status == 200
    large = 9007199254740993  # past what a double holds
    assert go("POST", "/preauthkey", {"user": large}).status == go("POST", "/preauthkey", {"user": str(large)}).status == 404


def test_users_are_found_by_name_then_email_then_id(go, have):
    go("POST", "/user", {"name": "ann", "email": "zoe@x"})
    assert [u["name"] for u in go("GET", f"/user?name=zoe&email=zoe@x&id={have['owner']}").json["users"]] == ["zoe"]
    assert [u["name"] for u in go("GET", f"/user?email=zoe@x&id={have['owner']}").json["users"]] == ["ann"]
    assert [u["name"] for u in go("GET", f"/user?id={have['owner']}").json["users"]] == ["owner"]
    assert go("GET", "/user?name=nobody").json == {"users": []}


def test_empty_lists(go):
    assert go("GET", "/user").text == '{"users":[]}'
    assert go("GET", "/node").text == '{"nodes":[]}'
    assert go("GET", "/preauthkey").text == '{"preAuthKeys":[]}'
    assert go("GET", "/apikey").text == '{"apiKeys":[]}'


def test_tagged_nodes(go, have):
    alone = go("POST", f"/node/{have['node']}/tags", {"tags": ["tag:b", "tag:a"]}).json["node"]
    assert alone["user"] is None and alone["tags"] == ["tag:a", "tag:b"] and alone["expiry"] is None
    listed = {n["id"]: n for n in go("GET", "/node").json["nodes"]}
    pseudo = listed[have["node"]]["user"]
    assert pseudo["id"] == "2147455555" and pseudo["name"] == "tagged-devices"
    assert listed[have["second"]]["user"]["name"] == "owner"
    assert go("GET", f"/node/{have['node']}").json["node"]["user"] is None
    assert [n["id"] for n in go("GET", "/node?user=owner").json["nodes"]] == [have["second"]]


def test_routes(go, have):
    node = have["node"]
    made = go("POST", f"/node/{node}/approve_routes", {"routes": ["::/0", "10.1.2.3/16", "10.1.0.0/16"]}).json["node"]
    assert made["approvedRoutes"] == ["0.0.0.0/0", "10.1.0.0/16", "::/0"], "sorted, unique, both default routes"
    assert made["availableRoutes"] == ["0.0.0.0/0", "10.1.0.0/16", "::/0"]
    assert made["subnetRoutes"] == ["10.1.0.0/16"], "without exit routes"
    listed = {n["id"]: n for n in go("GET", "/node").json["nodes"]}
    assert listed[node]["subnetRoutes"] == ["0.0.0.0/0", "10.1.0.0/16", "::/0"], "exit routes too"
    assert go("GET", f"/node/{node}").json["node"]["subnetRoutes"] == []
    assert go("POST", f"/node/{node}/approve_routes", {"routes": []}).json["node"]["approvedRoutes"] == []


def test_expiry(go, have):
    path = f"/node/{have['second']}/expire"
    assert go("POST", path, {"disableExpiry": True}).json["node"]["expiry"] is None
    assert go("POST", path, {"expiry": SOON}).json["node"]["expiry"] == SOON
    assert time(go("POST", path).json["node"]["expiry"])


def test_secrets_show_once(go, have):
    made = go("POST", "/preauthkey", {"user": have["owner"], "expiration": SOON}).json["preAuthKey"]
    assert re.fullmatch(r"hskey-auth-[0-9A-Za-z_-]{12}-[0-9a-f]{64}", made["key"])
    shown = go("GET", "/preauthkey").json["preAuthKeys"][-1]
    assert shown["key"] == made["key"][:24] + "***" and {**shown, "key": made["key"]} == made
    key = go("POST", "/apikey", {"expiration": SOON}).json["apiKey"]
    assert re.fullmatch(r"hskey-api-[0-9A-Za-z_-]{12}-[0-9a-f]{64}", key)
    assert go("GET", "/apikey").json["apiKeys"][-1]["prefix"] == key[:23] + "***"
    assert key[23:] not in json.dumps(go("GET", "/apikey").json)


def test_keys_without_expiration_are_expired_at_once(go, have, tailnet):
    key = go("POST", "/apikey", {}).json["apiKey"]
    assert ask(tailnet.cluster, "GET", "/api/v1/user", key=key).status == 401
    made = go("POST", "/preauthkey", {"user": have["owner"]}).json["preAuthKey"]
    assert tailnet.machine().raw("late", url=tailnet.url()).register(made["key"])["json"]["Error"]


def test_health_and_version_as_headplane_expects(shared):
    answer = ask(shared, "GET", "/version", Authorization=None)
    assert answer.status == 200 and answer.json["version"] == "0.30.0" and answer.json["fleetscale"]
    answer = ask(shared, "GET", "/health", Authorization=None)
    assert answer.status == 200 and answer.json == {"status": "pass"} and answer.headers["Content-Type"] == "application/health+json"
    check_problem(ask(shared, "GET", "/api/v1/health", Authorization=None), 401)


def test_a_write_is_seen_through_the_other_coordinator(go, have):
    for i in range(10):
        name = f"name-{i}"
        assert go("POST", f"/node/{have['node']}/rename/{name}", coordinator=i % 2).status == 200
        assert go("GET", f"/node/{have['node']}", coordinator=(i + 1) % 2).json["node"]["givenName"] == name
        made = go("POST", "/user", {"name": f"user-{i}"}, coordinator=i % 2).json["user"]
        assert made in go("GET", "/user", coordinator=(i + 1) % 2).json["users"]


def test_over_the_socket_without_a_credential(tailnet, have):
    listed = tailnet.cluster.cli("nodes", "list", tailnet=tailnet.name)
    assert [n["id"] for n in listed] == [have["node"], have["second"]]
