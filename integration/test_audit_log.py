"""A client tells that its user disconnects it, and why: a line of the tailnet's audits."""

import time

from actors.client import Refused


def lines(tailnet, number):
    audits = tailnet.api("GET", "/api/fleetscale/v1/audits")["audits"]
    return [a for a in audits if a["action"] == "node.disconnect" and a["subject"] == str(number)]


def tell(raw, text="", **fields):
    return raw.request("/machine/audit-log", {"Version": 113, "NodeKey": raw.keys["node_key"], "Action": "DISCONNECT_NODE", **fields}, text)


def details(line):
    return line["detail"]["details"]


def test_the_client_s_own_logger(tailnet):
    """Queue and transport of the release: what the apps of Windows and macOS do."""
    node = tailnet.join("laptop")
    node.call("audit", details="\"laptop\" is being disconnected by \"ann\": a train")
    end = time.monotonic() + 20
    while not lines(tailnet, node.id):
        assert time.monotonic() < end, "no audit line"
        time.sleep(0.1)
    (line,) = lines(tailnet, node.id)
    assert (line["actor"], line["credential"]) == ("node", node.id) and details(line) == "\"laptop\" is being disconnected by \"ann\": a train"
    # The client does not send it again.
    time.sleep(1)
    assert len(lines(tailnet, node.id)) == 1


def test_details_are_cut(tailnet):
    raw = tailnet.raw("one")
    assert tell(raw, Details="é" * 2000)["status"] == 200
    assert details(lines(tailnet, raw.number)[0]) == "é" * 512
    assert tell(raw)["status"] == 200
    assert details(lines(tailnet, raw.number)[0]) == ""


def test_bad_input(tailnets):
    mine, theirs = tailnets("a"), tailnets("b")
    raw, other = mine.raw("one"), theirs.raw("two")
    for answer, status in [
        (tell(raw, Action="DELETE_TAILNET"), 400),
        (tell(raw, Action=""), 400),
        (tell(raw, Action=3), 400),
        (tell(raw, Details={"a": 1}), 400),
        (tell(raw, text="nothing"), 400),
        (tell(raw, Details="x" * 70_000), 413),
        (tell(raw, NodeKey=other.keys["node_key"]), 404),
        (tell(other, NodeKey=raw.keys["node_key"]), 404),
    ]:
        assert answer["status"] == status, answer
    assert not lines(mine, raw.number) and not lines(theirs, other.number)


def test_a_machine_tells_so_often(tailnet):
    """429 and not another refusal: the client keeps the entry and sends it later."""
    raw = tailnet.raw("one")
    answers = [tell(raw, Details=str(i))["status"] for i in range(70)]
    assert set(answers) == {200, 429}, answers
    assert len(lines(tailnet, raw.number)) == answers.count(200)


def test_a_real_client_keeps_what_was_refused_for_now(tailnet):
    node = tailnet.join("laptop")
    sent = 0
    try:
        for sent in range(1, 66):
            node.call("audit", details=f"reason {sent}")
    except Refused as why:
        raise AssertionError(f"entry {sent}: {why}") from why
    end = time.monotonic() + 60
    while len(lines(tailnet, node.id)) < 65:
        assert time.monotonic() < end, f"{len(lines(tailnet, node.id))} of 65"
        time.sleep(0.5)
