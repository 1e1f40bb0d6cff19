"""Every other address that a client calls inside Noise: an answer that makes it carry on, none by accident."""

import pytest
from actors.client import NEWEST, OLDEST

ANSWERS = {"/machine/set-dns": 501, "/machine/feature/query": 501, "/machine/webclient/init": 501,
           "GET /machine/ssh/action/1/to/2?local_user=root": 200, "/machine/tka/init/begin": 501, "GET /machine/tka/sync/offer": 501}


@pytest.mark.parametrize("known", [True, False], ids=["node", "stranger"])
def test_the_rest(tailnet, known):
    raw = tailnet.raw("node") if known else tailnet.machine().raw("node", url=tailnet.url())
    said = {path: raw.request(path, {"Version": 142, "NodeKey": raw.keys["node_key"]}) for path in ANSWERS}
    assert {path: answer["status"] for path, answer in said.items()} == ANSWERS
    assert said["GET /machine/ssh/action/1/to/2?local_user=root"]["json"]["reject"] is True
    assert all(answer["text"].strip() for answer in said.values())
    assert not raw.ends


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_what_a_user_reads(tailnet, release):
    """The local commands that need what we do not offer: the sentence comes through, and the node goes on."""
    node = tailnet.join("laptop", machine=tailnet.machine(release))
    said = node.call("local", method="POST", path="query-feature?feature=funnel")
    assert said["status"] == 501 and said["text"].strip() == "this server does not offer that feature", said
    said = node.call("local", method="POST", path="tka/init", body={"Keys": [], "DisablementValues": [], "SupportDisablement": None})
    assert said["status"] >= 400 and "lock" in said["text"].lower(), said
    if release == NEWEST:  # 1.64 first asks a certificate authority, which is not to be had here
        said = node.call("local", method="GET", path=f"cert/{node.fqdn}?type=pair")
        assert said["status"] == 500 and "TLS certs" in said["text"], said
    assert node.view["state"] == "Running"


def test_whom_it_speaks_with(tailnet):
    """The machine's own key, for a client's diagnosis."""
    raw = tailnet.machine().raw("node", url=tailnet.url())
    assert raw.request("GET /machine/whoami")["text"].strip() == raw.keys["machine_key"]


@pytest.mark.parametrize("path", ["GET /machine/map", "DELETE /machine/register", "PUT /machine/map", "/machine/register/",
                                  "//machine/map", "/MACHINE/MAP", "/machine/%6dap", "/machine/map?x=1"])
def test_near_misses(tailnet, path):
    raw = tailnet.raw("node")
    answer = raw.request(path, {})
    assert answer["status"] in (400, 404, 405), answer
    assert not raw.ends and len(tailnet.nodes()) == 1
