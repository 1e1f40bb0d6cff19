"""Features of a tailnet and what its clients are told to show, as real clients of both releases take them."""

import time

import pytest
from actors.client import NEWEST, OLDEST, Refused, TooLate, about

SETTINGS = "/api/fleetscale/v1/settings"
RELEASES = pytest.mark.parametrize("release", [NEWEST, OLDEST])
FILES, SSH = "https://tailscale.com/cap/file-sharing", "https://tailscale.com/cap/ssh"


def change(net, **members):
    return net.api("PATCH", SETTINGS, members)["settings"]


def until(test, what, seconds=15):
    """What test() comes to return; a refusal of the client is not yet."""
    end, got = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            got = test()
            if got:
                return got
        except Refused as why:
            got = why
        time.sleep(0.1)
    raise TooLate(f"not within {seconds} s: {what}; last: {got}")


def capabilities(node):
    return node.status()["Self"].get("CapMap") or {}


def shows(node, text, seconds=20):
    """The client's health shows a text that holds this."""
    node.wait(lambda v: any(text in h for h in v["health"]), seconds, f"health with {text!r}")


def shows_no(node, text, seconds=20):
    node.wait(lambda v: not any(text in h for h in v["health"]), seconds, f"no health with {text!r}")


@RELEASES
def test_files(tailnet, release):
    """Taildrop carries a file while file sharing is on; while it is off the client itself refuses."""
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    bob = tailnet.join("bob", coordinator=1, machine=tailnet.machine(release))
    alice.sees(bob)
    bob.sees(alice)
    alice.knows_home(bob)
    bob.knows_home(alice)
    until(lambda: bob.id in alice.call("file_targets")["targets"], "bob as a target of files", 30)
    text = "from alice, with ä and €\n" * 1000
    until(lambda: alice.call("file_push", target=bob.id, file="letter.txt", text=text) is None or True, "the file is taken", 30)
    assert bob.call("file_wait", seconds=10)["files"] == ["letter.txt"]
    assert bob.call("file_get", file="letter.txt")["text"] == text
    change(tailnet, fileSharing=False)
    until(lambda: FILES not in capabilities(alice) and FILES not in capabilities(bob), "no more capability")
    with pytest.raises(Refused, match="not enabled|disabled"):
        alice.call("file_targets")
    with pytest.raises(Refused):
        alice.call("file_push", target=bob.id, file="second.txt", text="x")
    change(tailnet, fileSharing=True)
    until(lambda: bob.id in alice.call("file_targets")["targets"], "bob as a target again")


@RELEASES
def test_switches(tailnet, release):
    """Each setting is in the client's own capabilities, and auto update in its preferences."""
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    first = capabilities(alice)
    assert FILES in first and SSH in first and "randomize-client-port" not in first
    assert first["tailnet.maxKeyDuration"] == [180 * 86400]
    assert not alice.call("prefs").get("AutoUpdate", {}).get("Apply")
    change(tailnet, ssh=False, randomClientPort=True, autoUpdate=True, keyLifetimeSeconds=7200)
    now = until(lambda: (c := capabilities(alice)) and SSH not in c and c, "the changed capabilities")
    assert "randomize-client-port" in now and now["tailnet.maxKeyDuration"] == [7200] and now["default-auto-update"] == [True]
    assert FILES in now
    change(tailnet, keyLifetimeSeconds=0)
    until(lambda: "tailnet.maxKeyDuration" not in capabilities(alice), "keys for ever")
    tailnet.cluster.api("PATCH", f"/api/fleetscale/v1/tailnets/{tailnet.name}", {"displayName": "The Lab"})
    until(lambda: capabilities(alice).get("tailnet-display-name") == ["The Lab"], "the display name")


def test_logs_and_updates_in_maps(tailnet):
    """Logs to the client's maker are off unless allowed; the default for updates goes to old clients as a member of its own."""
    old, new = tailnet.raw("old", version=117), tailnet.raw("new", version=131)
    assert old.map["Debug"] == {"DisableLogTail": True} == new.map["Debug"]
    assert old.map["DefaultAutoUpdate"] is False and "DefaultAutoUpdate" not in new.map
    mark = old.mark()
    change(tailnet, autoUpdate=True)
    _, told, _ = old.frame(lambda m: "DefaultAutoUpdate" in m, mark)
    assert told["DefaultAutoUpdate"] is True and told["Node"]["CapMap"]["default-auto-update"] == [True]
    assert "DNSConfig" not in told
    change(tailnet, clientLogs=True)
    assert "Debug" not in tailnet.raw("late").map


@RELEASES
def test_notice(tailnet, release):
    """The words of the administrators reach each client's health, change, and go."""
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    change(tailnet, notice="Maintenance at nine.")
    shows(alice, "Maintenance at nine.")
    change(tailnet, notice="Maintenance is over \u2013 thanks.")
    shows(alice, "thanks.")
    shows_no(alice, "at nine")
    change(tailnet, notice="")
    shows_no(alice, "Maintenance")


@RELEASES
def test_key_expires_soon(tailnet, release):
    """In the last tenth of a key's life its client warns, without anything being written; a longer key takes the warning back."""
    change(tailnet, keyLifetimeSeconds=60)
    alice = tailnet.join("alice", machine=tailnet.machine(release))
    assert not any("expires soon" in h for h in alice.view["health"])
    in_nine = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 9))
    tailnet.expire(alice.id, in_nine)
    shows(alice, "expires soon", 10)
    tailnet.expire(alice.id, "2100-01-01T00:00:00Z")
    shows_no(alice, "expires soon")
    alice.state("Running")


@RELEASES
def test_waiting_and_suspended(tailnet, release):
    change(tailnet, deviceApproval=True)
    alice = tailnet.machine(release).node("alice", url=tailnet.url(), authkey=tailnet.authkey())
    alice.state("NeedsMachineAuth")
    if release == NEWEST:  # 1.64 shows nothing of it before it has a home relay, which it looks for once approved
        shows(alice, "approved by an administrator")
    tailnet.api("POST", f"/api/fleetscale/v1/nodes/{tailnet.nodes()[0]['id']}/approve", {"approved": True})
    alice.running()
    shows_no(alice, "approved by an administrator")
    tailnet.cluster.api("PATCH", f"/api/fleetscale/v1/tailnets/{tailnet.name}", {"suspended": True})
    shows(alice, "suspended this tailnet")
    tailnet.cluster.api("PATCH", f"/api/fleetscale/v1/tailnets/{tailnet.name}", {"suspended": False})
    shows_no(alice, "suspended")
    alice.state("Running")


@RELEASES
def test_routes_wait(tailnet, release):
    router = tailnet.join("router", machine=tailnet.machine(release))
    router.set(routes=["10.20.0.0/16"])
    shows(router, "no administrator has approved")
    tailnet.api("POST", f"/api/v1/node/{router.id}/approve_routes", {"routes": ["10.20.0.0/16"]})
    shows_no(router, "no administrator has approved")


def messages(raw, mark, test):
    return raw.frame(lambda m: test(m.get("DisplayMessages") or {}), mark, told="messages")[1]


def test_messages_in_maps(tailnet):
    """Nothing for who is well; what changes is told in a frame of its own; a new stream hears the whole; old clients get lines of Health."""
    new, old = tailnet.raw("new", version=117), tailnet.raw("old", coordinator=1, version=116)
    assert "DisplayMessages" not in new.map and "Health" not in new.map and old.map["Health"] == []
    mark, old_mark = new.mark(), old.mark()
    change(tailnet, notice="tea")
    told = messages(new, mark, lambda m: "notice" in m)
    assert told["DisplayMessages"]["notice"]["Text"] == "tea" and not {"DNSConfig", "Peers", "DERPMap", "Node"} & set(told)
    assert old.frame(lambda m: m.get("Health"), old_mark)[1]["Health"] == ["tea"]
    late = tailnet.raw("late", version=117)
    assert set(late.map["DisplayMessages"]) == {"notice"}
    mark, old_mark = new.mark(), old.mark()
    change(tailnet, notice="")
    messages(new, mark, lambda m: m.get("*", m.get("notice", 1)) is None and not m.get("notice"))
    old.frame(lambda m: m.get("Health") == [], old_mark)
    new.assert_only_deltas(mark)


def test_suspension_in_maps(tailnet):
    """Peers go, come back with all that they are, and each node hears what it is now: in the same stream."""
    one, two = tailnet.raw("one", version=142), tailnet.raw("two", coordinator=1, version=90)
    marks = {raw: raw.mark() for raw in (one, two)}
    tenancy = f"/api/fleetscale/v1/tailnets/{tailnet.name}"
    tailnet.cluster.api("PATCH", tenancy, {"suspended": True})
    for raw, other in ((one, two), (two, one)):
        told = raw.frame(lambda m: "Node" in m, marks[raw])[1]
        assert "MachineAuthorized" not in told["Node"] and about(told, other.number) == {"removed": True}
        assert told["PacketFilters"] == {"base": []}, "nobody may come in"
    assert set(one.frame(lambda m: m.get("DisplayMessages"), marks[one])[1]["DisplayMessages"]) - {"*"} == {"suspended"}
    assert len(two.frame(lambda m: m.get("Health"), marks[two])[1]["Health"]) == 1
    again = {raw: raw.mark() for raw in (one, two)}
    tailnet.cluster.api("PATCH", tenancy, {"suspended": False})
    for raw, other in ((one, two), (two, one)):
        told = raw.frame(lambda m: "Node" in m, again[raw])[1]
        assert told["Node"]["MachineAuthorized"] and about(told, other.number)["changed"]["MachineAuthorized"]
        assert told["PacketFilters"]["base"] and {p["ID"] for p in told["UserProfiles"]}
        raw.assert_only_deltas(marks[raw])
    assert two.frame(lambda m: m.get("Health") == [], again[two])


def test_approval_in_maps(tailnet):
    """Approved and withdrawn: the node hears of itself and its peers, the peers of it, all in streams that go on."""
    one = tailnet.raw("one", version=142)
    change(tailnet, deviceApproval=True)
    two = tailnet.raw("two", coordinator=1, version=142)
    assert "MachineAuthorized" not in two.map["Node"] and not two.map.get("Peers")
    assert set(two.map["DisplayMessages"]) == {"approval"} and two.map["PacketFilters"] == {"base": []}
    approve = f"/api/fleetscale/v1/nodes/{two.number}/approve"
    marks = one.mark(), two.mark()
    tailnet.api("POST", approve, {"approved": True})
    _, told, _ = two.frame(lambda m: "Node" in m, marks[1])
    assert told["Node"]["MachineAuthorized"] and about(told, one.number)["changed"]
    assert told["PacketFilters"]["base"] and not [m for m in told["DisplayMessages"].values() if m]
    one.frame(lambda m: (about(m, two.number) or {}).get("changed"), marks[0])
    again = one.mark(), two.mark()
    tailnet.api("POST", approve, {"approved": False})
    _, told, _ = two.frame(lambda m: "Node" in m, again[1])
    assert "MachineAuthorized" not in told["Node"] and about(told, one.number) == {"removed": True}
    assert told["DisplayMessages"]["approval"]["Severity"] == "high"
    one.frame(lambda m: about(m, two.number) == {"removed": True}, again[0])
    for raw, mark in ((one, marks[0]), (two, marks[1])):
        raw.assert_only_deltas(mark)
