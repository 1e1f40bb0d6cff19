"""The command: every verb over every way in, its four forms, exit statuses, profiles, completion, the doctor, and what needs only the database."""

import contextlib
import datetime
import http.client
import http.server
import json
import os
import pty
import subprocess
import threading
import time

import pytest
from actors.certificate import certificate
from actors.cli import Cli, over_socket, over_tcp
from actors.logins import auth_id, begin
from fleet.cluster import API_KEY, AUTH_KEY

WAYS = ["tailnet-key", "socket", "operator-key"]


@pytest.fixture(params=WAYS)
def cli(request, tailnet, traces):
    """The second coordinator is asked: what the first wrote is seen there."""
    tailnet.cluster.user("default", tailnet.name)
    if request.param == "socket":
        return over_socket(tailnet.cluster, traces, tailnet.name, 1)
    if request.param == "operator-key":
        return over_tcp(tailnet.cluster, traces, tailnet.cluster.key("admin.key"), tailnet.name, 1)
    key = over_socket(tailnet.cluster, traces, tailnet.name).say("apikeys", "create", "-e", "1h")
    return over_tcp(tailnet.cluster, traces, key, index=1)


@pytest.fixture
def operator(shared, traces):
    return over_tcp(shared, traces, shared.key("admin.key"))


def nothing_there(answer):
    return "not found" in answer["error"] or "no such" in answer["error"]


# --- every noun


def test_users(cli):
    made = cli.say("users", "create", "zoe", "-d", "Zoe Z", "-e", "zoe@example.com", "-p", "https://example.com/z.png")
    assert (made["name"], made["displayName"], made["email"], made["profilePicUrl"]) == ("zoe", "Zoe Z", "zoe@example.com", "https://example.com/z.png")
    listed, table = cli.in_all_forms("user", "ls", "-n", "zoe")
    assert listed == [made] and table.split()[:2] == ["ID", "Username"] and "zoe@example.com" in table
    assert cli.say("users", "list", "-i", made["id"]) == cli.say("users", "list", "-e", "zoe@example.com") == [made]
    assert cli.say("users", "rename", "-n", "zoe", "-r", "zora")["name"] == "zora"
    assert "exists" in cli.say("users", "create", "zora", expect=1)["error"]
    assert "--force" in cli.say("users", "destroy", "zora", expect=2)["error"], "nobody is there to ask"
    assert cli.say("users", "destroy", "-i", made["id"], "--force") == {}
    assert "users list" in cli.say("users", "delete", "zora", "--force", expect=1)["error"]


def test_nodes(cli, tailnet):
    raw = tailnet.raw("pc", Hostinfo={"OS": "linux", "Hostname": "pc", "IPNVersion": "1.102.5", "RoutableIPs": ["10.7.0.0/16"]})
    number = str(raw.number)
    listed, table = cli.in_all_forms("nodes", "list")
    assert [n["id"] for n in listed] == [number] and listed[0]["approved"] and listed[0]["os"] == "linux"
    assert "100.64." in table and "online" in table
    one, shown = cli.in_all_forms("node", "get", number)
    assert one["givenName"] == "pc" and one["availableRoutes"] == ["10.7.0.0/16"] and "Machine key" in shown
    assert cli.say("nodes", "ls", "-u", "default") == cli.say("nodes", "list") and cli.say("nodes", "list", "-u", one["user"]["id"])
    assert cli.say("nodes", "rename", "-i", number, "desk")["givenName"] == "desk"
    assert [n["id"] for n in cli.say("nodes", "list-routes")] == [number]
    assert cli.say("nodes", "approve-routes", "-i", number, "-r", "10.7.0.0/16")["approvedRoutes"] == ["10.7.0.0/16"]
    assert cli.say("nodes", "routes", "-i", number)[0]["subnetRoutes"] == ["10.7.0.0/16"]
    assert cli.say("nodes", "approve-routes", "-i", number, "-r", "")["approvedRoutes"] == []
    assert all(a["source"] == "client" for a in cli.say("nodes", "attributes", number))
    for word, more, value in (("7", [], 7), ("7", ["--text"], "7"), ("true", [], True), ("disk", [], "disk"), ("[1]", [], "[1]")):
        given = cli.say("nodes", "set-attribute", "-i", number, "custom:a", word, "--comment", "why", *more)
        assert given["value"] == value and given["source"] == "admin" and given["comment"] == "why" and given["expiry"] is None
    soon = cli.say("nodes", "set-attribute", "-i", number, "custom:a", "1", "-e", "2h")["expiry"]
    assert abs(datetime.datetime.fromisoformat(soon).timestamp() - time.time() - 7200) < 60
    assert "custom:a" in cli.run("nodes", "attributes", number).stdout
    assert cli.say("nodes", "delete-attribute", "-i", number, "custom:a") == {}
    assert nothing_there(cli.say("nodes", "delete-attribute", "-i", number, "custom:a", expect=1))
    assert cli.say("nodes", "backfillips", "--force") == {"changes": []}
    assert cli.say("nodes", "approve", number, "--revoke")["id"] == number
    assert not cli.say("nodes", "get", number)["approved"]
    cli.say("nodes", "approve", "-i", number)
    assert cli.say("nodes", "get", number)["approved"]
    assert cli.say("nodes", "expire", "-i", number, "--disable")["expiry"] is None
    soon = cli.say("nodes", "expire", "-i", number, "-e", "2h")["expiry"]
    assert abs(datetime.datetime.fromisoformat(soon).timestamp() - time.time() - 7200) < 60
    assert cli.say("nodes", "tag", "-i", number, "-t", "tag:web,tag:db")["tags"] == ["tag:db", "tag:web"]
    assert cli.say("nodes", "logout", number)["id"] == number
    assert "expired" in cli.run("nodes", "list").stdout
    assert cli.say("nodes", "delete", number, "--force") == {}
    for words in (["get", number], ["delete", number, "--force"], ["rename", "-i", number, "x"], ["expire", number], ["attributes", number]):
        assert nothing_there(cli.say("nodes", *words, expect=1)), words
    assert cli.say("nodes", "list") == []


def test_nodes_answer(cli, tailnet):
    """What only a real client answers: a ping, and a question of support."""
    alice = tailnet.join("alice")
    bob = tailnet.join("bob", coordinator=1)
    alice.sees(bob)
    pong = cli.say("nodes", "ping", alice.id, bob.ips[0], "--type", "TSMP")
    assert pong["target"] == bob.ips[0] and pong["latencySeconds"] > 0 and pong["error"] == "", pong
    assert "Latency" in cli.run("nodes", "ping", alice.id, "--target", bob.id, "--type", "disco").stdout
    assert cli.say("nodes", "ping", bob.id)["type"] == "alive"
    assert "hello" in cli.run("nodes", "debug", alice.id, "-p", "/echo", "-d", "hello").stdout
    assert cli.say("nodes", "debug", alice.id, "-p", "/debug/prefs")["status"] == 200
    for words in (["ping", alice.id, "--type", "nonsense"], ["debug", alice.id, "-p", "/nonsense"], ["ping", alice.id, "nobody", "--type", "disco"]):
        assert cli.say("nodes", *words, expect=1)["error"], words
    bob.machine.kill()
    bob_gone = cli.say("nodes", "ping", bob.id, "-w", "2s", expect=1)["error"]
    assert "offline" in bob_gone or "in time" in bob_gone


def test_preauthkeys(cli, tailnet):
    printed = cli.run("preauthkeys", "create", "-u", "default", "--reusable", "-e", "24h").stdout
    assert AUTH_KEY.fullmatch(printed.strip()), "the key and nothing else"
    plain = cli.say("authkeys", "new", "-t", "tag:a,tag:b", "--ephemeral")
    assert plain["aclTags"] == ["tag:a", "tag:b"] and plain["ephemeral"] and not plain["reusable"]
    own = cli.say("authkeys", "create", "-u", "default", "--preapproved", "-d", "for the lab")
    assert own["preapproved"] and own["description"] == "for the lab" and AUTH_KEY.fullmatch(own["key"])
    listed, table = cli.in_all_forms("pre", "ls")
    assert [k["id"] for k in listed] == sorted((k["id"] for k in listed), key=int) and len(listed) == 3
    assert {"user", "id", "key", "reusable", "ephemeral", "used", "expiration", "createdAt", "aclTags"} <= set(listed[0]), "headscale's members"
    assert "for the lab" in table and printed.strip() not in table
    assert cli.say("preauthkeys", "expire", "-i", own["id"]) == {}
    late = tailnet.machine().raw("late", url=tailnet.url())
    assert late.register(own["key"])["json"]["Error"]
    assert cli.say("preauthkeys", "delete", own["id"]) == {} and len(cli.say("preauthkeys", "list")) == 2
    assert nothing_there(cli.say("preauthkeys", "rm", own["id"], expect=1))
    assert "user" in cli.say("preauthkeys", "create", expect=2)["error"]


def test_logins(cli, tailnet):
    raw = tailnet.machine().raw("laptop", url=tailnet.url())
    node = cli.say("auth", "register", "-u", "default", "--auth-id", auth_id(begin(raw)))
    assert node["user"]["name"] == "default"
    other = tailnet.machine().raw("other", url=tailnet.url())
    made = cli.say("nodes", "register", "--user", "default", "--key", auth_id(begin(other)))
    assert made["id"] != node["id"]
    third = tailnet.machine().raw("third", url=tailnet.url())
    url = begin(third)
    assert cli.say("auth", "reject", "--auth-id", auth_id(url)) == {}
    assert third.register(Followup=url)["json"]["Error"]
    assert "error" in cli.say("auth", "approve", auth_id(url), expect=1)
    assert cli.in_all_forms("auth", "list")[0] == []
    fresh = "hskey-authreq-" + os.urandom(12).hex()
    assert cli.say("debug", "create-node", "--name", "made-up", "-u", "default", "-k", fresh, "-r", "10.9.0.0/24")["availableRoutes"] == ["10.9.0.0/24"]
    assert cli.say("auth", "register", "-u", "default", "--auth-id", fresh)["givenName"] == "made-up"


def test_api_keys(cli, tailnet, traces):
    assert API_KEY.fullmatch(cli.say("apikeys", "create", "-e", "1d"))
    narrow = cli.run("apikeys", "create", "-s", "nodes:read", "-d", "looks only").stdout.strip()
    looker = over_tcp(tailnet.cluster, traces, narrow, tailnet.name)
    assert looker.say("nodes", "list") == []
    assert "scope" in looker.say("users", "create", "zoe", expect=1)["error"]
    listed, table = cli.in_all_forms("keys", "list")
    mine = next(k for k in listed if k["description"] == "looks only")
    assert mine["scopes"] == ["nodes:read"] and "looks only" in table
    assert {"id", "prefix", "expiration", "createdAt", "lastSeen"} == set(cli.say("apikeys", "list")[0]), "headscale's members"
    made = cli.say("keys", "create", "-s", "users,audits:read", "-e", "1h")
    assert API_KEY.fullmatch(made["apiKey"]) and made["key"]["scopes"] == ["users", "audits:read"]
    assert cli.say("apikeys", "expire", "--prefix", narrow.split("-")[2]) == {}
    told = looker.say("nodes", "list", expect=1)["error"]
    assert "Unauthorized" in told and "apikeys create" in told, "what to do next"
    assert cli.say("keys", "delete", made["key"]["id"]) == {}
    assert cli.say("apikeys", "delete", "--id", mine["id"]) == {}
    assert "scope" in cli.say("apikeys", "create", "-s", "everything", expect=1)["error"]


def test_settings(cli):
    fresh, table = cli.in_all_forms("settings", "show")
    assert not fresh["deviceApproval"] and "MagicDNS" in table
    changed = cli.say("settings", "set", "--device-approval", "--key-lifetime", "30d", "--file-sharing=false", "--notice", "Back at nine.",
                      "--resolvers", "1.1.1.1,https://dns.example/dns-query+exit", "--override-local-dns", "--split", "corp.example=10.0.0.1,10.0.0.2",
                      "--split", "own.example=10.0.0.3", "--search", "corp.example", "--record", "printer.corp.example A 10.0.0.9",
                      "--record", "printer.corp.example AAAA 2001:db8::9", "--exit-filter", ".corp.example")
    assert changed["deviceApproval"] and changed["keyLifetimeSeconds"] == 30 * 86400 and not changed["fileSharing"] and changed["notice"] == "Back at nine."
    dns = changed["dns"]
    assert dns["resolvers"] == [{"address": "1.1.1.1", "useWithExitNode": False}, {"address": "https://dns.example/dns-query", "useWithExitNode": True}]
    assert [s["domain"] for s in dns["split"]] == ["corp.example", "own.example"] and len(dns["split"][0]["resolvers"]) == 2
    assert dns["searchDomains"] == ["corp.example"] and len(dns["records"]) == 2 and dns["overrideLocalDns"] and dns["exitNodeFiltered"] == [".corp.example"]
    assert cli.in_all_forms("settings", "get")[0] == changed
    assert "30d" in cli.run("settings", "show").stdout
    file = cli.config.parent / "settings.json"
    file.write_text(json.dumps({**changed, "notice": "from a file"}))
    assert cli.say("settings", "set", "-f", file, "--search", "")["dns"]["searchDomains"] == []
    assert cli.say("settings", "show")["notice"] == "from a file"
    assert "dns.overrideLocalDns" in cli.say("settings", "set", "--resolvers", "", expect=1)["error"]
    cli.say("settings", "set", expect=2)


def test_audits_and_health(cli):
    for i in range(3):
        cli.say("users", "create", f"user{i}")
    listed, table = cli.in_all_forms("audits", "list")
    assert [a["action"] for a in listed[:3]] == ["user.create"] * 3 and "user.create" in table
    assert listed[0]["after"]["name"] == "user2"
    assert len(cli.say("audit", "ls", "-n", "2")) == 2
    assert cli.run("health").stdout == "" and cli.say("health") == {"databaseConnectivity": True}


def test_long_lists_are_followed(tailnet, traces):
    """More than one page of our own API, and of what the table shows."""
    number = tailnet.cluster.postgres.sql("fleetscale", f"select id from fleetscale.tailnets where name = '{tailnet.name}'")
    tailnet.cluster.postgres.sql("fleetscale", f"insert into fleetscale.audits (tailnet_id, actor, action) select {number}, 'sql', 'thing.' || i "
                                               "from generate_series(1, 1203) i")
    cli = over_socket(tailnet.cluster, traces, tailnet.name)
    listed = cli.say("audits", "list", "-n", "0")
    things = [a["action"] for a in listed if a["action"].startswith("thing.")]
    assert things == [f"thing.{i}" for i in range(1203, 0, -1)]
    assert len(cli.say("audits", "list", "-n", "700")) == 700
    assert len(cli.run("audits", "list", "-n", "0").stdout.splitlines()) == len(listed) + 1


# --- the operator's


def test_tailnets(operator, tailnets, traces):
    net = tailnets()
    name, other = net.name, f"{net.name[:30]}-n"
    one, table = operator.in_all_forms("tailnets", "get", name)
    assert one["name"] == name and "open" in table
    assert one in operator.say("tailnets", "list")
    changed = operator.say("tailnet", "set", name, "-d", "The Lab", "--node-limit", "5", "--user-limit", "3", "--login-host", f"{name}.example")
    assert (changed["displayName"], changed["nodeLimit"], changed["userLimit"], changed["loginHost"]) == ("The Lab", 5, 3, f"{name}.example")
    for verb, member, value in (("suspend", "suspended", True), ("resume", "suspended", False), ("freeze", "frozen", True), ("thaw", "frozen", False)):
        assert operator.say("tailnets", verb, name)[member] is value
    assert operator.say("tailnets", "rename", name, other)["name"] == other
    assert operator.say("tailnets", "rename", other, name)["name"] == name
    net.raw("node")
    assert "--confirm" in operator.say("tailnets", "delete", name, "--force", expect=2)["error"], "force alone does not"
    operator.say("tailnets", "delete", name, "--confirm", other, expect=2)
    assert "node" in operator.say("tailnets", "delete", name, "--confirm", name, expect=1)["error"]
    assert operator.say("tailnets", "delete", name, "--confirm", name, "--with-nodes") == {}
    assert "not found" in operator.say("tailnets", "get", name, expect=1)["error"]
    actions = [a["action"] for a in operator.say("audits", "list", "--installation", "-n", "50")]
    assert "tailnet.delete" in actions
    made = operator.say("tailnets", "create", other, "--domain", f"{other}.example", "--node-limit", "2")
    assert made["domain"] == f"{other}.example" and made["nodeLimit"] == 2
    operator.say("tailnets", "delete", other, "--confirm", other)


def deeds(operator, subject):
    """What the audits tell of a relay or region; others work beside."""
    return [a["action"] for a in operator.say("audits", "list", "--installation", "-n", "0") if a["subject"] == str(subject) and a["action"].startswith("re")]


def test_relays_and_regions(operator):
    made = operator.say("relays", "create", "cli-relay", "--region-id", "955", "--region-code", "cli", "--region-name", "By Command")
    assert made["token"].startswith("hskey-relay-") and made["relay"]["regionId"] == 955
    assert deeds(operator, made["relay"]["id"]) == ["relay.create"] and deeds(operator, "955") == ["region.create"]
    second = operator.say("relays", "create", "cli-second", "--region-id", "955", "--region-code", "other")
    assert deeds(operator, second["relay"]["id"]) == ["relay.create"] and deeds(operator, "955") == ["region.create"], "no region was made"
    assert "whole number" in operator.say("relays", "create", "cli-third", "--region-id", "955", "--foreign", "--hostname", "h", "--stun-port", "x", expect=2)["error"]
    operator.say("relays", "delete", second["relay"]["id"], "--force")
    listed, table = operator.in_all_forms("relays", "list")
    assert made["relay"]["id"] in [r["id"] for r in listed] and "cli-relay" in table
    regions, _ = operator.in_all_forms("regions", "list")
    region = next(r for r in regions if r["id"] == 955)
    assert (region["code"], region["name"], region["relays"], region["state"]) == ("cli", "By Command", 1, "not in the map")
    assert operator.say("regions", "set", "955", "--score", "2.5", "--name", "Renamed")["score"] == 2.5
    key = operator.say("regions", "mesh-key", "955")
    rotated = operator.say("regions", "mesh-key", "955", "--rotate")
    assert rotated["meshKeyBefore"] == key["meshKey"] != rotated["meshKey"]
    token = operator.say("relays", "token", "--region", "955", "-d", "for all")
    assert token["relayToken"]["relayId"] is None and token["token"].startswith("hskey-relay-")
    operator.say("relays", "revoke", token["relayToken"]["id"], "--force")
    tokens, _ = operator.in_all_forms("relays", "tokens")
    assert next(t for t in tokens if t["id"] == token["relayToken"]["id"])["revokedAt"]
    for verb, wish in (("drain", "drain"), ("resume", "serve")):
        assert operator.say("relays", verb, made["relay"]["id"]) == {}
        assert next(r for r in operator.say("relays", "list") if r["id"] == made["relay"]["id"])["wish"] == wish
    assert "has relays" in operator.say("regions", "delete", "955", "--force", expect=1)["error"]
    assert operator.say("relays", "delete", made["relay"]["id"], "--force") == {}
    assert operator.say("regions", "delete", "955", "--force") == {}
    assert 955 not in [r["id"] for r in operator.say("regions", "list")]
    assert operator.say("regions", "create", "956", "--code", "by-hand")["code"] == "by-hand"
    foreign = operator.say("relays", "create", "cli-foreign", "--region-id", "956", "--foreign", "--hostname", "derp.example.net", "--port", "8443",
                           "--stun-port=-1")["relay"]
    assert foreign["foreign"] and (foreign["hostName"], foreign["derpPort"], foreign["stunPort"]) == ("derp.example.net", 8443, -1)
    operator.say("relays", "delete", foreign["id"], "--force")
    operator.say("relays", "delete", foreign["id"], "--force", expect=None)
    operator.say("regions", "delete", "956", "--force")


def test_operator_keys(operator, shared, traces):
    key = operator.say("operator", "create", "-e", "1h")
    assert over_tcp(shared, traces, key).say("tailnets", "list")
    operator.say("apikeys", "expire", "--prefix", key.split("-")[2])
    over_tcp(shared, traces, key).say("tailnets", "list", expect=1)


def test_a_tailnets_key_is_no_operator(tailnet, traces):
    key = over_socket(tailnet.cluster, traces, tailnet.name).say("apikeys", "create")
    cli = over_tcp(tailnet.cluster, traces, key)
    for words in (["tailnets", "list"], ["relays", "list"], ["regions", "list"], ["operator", "create"], ["audits", "list", "--installation"]):
        assert "not found" in cli.say(*words, expect=1)["error"], words
    assert "not found" in cli.say("--tailnet", "default", "users", "list", expect=1)["error"]


# --- exit statuses and forms


@pytest.mark.parametrize("words", [["nonsense"], ["nodes", "nonsense"], ["nodes", "get"], ["nodes", "get", "seven"], ["-o", "xml", "nodes", "list"],
                                   ["nodes", "list", "--nonsense"], ["users", "create"], ["--timeout", "soon", "health"], ["settings", "set"]])
def test_wrong_use_is_two(operator, words):
    done = operator.run(*words, expect=2)
    assert not done.stdout and done.stderr


def test_errors_take_the_form(operator):
    import yaml  # noqa: PLC0415
    words = ["nodes", "get", "1"]
    assert operator.run(*words, expect=1).stderr == "Error: getting node: node not found\n"
    forms = [json.loads(operator.run("-o", "json", *words, expect=1).stderr), json.loads(operator.run("-o", "json-line", *words, expect=1).stderr),
             yaml.safe_load(operator.run("-o", "yaml", *words, expect=1).stderr)]
    assert forms == [{"error": "getting node: node not found"}] * 3


def test_nobody_there(shared, traces):
    cli = Cli(shared, traces, "--socket", "/nowhere/admin.sock")
    assert "--server" in cli.say("users", "list", expect=1)["error"]
    slow = Cli(shared, traces, "--server", "http://127.0.0.1:1", FLEETSCALE_API_KEY="x")
    assert "no answer" in slow.say("users", "list", expect=1)["error"]
    bare = Cli(shared, traces, "--server", f"http://{shared.coordinators[0].at('admin')}")
    assert "FLEETSCALE_API_KEY" in bare.say("users", "list", expect=2)["error"]
    wrong = over_tcp(shared, traces, "hskey-api-nonsense")
    assert "operator create" in wrong.say("users", "list", expect=1)["error"]


def test_variables_of_headscale(shared, traces, tailnet):
    cli = Cli(shared, traces, HEADSCALE_CLI_ADDRESS=f"http://{shared.coordinators[0].at('admin')}", HEADSCALE_CLI_API_KEY=shared.key("admin.key"),
              HEADSCALE_CLI_TIMEOUT="10s", HEADSCALE_CLI_INSECURE="true")
    assert tailnet.name in [t["name"] for t in cli.say("tailnets", "list")]
    assert cli.say("dumpConfig")["from"] == "HEADSCALE_CLI_ADDRESS"


def on_terminal(cli, *words, rows=24, columns=80, **env):
    """(status, text) of a run whose output is a terminal."""
    child, master = pty.fork()
    if child == 0:
        os.environ.clear()
        os.environ.update({**cli.env, **env})
        os.execv(cli.program, [str(cli.program), *cli.words, *words])
    subprocess.run(["stty", "rows", str(rows), "columns", str(columns)], stdin=master, check=False)  # noqa: S607
    text = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:
            break
        if not some:
            break
        text += some
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text.decode()


def test_tables_fit_the_terminal(tailnet, traces):
    tailnet.raw("a-node-with-a-rather-long-name-that-would-not-fit-anywhere")
    cli = Cli(tailnet.cluster, traces, *["--socket", str(tailnet.cluster.admin_socket(0)), "--tailnet", tailnet.name])
    slow = traces / "slowly"  # the terminal has its size before the command asks
    slow.write_text(f'#!/bin/sh\nsleep 0.5\nexec "{cli.program}" "$@"\n')
    slow.chmod(0o755)
    cli.program = slow
    status, text = on_terminal(cli, "nodes", "list", columns=60)
    assert status == 0 and all(len(line) <= 60 for line in text.splitlines()), text
    pager = traces / "pager"
    pager.write_text(f'#!/bin/sh\ntee {traces}/paged\n')
    pager.chmod(0o755)
    for i in range(30):
        tailnet.api("POST", "/api/v1/user", {"name": f"user{i}"})
    status, text = on_terminal(cli, "users", "list", rows=10, PAGER=str(pager))
    assert status == 0 and "user29" in text and "user29" in (traces / "paged").read_text()
    (traces / "paged").unlink()
    on_terminal(cli, "users", "list", rows=50, PAGER=str(pager))
    assert not (traces / "paged").exists(), "what fits the screen needs no pager"
    cli.run("users", "list", PAGER=str(pager))
    assert not (traces / "paged").exists(), "never into a pipe"


# --- profiles


def test_profiles(shared, tailnet, traces):
    cli = Cli(shared, traces)
    server = f"http://{shared.coordinators[0].at('admin')}"
    key_file = traces / "key"
    key_file.write_text(shared.key("admin.key") + "\n")
    cli.say("profiles", "add", "file", "--server", server, "--key-file", key_file, "--tailnet", tailnet.name)
    cli.say("profiles", "add", "stored", "--server", server, "--store-key", FLEETSCALE_API_KEY=shared.key("admin.key"))
    cli.say("profiles", "add", "local", "--socket", shared.admin_socket(1))
    assert cli.config.stat().st_mode & 0o777 == 0o600
    tailnet.api("POST", "/api/v1/user", {"name": "only-here"})
    assert "only-here" in [u["name"] for u in cli.say("users", "list")], "the first one is the current one, with its tailnet"
    assert "only-here" not in [u["name"] for u in cli.say("--profile", "stored", "users", "list")]
    assert cli.say("--profile", "local", "--tailnet", tailnet.name, "users", "list") == cli.say("users", "list")
    listed, table = cli.in_all_forms("profiles", "list")
    assert [p["name"] for p in listed if p["current"]] == ["file"] and shared.key("admin.key") not in table + json.dumps(listed)
    cli.say("profiles", "use", "stored")
    assert cli.say("dumpConfig")["profile"] == "stored"
    assert cli.say("health", FLEETSCALE_PROFILE="local") == {"databaseConnectivity": True}
    cli.config.chmod(0o644)
    assert "chmod 600" in cli.say("users", "list", expect=1)["error"]
    cli.config.chmod(0o600)
    cli.say("profiles", "remove", "stored", "--force")
    assert "profiles list" in cli.say("--profile", "stored", "users", "list", expect=2)["error"]


# --- completion


def test_completion_in_bash(shared, traces):
    cli = Cli(shared, traces)
    script = traces / "completion.bash"
    script.write_text(cli.run("completion", "bash").stdout)

    def complete(*words):
        line = " ".join(f"'{w}'" for w in words)
        asked = f'source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _fleetscale; printf "%s\\n" "${{COMPREPLY[@]}}"'
        return subprocess.run(["bash", "-euc", asked], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603,S607

    assert {"nodes", "tailnets", "doctor"} <= set(complete("fleetscale", ""))
    assert complete("fleetscale", "tailn") == ["tailnets"]
    assert {"list", "approve-routes", "ping"} <= set(complete("fleetscale", "nodes", ""))
    assert complete("fleetscale", "--tailnet", "lab", "authkeys", "cr") == ["create"]
    assert "--preapproved" in complete("fleetscale", "pre", "new", "--")
    assert complete("fleetscale", "-o", "ya") == ["yaml"]
    assert "--tailnet" in complete("fleetscale", "--")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_has_syntax(shared, traces, shell):
    script = traces / f"completion.{shell}"
    script.write_text(Cli(shared, traces).run("completion", shell).stdout)
    assert script.stat().st_size > 5000
    subprocess.run([shell, "-n", str(script)], check=True)  # noqa: S603


def test_docs_are_written(shared, traces):
    page = Cli(shared, traces).run("--docs", "cli").stdout
    assert "### fleetscale nodes list" in page and "HEADSCALE_CLI_ADDRESS" in page


# --- configtest


def options_file(cluster, folder, **changes):
    """The first coordinator's options as a file."""
    options = {**cluster.options(cluster.coordinators[0]), **changes}
    path = folder / "coordinator.yaml"
    path.write_text("".join(f'"{name}": "{value}"\n' for name, value in options.items()))
    return path


def test_configtest(shared, traces):
    cli = Cli(shared, traces, FLEETSCALE_URL="http://not-an-option.example")
    assert cli.run("configtest", options_file(shared, traces)).stdout == ""
    assert cli.run("-c", options_file(shared, traces), "configtest").stderr == ""
    for changes, word in (({"redis.url": "unix:/nowhere/redis.sock"}, "redis.url"), ({"database.url": "host=/nowhere dbname=x"}, "nowhere"),
                          ({"listen.clients_tls": "127.0.0.1:1", "tls.certificate": "/nowhere/a.pem", "tls.key": "/nowhere/b.pem"}, "/nowhere/a.pem"),
                          ({"listen.clients": "nonsense"}, "listen.clients"), ({"listen.clint": "127.0.0.1:1"}, "listen.clients"),
                          ({"database.url": shared.postgres.url("fleetscale_coordinator").replace("dbname=fleetscale", "dbname=postgres")}, "migrate")):
        told = cli.say("configtest", options_file(shared, traces, **changes), expect=1)["error"]
        assert word in told, (changes, told)
    mapper = traces / "mapper.yaml"
    mapper.write_text("".join(f'"{name}": "{value}"\n' for name, value in shared.options(shared.mappers[0]).items()))
    cli.run("configtest", "--program", "mapper", mapper)
    relay = traces / "derp.yaml"
    relay.write_text("".join(f'"{name}": "{value}"\n' for name, value in shared.options(shared.relays[0]).items()))
    cli.run("configtest", "--program", "derp", relay)
    relay.write_text(relay.read_text().replace("http://", "ftp://"))
    cli.run("configtest", "--program", "derp", relay, expect=1)


# --- the doctor


def examine(cli, cluster, *words, expect=0):
    """{check: [statuses]} and the whole report."""
    report = cli.run("-o", "json", "doctor", "--database", cluster.postgres.url("fleetscale_coordinator"), "--redis", cluster.redis.url, *words,
                     expect=expect)
    told = json.loads(report.stdout)
    found = {}
    for line in told["checks"]:
        found.setdefault(line["check"], []).append(line["status"])
        assert line["advice"] or line["status"] in ("ok", "warning"), line
    assert told["status"] == ("failed" if expect else max((s for f in found.values() for s in f if s != "skipped"), key=["ok", "warning", "failed"].index))
    return found, told["checks"]


def test_doctor_finds_nothing(shared, traces, operator):
    found, checks = examine(operator, shared, "--login-server", shared.login_servers()[0])
    assert "failed" not in sum(found.values(), []), checks
    for check in ("database", "schema", "role", "redis", "clock", "admin", "access", "proxy", "policy", "clients", "upgrade", "relay"):
        assert "ok" in found[check], checks
    assert len(found["clock"]) == 2
    text = operator.run("doctor", "--redis", shared.redis.url).stdout
    assert "skipped  database" in text and "-> " in text and "ok       redis" in text
    plain, _ = examine(over_socket(shared, traces), shared)
    assert plain["clients"] == ["skipped"] and "ok" in plain["admin"]


def test_doctor_and_a_tailnets_key(tailnet, traces):
    key = over_socket(tailnet.cluster, traces, tailnet.name).say("apikeys", "create", "-s", "nodes:read")
    found, _ = examine(over_tcp(tailnet.cluster, traces, key), tailnet.cluster, "--login-server", tailnet.url())
    assert found["relay"] == ["skipped"] and found["access"] == ["ok"] and found["policy"] == ["skipped"]


def test_doctor_without_redis(clusters, traces):
    cluster = clusters(1, 1, 0)
    cluster.redis.stop()
    cli = over_tcp(cluster, traces, cluster.key("admin.key"))
    found, checks = examine(cli, cluster, expect=1)
    assert found["redis"] == ["failed"] and "ok" in found["database"], checks
    assert found["relay"] == ["warning"], "there is none"
    cluster.redis.start()
    examine(cli, cluster, "--login-server", cluster.login_servers()[0])


def test_doctor_finds_an_old_schema(clusters, traces):
    cluster = clusters(1, 1, 0)
    cluster.postgres.sql("fleetscale", "create table aside as select * from fleetscale.migrations; delete from fleetscale.migrations where version > 5")
    cli = over_tcp(cluster, traces, cluster.key("admin.key"))
    found, checks = examine(cli, cluster, "--login-server", cluster.login_servers()[0], expect=1)
    line = next(c for c in checks if c["check"] == "schema")
    assert found["schema"] == ["failed"] and "fleetscale migrate" in line["advice"], checks
    cluster.postgres.sql("fleetscale", "insert into fleetscale.migrations select * from aside where version > 5; drop table aside")


def test_doctor_finds_no_database(shared, traces):
    cli = over_socket(shared, traces)
    done = cli.run("-o", "json", "doctor", "--database", "host=/nowhere dbname=x", "--redis", "nonsense", expect=1)
    found = {c["check"]: c["status"] for c in json.loads(done.stdout)["checks"]}
    assert found["database"] == "failed" and found["redis"] == "failed" and found["admin"] == "ok"


def test_doctor_finds_no_coordinator(shared, traces):
    done = Cli(shared, traces, "--socket", "/nowhere").run("-o", "yaml", "doctor", expect=1)
    assert "status: failed" in done.stdout and "--server" in done.stdout


class Meddler(http.server.BaseHTTPRequestHandler):
    """A proxy of the wrong kind: it drops Upgrade, tells another host, and hides paths that it does not know."""

    def do_GET(self):
        self.pass_on()

    def do_POST(self):
        self.pass_on()

    def pass_on(self):
        if self.path.startswith("/key"):
            self.send_error(404)
            return
        there = http.client.HTTPConnection(*self.server.behind, timeout=10)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("upgrade", "connection", "host")}
        there.request(self.command, self.path, headers={**kept, "Host": "inside.example"})
        answer = there.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        there.close()

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def meddler(address, behind):
    server = http.server.ThreadingHTTPServer((address, 0), Meddler)
    server.behind = behind
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_doctor_finds_a_meddling_proxy(shared, traces, address):
    coordinator = shared.coordinators[0]
    with meddler(address, (address, coordinator.port("admin"))) as admin, meddler(address, (address, coordinator.port("clients"))) as clients:
        cli = Cli(shared, traces, "--server", admin, FLEETSCALE_API_KEY=shared.key("admin.key"))
        found, checks = examine(cli, shared, "--login-server", clients, expect=1)
    told = {c["check"]: c for c in checks if c["status"] == "failed"}
    assert set(told) == {"proxy", "clients", "upgrade"}, checks
    assert "inside.example" in told["proxy"]["finding"] and "proxies.trusted" in told["proxy"]["advice"]
    assert "takes the Upgrade header away" in told["upgrade"]["finding"] and "/key" in told["clients"]["finding"]


def own_certificate(folder, address, days):
    """Self-signed; with days below 0 it ended so long ago."""
    if days > 0:
        return certificate(folder, address, 7)
    begin_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days - 1)
    stamp = "%Y%m%d%H%M%SZ"
    key, request, pem = folder / "tls.key", folder / "tls.csr", folder / "tls.pem"
    extensions = folder / "tls.ext"
    extensions.write_text(f"subjectAltName=IP:{address}\n")
    (folder / "ca").mkdir(exist_ok=True)
    (folder / "ca/index.txt").write_text("")
    (folder / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/ca/index.txt\nnew_certs_dir={folder}/ca\nrand_serial=yes\n"
                                   "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=old",
                    "-keyout", str(key), "-out", str(request)], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", str(folder / "ca.cnf"), "-keyfile", str(key), "-in", str(request), "-out", str(pem),
                    "-notext", "-startdate", begin_at.strftime(stamp), "-enddate", (begin_at + datetime.timedelta(days=1)).strftime(stamp),
                    "-extfile", str(extensions)], check=True, capture_output=True)
    return pem, key


def test_doctor_looks_at_tls(clusters, traces, address, ports):
    pem, key = certificate(traces, address, 1)
    port = next(ports)
    cluster = clusters(1, 1, 0, **{"listen.clients_tls": f"{address}:{port}", "tls.certificate": pem, "tls.key": key})
    cli = over_tcp(cluster, traces, cluster.key("admin.key"))
    url = f"https://{address}:{port}"
    found, checks = examine(cli, cluster, "--login-server", url, "--ca-file", pem)
    assert found["tls"] == ["warning"], "two days are few"
    assert "ok" in found["upgrade"], checks
    found, checks = examine(cli, cluster, "--login-server", url, expect=1)
    assert found["tls"] == ["failed"], "nobody trusts it"
    own_certificate(traces, address, -3)
    end = time.monotonic() + 30
    while True:
        found, checks = examine(cli, cluster, "--login-server", url, "--ca-file", pem, expect=None)
        line = next(c for c in checks if c["check"] == "tls")
        if "expired" in line["finding"]:
            break
        assert time.monotonic() < end, checks
        time.sleep(0.5)
    assert line["status"] == "failed" and "renew" in line["advice"]


# --- what needs only the database


def test_break_glass(clusters, traces):
    """With all coordinators stopped."""
    cluster = clusters(1, 1, 0)
    url = cluster.postgres.url("fleetscale_coordinator")
    old, coordinator = cluster.key("admin.key"), cluster.coordinators[0]
    coordinator.stop()
    cli = Cli(cluster, traces)
    made = cli.run("operator", "create", "--database", url, "-e", "1h").stdout.strip()
    assert API_KEY.fullmatch(made)
    cli.say("operator", "reset", "--database", url, expect=2)  # nobody to ask
    fresh = cli.say("operator", "reset", "--force", FLEETSCALE_DATABASE_URL=url)
    assert cli.say("tailnets", "freeze", "default", "--database", url) == {"name": "default", "frozen": True, "changed": True}
    assert not cli.say("tailnets", "freeze", "default", "--database", "env", FLEETSCALE_DATABASE_URL=url)["changed"]
    assert "no tailnet" in cli.say("tailnets", "suspend", "nothing", "--database", url, expect=1)["error"]
    assert "fleetscale_coordinator" in cli.say("tailnets", "thaw", "default", "--database", cluster.postgres.url("fleetscale_mapper"), expect=1)["error"]
    cli.run("doctor", "--database", url, expect=1)
    coordinator.launch()
    coordinator.await_ready()
    for key in (old, made):
        assert "operator create" in over_tcp(cluster, traces, key).say("tailnets", "list", expect=1)["error"]
    operator = over_tcp(cluster, traces, fresh)
    assert operator.say("tailnets", "get", "default")["frozen"]
    lines = operator.say("audits", "list", "--installation")
    assert [a["actor"] for a in lines if a["action"] in ("apikey.expire", "apikey.create")][:4] == ["sql"] * 4
    again, frozen = operator.say("--tailnet", "default", "audits", "list")[:2]
    assert again["after"] == {}, "it was frozen already"
    assert (frozen["actor"], frozen["action"], frozen["after"]) == ("sql", "tailnet.update", {"frozen": True})
    for verb, member, value in (("suspend", "suspended", True), ("resume", "suspended", False), ("thaw", "frozen", False)):
        cli.say("tailnets", verb, "default", "--database", url)
        assert operator.say("tailnets", "get", "default")[member] is value


def test_frozen_by_sql_is_told_to_clients(clusters, traces):
    """Without a bell: coordinators and mappers look by themselves."""
    cluster = clusters(1, 1, 0)
    from actors.tailnet import Tailnet  # noqa: PLC0415
    net = Tailnet(cluster, "lab", traces / "net")
    try:
        net.raw("in")
        Cli(cluster, traces).say("tailnets", "freeze", "lab", "--database", cluster.postgres.url("fleetscale_coordinator"))
        late = net.machine().raw("late", url=net.url())
        assert late.register(net.authkey())["json"]["Error"]
    finally:
        net.close()
