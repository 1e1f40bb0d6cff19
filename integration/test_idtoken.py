"""Identity tokens: asked for by official clients, verified by a JOSE library against what the server publishes."""

import json
import time

import pytest
from actors.client import NEWEST, OLDEST, Refused
from actors.tailnet import Tailnet
from joserfc import jwt
from joserfc.jwk import KeySet

AUDIENCE = "sts.example.com"


def published(program):
    """(configuration, keys) as any verifier fetches them."""
    status, text = program.get("/.well-known/openid-configuration", "clients")
    assert status == 200, text
    configuration = json.loads(text)
    assert configuration["jwks_uri"].startswith(configuration["issuer"])
    path = configuration["jwks_uri"][len(configuration["issuer"]):]
    status, text = program.get(path, "clients")
    assert status == 200, text
    keys = json.loads(text)
    assert keys["keys"] and not any("d" in key for key in keys["keys"])
    return configuration, KeySet.import_key_set(keys)


def verified(token, program, audience=AUDIENCE):
    configuration, keys = published(program)
    read = jwt.decode(token, keys, algorithms=configuration["id_token_signing_alg_values_supported"])
    jwt.JWTClaimsRegistry(iss={"essential": True, "value": configuration["issuer"]}, aud={"essential": True, "value": audience},
                          exp={"essential": True}, nbf={"essential": True}).validate(read.claims)
    return read


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_token_of_a_user_s_node(tailnet, release):
    node = tailnet.join("laptop", machine=tailnet.machine(release))
    token = node.call("idtoken", audience=AUDIENCE)["token"]
    claims = verified(token, tailnet.cluster.coordinators[0]).claims
    row = tailnet.node(node.id)
    assert claims["sub"] == claims["node"] == node.fqdn
    assert claims["domain"] == tailnet.domain and claims["nid"] == int(node.id)
    assert claims["key"] == row["nodeKey"]
    assert [a.split("/")[0] for a in claims["addresses"]] == node.ips
    assert claims["user"] == f"{tailnet.domain}:{row['user']['name']}" and claims["uid"] == int(row["user"]["id"])
    assert "tags" not in claims
    assert 0 < claims["exp"] - time.time() <= 300 and claims["iat"] == claims["nbf"]
    again = verified(node.call("idtoken", audience=AUDIENCE)["token"], tailnet.cluster.coordinators[0]).claims
    assert again["jti"] != claims["jti"]


def test_token_of_a_tagged_node(tailnet):
    node = tailnet.join("server", authkey=tailnet.authkey(aclTags=["tag:web", "tag:db"]))
    claims = verified(node.call("idtoken", audience="it's \"quoted\"")["token"], tailnet.cluster.coordinators[0], "it's \"quoted\"").claims
    assert sorted(claims["tags"]) == [f"{tailnet.domain}:tag:db", f"{tailnet.domain}:tag:web"]
    assert "user" not in claims and "uid" not in claims


def test_any_coordinator_publishes_every_key(tailnet):
    one, two = tailnet.cluster.coordinators
    token = tailnet.join("laptop", coordinator=1).call("idtoken", audience=AUDIENCE)["token"]
    key_sets = [[key.kid for key in published(p)[1].keys] for p in (one, two)]
    assert key_sets[0] == key_sets[1]
    read = verified(token, two)
    assert read.header["alg"] == "ES256" and read.header["kid"] in key_sets[0]
    forged = token[:-6] + ("AAAAAA" if not token.endswith("AAAAAA") else "BBBBBB")
    with pytest.raises(Exception, match="signature"):
        verified(forged, two)


def ask(raw, text="", **body):
    return raw.request("/machine/id-token", {"CapVersion": 113, "NodeKey": raw.keys["node_key"], "Audience": AUDIENCE, **body}, text)


def test_bad_input(tailnet):
    raw = tailnet.raw("one")
    stranger = tailnet.machine().raw("stranger", url=tailnet.url(1))
    assert ask(raw)["status"] == 200
    for answer, status, words in [
        (ask(raw, Audience=""), 400, "audience"),
        (ask(raw, Audience="a" * 513), 400, "audience"),
        (ask(raw, Audience="a\nb"), 400, "audience"),
        (ask(raw, Audience=7), 400, "Audience"),
        (ask(raw, NodeKey="nodekey:" + 64 * "0"), 400, "NodeKey"),
        (ask(raw, NodeKey="nodekey:xyz"), 400, "NodeKey"),
        (ask(raw, NodeKey=stranger.keys["node_key"]), 404, "no such node"),
        (ask(stranger, NodeKey=raw.keys["node_key"]), 404, "no such node"),
        (ask(raw, text="[1]"), 400, "object"),
        (ask(raw, text="{"), 400, ""),
        (ask(raw, text="[" * 100_000), 413, ""),
    ]:
        assert answer["status"] == status and words in answer["text"], answer
        assert "id_token" not in answer["text"]


def test_expired_and_deleted_nodes_get_none(tailnet):
    raw = tailnet.raw("one")
    tailnet.expire(raw.number)
    answer = ask(raw)
    assert answer["status"] == 403 and "expired" in answer["text"], answer
    tailnet.delete(raw.number)
    assert ask(raw)["status"] == 404


def test_a_client_shows_the_refusal(tailnet):
    node = tailnet.join("laptop")
    with pytest.raises(Refused, match="an audience has at most 512 bytes"):
        node.call("idtoken", audience="a" * 600)


def test_one_machine_asks_so_often(tailnet):
    raw, other = tailnet.raw("one"), tailnet.raw("two")
    answers = [ask(raw)["status"] for _ in range(70)]
    assert set(answers) == {200, 429} and answers[0] == 200, answers
    assert ask(other)["status"] == 200


def test_keys_rotate(clusters, traces):
    """The old one stays published while its tokens live; `migrate` does not mint one more."""
    cluster = clusters(1, 1, 0, **{"server_url": "https://login.example.com/"})
    net = Tailnet(cluster, "rotating", traces / "net")
    try:
        raw = net.raw("one")
        first = ask(raw)["json"]["id_token"]
        assert verified(first, cluster.coordinators[0]).claims["iss"] == "https://login.example.com"
        old = {key.kid for key in published(cluster.coordinators[0])[1].keys}
        sql = cluster.postgres.sql
        sql("fleetscale", "UPDATE fleetscale.serverkeys SET valid_until = now() WHERE kind = 'identity'")
        assert ask(raw)["status"] == 503
        sql("fleetscale", "INSERT INTO fleetscale.serverkeys (kind, private_key) VALUES ('identity', decode(repeat('5a', 32), 'hex'))")
        second = ask(raw)["json"]["id_token"]
        cluster.coordinators[0].stop()
        cluster.coordinators[0].launch()
        cluster.coordinators[0].await_ready()
        cluster.migrate()
        new = {key.kid for key in published(cluster.coordinators[0])[1].keys}
        assert old < new and len(new) == 2
        for token in (first, second):
            verified(token, cluster.coordinators[0])
        assert jwt.decode(first, published(cluster.coordinators[0])[1], algorithms=["ES256"]).header["kid"] in old
        assert jwt.decode(second, published(cluster.coordinators[0])[1], algorithms=["ES256"]).header["kid"] not in old
    finally:
        net.close()
