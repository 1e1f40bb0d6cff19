"""The runner of recorded cases: what it says of cases that were changed, and of files that are none.

That the recorded cases pass is `corpus` of ctest.
"""

import copy
import json
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD

CASES = Path(__file__).resolve().parent / "corpus/cases"
PROGRAM = BUILD / "integration/corpus/fleetcorpus"


def run(*args, given=None):
    return subprocess.run([PROGRAM, *args], input=given, capture_output=True, timeout=120, check=False)


def accepted(category):
    return [c for c in (json.loads(f.read_text(encoding="utf-8")) for f in sorted((CASES / category).glob("*.json")))
            if c["status"] == 200]


def on_nodes(change):
    """change(expect of a node) is true where it changed something."""
    return lambda case: any(change(one) for one in case["expect"].values())


def each_rule(change):
    return on_nodes(lambda one: any(change(rule) for rule in one["packet_filter"] or []))


def other_status(case):
    case["status"] = 400
    return True


def other_ports(rule):
    return bool(rule.get("DstPorts")) and rule["DstPorts"][0]["Ports"].update(Last=7) is None


def twice(rule):
    return bool(rule.get("DstPorts")) and rule["DstPorts"].append(rule["DstPorts"][0]) is None


def swapped(rule):
    ports = rule.get("DstPorts") or []
    return len(ports) > 1 and ports[0] != ports[-1] and ports.reverse() is None


def other_grant(rule):
    return bool(rule.get("CapGrant")) and rule["CapGrant"][0]["CapMap"].update({"example.com/more": None}) is None


def lost_peer(one):
    return bool(one["peers"]) and one["peers"].popitem() is not None


def lost_route(one):
    peer = next((p for p in one["peers"].values() if p["primary_routes"]), None)
    return bool(peer) and peer["allowed_ips"].remove(peer["primary_routes"][0]) is None


def lost_cap(one):
    peer = next((p for p in one["peers"].values() if p.get("cap_map")), None)
    return bool(peer) and peer.pop("cap_map") is not None


def more_caps(one):
    return one["self"]["cap_map"].update({"more": None}) is None


def other_principal(one):
    return bool(one["ssh_rules"]) and one["ssh_rules"][0]["principals"].append({"nodeIP": "100.64.99.99"}) is None


def other_login(one):
    return bool(one["ssh_rules"]) and one["ssh_rules"][0]["sshUsers"].update(somebody="=") is None


def unapproved(case):
    node = next((n for n in case["nodes"].values() if n["approved_routes"]), None)
    return bool(node) and node.update(approved_routes=[]) is None


CHANGES = {
    "status": ("acl", other_status),
    "source": ("acl", each_rule(lambda r: r["SrcIPs"].append("100.64.99.99") is None)),
    "ports": ("acl", each_rule(other_ports)),
    "duplicate": ("acl", each_rule(twice)),
    "order of destinations": ("acl", each_rule(swapped)),
    "protocol": ("acl", each_rule(lambda r: r.update(IPProto=[99]) is None)),
    "rule lost": ("grant", on_nodes(lambda one: bool(one["packet_filter"]) and one["packet_filter"].pop() is not None)),
    "grant": ("grant", each_rule(other_grant)),
    "peer": ("grant", on_nodes(lost_peer)),
    "route": ("routes", on_nodes(lost_route)),
    "approval": ("routes", unapproved),
    "peer's capability": ("routes", on_nodes(lost_cap)),
    "own capability": ("nodeattrs", on_nodes(more_caps)),
    "principal": ("ssh", on_nodes(other_principal)),
    "login": ("ssh", on_nodes(other_login)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_case_fails(tmp_path, name):
    category, change = CHANGES[name]
    for case in accepted(category):
        changed = copy.deepcopy(case)
        if change(changed):
            break
    else:
        pytest.fail(f"no case where {name} can be changed")
    (tmp_path / category).mkdir()
    (tmp_path / category / "changed.json").write_text(json.dumps(changed), encoding="utf-8")
    (tmp_path / category / "same.json").write_text(json.dumps(case), encoding="utf-8")
    done = run(tmp_path)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1 and lines[-1] == "1 passed, 1 failed", (lines, done.stderr)
    assert len(lines) == 2 and lines[0].startswith(f"{category}/changed: ") and ": expected " in lines[0], lines


def test_another_error_text_fails(tmp_path):
    case = next(c for c in map(json.loads, (f.read_text(encoding="utf-8") for f in sorted(CASES.glob("*/*.json"))))
                if "error" in c["asserts"])
    (tmp_path / "x.json").write_text(json.dumps(dict(case, error=case["error"] + ".")), encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 1 and b"x: error: expected " in done.stdout, done


MALFORMED = {
    "empty": b"",
    "cut": b'{"policy": "{}"',
    "list": b"[]",
    "number": b"7",
    "not-utf8": b'{"policy": "\xff"}',
    "nul": b'{"policy": "\\u0000"}',
    "deep": b"[" * 100_000,
    "line": b'{"policy": "a\nb"}',
    "users": b'{"policy": "{}", "users": {}, "nodes": {}}',
    "node": b'{"policy": "{}", "users": [], "nodes": {"a": 7}}',
    "routes": b'{"policy": "{}", "users": [], "nodes": {"a": {"tags": ["tag:a"], "ipv4": "100.64.0.1", "ipv6": "fd7a::1",'
              b' "routable_ips": "10.0.0.0/8"}}}',
    "nothing-asserted": b'{"policy": "{}", "users": [], "nodes": {}, "status": 200}',
}


def test_files_that_are_no_cases_fail_with_a_line(tmp_path):
    for name, content in MALFORMED.items():
        (tmp_path / f"{name}.json").write_bytes(content)
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "other.txt").write_bytes(b"no case")
    done = run(tmp_path)
    lines = done.stdout.decode().splitlines()
    names = sorted([*MALFORMED, "gone"])
    assert done.returncode == 1 and lines[-1] == f"0 passed, {len(names)} failed", (done.stdout, done.stderr)
    assert sorted(line.split(": ")[0].split("/")[-1] for line in lines[:-1]) == names


def test_wrong_use(tmp_path):
    for args in ((), ("--other",), (tmp_path, tmp_path), (tmp_path / "nowhere",), (tmp_path,)):
        done = run(*args)
        assert done.returncode == 2 and not done.stdout and done.stderr, args


def test_lines_that_are_no_cases_are_answered():
    done = run("--answer", given=b"\n".join(MALFORMED[name] for name in MALFORMED if name != "line") + b"\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(answers) == len(MALFORMED) - 1
    assert [a for a in answers if "fault" not in a] == answers[-1:] and answers[-1]["status"] == 200
