"""The `fleetscale` command over the socket and over TCP: nouns, output forms, exit statuses, audits."""

import json
import os
import re
import subprocess

import pytest
from fleet.servers import POSTGRES_BIN

AUTH_KEY = re.compile(r"hskey-auth-[0-9A-Za-z_-]{12}-[0-9a-f]{64}")


@pytest.fixture
def run(tailnet):
    """fleetscale WORDS in the test's tailnet through the socket: (status, stdout, stderr)."""
    def run(*words, json_out=True):
        cluster = tailnet.cluster
        form = ["-o", "json"] if json_out else []
        done = cluster.command("--socket", cluster.admin_socket(0), "--tailnet", tailnet.name, *form, *words, check=False)
        return done.returncode, done.stdout, done.stderr
    return run


def told(answer):
    status, out, err = answer
    assert status == 0, err
    return json.loads(out)


def test_users(run):
    made = told(run("users", "create", "zoe"))
    assert made["name"] == "zoe" and made["id"].isdigit()
    assert {u["name"] for u in told(run("users", "list"))} >= {"zoe"}
    status, out, err = run("users", "create", "zoe")
    assert status == 1 and json.loads(err)["error"], (out, err)


def test_key_from_the_command_line_joins(run, tailnet):
    user = told(run("users", "create", "zoe"))["id"]
    status, out, _ = run("preauthkeys", "create", "--user", user, "--reusable", "--expiration", "1h", json_out=False)
    assert status == 0 and AUTH_KEY.fullmatch(out.strip()), "table mode prints the bare key"
    node = tailnet.join("node", authkey=out.strip())
    listed = told(run("nodes", "list"))
    assert [n["id"] for n in listed] == [node.id]
    assert listed[0]["user"]["name"] == "zoe"
    keys = told(run("authkeys", "list"))
    assert out.strip() not in json.dumps(keys), "secrets are masked"
    assert run("preauthkeys", "expire", "--id", keys[0]["id"])[0] == 0
    node2 = tailnet.machine().raw("late", url=tailnet.url())
    assert node2.register(out.strip())["json"]["Error"]


def test_nodes(run, tailnet):
    node = tailnet.raw("node", Hostinfo={"Hostname": "node", "OS": "linux", "RoutableIPs": ["10.1.0.0/16"]})
    number = str(node.number)
    assert told(run("nodes", "get", "--identifier", number))["givenName"] == "node"
    assert told(run("nodes", "rename", "--identifier", number, "other"))["givenName"] == "other"
    approved = told(run("nodes", "approve-routes", "--identifier", number, "--routes", "10.1.0.0/16"))
    assert approved["approvedRoutes"] == ["10.1.0.0/16"]
    assert told(run("nodes", "tag", "--identifier", number, "--tags", "tag:a,tag:b"))["tags"] == ["tag:a", "tag:b"]
    assert told(run("nodes", "expire", "--identifier", number))["expiry"]
    assert run("nodes", "delete", "--identifier", number, "--force")[0] == 0
    assert told(run("nodes", "list")) == []
    status, _, err = run("nodes", "get", "--identifier", number)
    assert status == 1 and json.loads(err)["error"]


def test_api_key_over_tcp(run, tailnet):
    made = run("apikeys", "create", "--expiration", "1h", json_out=False)
    assert made[0] == 0
    key = made[1].strip()
    cluster = tailnet.cluster
    env = {"PATH": os.environ["PATH"], "FLEETSCALE_API_KEY": key,
           "FLEETSCALE_URL": f"http://{cluster.coordinators[1].at('admin')}"}
    done = subprocess.run([str(cluster.build / "coordinator/fleetscale"), "-o", "json", "users", "list"], env=env,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)
    assert key not in json.dumps(told(run("apikeys", "list")))


@pytest.mark.parametrize("words", [[], ["nonsense"], ["nodes", "nonsense"], ["nodes", "get"], ["users", "create"],
                                   ["nodes", "list", "--no-such-flag"], ["-o", "xml", "nodes", "list"]])
def test_wrong_use(run, words):
    status, out, err = run(*words, json_out=False)
    assert status == 2 and err and not out, (status, out, err)


def test_health_and_version(run):
    assert run("health")[0] == 0
    assert run("version", json_out=False)[1].strip()


def test_no_server(shared):
    done = shared.command("--socket", "/nowhere/admin.sock", "nodes", "list", check=False)
    assert done.returncode == 1 and done.stderr


def test_every_write_is_audited(run, tailnet):
    count = f"""select count(*) from fleetscale.audits a join fleetscale.tailnets t on t.id = a.tailnet_id
                where t.name = '{tailnet.name}'"""
    database = tailnet.cluster.postgres
    before = int(database.sql("fleetscale", count))
    node = tailnet.raw("node")
    tailnet.rename(node.number, "other")
    told(run("users", "create", "zoe"))
    tailnet.delete(node.number)
    assert int(database.sql("fleetscale", count)) - before >= 3


def test_secrets_are_not_stored(run, tailnet):
    key = tailnet.authkey()
    dump = subprocess.run([POSTGRES_BIN / "pg_dump", "-h", tailnet.cluster.sockets, "-U", "fleetscale", "--data-only", "-t",
                           "fleetscale.authkeys", "-t", "fleetscale.apikeys", "fleetscale"],
                          capture_output=True, text=True, check=True)
    assert key[-64:] not in dump.stdout
    assert tailnet.cluster.key("admin.key")[-64:] not in dump.stdout


def test_audits_name_what_was_done(tailnet):
    cluster = tailnet.cluster
    latest = cluster.cli("audits", "list", "--installation")
    assert any(a["action"] == "tailnet.create" and a["after"]["name"] == tailnet.name and a["before"] is None for a in latest)
    node = tailnet.raw("box").number
    tailnet.rename(node, "crate")
    assert any(a["action"] == "node.rename" and a["subject"] == str(node) and (a["before"]["name"], a["after"]["name"]) == ("box", "crate")
               for a in cluster.cli("audits", "list", tailnet=tailnet.name))
